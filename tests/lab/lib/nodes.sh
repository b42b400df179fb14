# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The nodes: names, addresses, files, boot.conf and command line of each.
# shellcheck disable=SC2154,SC2034 # variables go between the files of lib/

ALL_NODES="nas1 nas2 vnode2 vnode3"
NAS_NODES="nas1 nas2"
VNODES="vnode2 vnode3"
FS_UUID=6e617364-0000-4000-8000-000000000001
FLOAT4=10.77.1.100
FLOAT6=fd77:1::100
# What the shared disk was made with.
lab_fs() { cat "$LAB_STATE/fs"; }
disk_mb() { [ "$(lab_fs)" = xfs ] && echo 512 || echo 256; } # mkfs.xfs wants 300
NETS="client repl ctl"

node_nr() {
	case $1 in nas1) echo 11 ;; nas2) echo 12 ;; vnode2) echo 22 ;; vnode3) echo 23 ;; esac
}

node_mem() {
	case $1 in nas*) echo 512M ;; *) echo 1024M ;; esac
}

is_nas() { case $1 in nas*) true ;; *) false ;; esac; }

# The networks a node is in: NET INTERFACE per line.
node_nets() {
	echo client vec0
	! is_nas "$1" || echo repl vec1
	echo ctl vec2
}

net_nr() {
	case $1 in client) echo 1 ;; repl) echo 2 ;; ctl) echo 9 ;; esac
}

node_hosts() {
	local n
	echo "127.0.0.1 localhost"
	echo "::1 localhost"
	for n in $ALL_NODES; do
		echo "10.77.1.$(node_nr "$n") $n"
		echo "fd77:1::$(node_nr "$n") $n"
		! is_nas "$n" || echo "10.77.2.$(node_nr "$n") $n-repl"
		echo "10.77.9.$(node_nr "$n") $n-ctl"
	done
	echo "$FLOAT4 nas"
	echo "$FLOAT6 nas"
	echo "10.77.9.1 lab-host"
}

drbd_conf() {
	local n handlers=''
	cat <<-END
	resource r0 {
	    protocol C;
	    device /dev/drbd0 minor 0;
	    disk /dev/loop0;
	    meta-disk internal;
	    net {
	        ping-int 1;
	        ping-timeout 5;
	        timeout 10;
	        connect-int 1;
	        cram-hmac-alg sha256;
	        shared-secret "$(cat "$LAB_STATE/secret")";
	    }
	END
	# A resync is not held back for the sake of the writers.
	echo '    disk {'
	echo '        c-plan-ahead 0; c-min-rate 0; resync-rate 400M;'
	if [ "$(nasd_trigger)" != manual ] && [ -n "$(nasd_trigger)" ]; then
		echo '        fencing resource-and-stonith;'
		handlers='    handlers { fence-peer "/usr/sbin/nasd-fence-peer"; }'
	fi
	if [ "$(nasd_trigger)" = peer ]; then # as DRBD's guide has it with Pacemaker
		handlers='    handlers {
        fence-peer "/usr/lib/drbd/crm-fence-peer.sh";
        after-resync-target "/usr/lib/drbd/crm-unfence-peer.sh";
    }'
	fi
	printf '    }\n%s\n' "$handlers"
	for n in $NAS_NODES; do
		echo "    on $n { address 10.77.2.$(node_nr "$n"):7788; }"
	done
	echo "}"
}

boot_conf() { # NODE
	local n=$1 nr
	nr=$(node_nr "$n")
	cat <<-END
	hostname $n
	modprobe ipv6
	sysctl net/ipv6/conf/default/accept_ra 0
	up lo
	up vec0
	addr vec0 10.77.1.$nr/24
	addr vec0 fd77:1::$nr/64
	sysctl net/ipv6/conf/vec2/disable_ipv6 1
	up vec2
	addr vec2 10.77.9.$nr/24
	dir /var/lib/nasd
	bind /lab/var /var/lib/nasd
	bind /lab/varlog /var/log/nasd
	modprobe sch_netem
	END
	if is_nas "$n"; then
		cat <<-END
		up vec1
		addr vec1 10.77.2.$nr/24
		dir /srv/vmstore
		dir /var/lib/nfs/ganesha
		dir /run/ganesha
		modprobe loop
		loop 0 /lab/disk.img
		modprobe drbd
		END
		# Pacemaker starts DRBD itself: what it fenced is cleared by a resync it sees.
		[ "$(nasd_trigger)" = peer ] || echo "run /lab/start-nas"
		[ -e "$LAB_STATE/plain" ] || nasd_boot_conf
	else
		cat <<-END
		sysctl net/ipv4/tcp_retries2 6
		dir /mnt/vm
		modprobe nfsv4
		END
	fi
}

nas_boot_confs() { # what both NAS nodes start with, written anew
	local n
	for n in $NAS_NODES; do
		boot_conf "$n" >"$LAB_STATE/node/$n/boot.conf"
	done
}

# With LAB_ALONE=1 the nodes are machines of their own: what else this host does is
# not measured. Each NAS node has a processor of its own, where its system calls cost a
# third as well (a User-Mode Linux is two processes that wake each other); both come
# before the hypervisors, and those before everything else.
node_launcher() { # NODE
	[ -n "${LAB_ALONE:-}" ] || return 0
	if is_nas "$1"; then
		printf '%s\n' chrt -r 2 taskset -c $(($(node_nr "$1") % $(nproc)))
	else
		printf '%s\n' chrt -r 1
	fi
	# as labsup has it: a node that resets itself ends
	# shellcheck disable=SC2016
	printf '%s\n' bash -c 'exec -a /nonexistent/was-reset "$0" "$@"'
}

node_cmdline() { # NODE
	local n=$1 net ifc
	echo "10.77.9.$(node_nr "$n")"
	node_launcher "$n"
	command -v linux.uml
	printf '%s\n' "mem=$(node_mem "$n")" root=/dev/root rootfstype=hostfs \
		rootflags=/ ro "init=$LAB_STATE/bin/labnode" con=null \
		con0=null,fd:1 ssl=null "umid=$n" "uml_dir=$LAB_STATE/uml/" \
		devtmpfs.mount=0 loglevel=5 "lab_state=$LAB_STATE" \
		"lab_share=$LAB_STATE/node/$n" "lab_addr=10.77.9.$(node_nr "$n")"
	node_nets "$n" | while read -r net ifc; do
		echo "$ifc:transport=raw,ifname=$n-$net-u,depth=128,gro=1,mac=02:77:00:0$(net_nr "$net"):00:$(node_nr "$n")"
	done
}

# What NAS nodes run at boot, in one shell, after their disk is there.
start_nas() {
	cat <<-'END'
	#!/bin/sh
	# Made by tests/lab/lab: DRBD of a NAS node.
	set -e
	if [ -e /lab/disk.new ]; then
		drbdadm -v create-md --force r0
		rm /lab/disk.new
	fi
	drbdadm up r0
	END
}

# Everything of a node that is a file on the host.
node_files() { # NODE
	local n=$1 d=$LAB_STATE/node/$1 rel
	mkdir -p "$d/root/etc" "$d/root/usr/lib/modules" "$d/var" "$d/varlog" "$d/bin"
	cp "$LAB_STATE"/bin/lab{node,probe} "$d/bin/"
	for rel in /usr/lib/uml/modules/*; do
		ln -sfn "$rel" "$d/root/usr/lib/modules/${rel##*/}"
	done
	node_hosts >"$d/root/etc/hosts"
	echo "$n" >"$d/root/etc/hostname"
	echo "nasd-lab-$LAB_STATE-$n" | md5sum | cut -c1-32 >"$d/root/etc/machine-id"
	rm -f "$d/root/etc/resolv.conf"
	: >"$d/root/etc/resolv.conf"
	if is_nas "$n"; then
		mkdir -p "$d/root/etc/drbd.d" "$d/root/etc/nasd"
		printf 'global { usage-count no; }\ncommon { }\n' \
			>"$d/root/etc/drbd.d/global_common.conf"
		drbd_conf >"$d/root/etc/drbd.d/r0.res"
		(umask 077 && cat "$LAB_STATE/psk" >"$d/root/etc/nasd/psk.key")
		nasd_files "$d/root"
		start_nas >"$d/start-nas"
		chmod +x "$d/start-nas"
		if [ ! -e "$d/disk.img" ]; then
			truncate -s "$(disk_mb)M" "$d/disk.img"
			: >"$d/disk.new"
		fi
	fi
	boot_conf "$n" >"$d/boot.conf"
	node_cmdline "$n" >"$d/cmdline"
}
