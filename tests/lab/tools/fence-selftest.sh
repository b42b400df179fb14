#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The parts of fence/ on real kernels, each by itself and without nasd: the lab's
# fence agent and power switch, nasd-watchdog with the kernel's softdog, and
# nasd-fence-peer as DRBD's handler with its I/O frozen. A lab of its own.
# usage: fence-selftest.sh [DIRECTORY OF THE PROGRAMS]    (default: build/sbin)
# shellcheck disable=SC2016 # what is quoted is meant for the node
set -u
here=$(dirname "$(readlink -f "$0")")
repo=$(readlink -f "$here/../../..")
bin=$(readlink -f "${1:-$repo/build/sbin}")
export LAB_STATE=${LAB_STATE:-/dev/shm/nasd-lab-fence} LAB_QUIET=1
failed=0 passed=0

lab() { "$repo/tests/lab/lab" "$@"; }
ok() { # WHAT CMD...
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then
		passed=$((passed + 1))
		echo "ok    $what${out:+ ($(tail -n 1 <<<"$out"))}"
	else
		failed=$((failed + 1))
		echo "FAIL  $what"
		printf '%s\n' "$out" | tail -n 30 | sed 's/^/      /'
	fi
}
until_true() { # SECONDS CMD...: polls
	local end=$((SECONDS + $1))
	shift
	until "$@" 2>/dev/null; do
		[ $SECONDS -lt $end ] || { "$@"; return; }
		sleep 0.1
	done
}

for p in nasd-watchdog nasd-fence-peer; do
	[ -x "$bin/$p" ] || { echo "fence-selftest: $bin/$p is missing: make" >&2; exit 1; }
done
# In the nodes, which share this machine's files.
trap 'lab down' EXIT
lab down
lab up --plain nas1 nas2 vnode3 || exit 1
for n in nas1 vnode3; do
	share=$LAB_STATE/node/$n
	cp "$bin/nasd-watchdog" "$bin/nasd-fence-peer" "$here/fence_lab" "$here/fence-stub.pl" "$share/"
done

# ---- the agent and the switch
agent() { # ACTION PLUG: status printed last
	lab exec nas1 /lab/fence_lab <<<"action=$1
plug=$2"
}
agent_is() { # STATUS ACTION PLUG
	local want=$1 got
	shift
	agent "$@"
	got=$?
	[ $got = "$want" ] || { echo "status $got, not $want"; return 1; }
}
ok "agent: vnode3 is on" agent_is 0 status vnode3
ok "agent: off" agent_is 0 off vnode3
ok "agent: vnode3 is off" agent_is 2 status vnode3
ok "agent: on" agent_is 0 on vnode3
ok "agent: no such node" agent_is 1 off nonesuch
ok "agent: vnode3 is up again" until_true 30 lab exec -n vnode3 true
echo hang >"$LAB_STATE/node/nas1/fence.fault"
ok "agent: a device that hangs" lab exec -n nas1 sh -c 'timeout 1 /lab/fence_lab -o off -n vnode3; [ $? = 124 ]'
rm "$LAB_STATE/node/nas1/fence.fault"

# ---- the watchdog: idle, active, hanging. /dev/watchdog is that of User-Mode Linux,
# which wants a helper on the host; softdog is the second.
dog_up() {
	lab exec -n vnode3 sh -c 'modprobe softdog && mkdir -p /run/nasd && echo idle >/run/mode && [ -c /dev/watchdog1 ] &&
		{ /lab/nasd-watchdog --device /dev/watchdog1 --timeout 3 --stale 1000 >/run/dog.log 2>&1 & } &&
		until [ -S /run/nasd/watchdog.sock ]; do sleep 0.1; done &&
		{ perl /lab/fence-stub.pl beat /run/nasd/watchdog.sock /run/mode >/run/beat.log 2>&1 & echo $! >/run/beat.pid; }'
}
dog_says() { lab exec -n vnode3 sh -c '[ "$(tail -n 1 /run/beat.log)" = "$1" ]' sh "$1"; }
mode() { lab exec -n vnode3 sh -c 'echo "$1" >/run/mode' sh "$1"; }
boot_id() { lab exec -n vnode3 cat /proc/sys/kernel/random/boot_id 2>/dev/null; }
same_boot() { [ -n "$boot" ] && [ "$(boot_id)" = "$boot" ]; }
was_reset() { [ -n "$boot" ] && ! same_boot; }
stays() { # SECONDS
	sleep "$1"
	same_boot || { echo "it was reset"; return 1; }
}
ok "watchdog: starts, softdog is there" dog_up
boot=$(boot_id)
ok "watchdog: idle, closed" until_true 5 dog_says closed
mode active
ok "watchdog: active, armed" until_true 5 dog_says armed
ok "watchdog: fed, the node stays for 6 s" stays 6
# A kernel that does not tell of nowayout (CONFIG_WATCHDOG_SYSFS) is taken to have it:
# then the device is kept fed instead of being disarmed.
mode idle
ok "watchdog: idle, disarmed or kept" until_true 5 eval 'dog_says closed || dog_says kept'
lab exec -n vnode3 tail -n 1 /run/beat.log | sed 's/^/      it is: /'
lab exec -n vnode3 sh -c 'kill -STOP $(cat /run/beat.pid)'
ok "watchdog: nasd hangs while idle: the node stays for 6 s" stays 6
lab exec -n vnode3 sh -c 'kill -CONT $(cat /run/beat.pid); echo active >/run/mode'
ok "watchdog: active again" until_true 5 dog_says armed
# Its last sign of life is a file that it touches; times are this machine's.
lab exec -n vnode3 sh -c '{ while :; do : >/lab/alive; sleep 0.1; done >/dev/null 2>&1 </dev/null & }
	kill -STOP $(cat /run/beat.pid)'
hung=$(date +%s%N)
ok "watchdog: nasd hangs while active: the node is reset" until_true 15 was_reset
alive=$(stat -c %.9Y "$LAB_STATE/node/vnode3/alive" | tr -d .)
echo "      $(((alive - hung) / 1000000)) ms from the hang to its last sign of life; 4000 at worst by the rules"

# ---- DRBD
freeze_setup() {
	lab exec -n nas1 sh -c 'set -e
		sed -i "\$d" /etc/drbd.d/r0.res
		cat >>/etc/drbd.d/r0.res <<END
	handlers { fence-peer "/lab/nasd-fence-peer --socket /run/stub.sock --wait 20 2>>/run/handler.log"; }
	disk { fencing resource-and-stonith; }
}
END
		drbdadm adjust r0
		drbdsetup show r0 | grep -q resource-and-stonith
		{ perl /lab/fence-stub.pl nasd /run/stub.sock /run/answer >/run/stub.log 2>&1 & }'
}
drbd() { lab exec -n nas1 grep -q "$1" /proc/drbd; }
show_drbd() { lab exec -n nas1 cat /proc/drbd /run/handler.log /run/stub.log; return 1; }
drbd_is() { until_true "$1" drbd "$2" || show_drbd; }
write_begin() {
	lab exec -n nas1 sh -c 'rm -f /run/written; { dd if=/dev/zero of=/srv/vmstore/w bs=4k count=1 oflag=direct,sync \
		2>/dev/null && echo done >/run/written; } >/dev/null 2>&1 </dev/null &'
}
written() { lab exec -n nas1 test -e /run/written; }
unwritten() { # SECONDS
	sleep "$1"
	! written || { echo "the write was done"; return 1; }
}
ok "drbd: fencing configured" freeze_setup
write_begin
ok "drbd: a write with the peer there" until_true 5 written
lab cut nas2 repl
ok "drbd: peer lost, frozen, nasd asked" eval 'until_true 15 lab exec -n nas1 grep -q fence-peer /run/stub.log && drbd "Primary/Unknown.* s"'
write_begin
ok "drbd: writes wait while there is no proof" unwritten 3
lab exec -n nas1 sh -c 'echo fenced >/run/answer'
ok "drbd: proof, the write is done" until_true 5 written
ok "drbd: the peer's disk counts as outdated" drbd_is 5 "UpToDate/Outdated C r"
ok "drbd: the handler's status was 7" lab exec -n nas1 grep "r0: exit status 7" /run/handler.log
lab heal nas2 repl
ok "drbd: the peer comes back" drbd_is 20 "cs:Connected.*UpToDate/UpToDate"
lab exec -n nas1 sh -c 'echo no-proof >/run/answer'
lab cut nas2 repl
ok "drbd: no proof, status 1" until_true 15 lab exec -n nas1 grep "r0: exit status 1" /run/handler.log
write_begin
ok "drbd: still frozen" unwritten 3
lab heal nas2 repl
ok "drbd: goes on when the peer is back" until_true 20 written
ok "drbd: in sync" drbd_is 20 "cs:Connected.*UpToDate/UpToDate"
lab exec -n nas1 rm /run/handler.log
lab cut nas2 repl
ok "drbd: again no proof" until_true 15 lab exec -n nas1 grep "r0: exit status 1" /run/handler.log
write_begin
ok "drbd: frozen" unwritten 1
lab exec -n nas1 drbdadm resume-io r0
ok "drbd: goes on after resume-io" until_true 10 written
lab heal nas2 repl
ok "drbd: in sync again" drbd_is 20 "cs:Connected.*UpToDate/UpToDate"

echo "$passed passed, $failed failed"
[ $failed = 0 ]
