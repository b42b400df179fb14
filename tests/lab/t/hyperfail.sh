#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A hypervisor loses its power. Its guest cannot be started elsewhere while its locks on
# the image stand; nasctl client release ends them at once, by the word that the
# hypervisor is off, and the guest starts. A hypervisor that lives is not let go of, and
# nobody else notices. The long form also measures the wait without it, the lease; and has
# Pacemaker on the hypervisors do all of it, as nasd-pacemaker(7) says.
#
# usage: hyperfail.sh [--quick | hangs | virtualdomain]
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
dead=10.77.1.22 alive=10.77.1.23

parts='refusals hangs released waited_out virtualdomain'
case ${1:-} in
--quick) parts='refusals released' ;;
hangs | virtualdomain) parts=$1 ;;
'') ;;
*) die "usage: hyperfail.sh [--quick | hangs | virtualdomain]" ;;
esac

release() { ctl "$(active)" client release "$1" --peer-confirmed-dead "$1" --json 2>/dev/null; } # ADDRESS
# tried: when the last attempt began. A start that gets the locks takes QEMU some seconds in a node.
starts() {
	tried=$(now_ms)
	on vnode3 virsh -q create /run/nasd-guest/g.xml >"$t_tmp/start" 2>&1 || { cat "$t_tmp/start"; return 1; }
}
runs_of() { grep -c 'ev=start ' "$(guest_log g)"; }
runs_again() { [ "$(runs_of)" -gt "$1" ]; }

# The image's locks, as another hypervisor sees them: a shared one on some of these bytes.
locks_stand() { lab guest lock-test --on vnode3 --file /mnt/vm/g.raw --range 100-203 --count 1; }

# The power goes while the guest writes; what it was told is written is there. (QEMU itself
# may take longer to ask for its locks than the dead client has its lease, in a node.)
hypervisor_dies() {
	writes_on g || fail "the guest writes"
	on vnode2 virsh dumpxml g >"$t_tmp/g.xml" || die "no XML of the guest"
	runs=$(runs_of)
	lab crash vnode2
	died=$(now_ms)
	on vnode3 mkdir -p /run/nasd-guest
	lab put vnode3 "$t_tmp/g.xml" /run/nasd-guest/g.xml
	check "the dead hypervisor's locks stand" locks_stand
}

guest_runs_on_vnode3() {
	await 90 "the guest runs on vnode3" runs_again "$runs"
	writes_on g 40 || fail "the guest writes on vnode3"
}

released() {
	hypervisor_dies
	release "$dead" >"$t_tmp/out"
	is "client release: done" $? 0
	is "one client" "$(jq .clients "$t_tmp/out")" 1
	tried=$(now_ms) # check looks at it in a shell of its own
	check "the guest starts on vnode3 at once" starts
	note "released: the start that got the locks began $((tried - died)) ms after the power was cut, and took $(($(now_ms) - tried)) ms"
	guest_runs_on_vnode3
	release "$dead" >"$t_tmp/out"
	is "once more: nobody is there, which is refused" $? 3
}

# Without it: as long as the dead client's lease, and ganesha's round of looking for such.
waited_out() {
	hypervisor_dies
	starts >/dev/null || is "a start is refused for their sake" "$(grep -c 'Failed to get .*lock' "$t_tmp/start")" 1
	wait_until 60 starts || fail "the guest starts when the lease has ended" "$(cat "$t_tmp/start")"
	note "without client release it began $((tried - died)) ms after the power was cut (lease 15 s), and took $(($(now_ms) - tried)) ms"
	guest_runs_on_vnode3
}

refusals() {
	ctl nas1 client release vnode2 --peer-confirmed-dead vnode2 >/dev/null 2>&1
	is "a name is no address: usage" $? 2
	ctl nas1 client release "$alive" --peer-confirmed-dead "$dead" >/dev/null 2>&1
	is "two different addresses: usage" $? 2
	release "$alive" >"$t_tmp/out"
	is "a client that lives: refused" $? 3
	check "it says why, and what to do" jq -e '.error | (.message | contains("heard")) and (.remedy | contains("off"))' "$t_tmp/out"
	ctl "$(other "$(active)")" client release "$dead" --peer-confirmed-dead "$dead" >/dev/null 2>&1
	is "on the standby: refused" $? 3
}

# The module does not answer in time: nobody knows, and nothing is said to be free.
hangs() {
	# shellcheck disable=SC2016
	on "$(active)" sh -c 'p=$(pidof ganesha.nfsd); kill -STOP $p
		nasctl client release "$1" --peer-confirmed-dead "$1" --json; rc=$?; kill -CONT $p; exit $rc' sh "$dead" >"$t_tmp/out" 2>/dev/null
	is "a server that hangs: the outcome is not known" "$? $(jq -r .error.class "$t_tmp/out")" "6 timeout"
	check "it says so, and when the locks end by themselves" jq -e '.error | (.message | contains("does not answer")) and (.remedy | contains("lease"))' "$t_tmp/out"
	writes_on g || fail "the guest writes on when it answers again"
	await 40 "the pair is ready" is_ready
}

# Pacemaker fences the dead one, the NAS is told, and the guest starts on vnode3, in this order.
virtualdomain() {
	local a from
	at_end 'lab virt-cluster down'
	lab virt-cluster up g >"$t_tmp/out" 2>&1 || { fail "Pacemaker comes up on the hypervisors" "$(tail -n 3 "$t_tmp/out")"; return; }
	pass "Pacemaker comes up on the hypervisors, and finds the guest on vnode2"
	writes_on g 60 || fail "the guest writes in the cluster"
	snap
	a=$(active) runs=$(runs_of) from=$(wc -l <"$(nasd_log "$(active)")")
	lab crash vnode2
	died=$(now_ms)
	await 90 "the NAS is told that vnode2 is off" eval "tail -n +$((from + 1)) '$(nasd_log "$a")' | grep -q 'clients at $dead are dead'" && {
		note "virtualdomain: what vnode2 held was free $(($(now_ms) - died)) ms after the power was cut"
		is "vnode2 was fenced before, by vnode3" "$(awk -v d="$died" '$3 == "vnode2" && $2 == "off" && $1 / 1000 > d { print $5; exit }' "$LAB_STATE/sup.log")" 10.77.9.23
		is "the guest had not started before" "$(runs_of)" "$runs"
	}
	await 120 "Pacemaker starts the guest on vnode3" runs_again "$runs"
	note "virtualdomain: it ran on vnode3 $(($(now_ms) - died)) ms after the power was cut"
	writes_on g 60 || fail "the guest writes on vnode3"
	check "for Pacemaker, too, it runs on vnode3" eval "on vnode3 crm_mon -1 | grep -q 'g.*VirtualDomain.*Started vnode3'"
	lab virt-cluster down
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

first=1
for part in $parts; do
	case $part in
	refusals | hangs) "$part" ;;
	*)
		[ -n "$first" ] || guest_back
		first=''
		"$part"
		;;
	esac
done
is "the guest has seen no error" "$(complaints g)" ""
check "the guest verifies all it wrote" lab guest stop g
is "the other hypervisor's client has seen nothing" "$(complaints w)" ""
check "it verifies all it wrote, and has its lock" lab guest stop w
t_end
