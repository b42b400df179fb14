#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Clients' records. First: N times, a client mounts for the first time and takes a lock,
# and the power of the active node is cut by that client itself as soon as it has the
# lock; after the takeover the lock is still its own. Then: of three clients with a
# lock, one dies with the active node; the other two read and write at once, and new
# locks are given when grace has ended, which reclaim-wait decides. With --control, last:
# would it be noticed? Without record-wait a client that comes while nasd hangs is lost.
#
# usage: records.sh [--control] [N]   (default 10)
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/moves.sh
. "$t_dir/moves.sh"
# shellcheck source=tests/lab/t/failures.sh
. "$t_dir/failures.sh"

control=''
[ "${1:-}" != --control ] || { control=1; shift; }
n=${1:-10}
case $n in '' | *[!0-9]* | 0) die "usage: records.sh [--control] [N]" ;; esac
top=$(readlink -f "$t_dir/../../..")
dir=/mnt/vm

# ---- clients: vnode2's kernel comes and goes, vnode3's stays

tools() {
	local p
	for p in vnode2 vnode3; do
		cp "$t_dir/records-client.pl" "$t_dir/fsal-lock.pl" "$LAB_STATE/node/$p/" || return 1
	done
	"$top/tests/tools/nfs41load/build.sh" "$top/build" && cp "$top/build/nfs41load" "$LAB_STATE/node/vnode3/"
}

mount_again() { on vnode2 sh -c "mountpoint -q $dir || mount -t nfs4 -o vers=4.2,hard,proto=tcp,timeo=600,retrans=2 10.77.1.100:/vmstore $dir"; }

# A server that was started without the module holds no answer: two moves renew both.
modules_in() { [ "$(ctl "$(active)" check "$(other "$(active)")" | grep -c 'client-state .* state moves')" = 2 ]; }
round() {
	local p
	for p in 1 2 3 4; do
		round_begin || return 1
		wait_until 40 modules_in && return # a grace period may last
		note "a server without the module: moved"
		ctl "$heir" switchover "$heir" >/dev/null 2>&1
	done
	fail "the module is in both servers" "$(ctl "$victim" check "$heir" | grep client-state)"
	return 1
}

# The standby does not know it any more: without that it might reclaim by an old record.
standby_forgot() { ! grep -aqE "^(::ffff:)?$1-" "$LAB_STATE/node/$heir/var/vmstore/replica/records"; }

leave() {
	on vnode2 umount "$dir" || return 1
	await 30 "the standby forgets a client that has left" standby_forgot 10.77.1.22
}

client_begin() { # NODE-TO-CUT|-
	: >"$t_tmp/client"
	on vnode2 /lab/records-client.pl new "$dir" "$1" >"$t_tmp/client" 2>&1 </dev/null &
	client=$!
}

client_says() { grep -q "^$1" "$t_tmp/client"; }
wrote() { sed -n 's/^wrote \([0-9]*\) .*/\1/p' "$t_tmp/client" | tail -n 1; }
client_has_more() { [ "$(wrote)" -gt "$1" ] || client_says error; }
client_writes_on() { local have; have=$(wrote); wait_until "$HANG" client_has_more "${have:-0}" && ! client_says error; }

# Not in a pipeline: it waits.
client_end() {
	on vnode2 pkill -TERM -f 'records-clien[t]'
	wait "$client"
	client_gap=$(sed -n 's/^end [0-9]* //p' "$t_tmp/client")
}

# What a client on vnode3 finds that asks for the lock; while grace lasts it waits.
lock_seen() { on vnode3 timeout 60 /lab/fsal-lock.pl probe "$dir/records"; }

# ---- first: power cut right after the first lock

# By an operator: how it is noticed is not what is tested here.
dead_is_off() { lab status | grep -q "^$victim  *off"; }
take_over() {
	dead_is_off && ctl "$heir" takeover "$heir" --peer-confirmed-dead "$victim"
	taken_over
}

# What is true of the client whose power cut that was.
still_its_own() { # WHAT
	local seen
	await "$HANG" "$1: $heir takes over" take_over || { cat "$t_tmp/client"; return 1; }
	seen=$(lock_seen)
	is "$1: the lock of the client that had just come" "$seen" locked
	client_writes_on || { fail "$1: it writes on through its lock" "$(tail -n 3 "$t_tmp/client")"; return 1; }
	awk '$1 == "mounted" { m = $2 } $1 == "locked" { printf "%.0f\n", ($2 - m) / 1000 }' "$t_tmp/client" >>"$t_tmp/between"
	client_end
	echo "$client_gap" >>"$t_tmp/gaps"
	[ "$seen" = locked ]
}

back() { # WHAT
	check "$1: $victim stands by again" revive "$victim"
	is_ready
}

cut() { # NUMBER
	round && leave || return 1
	client_begin "$victim"
	still_its_own "cut $1" && done_cuts=$((done_cuts + 1))
	back "cut $1"
}

# ---- then: one of three is dead

# Seconds of the heir's last grace period, of its own log; empty: it lasts.
grace_took() {
	sed -n 's,^../../.... \(..\):\(..\):\(..\) .*NFS Server Now \(NOT \)*IN GRACE.*,\1 \2 \3 \4,p' \
		"$LAB_STATE/node/$heir/varlog/vmstore-ganesha.log" |
		awk '{ t = $1 * 3600 + $2 * 60 + $3 } $4 == "" { b = t; e = "" } $4 != "" { e = t } END { if (e != "") print (e - b + 86400) % 86400 }'
}
grace_over() { [ -n "$(grace_took)" ]; }
gave_up() { grep -ac 'is given up' "$LAB_STATE/node/$heir/varlog/vmstore-ganesha.log"; }

dead_begin() {
	on vnode3 /lab/nfs41load --server 10.77.1.100 --path /vmstore --clients 1 --opens 1 --name dead >"$t_tmp/dead" 2>&1 </dev/null &
	await 30 "the third client has its lock" grep -q '^ev=ready' "$t_tmp/dead"
}

# WORD: of the checks. The taker wants the dead client's lock; vnode3's own lock is
# wanted by nobody.
dead_one() { # WORD
	local given
	round || return 1
	client_begin - && await 30 "$1: the first client has its lock" client_says locked || return 1
	on vnode3 /lab/records-client.pl take "$dir/second" >"$t_tmp/second" 2>&1 </dev/null &
	await 30 "$1: the second client has its lock" grep -q ^locked "$t_tmp/second" || return 1
	dead_begin || return 1
	on vnode3 /lab/records-client.pl take "$dir/dead.00000" >"$t_tmp/taker" 2>&1 </dev/null &
	gave_before=$(gave_up)
	# ganesha does not sync what it creates: the file is not what is tested here
	on "$victim" sync -f /srv/vmstore
	on vnode3 pkill -KILL nfs41load
	lab crash "$victim"
	await "$HANG" "$1: $heir takes over" take_over || return 1
	check "$1: the first client writes on" client_writes_on
	is "$1: meanwhile grace lasts" "$(grace_took)" ""
	is "$1: and nobody has the dead client's lock" "$(grep -c ^locked "$t_tmp/taker")" 0
	await 60 "$1: grace ends" grace_over || return 1
	note "$1: grace took $(grace_took) s"
	await "$HANG" "$1: the dead client's lock is free then" grep -q ^locked "$t_tmp/taker" || return 1
	client_end
	given=$(sed -n 's/^locked //p' "$t_tmp/taker")
	note "$1: the first client's longest gap $client_gap ms; the dead client's lock given $(((given - round_from) / 1000)) ms after the power cut"
	on vnode3 pkill -TERM -f 'records-clien[t]'
	wait_until 20 grep -q ^end "$t_tmp/taker"
	wait_until 20 grep -qE '^(end|error)' "$t_tmp/second"
	is "$1: the second client: no error" "$(grep -c ^end "$t_tmp/second") $(grep -c ^error "$t_tmp/second")" "1 0"
	back "$1"
}

# ---- would it be noticed?

# A nasd that hangs tells nobody, for a time that its watchdog bears.
nasd_hangs() { # SECONDS
	local pid
	pid=$(on "$victim" pidof nasd) &&
		on "$victim" sh -c "kill -STOP $pid; (sleep $1; kill -CONT $pid) >/dev/null 2>&1 &"
}

# A client that starts slowly comes after the hang, and loses nothing: tried again.
control_round() {
	local try
	nfs_option record-wait 0s || return 1
	for try in 1 2 3 4; do
		round && leave || return 1
		nasd_hangs 0.7
		client_begin "$victim"
		await "$HANG" "control: $heir takes over" take_over || return 1
		client_writes_on
		client_end
		back control || return 1
		client_says error && break
	done
	check "control: without record-wait a lock is lost (try $try)" client_says error
}

# ---- the other way round: nasd hangs for a while, and the client waits for it

hang_round() {
	round && leave || return 1
	nasd_hangs 0.4
	client_begin "$victim"
	still_its_own "nasd hangs"
	back "nasd hangs"
}

lab_begin
requires perl gcc
tools || die "the tools are not there"
with_trigger manual
at_end "on vnode2 pkill -f 'records-clien[t]'; on vnode3 pkill -f 'records-clien[t]'; on vnode3 pkill nfs41load; mount_again; on vnode3 sh -c 'rm -f $dir/records $dir/second $dir/dead.*'"
on vnode3 sh -c "touch $dir/records $dir/second" && on "$(active)" sync -f /srv/vmstore
done_cuts=0
: >"$t_tmp/between"
: >"$t_tmp/gaps"
for i in $(seq "$n"); do
	cut "$i" || break
done
is "$n clients that had just come have kept their locks" "$done_cuts" "$n"
note "$(percentiles "from the mount to the cut" ms <"$t_tmp/between")"
note "$(percentiles "such a client's gap" ms <"$t_tmp/gaps")"
hang_round
dead_one "one of three dead"
nfs_option reclaim-wait 5s || die "reclaim-wait is not taken: $(show_pair)"
at_end "nfs_option reclaim-wait 0s"
dead_one "with reclaim-wait"
is "with reclaim-wait: somebody was given up" "$(($(gave_up) - gave_before))" 1
if [ -n "$control" ]; then
	control_round
	nfs_option record-wait 1s
fi
t_end
