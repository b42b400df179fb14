#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A hypervisor loses its power. Its guest cannot be started elsewhere while its locks on
# the image stand; nasctl client release ends them at once, by the word that the
# hypervisor is off, and the guest starts. A hypervisor that lives is not let go of, and
# nobody else notices. The long form also measures the wait without it: the lease.
#
# usage: hyperfail.sh [--quick]
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
dead=10.77.1.22 alive=10.77.1.23

quick=''
case ${1:-} in
--quick) quick=1 ;;
'') ;;
*) die "usage: hyperfail.sh [--quick]" ;;
esac

release() { ctl "$(active)" client release "$1" --peer-confirmed-dead "$1" --json 2>/dev/null; } # ADDRESS
# tried: when the last attempt began. A start that gets the locks takes QEMU some seconds in a node.
starts() { tried=$(now_ms); on vnode3 virsh -q create /run/nasd-guest/g.xml >"$t_tmp/start" 2>&1; }
runs_of() { grep -c 'ev=start ' "$(guest_log g)"; }
runs_again() { [ "$(runs_of)" -gt "$1" ]; }

# The power goes while the guest writes; what it was told is written is there.
hypervisor_dies() {
	writes_on g || fail "the guest writes"
	on vnode2 virsh dumpxml g >"$t_tmp/g.xml" || die "no XML of the guest"
	runs=$(runs_of)
	lab crash vnode2
	died=$(now_ms)
	on vnode3 mkdir -p /run/nasd-guest
	lab put vnode3 "$t_tmp/g.xml" /run/nasd-guest/g.xml
	starts
	is "the dead hypervisor's locks hold up the start elsewhere" "$(grep -c 'Failed to get .*lock' "$t_tmp/start")" 1
}

guest_runs_on_vnode3() {
	await 90 "the guest runs on vnode3" runs_again "$runs"
	writes_on g 40 || fail "the guest writes on vnode3"
}

released() {
	hypervisor_dies
	release $dead >"$t_tmp/out"
	is "client release: done" $? 0
	is "one client" "$(jq .clients "$t_tmp/out")" 1
	check "the guest starts on vnode3 at once" starts
	note "released: the start that got the locks began $((tried - died)) ms after the power was cut, and took $(($(now_ms) - tried)) ms"
	guest_runs_on_vnode3
	release $dead >"$t_tmp/out"
	is "once more: nobody is there, which is refused" $? 3
}

# Without it: as long as the dead client's lease, and ganesha's round of looking for such.
waited_out() {
	hypervisor_dies
	wait_until 60 starts || fail "the guest starts when the lease has ended" "$(cat "$t_tmp/start")"
	note "without client release it began $((tried - died)) ms after the power was cut (lease 15 s), and took $(($(now_ms) - tried)) ms"
	guest_runs_on_vnode3
}

refusals() {
	ctl nas1 client release vnode2 --peer-confirmed-dead vnode2 >/dev/null 2>&1
	is "a name is no address: usage" $? 2
	ctl nas1 client release $alive --peer-confirmed-dead $dead >/dev/null 2>&1
	is "two different addresses: usage" $? 2
	release $alive >"$t_tmp/out"
	is "a client that lives: refused" $? 3
	check "it says why, and what to do" jq -e '.error | (.message | contains("heard")) and (.remedy | contains("off"))' "$t_tmp/out"
	ctl "$(other "$(active)")" client release $dead --peer-confirmed-dead $dead >/dev/null 2>&1
	is "on the standby: refused" $? 3
}

# The dead one comes back, and the guest to it: for another round.
guest_back() {
	on vnode3 virsh -q destroy g
	{ lab boot vnode2 && lab up && lab libvirt up vnode2; } >"$t_tmp/boot" 2>&1 || die "vnode2 did not come back: $(tail -n 3 "$t_tmp/boot")"
	lab guest stop g --kill
	lab guest start g --on vnode2 --libvirt >"$t_tmp/guest" 2>&1 || die "the guest did not start: $(tail -n 3 "$t_tmp/guest")"
}

requires virsh libvirtd qemu-system-x86_64
lab_begin
lab libvirt up >"$t_tmp/libvirt" 2>&1 || die "libvirt: $(tail -n 3 "$t_tmp/libvirt")"
at_end 'lab boot vnode2; lab up; lab libvirt down'
probe_begin w vnode3 --lock 0-99
lab guest start g --on vnode2 --libvirt >"$t_tmp/guest" 2>&1 || die "the guest did not start: $(tail -n 3 "$t_tmp/guest")"
at_end 'lab guest stop g --kill; on vnode3 virsh destroy g; on vnode3 rm -f /mnt/vm/g.raw'

refusals
released
if [ -z "$quick" ]; then
	guest_back
	waited_out
fi
is "the guest has seen no error" "$(complaints g)" ""
check "the guest verifies all it wrote" lab guest stop g
is "the other hypervisor's client has seen nothing" "$(complaints w)" ""
check "it verifies all it wrote, and has its lock" lab guest stop w
t_end
