#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A real keepalived on both NAS nodes is nasd's trigger. Under a writing guest: the
# master dies (the power is cut), and nasd is asked, has it fenced and takes over; the
# two keepalived lose each other (a VRRP split: both are master) while the nodes are
# well, and nothing moves; the master's link goes down, and the service is moved; links
# flap, and it is moved once within hold-down.
#
# With a fence device that fails nobody takes over, until it works. With the example's
# script that looks for the clients, their network is lost and the service is moved.
#
# usage: keepalived.sh [PART...]   (death split link_loss replication_loss keepalived_dies
#                                   fencing_fails; and clients_lost, when it is named)
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/moves.sh
. "$t_dir/moves.sh"
# shellcheck source=tests/lab/t/failures.sh
. "$t_dir/failures.sh"

[ $# -gt 0 ] || set -- death split link_loss replication_loss keepalived_dies fencing_fails
for part; do
	case $part in
	death | split | link_loss | replication_loss | keepalived_dies | fencing_fails | clients_lost) ;;
	*) die "no part '$part'" ;;
	esac
done

vrrp_state() { on "$1" cut -d' ' -f1 /run/nasd/keepalived.vmstore; }
vrrp_is() { [ "$(vrrp_state "$1")" = "$2" ]; } # NODE STATE
log_lines() { wc -l <"$(nasd_log "$1")"; }
log_says() { tail -n "+$(($2 + 1))" "$(nasd_log "$1")" | grep -q "$3"; } # NODE LINES-BEFORE TEXT
runs() { # NODE SERVICE
	on "$1" /lab/bin/labnode service list | grep -q "^$2 .*run"
}

# Who serves is the master, too.
masters_agree() { is_ready && vrrp_is "$(active)" MASTER && vrrp_is "$(other "$(active)")" BACKUP; }

# A part that wants a move does not meet the hold-down (30 s) of the one before: it outlasts the
# lease, and clients that are cut off for so long have lost their locks.
moved_long_ago() {
	local began
	began=$(ctl "$(active)" history --json --limit 1 | jq -r '.entries[0].began // "1970-01-01"') || return
	[ $(($(date +%s) - $(date -d "$began" +%s))) -gt 35 ]
}

# VRRP is IP protocol 112: no advertisement comes in any more, and all else does.
adverts() { on "$1" iptables-legacy "$2" INPUT -p 112 -j DROP; } # NODE -I|-D

death() {
	await "$HANG" "one of mind before the power cut" masters_agree || return
	round_begin || return
	lab crash "$victim"
	await "$HANG" "the master dies: $heir takes over" taken_over || { fence_story "$heir"; return; }
	pass "the master dies: $heir has taken over"
	check "the guest writes on" writes_on guest "$HANG"
	check "$victim was fenced first, by $heir" test -n "$(fenced_by "$victim" "$round_from")"
	is "it was keepalived that asked" "$(ctl "$heir" history --json --limit 1 | jq -r '.entries[0].requested_by')" keepalived
	round_end
	check "$victim is back, and stands by" revive "$victim"
	await "$HANG" "keepalived: the one that serves is master" masters_agree
	is "no failback" "$(active)" "$heir"
}

split() {
	local from before n a b
	await "$HANG" "one of mind before the split" masters_agree || return
	a=$(active) b=$(other "$a") before=$(epoch) n=$(log_lines "$b") from=$(wall_us)
	for p in $NODES; do adverts "$p" -I || die "iptables does not work in $p"; done
	await 30 "both are master" eval "vrrp_is $a MASTER && vrrp_is $b MASTER"
	await 40 "$b says why it does not serve" log_says "$b" "$n" 'it serves and is heard'
	pass "both are master, and $b says why it does not serve"
	for p in $NODES; do adverts "$p" -D; done
	await "$HANG" "VRRP is of one mind again" masters_agree
	is "nothing was moved" "$(active) $(epoch)" "$a $before"
	is "nobody was fenced" "$(power_log "$from" | awk '$2 == "off"' | wc -l)" 0
	check "the guest writes on" writes_on guest
	note "guest, longest gap over the split: $(gap_between guest "$from" "$(wall_us)") ms"
}

# The link of the one that serves goes down; it comes back, and the other one's goes.
link_loss() {
	local from a b n
	await "$HANG" "one of mind before the link goes down" masters_agree || return
	await "$HANG" "hold-down is over" moved_long_ago || return
	a=$(active) b=$(other "$a") from=$(wall_us)
	on "$a" ip link set vec0 down
	await "$HANG" "the link goes down: $b serves" eval "heir=$b; heir_says '.groups[0].state == \"active\"'"
	pass "the master's link goes down: $b serves"
	check "the guest writes on" writes_on guest "$HANG"
	note "guest, gap of the link's loss: $(gap_between guest "$from" "$(wall_us)") ms"
	link_up "$a"
	lab service "$b" nasd restart >/dev/null || die "nasd cannot be restarted"
	await 20 "$b serves on" eval "ctl $b status --json | jq -e '.groups[0].state == \"active\"'"
	check "hold-down goes on over a restart of nasd" grep hold-down <<<"$(ctl "$b" switchover "$a" --by keepalived 2>&1)"
	n=$(log_lines "$b")
	on "$b" ip link set vec0 down
	await 20 "within hold-down $b is not relieved" log_says "$b" "$n" 'hold-down'
	pass "it flaps: within hold-down nothing is moved, and $b says so"
	link_up "$b"
	await "$HANG" "all is well again" masters_agree
	is "one move in all" "$(active)" "$b"
	check "the guest writes on" writes_on guest "$HANG"
	is "nobody was fenced" "$(power_log "$from" | awk '$2 == "off"' | wc -l)" 0
}
link_up() { # NODE, whose IPv6 address went with the link
	on "$1" ip link set vec0 up
	on "$1" ip address add "fd77:1::1${1#nas}/64" dev vec0 nodad
}

replication_loss() {
	local from before
	await "$HANG" "one of mind before replication is lost" masters_agree || return
	before="$(active) $(epoch)" from=$(wall_us)
	lab cut "$(other "$(active)")" repl
	check "replication is lost: the guest writes on" writes_on guest "$HANG"
	lab heal "$(other "$(active)")" repl
	await "$HANG" "all is well again" masters_agree
	is "nothing was moved" "$(active) $(epoch)" "$before"
	is "nobody was fenced" "$(power_log "$from" | awk '$2 == "off"' | wc -l)" 0
}

keepalived_dies() {
	local a before
	await "$HANG" "one of mind before keepalived dies" masters_agree || return
	a=$(active) before=$(epoch)
	lab service "$a" keepalived kill
	await "$HANG" "keepalived dies on $a: all is well again" masters_agree
	is "nothing was moved" "$(active) $(epoch)" "$a $before"
}

# keepalived asks again and again, and is refused for as long as there is no proof.
fencing_fails() {
	await "$HANG" "one of mind before fencing fails" masters_agree || return
	round_begin || return
	echo fail >"$LAB_STATE/node/$heir/fence.fault"
	lab crash "$victim"
	await "$HANG" "fencing fails: $heir is master" vrrp_is "$heir" MASTER
	await "$HANG" "fencing fails: nasd says so" fence_says "$heir" '.phase == "failed"' || fence_story "$heir"
	check "fencing fails: $heir waits" still_standby
	note "$(ctl "$heir" fence status --json | jq -r .explain)"
	rm -f "$LAB_STATE/node/$heir/fence.fault"
	await "$HANG" "fencing works again: $heir takes over" taken_over || fence_story "$heir"
	check "the guest writes on" writes_on guest "$HANG"
	check "$victim is back, and stands by" revive "$victim"
	await "$HANG" "keepalived: the one that serves is master" masters_agree
}

# The example's script is put in force; it stays so. Only the clients' network of the one
# that serves is lost, not its link.
look_for_clients() {
	local n conf
	for n in $NODES; do
		conf=$LAB_STATE/node/$n/root/etc/keepalived/keepalived.conf
		sed -i '/^#vrrp_script clients_answer/,/^#}/s/^#//; s/#clients_answer/clients_answer/' "$conf"
		lab put "$n" "$conf" /etc/keepalived/keepalived.conf && lab service "$n" keepalived restart || return
	done
}
clients_lost() {
	local from a b
	check "keepalived looks for the clients, too" look_for_clients
	await "$HANG" "one of mind before the clients are lost" masters_agree || return
	await "$HANG" "hold-down is over" moved_long_ago || return
	a=$(active) b=$(other "$a") from=$(wall_us)
	lab cut "$a" client
	await "$HANG" "the clients do not answer $a: $b serves" eval "heir=$b; heir_says '.groups[0].state == \"active\"'"
	pass "the clients do not answer $a any more, though its link is up: $b serves"
	is "it was keepalived that asked" "$(ctl "$a" history --json --limit 1 | jq -r '.entries[0] | "\(.kind) \(.requested_by)"')" "switchover keepalived"
	check "the guest writes on" writes_on guest "$HANG"
	note "guest, gap of the clients' loss: $(gap_between guest "$from" "$(wall_us)") ms"
	lab heal "$a" client
	await "$HANG" "all is well again" masters_agree
	is "no failback" "$(active)" "$b"
	is "nobody was fenced" "$(power_log "$from" | awk '$2 == "off"' | wc -l)" 0
}

requires qemu-system-x86_64 keepalived
lab_begin
on nas1 test -x /usr/lib/nasd/nasd-keepalived-notify || skip "this lab's nasd is without keepalived's program"
# shellcheck disable=SC2016
at_end 'rm -f "$LAB_STATE"/node/*/fence.fault; for n in $NODES; do lab heal $n client; done; lab keepalived down'
lab keepalived up || die "keepalived does not come up"
wait_until "$HANG" is_ready || die "not ready with trigger = keepalived: $(show_pair)"
guest_begin guest vnode2
sampler_start
moves_begin
: >"$t_tmp/rounds"
for part; do
	"$part"
done
check "at no time both nodes had anything" sampler_overlaps 0
sampler_stop
check "the guest: no error, no bad block" lab guest stop guest
is "no node was fenced that was not off" "$(fences_of_living)" 0
table_of_parts
t_end
