#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A libvirt guest that writes and verifies moves from one hypervisor to the other,
# its storage from one NAS to the other, and both in one operation. Nothing may be
# lost or wrong, exactly one hypervisor runs it, and a move that is cancelled or whose
# nasctl is killed leaves guest and storage whole.
#
# usage: guestmove.sh [--quick | N | PART...]
# N rounds of the three moves (10); PART: refusals, moves, cancel, options, postcopy,
# rows[=REGEX] (guestmove-rows.sh: "WHEN WHAT" of its table). Without one: all of them.
# gaps[=N]: N moves (3) of a guest that dirties memory faster than it is sent, in each way.
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/rows.sh
. "$t_dir/rows.sh"
# shellcheck source=tests/lab/t/guestmove-rows.sh
. "$t_dir/guestmove-rows.sh"

n=10 parts=(refusals moves cancel options postcopy rows)
case ${1:-} in
--quick) parts=(quick) ;;
--rows) parts=(rows${2:+=$2}) ;;
'' | *[!0-9]*) [ $# = 0 ] || parts=("$@") ;;
*) n=$1 parts=(moves) ;;
esac

other_vnode() { if [ "$1" = vnode2 ]; then echo vnode3; else echo vnode2; fi; }
where() { lab guest where g; }
runs_on() { # the hypervisors that run it, by libvirt's word on each
	local v
	for v in vnode2 vnode3; do
		on "$v" virsh -q list --name --state-running | grep -qx g && echo "$v"
	done
}
only_on() { [ "$(runs_on)" = "$1" ]; }

# The longest time in ms without a write acknowledged to the guest, and without a
# heartbeat, by the clock of its watcher: the guest's own stands while it moves.
gaps() { # FROM-US TO-US
	awk -v a="$1" -v b="$2" '/ev=hb/ {
		split($1, t, "=")
		if (t[2] < a || t[2] > b || !match($0, /acked=[0-9]+/)) next
		k = substr($0, RSTART + 6, RLENGTH - 6) + 0
		if (beat && t[2] - beat > silent) silent = t[2] - beat
		if (k > last) { if (last && t[2] - at > idle) idle = t[2] - at; last = k; at = t[2] }
		beat = t[2]
	} END { printf "%.0f %.0f\n", idle / 1000, silent / 1000 }' "$(guest_log g)"
}

# nasctl on the active node; its gaps go into gaps.KIND: the watcher's two, and the
# longest that the guest's own clock, which stands while it is stopped, tells of.
moves() { # KIND COMMAND...
	local kind=$1 from until out seen
	shift
	wait_until 40 is_ready || { fail "the pair is ready" "$(show_pair)"; return 1; }
	from=$(wall_us)
	out=$(ctl "$(active)" "$@" 2>"$t_tmp/err") || { fail "$kind: nasctl $*" "$out $(cat "$t_tmp/err")"; return 1; }
	took_ms=$((($(wall_us) - from) / 1000))
	echo "$out" >"$t_tmp/last"
	writes_on g 40 || { fail "$kind: the guest writes on"; return 1; }
	until=$(wall_us)
	seen="$(gaps "$from" "$until") $(gap_between g "$from" "$until")"
	note "$kind: $took_ms ms; no write done, guest silent, its own clock: $seen ms; load $(cut -d' ' -f1 /proc/loadavg)"
	echo "$seen" >>"$t_tmp/gaps.$kind"
}

median() { # KIND COLUMN
	cut -d' ' -f"$2" "$t_tmp/gaps.$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# What the guest's and the storage's move cost together, beside the longer one alone.
combined() { # WHAT COLUMN
	local k both single=0
	for k in both hypervisor nas; do
		[ -s "$t_tmp/gaps.$k" ] || return 0
	done
	both=$(median both "$2")
	for k in hypervisor nas; do
		[ "$(median "$k" "$2")" -le "$single" ] || single=$(median "$k" "$2")
	done
	note "$1, medians: both $both ms, the longer of the two alone $single ms: $([ "$both" -le $((single + 50)) ] || echo 'not ')within 50 ms of it"
}

guest_goes() { # TO
	moves hypervisor migrate g --to "$1" && is "the guest runs on $1 alone" "$(runs_on)" "$1"
}

both_go() { # TO [OPTION...]
	local v=$1 nas
	snap
	nas=$(other "$(active)")
	shift
	moves both migrate g --to "$v" --with-nas "$nas" "$@" || return 1
	is "both: the guest runs on $v alone" "$(runs_on)" "$v"
	await 20 "both: $nas serves" is_settled
	is "both: $nas serves" "$(active)" "$nas"
}

figures() {
	local kind
	for kind in hypervisor nas both; do
		[ -e "$t_tmp/gaps.$kind" ] || continue
		note "$(cut -d' ' -f1 "$t_tmp/gaps.$kind" | percentiles "no write done, $kind" ms)"
		note "$(cut -d' ' -f2 "$t_tmp/gaps.$kind" | percentiles "guest silent, $kind" ms)"
		note "$(cut -d' ' -f3 "$t_tmp/gaps.$kind" | percentiles "its own clock, $kind" ms)"
	done
	combined "no write done" 1
	combined "guest silent" 2
	combined "its own clock" 3
}

# By turns, so that each kind of move goes in each direction.
round() { # NUMBER
	local v
	v=$(where)
	[ $(($1 % 2)) = 0 ] || both_go "$(other_vnode "$v")" || return 1
	[ $(($1 % 2)) = 1 ] || guest_goes "$(other_vnode "$v")"
	snap
	moves nas switchover "$(other "$(active)")"
	if [ $(($1 % 2)) = 0 ]; then both_go "$v"; else guest_goes "$v"; fi
}

# nasctl is told to stop, or killed, so many seconds after it began.
broken_off() { # SIGNAL SECONDS
	local v a e ran rc
	wait_until 40 is_ready || { fail "the pair is ready" "$(show_pair)"; return; }
	v=$(where) a=$(active) e=$(epoch)
	# shellcheck disable=SC2016
	on "$a" sh -c 'nasctl migrate g --to "$1" --with-nas "$2" >/run/migrate.out 2>&1 & p=$!
		sleep "$3"; kill -"$4" $p; wait $p' sh "$(other_vnode "$v")" "$(other "$a")" "$2" "$1"
	rc=$?
	await 60 "SIG$1 after $2 s: libvirt's move has ended" runs_unmoved
	await 20 "SIG$1 after $2 s: the pair is settled" is_settled
	ran=$(runs_on)
	case $ran in
	vnode2 | vnode3) pass "SIG$1 after $2 s: exactly one hypervisor runs the guest ($ran, nasctl says $rc)" ;;
	*) fail "SIG$1 after $2 s: exactly one hypervisor runs the guest" "$ran" ;;
	esac
	writes_on g 40 || fail "SIG$1 after $2 s: the guest writes on"
	snap
	if [ "$rc" = 4 ]; then
		is "SIG$1 after $2 s: rolled back, the guest is where it was" "$ran" "$v"
		is "SIG$1 after $2 s: and so is the storage" "$(active)" "$a"
	elif [ "$(active)" = "$a" ]; then
		is "SIG$1 after $2 s: the storage's epoch is as before" "$(epoch)" "$e"
	fi
}

# Neither libvirtd moves it any more: the target's has no statistics of a guest that comes.
job_ended() {
	local v
	for v in vnode2 vnode3; do
		! on "$v" virsh -q list --name | grep -qx g || on "$v" virsh -q domjobinfo g | grep -q 'None' || return 1
	done
}

# In this order: stopped for the last of its memory it runs nowhere, and moves still.
runs_unmoved() { job_ended && [ -n "$(runs_on)" ]; }

refusals() {
	local v to nas
	v=$(where) to=$(other_vnode "$v")
	check "nasctl guests knows it" eval "ctl nas2 guests --json | jq -e --arg v $v '.guests == [.guests[] | select(.name == \"g\" and .hypervisor == \$v and .group == \"vmstore\")] and (.guests | length) == 1'"
	ctl nas1 migrate g --to vnode9 >/dev/null 2>&1
	is "an unknown hypervisor is a usage error" $? 2
	ctl nas1 migrate nobody --to "$to" >/dev/null 2>&1
	is "an unknown guest is refused" $? 3
	on "$to" umount /mnt/vm
	ctl nas1 migrate g --to "$to" --json >"$t_tmp/refused" 2>&1
	is "a hypervisor without the mount is refused" $? 3
	check "and the finding says so, with its remedy" jq -e \
		'.ready == false and any(.findings[]; .check == "disk-seen" and .ok == false and (.remedy | contains("mount -t nfs4")))' "$t_tmp/refused"
	lab up >/dev/null
	check "mounted again, it could go" ctl nas1 migrate g --to "$to" --dry-run
	is "and nothing has moved" "$(runs_on)" "$v"
	snap
	nas=$(other "$(active)")
	check "the storage moves" ctl "$nas" switchover "$nas"
	check "and the guest could at once, though its target is idle, and has no connection yet" ctl "$nas" migrate g --to "$to" --dry-run
}

# At ten points of a move that takes as long as the last one did.
cancels() {
	local i took
	both_go "$(other_vnode "$(where)")" || return
	took=$took_ms
	for i in 1 2 3 4 5 6 7 8 9 10; do
		broken_off TERM "$(awk -v i="$i" -v t="$took" 'BEGIN { printf "%.1f", i * t / 10500 }')"
	done
	for i in 2 5 8 10; do
		broken_off KILL "$(awk -v i="$i" -v t="$took" 'BEGIN { printf "%.1f", i * t / 10500 }')"
	done
}

limit_is() { [ "$(on "$1" virsh -q migrate-getmaxdowntime g)" = "$2" ]; } # HYPERVISOR MS

# Each option does what it says, in a move that is done.
options() {
	local v limit
	both_go "$(other_vnode "$(where)")" --bandwidth 8 --json
	check "--bandwidth: memory went at most at 8 MiB/s" jq -e '[.progress[] | select(.memory_sent > 0)] |
		length < 2 or ((last.memory_sent - first.memory_sent) / (last.at_us - first.at_us)) < 8.8' "$t_tmp/last"
	both_go "$(other_vnode "$(where)")" --auto-converge
	v=$(where)
	wait_until 120 limit_is "$v" 2000 &
	limit=$!
	both_go "$(other_vnode "$v")" --downtime 2000
	wait "$limit"
	is "--downtime is what QEMU may plan with" $? 0
	v=$(where)
	is "--downtime is the guest's own again" "$(on "$v" virsh -q migrate-getmaxdowntime g)" 300
	both_go "$(other_vnode "$v")" --bandwidth 1 --force-after 12 --json
	check "--force-after: the guest was stopped" jq -e '.forced == true' "$t_tmp/last"
	v=$(where)
	ctl "$(active)" migrate g --to "$(other_vnode "$v")" --bandwidth 1 --timeout 10 >"$t_tmp/last" 2>&1
	is "--timeout: given up" $? 4
	is "--timeout: the guest is where it was" "$(runs_on)" "$v"
}

# shellcheck disable=SC2016
libvirtd_without() { # CAPABILITY NODE: its QEMUs have that one not
	on "$2" sh -c '/lab/bin/labnode service stop libvirtd
		/lab/bin/labnode service add libvirtd-poor /var/log/nasd/libvirtd.log /usr/bin/setpriv \
			--bounding-set="-$1" --inh-caps="-$1" /usr/sbin/libvirtd --listen' sh "$1"
	wait_until 60 on "$2" virsh -q version
}
libvirtd_again() { # NODE
	on "$1" sh -c '/lab/bin/labnode service stop libvirtd-poor; /lab/bin/labnode service remove libvirtd-poor
		/lab/bin/labnode service start libvirtd'
	wait_until 60 on "$1" virsh -q version
}

# A guest that writes faster to its memory than it may be sent does not get over but so.
postcopy() {
	local v to
	dirty_guest 24M
	v=$(where) to=$(other_vnode "$v")
	check "a target whose QEMU must not use userfaultfd" libvirtd_without sys_ptrace "$to"
	ctl "$(active)" migrate g --to "$to" --postcopy >"$t_tmp/last" 2>&1
	is "is refused" $? 4
	check "with the remedy" grep -q 'remedy: .*vm.unprivileged_userfaultfd=1' "$t_tmp/last"
	is "and the guest is where it was" "$(runs_on)" "$v"
	libvirtd_again "$to"
	both_go "$to" --postcopy --bandwidth 12 --json
	check "--postcopy: after the first pass it goes on at the target, its memory follows" jq -e \
		'.postcopy and (.broken_off | not) and .resumed_us != null and any(.progress[]; .iteration > 1)' "$t_tmp/last"
	v=$(where) to=$(other_vnode "$v")
	ctl "$(active)" migrate g --to "$to" --postcopy-after 1 --bandwidth 2 --json >"$t_tmp/last" 2>&1 &
	wait_until 120 is_post_copy "$to" || fail "--postcopy-after: in post-copy"
	ctl "$(active)" migrate g --to "$v" >"$t_tmp/refused" 2>&1
	is "in post-copy another move is refused" $? 3
	ctl "$(active)" migrate g --to "$to" --postcopy-resume >"$t_tmp/refused" 2>&1
	is "and so is --postcopy-resume, while nothing has broken off" $? 3
	is "nasctl guests shows both halves" \
		"$(ctl "$(active)" guests --json | jq -r '[.guests[] | select(.name == "g").state] | join(" ")')" "post-copy post-copy"
	wait $!
	is "--postcopy-after: done" "$?" 0
	check "--postcopy-after: it was in post-copy" jq -e .postcopy "$t_tmp/last"
	is "--postcopy-after: the guest runs on $to alone" "$(runs_on)" "$to"
	writes_on g 40 || fail "--postcopy-after: the guest writes on"
	dirty_guest
}

guest_ends() {
	complaints g >"$t_tmp/complaints"
	is "the guest has seen no error" "$(cat "$t_tmp/complaints")" ""
	check "the guest verifies all it wrote" lab guest stop g
}

dirty_guest() { # [RATE]: the guest anew
	guest_ends
	guest_up ${1:+--dirty "$1"}
}

# One that does not get over in its time is rolled back, and has no gap to speak of.
gap_of_way() { # OPTION...
	local from took rc
	wait_until 40 is_ready
	from=$(wall_us)
	ctl "$(active)" migrate g --to "$(other_vnode "$(where)")" --timeout 50 "$@" >"$t_tmp/last" 2>&1
	rc=$?
	took=$((($(wall_us) - from) / 1000))
	[ $rc = 0 ] || [ $rc = 4 ] || fail "nasctl migrate $*" "$(tail -n 3 "$t_tmp/last")"
	writes_on g 40 || fail "$*: the guest writes on"
	note "${*:-no option}: $([ $rc = 0 ] && echo over || echo "not over") in $took ms; no write done, guest silent: $(gaps "$from" "$(wall_us)") ms; load $(cut -d' ' -f1 /proc/loadavg)"
}

# 24 MiB/s are dirtied, 12 are sent.
gaps_of_ways() { # N
	local i
	dirty_guest 24M
	for ((i = 0; i < $1; i++)); do
		gap_of_way --bandwidth 12
		gap_of_way --bandwidth 12 --force-after 25
		gap_of_way --bandwidth 12 --postcopy
	done
}

guest_up() { # [OPTION...] of the guest
	lab guest start g --on vnode2 --libvirt "$@" >"$t_tmp/guest" 2>&1 || die "the guest did not start: $(tail -n 3 "$t_tmp/guest")"
}

requires virsh libvirtd qemu-system-x86_64
lab_begin
lab libvirt up >"$t_tmp/libvirt" 2>&1 || die "libvirt: $(tail -n 3 "$t_tmp/libvirt")"
at_end 'lab libvirt down'
guest_up
at_end 'lab guest stop g --kill; on vnode2 virsh destroy g; on vnode3 virsh destroy g; on vnode2 rm -f /mnt/vm/g.raw'

for part in "${parts[@]}"; do
	case $part in
	refusals) refusals ;;
	moves)
		rm -f "$t_tmp"/gaps.*
		for i in $(seq "$n"); do round "$i" || break; done
		figures
		;;
	cancel) cancels ;;
	options) options ;;
	postcopy) postcopy ;;
	gaps) gaps_of_ways 3 ;;
	gaps=*) gaps_of_ways "${part#gaps=}" ;;
	rows | rows=*)
		with_trigger heartbeat
		if [ "$part" = rows ]; then rows; else rows "${part#rows=}"; fi
		;;
	quick) both_go vnode3 && rows '^memory nasctl-TERM' ;;
	*) die "unknown part '$part' (see the head of $0)" ;;
	esac
done
guest_ends
t_end
