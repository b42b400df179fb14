# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# libvirt on the hypervisors: one libvirtd on each, kept by the node's PID 1, which
# takes connections over TCP without asking who it is (the lab's networks only).
# shellcheck disable=SC2154

# No systemd, D-Bus, cgroups or AppArmor in a node. SASL is what Debian's libvirtd
# would ask for. A guest's CPU takes most of a node's: libvirt's keepalive waits longer.
libvirt_conf() {
	cat <<-'END'
	listen_tls = 0
	listen_tcp = 1
	auth_tcp = "none"
	auth_unix_rw = "none"
	host_uuid_source = "machine-id"
	keepalive_interval = 10
	log_outputs = "2:stderr"
	END
}

libvirt_qemu_conf() {
	cat <<-'END'
	security_driver = "none"
	user = "root"
	group = "root"
	dynamic_ownership = 0
	remember_owner = 0
	cgroup_controllers = [ ]
	namespaces = [ ]
	stdio_handler = "file"
	migration_address = "0.0.0.0"
	keepalive_interval = 10
	END
}

libvirt_answers() { # NODE
	in_node "$1" virsh -q -c qemu:///system version
}

# The user that Debian's libvirtd is built with must exist, though nothing runs as it.
libvirt_start() { # NODE
	libvirt_conf | ctl exec "$1" sh -c 'mkdir -p /etc/libvirt /run/libvirt/qemu /var/log/libvirt/qemu \
		/var/cache/libvirt/qemu /var/lib/libvirt/qemu && cat >/etc/libvirt/libvirtd.conf'
	libvirt_qemu_conf | ctl exec "$1" sh -c 'cat >/etc/libvirt/qemu.conf'
	in_node "$1" sh -c 'set -e
		mkdir -p /run/nasd-guest
		modprobe macvtap
		grep -q ^libvirt-qemu: /etc/passwd ||
			echo libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin >>/etc/passwd
		grep -q ^libvirt-qemu: /etc/group || echo libvirt-qemu:x:64055: >>/etc/group
		/lab/bin/labnode service list | grep -q "^libvirtd " ||
			/lab/bin/labnode service add libvirtd /var/log/nasd/libvirtd.log /usr/sbin/libvirtd --listen' ||
		die "libvirtd was not started on $1"
}

# lab libvirt up|down [VNODE...]: returns when each of them answers, or is gone.
lab_libvirt() {
	local n verb=${1:-}
	case $verb in
	up | down) shift ;;
	*) die "usage: lab libvirt up|down [VNODE...]" 2 ;;
	esac
	need_lab
	# shellcheck disable=SC2086 # words
	[ $# -gt 0 ] || set -- $VNODES
	for n; do
		case " $VNODES " in *" $n "*) ;; *) die "libvirt runs on $VNODES, not on '$n'" 2 ;; esac
		node_is_ready "$n" || die "$n is not up: lab boot $n"
	done
	for n; do
		if [ "$verb" = up ]; then
			libvirt_start "$n"
		elif in_node "$n" sh -c '/lab/bin/labnode service list | grep -q "^libvirtd "'; then
			in_node "$n" /lab/bin/labnode service stop libvirtd
			in_node "$n" /lab/bin/labnode service remove libvirtd
		fi
	done
	[ "$verb" = up ] || return 0
	for n; do
		wait_for 60 "libvirtd on $n answers (lab log $n libvirtd.log)" libvirt_answers "$n"
	done
	say "libvirt: $*"
}
