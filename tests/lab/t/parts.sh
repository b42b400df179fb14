#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A part of a node fails, and the other node lives. Under a writing guest, a locking
# client and a stranger to the lock: ganesha hangs, the standby's dies, nasd is killed
# and killed again, a clock jumps, an address is taken away or taken over by another
# host, the active's disk fails. Then, without them, what an operator has to mend: a
# filesystem that is full or read-only, and a split brain, by the ways of nasd(8).
#
# usage: parts.sh [--quick | CASE...]     CASE: the name of a function below
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/moves.sh
. "$t_dir/moves.sh"
# shellcheck source=tests/lab/t/disks.sh
. "$t_dir/disks.sh"
# shellcheck source=tests/lab/t/failures.sh
. "$t_dir/failures.sh"

UNDER_WRITERS="clocks_jump server_pauses server_hangs server_leaves standby_server_dies nasd_dies address_gone address_stolen disk_fails"
MENDED="fs_full fs_readonly split_keep_owner split_keep_other"
# shellcheck disable=SC2206 # words
case ${1:-} in
'') cases=($UNDER_WRITERS $MENDED) ;;
--quick) cases=(server_hangs address_gone disk_fails) ;;
*) cases=("$@") ;;
esac
for c in "${cases[@]}"; do
	case " $UNDER_WRITERS $MENDED " in *" $c "*) ;; *) die "usage: parts.sh [--quick | CASE...]; cases: $UNDER_WRITERS $MENDED" ;; esac
done

both_write() { writes_on guest "$HANG" && writes_on client "$HANG"; }

# Said in NODE's log since log_mark.
log_mark() { local n; for n in $NODES; do wc -l <"$(nasd_log "$n")" >"$t_tmp/mark.$n"; done; }
log_since() { tail -n "+$(($(cat "$t_tmp/mark.$1") + 1))" "$(nasd_log "$1")"; }
log_says() { log_since "$1" | grep -qF "$2"; }
status_says() { ctl "$1" status | grep -qF "$2"; }
status_lacks() { ! status_says "$1" "$2"; }
check_says() { ctl "$1" check "$(other "$1")" | grep -qF "$2"; } # it may say that it is not ready

# The same node is active under the same epoch, and all is as it was.
part_begin() {
	round_begin || return 1
	log_mark
}

stayed() { [ "$(active)" = "$victim" ] && [ "$(epoch)" = "$epoch_before" ]; }
recovered() { # WHAT
	check "$1: the pair is whole again" wait_until "$HANG" is_ready
	check "$1: the group stayed on $victim" stayed
	check "$1: guest and client write on" both_write
}

moves_in_logs() { log_since nas1; log_since nas2; }
nothing_moved() { ! moves_in_logs | grep -E 'state .* -> (activating|switching|standing-down|claiming|target)|is fenced'; }

ganesha_pid() { on "$1" pgrep -x ganesha.nfsd; }

# ---- under writers

server_hangs() {
	local pid
	part_begin || return 1
	pid=$(ganesha_pid "$victim")
	on "$victim" kill -STOP "$pid"
	await 30 "a hang of ganesha shows in nasctl status" status_says "$victim" 'NO ANSWER' || return 1
	await "$HANG" "ganesha hangs: it is killed" log_says "$victim" 'has answered nothing for' || return 1
	recovered "ganesha hangs"
	check "ganesha hangs: the one that hung is gone" test "$(ganesha_pid "$victim")" != "$pid"
	check "ganesha hangs: no alarm is left" wait_until 10 status_lacks "$victim" 'NO ANSWER'
}

# Slow is not dead: half of hung-after.
server_pauses() {
	local pid
	part_begin || return 1
	pid=$(ganesha_pid "$victim")
	on "$victim" sh -c "kill -STOP $pid; sleep 5; kill -CONT $pid"
	recovered "ganesha stands still for 5 s"
	is "ganesha stands still for 5 s: it is the same" "$(ganesha_pid "$victim")" "$pid"
}

on_server_failure() { group_option on-server-failure "$1" && wait_until "$HANG" is_ready; } # restart|switchover

# It dies again and again: with on-server-failure = switchover the third time is enough.
server_leaves() {
	local n
	on_server_failure switchover || { fail "on-server-failure = switchover is taken"; return 1; }
	at_end "on_server_failure restart"
	part_begin || return 1
	for n in 1 2 3; do
		[ "$n" = 1 ] || await "$HANG" "ganesha dies, $((n - 1)) of 3: served again on $victim" is_ready || return 1
		on "$victim" kill -KILL "$(ganesha_pid "$victim")"
		sleep 1
	done
	await "$HANG" "ganesha dies 3 times: the group is moved" moved_to_heir || { show_pair; return 1; }
	check "ganesha dies 3 times: it was a planned switchover" log_says "$victim" 'every precondition holds'
	check "ganesha dies 3 times: the reason is in the log" log_says "$victim" 'the server died 3 times within 10 minutes'
	check "ganesha dies 3 times: the pair is whole" wait_until "$HANG" is_ready
	check "ganesha dies 3 times: guest and client write on" both_write
	is "ganesha dies 3 times: nobody was fenced" "$(power_log "$round_from" | grep -c -v ' lab$')" 0
}

standby_server_dies() {
	local pid
	part_begin || return 1
	pid=$(ganesha_pid "$heir")
	on "$heir" kill -KILL "$pid"
	await 20 "the standby's ganesha dies: noticed" log_says "$heir" 'rewarm done' || return 1
	recovered "the standby's ganesha dies"
	check "the standby's ganesha dies: another one is warm" test "$(ganesha_pid "$heir")" != "$pid"
}

nasd_dies() {
	local pid p
	part_begin || return 1
	pid=$(ganesha_pid "$victim")
	for p in "$victim" "$heir"; do
		lab service "$p" nasd kill
	done
	recovered "both nasd killed"
	# shellcheck disable=SC2016
	on "$victim" sh -c 'end=$(($(cut -d. -f1 /proc/uptime) + 5))
		while [ "$(cut -d. -f1 /proc/uptime)" -lt "$end" ]; do pkill -KILL -x nasd; sleep 0.3; done'
	recovered "nasd of the active killed for 5 s"
	is "nasd killed: ganesha is the same" "$(ganesha_pid "$victim")" "$pid"
	is "nasd killed: nobody was fenced" "$(power_log "$round_from" | grep -c -v ' lab$')" 0
}

address_gone() {
	part_begin || return 1
	on "$victim" ip address del 10.77.1.100/24 dev vec0
	await 20 "an address is taken away: noticed" log_says "$victim" 'was taken away by somebody' || return 1
	recovered "an address is taken away"
}

address_stolen() {
	local mac
	part_begin || return 1
	mac=$(on vnode2 cat /sys/class/net/vec0/address)
	at_end "on vnode2 ip address del fd77:1::100/128 dev vec0"
	on vnode2 ip address add fd77:1::100/128 dev vec0 nodad
	await 60 "a stolen address is told with the thief's MAC" status_says "$victim" "another host, $mac" || return 1
	check "a stolen address is in the log" log_says "$victim" "ANSWERED BY ANOTHER HOST, $mac"
	check "a stolen address is in nasctl check" check_says "$victim" "$mac"
	on vnode2 ip address del fd77:1::100/128 dev vec0
	check "the alarm ends with the theft" wait_until 30 status_lacks "$victim" 'STOLEN'
	recovered "a stolen address"
	check "a stolen address: nothing moved" nothing_moved
}

moved_to_heir() { heir_says '.groups[0].state == "active"' && is_settled; }
# shellcheck disable=SC2317
heir_alone() { on "$heir" grep -q 'cs:Connected .*ds:UpToDate/Diskless' /proc/drbd; }
disks_good() { on "$1" grep -q 'cs:Connected .*ds:UpToDate/UpToDate' /proc/drbd; }

disk_fails() {
	part_begin || return 1
	on "$victim" drbdadm detach --force r0
	await "$HANG" "the active's disk fails: $heir serves" moved_to_heir || { show_pair; return 1; }
	check "the active's disk fails: it was a planned switchover" log_says "$victim" 'every precondition holds'
	check "the active's disk fails: guest and client write on" both_write
	check "a failed disk shows in nasctl status" status_says "$heir" "$victim: its own disk is Diskless"
	on "$victim" drbdadm attach r0
	check "the disk is attached again: resynced" wait_until "$HANG" disks_good "$victim"
	check "the disk is attached again: the pair is whole" wait_until "$HANG" is_ready
	is "a failed disk: nobody was fenced" "$(power_log "$round_from" | grep -c -v ' lab$')" 0
}

# ---- clocks

jump() { on "$1" date -s "@$(($(on "$1" date +%s) + $2))" >/dev/null; }

# A lease is 60 s at most: an hour is enough to end all of them, were it believed.
clocks_jump() {
	local by who n
	part_begin || return 1
	sampler_stop # its times are not to be trusted meanwhile
	for who in "$heir" "$victim" "$heir $victim"; do
		for by in 3600 -3600; do
			for n in $who; do
				jump "$n" "$by"
			done
			sleep 3
			check "the clock of ${who/ / and } by $by s: guest and client write on" both_write
		done
	done
	recovered "clocks jump"
	sampler_start
	check "clocks jump: nothing moved" nothing_moved
	is "clocks jump: nobody was fenced" "$(power_log "$round_from" | grep -c -v ' lab$')" 0
}

# ---- without writers

# The service of NODE, ended by hand as nasd(8) says.
service_end() {
	watchdog_off "$1"
	lab service "$1" nasd stop
	# shellcheck disable=SC2016
	on "$1" sh -c 'pkill -KILL -x ganesha.nfsd; until ! pgrep -x ganesha.nfsd >/dev/null; do sleep 0.05; done
		ip address del 10.77.1.100/24 dev vec0; ip address del fd77:1::100/64 dev vec0
		umount /srv/vmstore'
}

service_begin() {
	lab service "$1" nasd-watchdog start
	lab service "$1" nasd start
}

fs_full() {
	part_begin || return 1
	on "$victim" sh -c 'fallocate -l 1G /srv/vmstore/filler || dd if=/dev/zero of=/srv/vmstore/filler bs=1M' >/dev/null 2>&1
	await 20 "a full filesystem shows in nasctl status" status_says "$victim" 'free in the filesystem' || return 1
	check "a full filesystem is in the log" log_says "$victim" 'full: '
	check "a full filesystem is in nasctl check" check_says "$victim" 'FULL'
	check "a full filesystem keeps nothing from moving" is_ready
	on "$victim" rm -f /srv/vmstore/filler
	check "a full filesystem: the alarm ends with it" wait_until 20 status_lacks "$victim" 'free in the filesystem'
	check "a full filesystem: nothing moved" nothing_moved
}

# One that ends all writing, on the node that serves.
fs_error() {
	case $(cat "$LAB_STATE/fs") in
	ext4) on "$victim" sh -c 'mount -o remount,errors=remount-ro /srv/vmstore && echo 1 >/sys/fs/ext4/drbd0/trigger_fs_error' ;;
	xfs) on "$victim" xfs_io -x -c shutdown /srv/vmstore ;;
	esac
}
fs_repair() {
	case $(cat "$LAB_STATE/fs") in
	ext4) on "$victim" sh -c 'e2fsck -f -y /dev/drbd0; [ $? -le 1 ]' ;; # 1: errors corrected
	xfs) on "$victim" sh -c 'mount /dev/drbd0 /mnt && umount /mnt && xfs_repair /dev/drbd0' ;; # its log first
	esac
}

fs_readonly() {
	part_begin || return 1
	fs_error || { note "no error can be made in $(cat "$LAB_STATE/fs") here"; return 0; }
	await 20 "a read-only filesystem shows in nasctl status" status_says "$victim" 'READ-ONLY    ' || return 1
	check "a read-only filesystem is in the log" log_says "$victim" 'has become READ-ONLY'
	check "a read-only filesystem is in nasctl check" check_says "$victim" 'the filesystem is READ-ONLY'
	check "a read-only filesystem: nothing moved" nothing_moved
	service_end "$victim"
	fs_repair >"$t_tmp/fsck" 2>&1 || fail "the repair" "$(tail -n 5 "$t_tmp/fsck")"
	service_begin "$victim"
	check "a read-only filesystem, repaired: served again" wait_until "$HANG" is_ready
	check "a read-only filesystem, repaired: writable" on "$victim" touch /srv/vmstore/probe.parts
	check "a read-only filesystem, repaired: no alarm" status_lacks "$victim" 'READ-ONLY    '
}

stayed_settled() { wait_until 30 is_settled && stayed; }

# ---- split brain

mark_of() { on "$1" cat /srv/vmstore/mark 2>/dev/null; }
both_alone() { ctl nas1 status --json | jq -e '.groups[0].split_brain' && ctl nas2 status --json | jq -e '.groups[0].split_brain'; } >/dev/null

# Fencing off by hand, both written to, then connected.
split_make() {
	local p
	for p in $NODES; do
		on "$p" drbdadm disk-options --fencing=dont-care r0 || return 1
	done
	# a node that a Primary with fencing lets go has to be outdated first
	for p in $NODES; do
		on "$p" drbdadm disconnect r0 || return 1
	done
	on "$victim" sh -c 'echo owner >/srv/vmstore/mark; sync' || return 1
	# shellcheck disable=SC2016
	on "$heir" sh -c 'drbdadm primary r0 && mkdir -p /mnt/split && mount -o noatime /dev/drbd0 /mnt/split || exit 1
		echo other >/mnt/split/mark; dd if=/dev/urandom of=/mnt/split/apart bs=64k count=16 2>/dev/null; sync
		umount /mnt/split && drbdadm secondary r0' || return 1
	for p in $NODES; do
		on "$p" drbdadm connect r0 || return 1
	done
}

split_told() {
	await 30 "split brain: nasctl status of both says so" both_alone || return 1
	ctl "$victim" status | sed -n '/SPLIT BRAIN/,/(here)/{/(here)/!p}' >"$t_tmp/split"
	sed 's/^/      /' "$t_tmp/split"
	check "split brain: both ways are named" test "$(grep -c 'discard-my-data' "$t_tmp/split")" = 2
	check "split brain: is in nasctl check" check_says "$victim" 'SPLIT BRAIN'
	check "split brain: is in the log" log_says "$victim" 'SPLIT BRAIN of DRBD r0'
	ctl "$victim" switchover "$heir" >"$t_tmp/no" 2>&1 && fail "split brain: a switchover is refused" "$(cat "$t_tmp/no")"
	ctl "$heir" takeover "$heir" >"$t_tmp/no" 2>&1 && fail "split brain: a takeover is refused" "$(cat "$t_tmp/no")"
	check "split brain: $victim serves on" on "$victim" grep -q ' /srv/vmstore ' /proc/mounts
	is "split brain: $heir was not made Primary" "$(on "$heir" drbdadm role r0 | cut -d/ -f1)" Secondary
}

split_over() { # WHAT KEPT
	local p
	check "split brain, $1: both copies are the same again" wait_until "$HANG" disks_good "$victim"
	for p in $NODES; do
		on "$p" drbdadm adjust r0
	done
	check "split brain, $1: the pair is whole" wait_until "$HANG" is_ready
	is "split brain, $1: that is what was kept" "$(mark_of "$(active)")" "$2"
	check "split brain, $1: nobody tells of it any more" wait_until 20 status_lacks "$victim" 'SPLIT BRAIN'
}

split_keep_owner() {
	part_begin || return 1
	split_make || { fail "a split brain cannot be made"; return 1; }
	split_told || return 1
	on "$heir" sh -c 'drbdadm disconnect r0; drbdadm connect --discard-my-data r0'
	on "$victim" drbdadm connect r0
	split_over "the owner's copy kept" owner
}

split_keep_other() {
	part_begin || return 1
	split_make || { fail "a split brain cannot be made"; return 1; }
	await 30 "split brain: nasctl status of both says so" both_alone || return 1
	service_end "$victim"
	on "$victim" sh -c 'drbdadm secondary r0; drbdadm disconnect r0; drbdadm connect --discard-my-data r0'
	on "$heir" drbdadm connect r0
	wait_until "$HANG" disks_good "$victim"
	service_begin "$victim"
	split_over "the other copy kept" other
}

requires qemu-system-x86_64
lab_begin
with_trigger heartbeat
under="" mended=""
for c in "${cases[@]}"; do
	case " $UNDER_WRITERS " in *" $c "*) under="$under $c" ;; *) mended="$mended $c" ;; esac
done
if [ -n "$under" ]; then
	writers_begin
	moves_begin
	for c in $under; do
		"$c"
	done
	is "no node was fenced that was not off" "$(fences_of_living)" 0
	writers_end
	writers_say
fi
for c in $mended; do
	"$c"
done
t_end
