#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The lab's own test: every verb does what it says. Uses a lab of its own
# (LAB_STATE, or /dev/shm/nasd-lab-selftest), without nasd.
# usage: selftest.sh
# shellcheck disable=SC2016 # what eval gets is meant for it
set -u
here=$(dirname "$(readlink -f "$0")")
export LAB_STATE=${LAB_STATE:-/dev/shm/nasd-lab-selftest} LAB_QUIET=1
failed=0 passed=0

lab() { "$here/lab" "$@"; }
now_ms() { echo $(($(date +%s%N) / 1000000)); }

ok() { # WHAT CMD...
	local what=$1 t
	shift
	t=$(now_ms)
	if "$@" >"$tmp/out" 2>&1; then
		passed=$((passed + 1))
		printf 'ok    %-58s %6d ms\n' "$what" $(($(now_ms) - t))
	else
		failed=$((failed + 1))
		printf 'FAIL  %s\n' "$what"
		sed 's/^/      /' "$tmp/out"
	fi
}

no() { ! "$@"; }
is() { [ "$1" = "$2" ] || { echo "wanted '$2', got '$1'"; return 1; }; }
within() { [ "$1" -le "$2" ] || { echo "took $1 ms, allowed $2"; return 1; }; }
status_of() { "$@"; echo $?; }

tmp=$(mktemp -d)
trap 'lab down; rm -rf "$tmp"' EXIT

# A background child that keeps the descriptors must not hold the caller.
t_background() { lab exec -n nas1 sh -c 'sleep 100 & echo done' && within $(($(now_ms) - $1)) 90000; }

t_streams() {
	head -c 3000000 /dev/urandom >"$tmp/in"
	lab exec nas1 cat <"$tmp/in" >"$tmp/back" && cmp "$tmp/in" "$tmp/back"
}

# Much output at once of a command that reads nothing: all of it arrives.
t_output() {
	for _ in $(seq 10); do
		[ "$(lab exec nas1 head -c 300000 /dev/zero </dev/null | wc -c)" = 300000 ] || return 1
	done
}

t_killed_client() {
	"$here/lab" exec -n nas1 sleep 4711 &
	local p=$!
	until lab exec -n nas1 pgrep -f 'slee[p] 4711'; do :; done
	kill -9 $p
	wait $p 2>/dev/null
	for _ in $(seq 400); do
		lab exec -n nas1 pgrep -f 'slee[p] 4711' || return 0
	done
	return 1
}

t_exec_ends_with_crash() {
	"$here/lab" exec -n vnode3 sleep 100 >/dev/null 2>&1 &
	local p=$! rc
	until lab exec -n vnode3 pgrep -x sleep; do :; done
	lab crash vnode3 || return 1
	wait $p
	rc=$?
	is $rc 125
}

ping_ok() { lab exec -n "$1" ping -q -c 1 -w 20 "$2"; } # as soon as one is answered
no_ping() { no lab exec -n "$1" ping -q -c 1 -W 1 "$2"; }
# Which way is open: the echo requests that the node has seen.
rx() { lab exec -n "$1" awk '/^Icmp: [0-9]/ { print $10 }' /proc/net/snmp; }

t_cut_in() {
	lab cut vnode2 client in || return 1
	no_ping vnode2 10.77.1.12 || return 1
	local a b
	a=$(rx vnode2)
	lab exec -n nas2 ping -q -c 3 -i 0.2 -W 1 10.77.1.22
	b=$(rx vnode2)
	lab heal vnode2 client
	is $((b - a)) 0 && ping_ok vnode2 10.77.1.12
}

t_cut_out() {
	lab cut vnode2 client out || return 1
	no_ping vnode2 10.77.1.12 || return 1
	local a b
	a=$(rx vnode2)
	lab exec -n nas2 ping -q -c 3 -i 0.2 -W 1 10.77.1.22
	b=$(rx vnode2)
	lab heal vnode2 client
	is $((b - a)) 3 && ping_ok vnode2 10.77.1.12
}

t_delay() {
	lab delay vnode2 client 100 || return 1
	lab exec -n vnode2 ping -q -c 3 -i 0.2 10.77.1.12 | tee /dev/stderr |
		awk -F/ '/^rtt/ { ok = $4 > 0 && $5 >= 99 } END { exit !ok }' || return 1
	lab delay vnode2 client 0
	# the fastest of some: this machine may have much to do
	lab exec -n vnode2 ping -q -c 10 -i 0.2 10.77.1.12 | tee /dev/stderr |
		awk -F'[/= ]+' '/^rtt/ { ok = $6 < 99 } END { exit !ok }'
}

t_pause() {
	lab pause nas2 || return 1
	lab status | grep -q 'nas2.*paused' || return 1
	no_ping vnode2 10.77.1.12 || return 1
	lab resume nas2 && ping_ok vnode2 10.77.1.12
}

t_drbd() { # WHAT: until nas1 sees it
	for _ in $(seq 1000); do
		lab exec -n nas1 grep -q "$1" /proc/drbd && return
	done
	lab exec -n nas1 cat /proc/drbd
	return 1
}

t_persist() {
	lab exec -n nas2 sh -c 'echo kept >/var/lib/nasd/k; sync' && lab crash nas2 &&
		t_drbd 'cs:WFConnection' && lab boot nas2 &&
		is "$(lab exec -n nas2 cat /var/lib/nasd/k)" kept && t_drbd 'cs:Connected.*UpToDate/UpToDate'
}

t_service() {
	local a b
	lab service nas1 list | grep -q '^ganesha running' || return 1
	a=$(lab exec -n nas1 pidof ganesha.nfsd)
	lab service nas1 ganesha kill || return 1
	until b=$(lab exec -n nas1 pidof ganesha.nfsd); do :; done
	[ "$a" != "$b" ] && lab exec -n vnode2 stat -f /mnt/vm
}

t_power() {
	lab exec -n nas1 sh -c 'echo status vnode3 | nc -w 30 10.77.9.1 7700' | grep -qx on &&
		lab exec -n nas1 sh -c 'echo off vnode3 | nc -w 30 10.77.9.1 7700' | grep -qx ok &&
		lab exec -n nas1 sh -c 'echo status vnode3 | nc -w 30 10.77.9.1 7700' | grep -qx off &&
		lab exec -n nas1 sh -c 'echo on vnode3 | nc -w 30 10.77.9.1 7700' | grep -qx ok &&
		no lab boot vnode3
	"$LAB_STATE/bin/labctl" "$LAB_STATE" req wait vnode3 60
}

# Processes of this lab, whichever namespace they are in.
left() { pgrep -f -- "$LAB_STATE/" | grep -vx $$ | while read -r p; do
	[ "$(cat "/proc/$p/comm" 2>/dev/null)" = selftest.sh ] || echo "$p"
done; }
t_left() { for _ in $(seq 300); do
	[ -n "$(left)" ] || return 0
	sleep 0.1
done
left
return 1; }

t_second_lab() {
	local s2=$LAB_STATE-b
	"$here/lab" -s "$s2" up --plain nas1 || return 1
	is "$("$here/lab" -s "$s2" exec -n nas1 cat /proc/sys/kernel/hostname)" nas1 &&
		lab exec -n vnode2 stat -f /mnt/vm && ping_ok vnode2 10.77.1.11
	local rc=$?
	"$here/lab" -s "$s2" down
	[ $rc = 0 ] && [ ! -e "$s2" ]
}

t_killed_up() {
	setsid "$here/lab" up --plain 2>/dev/null &
	local p=$!
	until "$LAB_STATE/bin/labctl" "$LAB_STATE" req status nas2 2>/dev/null | grep -q booting; do sleep 0.1; done
	kill -9 $p
	wait $p 2>/dev/null
	t_left
}

# What a lab could have left on the host; others on this machine come and go.
host_state() {
	ip -o link | grep -cE ' (nas|vnode|br-)'
	grep -c "$LAB_STATE" /proc/mounts
	losetup -a 2>/dev/null | grep -c "$LAB_STATE"
	ip netns list | grep -cE '^(nas|vnode)'
}

lab down
before=$(host_state)
ok "up --plain: four nodes, storage, mounts" lab up --plain
is "$(host_state)" "$before" || failed=$((failed + 1))
ok "status" lab status
ok "exec: exit status 7" is "$(status_of lab exec -n nas1 sh -c 'exit 7')" 7
ok "exec: signal becomes 128+n" is "$(status_of lab exec -n nas1 sh -c 'kill -9 $$')" 137
ok "exec: no such program" is "$(status_of lab exec -n nas1 /nonesuch 2>/dev/null)" 127
ok "exec: unknown node" is "$(status_of lab exec -n nas9 true 2>/dev/null)" 125
ok "exec: standard error is apart" is "$(lab exec -n nas1 sh -c 'echo a; echo b >&2' 2>/dev/null)" a
ok "exec: 3 MB in and out" t_streams
ok "exec: 300 kB at once, ten times" t_output
ok "exec: background child does not hold the caller" t_background "$(now_ms)"
ok "exec: killing the client kills the command" t_killed_client
ok "nodes see one another by name" ping_ok vnode3 nas2
ok "IPv6 on the client network" lab exec -n vnode2 ping -q -c 1 fd77:1::100
ok "cut both ways" eval 'lab cut nas2 client && no_ping vnode2 10.77.1.12'
ok "heal" eval 'lab heal nas2 client && ping_ok vnode2 10.77.1.12'
# So that no address resolution is needed, which wants both ways.
lab exec -n nas2 ip neigh replace 10.77.1.22 lladdr 02:77:00:01:00:22 nud permanent dev vec0
ok "cut towards the node" t_cut_in
ok "cut from the node" t_cut_out
ok "cut of the replication network: DRBD notices" eval 'lab cut nas2 repl && t_drbd cs:WFConnection'
ok "and recovers when healed" eval 'lab heal nas2 repl && t_drbd cs:Connected.*UpToDate/UpToDate'
ok "delay" t_delay
ok "pause, resume" t_pause
ok "crash and boot: the share stays, DRBD resyncs" t_persist
ok "exec ends when its node crashes" t_exec_ends_with_crash
ok "boot" eval 'lab boot vnode3 && ping_ok vnode3 10.77.1.11'
ok "service: killed, and started again" t_service
ok "power switch, from a node" t_power
ok "put and get" eval 'echo x >"$tmp/a" && lab put nas1 "$tmp/a" /tmp/a && lab get nas1 /tmp/a "$tmp/b" && cmp "$tmp/a" "$tmp/b"'
ok "a second lab beside it" t_second_lab
ok "down" lab down
ok "down leaves no process" t_left
ok "down leaves no file" no test -e "$LAB_STATE"
ok "a killed up leaves no process" t_killed_up
ok "up again, one node" lab up --plain nas1
ok "a killed supervisor leaves no process" eval 'kill -9 "$(cut -d" " -f1 "$LAB_STATE/sup.pid")" && t_left'
ok "verbs then say what to do" eval 'lab status 2>&1 | grep -q "lab up"'
lab down
ok "the host is as before" is "$(host_state)" "$before"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
