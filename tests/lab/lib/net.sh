# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The lab's networks: bridges and veth pairs in its own network namespace, and
# the faults: cut and heal at the bridge's port, delay in the node.
#
# A port is NODE-NET; its other end NODE-NET-u is what the node's User-Mode
# Linux sends and receives on, raw: no address, no ARP, no IPv6 there.
# shellcheck disable=SC2154,SC2153

net_create() {
	local n net ifc
	{
		echo "link set lo up"
		for net in $NETS; do
			echo "link add br-$net type bridge mcast_snooping 0 forward_delay 0 stp_state 0"
			echo "link set br-$net up"
		done
		echo "addr add 10.77.9.1/24 dev br-ctl"
		for n in $ALL_NODES; do
			node_nets "$n" | while read -r net ifc; do
				echo "link add $n-$net numtxqueues 1 numrxqueues 1 type veth peer name $n-$net-u numtxqueues 1 numrxqueues 1"
				echo "link set $n-$net master br-$net"
				echo "link set $n-$net up"
				echo "link set $n-$net-u arp off up"
			done
		done
	} >"$LAB_STATE/net.batch"
	# shellcheck disable=SC2016
	in_net sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
		echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
		ip -batch "$1"' sh "$LAB_STATE/net.batch" ||
		die "making the lab's networks failed"
	rm -f "$LAB_STATE/net.batch"
}

fault_nets() { # NODE client|repl|all
	case $2 in
	client) echo client ;;
	repl) is_nas "$1" || die "$1 is not on the replication network"; echo repl ;;
	all) echo client; ! is_nas "$1" || echo repl ;;
	*) die "no such network: '$2' (client, repl or all)" 2 ;;
	esac
}

# Both ways: the bridge port is disabled; the node sees its carrier all along.
# in: what goes to the node is dropped by a queue without places.
# out: the port is locked: what the node sends has no permitted source.
lab_cut() {
	local net how=${3:-both} p nets
	[ $# -ge 2 ] || die "usage: lab cut NODE NET [in|out]" 2
	need_lab
	need_node "$1"
	nets=$(fault_nets "$1" "$2")
	for net in $nets; do
		p=$1-$net
		case $how in
		both) in_net bridge link set dev "$p" state 0 ;;
		in) in_net tc qdisc replace dev "$p" root bfifo limit 1 ;;
		out)
			in_net bridge link set dev "$p" locked on learning off
			in_net ip link set dev "$p" type bridge_slave fdb_flush
			;;
		*) die "usage: lab cut NODE NET [in|out]" 2 ;;
		esac || die "cutting $p ($how) failed"
		echo "$how" >>"$LAB_STATE/fault/cut-$p"
	done
}

lab_heal() {
	local net p nets
	[ $# = 2 ] || die "usage: lab heal NODE NET" 2
	need_lab
	need_node "$1"
	nets=$(fault_nets "$1" "$2")
	for net in $nets; do
		p=$1-$net
		in_net bridge link set dev "$p" state 3
		in_net bridge link set dev "$p" locked off learning on
		in_net tc qdisc del dev "$p" root 2>/dev/null || true
		rm -f "$LAB_STATE/fault/cut-$p"
	done
}

lab_delay() {
	local net ifc nets
	[ $# -ge 3 ] || die "usage: lab delay NODE NET MS [LOSS%]" 2
	need_lab
	need_node "$1"
	case $3${4:-} in *[!0-9.%]*) die "lab delay: MS and LOSS are numbers" 2 ;; esac
	nets=$(fault_nets "$1" "$2")
	for net in $nets; do
		ifc=vec0
		[ "$net" = client ] || ifc=vec1
		if [ "$3" = 0 ] && [ -z "${4:-}" ]; then
			in_node "$1" tc qdisc del dev $ifc root 2>/dev/null || true
			rm -f "$LAB_STATE/fault/delay-$1-$net"
		else
			in_node "$1" tc qdisc replace dev $ifc root netem limit 10000 \
				delay "$3ms" ${4:+loss "${4%\%}%"} ||
				die "netem on $1 $ifc failed"
			echo "$3 ms ${4:-}" >"$LAB_STATE/fault/delay-$1-$net"
		fi
	done
}

# After a boot: the delays were in the node, but they stand for the network.
net_reapply() { # NODE
	local f ms loss
	for f in "$LAB_STATE/fault/delay-$1"-*; do
		[ -e "$f" ] || continue
		read -r ms _ loss <"$f"
		# shellcheck disable=SC2086 # loss may be absent
		lab_delay "$1" "${f##*-}" "$ms" $loss
	done
}
