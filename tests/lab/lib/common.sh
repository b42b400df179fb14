# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What every verb uses: messages, the supervisor, commands in nodes.
# shellcheck disable=SC2154 # here and repo come from tests/lab/lab

die() {
	echo "lab: $1" >&2
	exit "${2:-1}"
}

say() {
	[ -n "${LAB_QUIET:-}" ] || echo "lab: $*"
}

usage() {
	cat <<-'END'
	usage: lab [-s STATE-DIR] VERB
	  up [--plain] [NODE...]      boot nas1 nas2 vnode2 vnode3 and the services
	                              (--plain: no nasd; the lab itself serves on nas1)
	  down [--keep]               stop all of it, leave nothing (--keep: the files)
	  exec [-n] NODE CMD...       run in a node (-n: no standard input)
	  guest start|log|stop NAME   QEMU guests on the export ("lab guest help")
	  noise [SECONDS]             what a guest sees when nothing happens
	  crash NODE | boot NODE      power cut, power on
	  pause NODE | resume NODE    a node that hangs and comes back
	  cut NODE NET [in|out]       NET: client, repl or all; in: towards the node
	  heal NODE NET
	  delay NODE NET MS [LOSS%]   of what the node sends; 0 takes it away
	  service NODE NAME VERB      VERB: stop, start, restart or kill;
	  service NODE list
	  trigger manual|heartbeat|pacemaker   who says that a node takes over; at "up": $LAB_TRIGGER
	  pacemaker up|down           corosync and Pacemaker on nas1 and nas2, as nasd's trigger
	  peer-stack up|down|ready    instead of nasd: the standard agents of DRBD, mount, server, address
	  nasd out|in                 the NAS nodes without nasd, its server and addresses; and back
	  libvirt up|down [VNODE...]  libvirtd on the hypervisors
	  virt-cluster up GUEST|down  corosync and Pacemaker on the hypervisors, with GUEST in it
	  keepalived up|down          keepalived on both NAS nodes as nasd's trigger
	  log NODE [FILE]             console log, or a file under its /var/log
	  put NODE FILE PATH | get NODE PATH FILE
	  status                      nodes, faults, CPU, memory
	  clock NODE                  us to add to its clock to have this machine's
	  measure                     the lab's own figures (latencies, idle CPU)
	The state directory is STATE-DIR, else $LAB_STATE, else /dev/shm/nasd-lab-$UID.
	END
}

need_args() { # VERB COUNT WHAT ARG...
	[ $(($# - 3)) = "$2" ] || die "usage: lab $1 $3" 2
}

# The supervisor's process as the host sees it, when the lab is running.
sup_pid() {
	local outer inner
	[ -r "$LAB_STATE/sup.pid" ] || return 1
	read -r outer inner <"$LAB_STATE/sup.pid" || return 1
	[ "$(tr '\0' ' ' 2>/dev/null <"/proc/$outer/cmdline")" = \
		"$LAB_STATE/bin/labsup $LAB_STATE " ] || return 1
	[ -e "/proc/$inner" ] || return 1
	echo "$inner"
}

need_lab() {
	sup_pid >/dev/null ||
		die "no lab is running in $LAB_STATE; start one with: lab up"
}

need_node() {
	case " $ALL_NODES " in
	*" $1 "*) ;;
	*) die "no such node: '$1' (there are: $ALL_NODES)" 2 ;;
	esac
}

ctl() {
	"$LAB_STATE/bin/labctl" "$LAB_STATE" "$@"
}

# One request to the supervisor, its "ok" not shown.
req() {
	local out
	out=$(ctl req "$@") || return
	[ "${out%% *}" = ok ] || echo "$out"
}

# A command in a node, without our standard input.
in_node() {
	ctl exec -n "$@"
}

# A command in the lab's network namespace.
in_net() {
	local pid
	pid=$(sup_pid) || die "no lab is running in $LAB_STATE"
	nsenter -t "$pid" -n "$@"
}

node_is_ready() {
	ctl req status "$1" | grep -q "^$1 ready"
}

# wait_for SECONDS WHAT CMD...: until CMD succeeds; says what did not come true. On a
# machine with much to do LAB_PATIENCE (default 1) times as long.
wait_for() {
	local limit=$(($1 * ${LAB_PATIENCE:-1})) what=$2 end
	shift 2
	end=$(($(date +%s%N) / 1000000 + limit * 1000))
	until "$@" >/dev/null 2>&1; do
		[ $(($(date +%s%N) / 1000000)) -lt $end ] ||
			die "$what: not true after $limit s (asked: $*)"
		sleep 0.05
	done
}
