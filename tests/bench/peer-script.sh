#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The peer of today: the switchover script that users of DRBD, ganesha and a
# floating address write. Not part of nasd; the benchmark measures against it.
#
#   peer-script.sh stop [--kill]     on the node that serves
#   peer-script.sh start             then on the node that is to serve
#   peer-script.sh programs stop|start   how many programs that verb starts
#
# It is meant to be a good one. The choices, and why:
#  - The address goes first and comes last. So clients are never refused (a
#    refused or reset reconnect makes the Linux client back off for 3 s and
#    more) and never see a server without its export (a stale handle is an I/O
#    error in the guest for good).
#  - ganesha is ended by SIGTERM, as systemctl stop does, and waited for. With
#    --kill it is SIGKILL. Both are measured.
#  - The recovery directory is on the mirrored filesystem, node id 0 on both
#    nodes, as the usual guides say: without it no client could reclaim.
#  - Configuration, lease and grace are nasd's own file for a cold start, but
#    for the recovery directory. Same mount options.
#  - No sleep anywhere. What has to be waited for (the end of the process, the
#    listening port) is looked at every 10 ms, with bash's own means.
#  - It waits for the port, not for the end of grace: ganesha serves reclaims
#    in grace, and ends it itself when its clients have reclaimed.
#  - arping runs in the background: the first announcement is out at once,
#    nobody waits for the second. IPv6 addresses are added with nodad.
#  - iproute2's -batch, so that two addresses cost one program.
#  - No check, no fence, no undo, no lock against a second run: as in the field.
set -eu

: "${RESOURCE:=r0}" "${DEVICE:=/dev/drbd0}" "${MOUNT:=/srv/vmstore}"
: "${FSTYPE:=ext4}" "${OPTIONS:=noatime}" "${IFACE:=vec0}"
: "${ADDR4:=10.77.1.100}" "${ADDR6:=fd77:1::100}" "${PORT:=2049}"
: "${CONF:=/run/peer-script/ganesha.conf}" "${PIDFILE:=/run/peer-script/ganesha.pid}"
: "${LOG:=/var/log/nasd/peer-ganesha.log}"
WAIT_ROUNDS=2000 # of 10 ms

# 10 ms without starting a program: a read that nobody answers.
exec 9<> <(:)
pause() { read -r -t 0.01 -u 9 || true; }

fail() {
	echo "peer-script: $1" >&2
	exit 1
}

addresses() { # add|del
	local nodad=''
	[ "$1" = del ] || nodad=nodad
	printf 'addr %s %s/24 dev %s\naddr %s %s/64 dev %s %s\n' \
		"$1" "$ADDR4" "$IFACE" "$1" "$ADDR6" "$IFACE" "$nodad" | ip -batch -
}

server_end() { # SIGNAL
	local pid i
	read -r pid <"$PIDFILE" || fail "no $PIDFILE"
	kill "-$1" "$pid"
	for ((i = 0; i < WAIT_ROUNDS; i++)); do
		[ -e "/proc/$pid" ] || return 0
		pause
	done
	fail "ganesha does not end"
}

server_start() {
	local i
	/usr/bin/ganesha.nfsd -F -I 0 -f "$CONF" -L "$LOG" -N NIV_EVENT -p "$PIDFILE" \
		</dev/null >/dev/null 2>&1 9>&- &
	disown
	for ((i = 0; i < WAIT_ROUNDS; i++)); do
		# The redirection fails until somebody listens.
		if { : <>"/dev/tcp/127.0.0.1/$PORT"; } 2>/dev/null; then return 0; fi
		pause
	done
	fail "ganesha does not listen (see $LOG)"
}

case ${1:-} in
stop)
	signal=TERM
	[ "${2:-}" != --kill ] || signal=KILL
	addresses del
	server_end $signal
	umount "$MOUNT"
	drbdadm secondary "$RESOURCE"
	;;
start)
	drbdadm primary "$RESOURCE"
	mount -t "$FSTYPE" -o "$OPTIONS" "$DEVICE" "$MOUNT"
	server_start
	addresses add
	arping -q -U -c 2 -I "$IFACE" "$ADDR4" </dev/null >/dev/null 2>&1 9>&- &
	disown
	;;
# Those that start while clients wait, counted with "strace -f -e trace=execve"
# (drbd-utils 9.22 on DRBD 8.4: drbdadm runs drbdadm-84, that runs
# drbdsetup-84). stop: ip, umount, 3 x drbd; start: bash, 3 x drbd, mount, ip.
# Not counted: ganesha itself, and arping in the background.
programs)
	case ${2:-} in
	stop) echo 5 ;;
	start) echo 6 ;;
	*) exit 2 ;;
	esac
	;;
*)
	echo "usage: peer-script.sh stop [--kill] | start | programs stop|start" >&2
	exit 2
	;;
esac
