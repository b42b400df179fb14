#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every failure that a precondition can name is refused before anything has
# changed, with the remedy in the message; and with its cause gone a switchover
# works. All the time a client writes and holds a lock.
#
# usage: refusals.sh [CASE...]   (default: all; a CASE is a function's name below)
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"

conf=/etc/nasd/nasd.conf

# What a refusal must not change.
ownership() {
	echo "owner $(journal_owner "$a") on $a, $(journal_owner "$b") on $b"
}

# Asked to move to $b, nasd says no, names CHECK and a remedy, and leaves all as it is.
refused() { # WHAT MESSAGE-REGEX REMEDY-REGEX
	local code=0 had json message
	had=$(ownership)
	ctl "$a" switchover "$b" --json --timeout 60 >"$t_tmp/answer" 2>&1 || code=$?
	json=$(jq -sc 'last' "$t_tmp/answer" 2>/dev/null)
	message=$(jq -r '"\(.error.where): \(.error.message)\nremedy: \(.error.remedy)", (.findings // [] | .[] | select(.ok | not) | "\(.check): \(.message)\nremedy: \(.remedy)")' <<<"$json" 2>/dev/null)
	if [ "$code" != 3 ]; then
		fail "$1: refused" "status $code: $(tail -c 600 "$t_tmp/answer")"
	elif ! grep -qE "$2" <<<"$message"; then
		fail "$1: the message says so ($2)" "$message"
	elif ! grep -qE "^remedy: .*($3)" <<<"$message"; then
		fail "$1: the remedy helps ($3)" "$message"
	else
		pass "$1: refused, $(grep -m 1 -E "$2" <<<"$message")"
		note "$(grep -m 1 -E "^remedy: .*($3)" <<<"$message")"
	fi
	is "$1: nothing has changed" "$(ownership)" "$had"
	wait_until 5 sampled_as "$a" 111 "$EPOCHREALTIME" || fail "$1: $a serves on" "$(last_sample "$a")"
	writes_on client || fail "$1: the client writes on" "acknowledged $(acked client)"
}

# The cause is gone: ready again, and a switchover is let through.
works_again() { # WHAT
	local code=0
	wait_until 60 is_ready || { fail "$1: ready once the cause is gone" "$(show_pair; ctl "$a" check "$b" | grep -A1 FAIL)"; return; }
	ctl "$a" switchover "$b" >"$t_tmp/again" 2>&1 || code=$?
	is "$1: a switchover works once the cause is gone" $code 0
	wait_until 30 is_ready || fail "$1: settled after that" "$(show_pair)"
	writes_on client || fail "$1: the client writes on after that" "acknowledged $(acked client)"
}

# ---- the cases: cause, refused, cause gone

peer_down() {
	lab service "$b" nasd stop
	await 10 "$a sees that its peer is gone" disconnected
	refused "peer's nasd down" 'not connected' 'start nasd'
	lab service "$b" nasd start
}
disconnected() { snap; [ "$(st "$a" .peer.connected)" = false ]; }

peer_cut() {
	lab cut "$b" all
	await 10 "$a sees that its peer is gone" disconnected
	refused "networks of the target cut" 'not connected' 'check the link'
	lab heal "$b" all
}

disk_detached() {
	on "$b" drbdadm detach r0
	refused "target's disk detached" 'Diskless, not UpToDate|not UpToDate' 'resync|attach'
	on "$b" drbdadm attach r0
}

drbd_disconnected() {
	on "$b" drbdadm disconnect r0
	refused "DRBD disconnected" 'not connected \((StandAlone|WFConnection)' 'drbdadm connect'
	on "$b" drbdadm connect r0
}

resync_running() {
	resync_rate 500K
	on "$b" drbdadm invalidate r0
	await 10 "a resync runs" on "$b" grep -q cs:SyncTarget /proc/drbd
	refused "resync running, target not UpToDate" 'a resync is running' 'wait until the resync'
	resync_rate 400M
	await 60 "the resync ends" on "$b" grep -q ds:UpToDate/UpToDate /proc/drbd
	on "$b" drbdadm adjust r0
	on "$a" drbdadm adjust r0
}

# Fixed, and not held back for the sake of the writing client.
resync_rate() { # RATE
	local n
	for n in $NODES; do
		on "$n" drbdadm disk-options --c-plan-ahead=0 --c-min-rate=0 --resync-rate="$1" r0
	done
}

mount_point_busy() {
	on "$b" mount -t tmpfs none /srv/vmstore
	refused "mount point busy on the target" 'mount point' 'unmount'
	on "$b" umount /srv/vmstore
}

mount_point_missing() {
	on "$b" rmdir /srv/vmstore
	refused "mount point missing on the target" 'mount point does not exist' 'mkdir'
	on "$b" mkdir /srv/vmstore
}

address_answers() {
	on vnode3 umount /mnt/vm
	on vnode3 ip addr add 10.77.1.100/24 dev vec0
	refused "address answers elsewhere" 'already answers elsewhere, from 02:77:00:01:00:23' 'find the host'
	on vnode3 ip addr del 10.77.1.100/24 dev vec0
	# who asked meanwhile may have learnt the wrong place
	on vnode2 ip neigh flush dev vec0
	on vnode3 ip neigh flush dev vec0
}

address_on_target() {
	# of another prefix length, so that only a careful look finds it
	on "$b" ip addr add fd77:1::100/128 dev vec0 nodad
	refused "floating address present on the target" 'fd77:1::100.* (is present on the standby|already answers elsewhere)' 'ip address del|take the address away'
	on "$b" ip addr del fd77:1::100/128 dev vec0
}

over_replication() {
	snap
	[ "$(st "$a" .peer.connected)" = true ] && [[ $(st "$a" .peer.address) == 10.77.2.* ]]
}

link_down() {
	on "$b" ip link set vec0 down
	# the peers' link may have gone over it; it comes back over the other network
	await 30 "the peers are connected over the replication network" over_replication
	refused "interface of the target down" 'link of vec0 is down' 'bring the interface up'
	on "$b" ip link set vec0 up
	on "$b" ip addr replace "fd77:1::$([ "$b" = nas1 ] && echo 11 || echo 12)/64" dev vec0
}

server_dies() {
	# as fast as it is started; ends with its file
	# shellcheck disable=SC2016
	on "$b" sh -c ': >/run/no-ganesha; setsid sh -c "while [ -e /run/no-ganesha ]; do
		pkill -9 -x ganesha.nfsd; sleep 0.1; done" </dev/null >/dev/null 2>&1 &'
	await 10 "ganesha is seen to be down on the target" server_not_warm
	refused "ganesha dies again and again on the target" 'ganesha' 'ganesha'
	on "$b" rm /run/no-ganesha
}
server_not_warm() { ! ctl "$a" check "$b" --json | jq -e '.findings | map(select(.check == "ganesha" and .node == $b)) | all(.ok)' --arg b "$b" >/dev/null; }

# It looks alive and does not answer: it is replaced before the freeze, or the
# switchover is refused; never is it found out when the clients wait.
server_hangs() {
	local code=0 wall ms
	on "$b" pkill -STOP -x ganesha.nfsd
	wall=$(wall_us)
	ctl "$a" switchover "$b" --json --timeout 60 >"$t_tmp/answer" 2>&1 || code=$?
	case $code in
	0) pass "ganesha hangs on the target: it was replaced, then the service moved" ;;
	3) pass "ganesha hangs on the target: refused, $(jq -r .error.message "$t_tmp/answer")" ;;
	*) fail "ganesha hangs on the target" "status $code: $(tail -c 600 "$t_tmp/answer")" ;;
	esac
	note "$(jq -r '.steps[]? | select(.name == "warm") | "warm in \(.duration_us / 1000) ms: \(.message)"' "$t_tmp/answer")"
	on "$b" pkill -CONT -x ganesha.nfsd
	wait_until 30 is_ready || fail "ganesha hangs on the target: settles" "$(show_pair)"
	writes_on client || fail "ganesha hangs on the target: the client writes on"
	ms=$(gap_between client "$wall" "$(wall_us)")
	note "the client's longest gap: $ms ms"
	a=$(active) b=$(other "$a")
}

configuration_differs() {
	on "$b" sed -i.orig 's/grace = 20s/grace = 21s/' "$conf"
	lab service "$b" nasd restart
	await 20 "the two are connected again" is_settled
	refused "configuration different" 'configuration differs' 'same nasd.conf'
	on "$b" mv "$conf.orig" "$conf"
	lab service "$b" nasd restart
}

wrong_uuid() {
	local n
	for n in $NODES; do
		on "$n" sed -i.orig 's/uuid = "6e617364-/uuid = "00000000-/' "$conf"
		lab service "$n" nasd restart
	done
	await 20 "both nasd run and are connected" connected
	refused "another filesystem than the configuration names" 'UUID|uuid' 'uuid|nasctl status'
	for n in $NODES; do
		on "$n" mv "$conf.orig" "$conf"
		lab service "$n" nasd restart
	done
}
connected() { snap; [ "$(st nas1 .peer.connected)$(st nas2 .peer.connected)" = truetrue ]; }

another_runs() {
	local code=0 had first
	had=$(ownership)
	ctl "$b" inject reserve stall before >/dev/null
	ctl "$a" switchover "$b" >"$t_tmp/first" 2>&1 &
	first=$!
	await 10 "the first switchover is under way" switching
	ctl "$a" switchover "$b" --json >"$t_tmp/answer" 2>&1 || code=$?
	is "another transaction running: refused" "$code" 3
	note "$(jq -r '"\(.error.message); remedy: \(.error.remedy)"' "$t_tmp/answer")"
	ctl "$b" switchover "$b" --json >"$t_tmp/answer" 2>&1 && code=0 || code=$?
	is "another transaction running, asked on the target: refused" "$code" 3
	note "$(jq -r '"\(.error.message); remedy: \(.error.remedy)"' "$t_tmp/answer")"
	wait "$first" && code=0 || code=$?
	note "the first one ended with $code: $(tail -n 1 "$t_tmp/first")"
	wait_until 30 is_ready || fail "another transaction running: settles" "$(show_pair)"
	if [ "$code" = 0 ]; then
		is "the first one was not disturbed" "$(active)" "$b"
	else
		is "the first one was taken back" "$(ownership)" "$had"
	fi
	writes_on client || fail "another transaction running: the client writes on"
}
switching() { snap; [ "$(st "$a" '.groups[0].state')" = switching ]; }

nobody_there() {
	local code=0
	ctl "$a" switchover nas9 --json >"$t_tmp/answer" 2>&1 || code=$?
	is "an unknown node is refused" "$code $(jq -r .error.message "$t_tmp/answer")" "2 there is no such node"
	code=0
	ctl "$a" switchover "$a" --json >"$t_tmp/answer" 2>&1 || code=$?
	is "a switchover to the active node: nothing to do" "$code $(jq -r .note "$t_tmp/answer")" "0 it is active there already"
}

all="nobody_there peer_down peer_cut disk_detached drbd_disconnected resync_running
	mount_point_busy mount_point_missing address_answers address_on_target link_down
	server_dies server_hangs configuration_differs wrong_uuid another_runs"
# shellcheck disable=SC2086 # words
[ $# -gt 0 ] || set -- $all
requires jq awk
lab_begin
# It ends services and cuts networks on purpose: who is off is not the question here.
with_trigger manual
sampler_start
probe_begin client vnode2 --lock 0-99
since=$EPOCHREALTIME
for case in "$@"; do
	declare -F "$case" >/dev/null || die "no such case: $case"
	wait_until 40 is_ready || die "not ready before $case: $(show_pair)"
	a=$(active) b=$(other "$a")
	"$case"
	works_again "$case"
	# shellcheck disable=SC2034
	on vnode3 mountpoint -q /mnt/vm || lab up >/dev/null 2>&1
done
check "the client was clean to the end" lab guest probe stop client
# (The addresses were on both: a case put them there.)
check "at no time both nodes were Primary or had it mounted" sampler_overlaps "$since" 12
t_end
