#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The active node hangs, as a whole, and comes back: after S seconds, for each S.
# While its fence device works, the standby switches it off and takes over; what
# was stopped for less than that goes on. While the device fails, the standby waits
# and the node goes on when it comes back, or is reset by its watchdog. And the
# worst: an operator who says that it is off when it only hangs. Never do two nodes
# write: no acknowledged write may be missing, and the disks are the same in the end.
#
# usage: zombie.sh [S...]   (default: 1 5 30)
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/moves.sh
. "$t_dir/moves.sh"
# shellcheck source=tests/lab/t/disks.sh
. "$t_dir/disks.sh"
# shellcheck source=tests/lab/t/failures.sh
. "$t_dir/failures.sh"

[ $# -gt 0 ] || set -- 1 5 30

hang() { # SECONDS: the node may be off when they are over
	lab pause "$victim"
	sleep "$1"
	lab resume "$victim" 2>/dev/null
}

goes_on() { # WHAT
	local w
	for w in guest client; do
		writes_on $w "$HANG" || fail "$1: the $w writes on" "acknowledged $(acked $w)"
	done
	await "$HANG" "$1: the pair is whole" whole
	printf '      %-28s %s was active and was %s, %s is active; guest: gap %s ms\n' "$1:" "$victim" \
		"$(what_became "$victim")" "$(snap; active)" "$(gap_between guest "$round_from" "$(wall_us)")"
}

# The standby's device works.
fenced() { # SECONDS
	round_begin || return
	hang "$1"
	goes_on "hangs $1 s, device works"
}

# It does not; nobody says a word.
unfenced() { # SECONDS
	round_begin || return
	echo fail >"$LAB_STATE/node/$heir/fence.fault"
	hang "$1"
	rm "$LAB_STATE/node/$heir/fence.fault"
	goes_on "hangs $1 s, device fails"
}

# It does not, and an operator errs.
believed() { # SECONDS
	round_begin || return
	echo fail >"$LAB_STATE/node/$heir/fence.fault"
	lab pause "$victim"
	await "$HANG" "hangs $1 s, believed off: the device has failed" fence_says "$heir" '.phase == "failed"'
	ctl "$heir" fence confirm "$victim" --peer-confirmed-dead "$victim" >"$t_tmp/confirm" 2>&1 ||
		fail "hangs $1 s, believed off: the operator's word" "$(cat "$t_tmp/confirm")"
	await "$HANG" "hangs $1 s, believed off: $heir takes over" taken_over
	sleep "$1"
	lab resume "$victim" 2>/dev/null
	rm "$LAB_STATE/node/$heir/fence.fault"
	goes_on "hangs, believed off for $1 s"
}

requires qemu-system-x86_64
lab_begin
with_trigger heartbeat
# shellcheck disable=SC2016
at_end 'rm -f "$LAB_STATE"/node/*/fence.fault'
: >"$t_tmp/moves"
writers_begin
for s; do fenced "$s"; done
for s; do unfenced "$s"; done
check "at no time both nodes had anything" sampler_overlaps 0
since=$EPOCHREALTIME
for s; do believed "$s"; done
# An operator's error: what the node that was believed off still had is shown.
sampler_overlaps "$since" >"$t_tmp/overlaps" || note "while it was believed off: $(wc -l <"$t_tmp/overlaps") samples of both, the first: $(head -n 1 "$t_tmp/overlaps")"
: >"$LAB_STATE/node/nas1/samples"
: >"$LAB_STATE/node/nas2/samples"
writers_end
writers_say
disks_judge
t_end
