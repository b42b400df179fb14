# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Guests that libvirt runs ("lab guest start --libvirt"): the same machine as
# guest_start's, as a domain that may be on either hypervisor.
# shellcheck disable=SC2154

# On the clients' network, when $LAB_GUEST_MAC says with which address.
guest_nic() {
	[ -z "${LAB_GUEST_MAC:-}" ] || echo "<interface type='direct'><mac address='$LAB_GUEST_MAC'/>
		<source dev='vec0' mode='bridge'/><model type='virtio'/><rom enabled='no'/></interface>"
}

# Its memory is 8 KiB more than whole MiB, which libvirt itself would not do. Before 9.0
# QEMU forgot, of an emulated guest that moves, what it writes into pages copied already,
# when the memory's size is a multiple of 256 KiB (QEMU's "physmem: Fix migration dirty
# bitmap coherency with TCG memory access"; Debian 12 has 7.2): the guest fell silent or
# died of it. With KVM it is not so.
odd_memory() { # MIB
	local size=$(($1 * 1048576 + 8192)) a
	for a in -object "memory-backend-ram,id=odd,size=$size" -machine memory-backend=odd -m "size=$((size / 1024))k"; do
		echo "<qemu:arg value='$a'/>"
	done
}

domain_xml() { # NAME DISK MEM PORT KERNEL-ARGS
	cat <<-END
	<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
	  <name>$1</name>
	  <memory unit='MiB'>$3</memory>
	  <vcpu>1</vcpu>
	  <os>
	    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
	    <kernel>$GUEST_KERNEL</kernel>
	    <initrd>$GUEST_INITRD</initrd>
	    <cmdline>$5</cmdline>
	  </os>
	  <features><acpi/><apic/><tcg><tb-cache unit='MiB'>256</tb-cache></tcg></features>
	  <cpu mode='custom' match='exact' check='none'><model fallback='forbid'>qemu64</model></cpu>
	  <clock offset='utc'><timer name='hpet' present='no'/></clock>
	  <on_reboot>destroy</on_reboot>
	  <devices>
	    <emulator>/usr/bin/qemu-system-x86_64</emulator>
	    <disk type='file' device='disk'>
	      <driver name='qemu' type='raw' cache='${LAB_GUEST_CACHE:-none}' error_policy='${LAB_GUEST_ERRORS:-report}' ioeventfd='off'/>
	      <source file='$2'/>
	      <target dev='vda' bus='virtio'/>
	    </disk>
	    <controller type='usb' model='none'/>
	    <channel type='tcp'>
	      <source mode='connect' host='10.77.9.1' service='$4'><reconnect enabled='yes' timeout='1'/></source>
	      <protocol type='raw'/>
	      <target type='virtio' name='probe'/>
	    </channel>
	    $(guest_nic)
	    <serial type='file'><source path='/run/nasd-guest/$1.console'/></serial>
	    <memballoon model='none'/>
	  </devices>
	  <qemu:commandline>$(odd_memory "$3")</qemu:commandline>
	</domain>
	END
}

# Starts the prepared guest on $node.
libvirt_guest_start() {
	# shellcheck disable=SC2016
	domain_xml "$name" "$disk" "$mem" "$(cat "$dir/port")" \
		"$KERNEL_ARGS -- --file /dev/vda --name $name ${args[*]-}" |
		"$LAB_STATE/bin/labctl" "$LAB_STATE" exec "$node" sh -c '
			set -e
			mkdir -p /run/nasd-guest
			[ -e "$2" ] || truncate -s 64M "$2"
			cat >"/run/nasd-guest/$1.xml"
			exec virsh -q create "/run/nasd-guest/$1.xml"' sh "$name" "$disk"
}

# The hypervisor that runs it now; else where it was last.
libvirt_guest_node() { # DIR
	local v
	for v in $VNODES; do
		# shellcheck disable=SC2016
		in_node "$v" sh -c 'kill -0 "$(cat "$1")" &&
			virsh -q domstate "$2" | grep -qxE "running|paused"' sh "$(pid_file "$1")" "${1##*/}" >/dev/null 2>&1 || continue
		echo "$v" >"$1/node"
	done
	cat "$1/node"
}
