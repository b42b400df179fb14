#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The active node is gone and its fence device fails, hangs, does not know or lies:
# the standby waits, says so, and goes on the moment that there is proof. All the
# time a client writes and holds a lock.
#
# usage: fencefail.sh [CASE...]   (default: all; a CASE is a function's name below)
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/failures.sh
. "$t_dir/failures.sh"

# The device misbehaves, for who asks it from NODE (tools/fence_lab).
device() { # NODE fail|hang|unknown|deaf|good
	local f=$LAB_STATE/node/$1/fence.fault
	if [ "$2" = good ]; then rm -f "$f"; else echo "$2" >"$f"; fi
}

# Nothing of the service is on the heir, for S seconds and in every sample.
waits() { # SECONDS
	local end=$(($(now_ms) + $1 * 1000)) since=$EPOCHREALTIME
	while [ "$(now_ms)" -lt "$end" ]; do
		still_standby || { show_pair; return 1; }
		sleep 0.5
	done
	! awk -v since="$since" '$1 > since && $3 != "000"' "$LAB_STATE/node/$heir/samples" | grep -m 1 .
}

works_on() { # WHAT
	await "$HANG" "$1: $heir takes over" taken_over || fence_story "$heir"
	writes_on "$case" "$HANG" || fail "$1: the client writes on" "acknowledged $(acked "$case")"
	device "$heir" good
	revive "$victim" || fail "$1: $victim is back and stands by" "$(show_pair)"
}

# The device is asked and gives no proof; the operator does.
no_proof() { # FAULT WORD-OF-THE-DEVICE
	local code=0
	device "$heir" "$1"
	lab crash "$victim"
	await "$HANG" "device $1: nasctl fence status says that it failed, and said: $2" fence_says "$heir" \
		".phase == \"failed\" and .peer == \"$victim\" and (.devices[0].said | test(\"^($2)\$\"))" || fence_story "$heir"
	check "device $1: $heir waits" waits 8
	note "$(ctl "$heir" fence status --json | jq -r .explain)"
	ctl "$heir" fence confirm "$heir" --peer-confirmed-dead "$heir" >"$t_tmp/answer" 2>&1 || code=$?
	[ "$code" != 0 ] || fail "device $1: a word about the wrong node is refused" "$(cat "$t_tmp/answer")"
	still_standby || fail "device $1: $heir waits after a word about the wrong node" "$(show_pair)"
	check "device $1: an operator's word about $victim" \
		ctl "$heir" fence confirm "$victim" --peer-confirmed-dead "$victim"
	works_on "device $1, confirmed"
}

fails() { no_proof fail 'failed'; }
hangs() { no_proof hang 'timeout'; }
does_not_know() { no_proof unknown 'failed|unknown'; }

# Proof from the device itself, as soon as it works again.
repaired() {
	device "$heir" fail
	lab crash "$victim"
	await "$HANG" "repaired: it fails first" fence_says "$heir" '.phase == "failed"'
	device "$heir" good
	works_on "device repaired"
}

# Both are told that the other is off, and neither is: when the network is back
# all is as it was. (The client holds no lock here: who is cut off from his server
# for longer than the lease loses it.)
lies() {
	device "$heir" deaf
	device "$victim" deaf
	lab cut "$victim" all
	await "$HANG" "device deaf: $heir sees that $victim is on" fence_says "$heir" '.phase == "failed" and .devices[0].said != "off"'
	check "device deaf: $heir waits" waits 3
	note "$(ctl "$heir" fence status --json | jq -r .explain)"
	lab heal "$victim" all
	await "$HANG" "device deaf: the pair is whole when the network is" is_ready
	is "device deaf: $victim is active as before" "$(snap; active) $(epoch)" "$victim $epoch_before"
	writes_on lies "$HANG" || fail "device deaf: the client writes on" "acknowledged $(acked lies)"
	device "$heir" good
	device "$victim" good
}

[ $# -gt 0 ] || set -- fails hangs does_not_know repaired lies
lab_begin
with_trigger heartbeat
# shellcheck disable=SC2016
at_end 'rm -f "$LAB_STATE"/node/*/fence.fault'
sampler_start
for case in "$@"; do
	declare -F "$case" >/dev/null || die "no such case: $case"
	lock='--lock 0-99'
	[ "$case" != lies ] || lock=''
	round_begin || break
	# shellcheck disable=SC2086 # words
	probe_begin "$case" vnode2 $lock
	"$case"
	check "$case: the client was clean to the end" lab guest probe stop "$case"
done
check "at no time both nodes had anything" sampler_overlaps 0
t_end
