# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The NAS nodes without nasd, and the peer stack: the same service by Pacemaker's standard
# agents (etc/peer.crm says which and why).
# shellcheck disable=SC2154

# The hypervisors leave first: a server that is away makes a client back off for minutes.
clients_leave() {
	local n
	for n in $VNODES; do
		! node_is_ready "$n" || in_node "$n" sh -c '! mountpoint -q /mnt/vm || umount /mnt/vm' ||
			die "$n still uses the export: end the guests and probes first (lab guest list)"
	done
}

# No server, no address, no mount, DRBD Secondary.
nas_bare() { # NODE
	# shellcheck disable=SC2016
	in_node "$1" bash -c '
		ip addr del "$1/24" dev vec0
		ip addr del "$2/64" dev vec0
		for p in /proc/[0-9]*; do
			case $(readlink "$p/exe") in
			*/ganesha.nfsd | */dbus-daemon) kill -9 "${p#/proc/}" ;;
			esac
		done
		for ((i = 0; i < 100; i++)); do
			! mountpoint -q /srv/vmstore || umount /srv/vmstore && break
			sleep 0.05
		done
		drbdadm secondary r0' bash "$FLOAT4" "$FLOAT6" 2>/dev/null ||
		die "$1 cannot be made Secondary (lab log $1)"
}

nasd_out() {
	local n
	clients_leave
	for n in $NAS_NODES; do # the watchdog first, or a node without nasd is reset
		in_node "$n" sh -c '/lab/bin/labnode service stop nasd-watchdog && printf V >/dev/watchdog1
			/lab/bin/labnode service stop nasd' >/dev/null 2>&1 || true
	done
	for n in $NAS_NODES; do
		nas_bare "$n"
	done
}

# The owner's nasd takes up its service by itself.
nasd_in() {
	local n
	nasd_run
	wait_for 40 "nasd serves again (lab log nas1 nasd.log)" is_served
	for n in $VNODES; do
		! node_is_ready "$n" || mount_export "$n"
	done
}

# nasd out|in: the NAS nodes without nasd, its server and addresses; and back. Also the
# hypervisors' mounts.
lab_nasd() {
	need_lab
	[ ! -e "$LAB_STATE/plain" ] || die "this lab runs without nasd"
	case $1 in
	out) nasd_out ;;
	in) nasd_in ;;
	*) die "usage: lab nasd out|in" 2 ;;
	esac
}

# The server of lab up --plain, with what a failover needs: who was there, on the mirror.
peer_ganesha_conf() {
	plain_ganesha_conf | sed 's|RecoveryBackend = fs;|&\n    RecoveryRoot = "/srv/vmstore/.ganesha";|'
}

# Debian 12's portblock looks for "tcp" where its iptables (1.8.9) prints 6, and so never
# unblocks: https://github.com/ClusterLabs/resource-agents/pull/1924, whose repair this is.
peer_portblock() {
	# shellcheck disable=SC2016
	sed 's/echo "^DROP${w}${1}${w}--/echo "^DROP${w}[a-z0-9]*${w}--/' /usr/lib/ocf/resource.d/heartbeat/portblock
}

# In the node, also after its next boot. nftables does not work in there, hence the link;
# the directory below the mount point is for portblock, which wants to see it in every probe.
peer_files() { # NODE
	local d=$LAB_STATE/node/$1/root ra=usr/lib/ocf/resource.d/heartbeat
	mkdir -p "$d/etc/ganesha" "$d/usr/sbin" "$d/srv/vmstore/.tickle" "$d/$ra"
	peer_portblock >"$d/$ra/portblock"
	chmod 755 "$d/$ra/portblock"
	lab_put "$1" "$d/$ra/portblock" "/$ra/portblock"
	peer_ganesha_conf >"$d/etc/ganesha/peer.conf"
	ln -sfn /usr/sbin/iptables-legacy "$d/usr/sbin/iptables"
	pacemaker_files "$1"
	in_node "$1" sh -c 'mkdir -p /etc/ganesha /srv/vmstore/.tickle /run/resource-agents
		ln -sfn /usr/sbin/iptables-legacy /usr/sbin/iptables
		rm -f /var/lib/pacemaker/cib/cib*'
	lab_put "$1" "$d/etc/ganesha/peer.conf" /etc/ganesha/peer.conf
	lab_put "$1" "$d/etc/corosync/corosync.conf" /etc/corosync/corosync.conf
	boot_conf "$1" >"$LAB_STATE/node/$1/boot.conf"
}

# Both nodes are in, all resources run and none has failed, the mirror is whole, and DRBD's
# handler has taken its constraint away.
peer_ready() {
	local up n name
	up=$(in_node nas1 crm_mon -1 --output-as=xml 2>/dev/null) || return 1
	for n in $NAS_NODES; do
		grep -qE "<node name=\"$n\" .*online=\"true\".*pending=\"false\"" <<<"$up" || return 1
		in_node "$n" grep -q 'cs:Connected .* ds:UpToDate/UpToDate' /proc/drbd || return 1
	done
	for name in p_block p_fs p_nfs p_ip p_unblock; do
		grep -qE "<resource id=\"$name\" .*role=\"Started\" active=\"true\".*failed=\"false\"" <<<"$up" || return 1
	done
	[ "$(grep -cE '<resource id="p_drbd" .*role="(Promoted|Master|Unpromoted|Slave)" active="true"' <<<"$up")" = 2 ] &&
		! grep -q drbd-fence-by-handler <<<"$up"
}

peer_up() {
	local n
	case $(nasd_trigger) in
	peer) die "the peer stack is up, or was left half-way: lab peer-stack down first" ;;
	pacemaker) die "Pacemaker runs nasd here: lab pacemaker down first" ;;
	esac
	cp "$here/etc/peer.crm" "$LAB_STATE/node/nas1/peer.cib.crm"
	pacemaker_cib "$LAB_STATE/node/nas1/peer.cib"
	nasd_out
	nasd_trigger >"$LAB_STATE/trigger.before"
	trigger_files peer
	in_node nas1 sh -c 'drbdadm primary r0 && mount -o noatime /dev/drbd0 /srv/vmstore &&
		mkdir -p /srv/vmstore/.ganesha /srv/vmstore/.tickle && umount /srv/vmstore && drbdadm secondary r0' ||
		die "the mirror cannot be mounted on nas1"
	for n in $NAS_NODES; do
		peer_files "$n"
	done
	pacemaker_run peer.cib
	wait_for 90 "the peer stack serves on one node and stands by on the other (lab exec nas1 crm_mon -1)" peer_ready
	for n in $VNODES; do
		! node_is_ready "$n" || mount_export "$n"
	done
}

peer_stopped() {
	! in_node nas1 crm_mon -1 --output-as=xml | grep -qE '<resource id="p_.*active="true"'
}

peer_down() {
	local n
	[ "$(nasd_trigger)" = peer ] || return 0
	clients_leave
	! in_node nas1 crm_attribute --type crm_config --name stop-all-resources --update true ||
		wait_for 60 "the peer stack has stopped (lab exec nas1 crm_mon -1)" peer_stopped
	for n in $NAS_NODES; do
		in_node "$n" /lab/bin/labnode service stop pacemaker
		in_node "$n" /lab/bin/labnode service stop corosync
		in_node "$n" sh -c 'rm -f /var/lib/pacemaker/cib/cib*; iptables -F'
		rm -f "$LAB_STATE/node/$n/root/usr/sbin/iptables"
	done
	trigger_files "$(cat "$LAB_STATE/trigger.before")"
	nas_boot_confs
	nasd_in
}

# peer-stack up|down; ready: is all of it well? By the exit status.
lab_peer_stack() {
	case $1 in up | down | ready) ;; *) die "usage: lab peer-stack up|down|ready" 2 ;; esac
	need_lab
	[ ! -e "$LAB_STATE/plain" ] || die "this lab runs without nasd"
	[ "$(lab_fs)" = ext4 ] || die "the peer stack is set up for ext4 (etc/peer.crm), not for $(lab_fs)"
	"peer_$1"
}
