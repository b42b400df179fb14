#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who learns where to send to, after a move: a guest with an interface on the clients'
# network moves alone, then together with its storage. The wire has the guest's address
# from its new hypervisor (QEMU's announcement), and the floating addresses from the new
# NAS (gratuitous ARP, unsolicited neighbour advertisements); the bridge and the clients
# know the new places.
#
# usage: announce.sh
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
mac=52:54:00:77:00:01
gratuitous='arp[14:4] = 0x0a4d0164 and arp[24:4] = 0x0a4d0164' # sender and target are 10.77.1.100

other_vnode() { if [ "$1" = vnode2 ]; then echo vnode3; else echo vnode2; fi; }
port_of() { in_net bridge fdb show br br-client | sed -n "s/^$mac dev \([^ ]*\).*/\1/p" | head -n 1; } # of the guest
mac_of() { on "$1" cat /sys/class/net/vec0/address; } # NODE
neighbour() { on "$1" ip neigh show "$2" dev vec0 | sed -n 's/.* lladdr \([0-9a-f:]*\).*/\1/p'; } # NODE ADDRESS
frames() { tcpdump -e -nn -r "$t_tmp/pcap" "$@" 2>/dev/null; }
more() { frames "$@" | grep -q .; } # the capture has such a frame
advertisements() { # MAC: those that nobody has asked for
	frames ether src "$1" and ip6 dst ff02::1 and icmp6 | grep 'neighbor advertisement, tgt is fd77:1::100,'
}

# From the capture: the hypervisor's QEMU has said where the guest is.
guest_announced() { # FROM TO
	await 10 "$1 to $2: QEMU announces the guest" more rarp and ether src $mac || return
	frames rarp and ether src $mac >"$t_tmp/announced"
	is "$1 to $2: with its own address" "$(grep -c "who-is $mac tell $mac" "$t_tmp/announced")" "$(wc -l <"$t_tmp/announced")"
	note "$1 to $2: QEMU announced the guest $(wc -l <"$t_tmp/announced") times"
	is "$1 to $2: the bridge sends to its new hypervisor" "$(port_of)" "$2-client"
}

capture_end() { kill "$capture"; wait "$capture" 2>/dev/null; }

guest_moves() {
	local v to
	v=$(lab guest where g) to=$(other_vnode "$v")
	capture_begin rarp
	ctl "$(active)" migrate g --to "$to" >"$t_tmp/move" 2>&1 || fail "the guest moves to $to" "$(cat "$t_tmp/move")"
	guest_announced "$v" "$to"
	capture_end
}

both_move() {
	local v to a nas new c
	wait_until 40 is_ready || die "the pair is not ready: $(show_pair)"
	v=$(lab guest where g) to=$(other_vnode "$v") a=$(active) nas=$(other "$a") new=$(mac_of "$nas")
	capture_begin rarp or arp or icmp6
	ctl "$a" migrate g --to "$to" --with-nas "$nas" >"$t_tmp/move" 2>&1 || fail "guest and storage move" "$(cat "$t_tmp/move")"
	guest_announced "$v" "$to"
	await 10 "$nas announces 10.77.1.100" more ether src "$new" and "$gratuitous" &&
		pass "$nas announced 10.77.1.100 $(frames ether src "$new" and "$gratuitous" | wc -l) times (gratuitous ARP)"
	await 10 "$nas announces fd77:1::100" eval "advertisements $new | grep -q ." &&
		pass "$nas announced fd77:1::100 $(advertisements "$new" | wc -l) times (neighbour advertisement)"
	is "$a does not announce it any more" "$(frames ether src "$(mac_of "$a")" and "$gratuitous" | wc -l)" 0
	for c in vnode2 vnode3; do
		await 10 "$c sends 10.77.1.100 to $nas" eval "[ \"\$(neighbour $c 10.77.1.100)\" = $new ]" &&
			pass "$c sends 10.77.1.100 to $nas"
	done
	capture_end
}

requires virsh libvirtd qemu-system-x86_64 tcpdump nsenter bridge
lab_begin
lab libvirt up >"$t_tmp/libvirt" 2>&1 || die "libvirt: $(tail -n 3 "$t_tmp/libvirt")"
at_end 'lab libvirt down'
LAB_GUEST_MAC=$mac lab guest start g --on vnode2 --libvirt --pace 50 >"$t_tmp/guest" 2>&1 || die "the guest did not start: $(tail -n 3 "$t_tmp/guest")"
at_end 'lab guest stop g --kill; on vnode2 virsh destroy g; on vnode3 virsh destroy g; on vnode2 rm -f /mnt/vm/g.raw'

guest_moves
both_move
is "the guest has seen no error" "$(complaints g)" ""
check "the guest verifies all it wrote" lab guest stop g
t_end
