# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The lab with nasd: what is in its nodes for it, and how it takes over first.
# shellcheck disable=SC2154

# NAME LOG COMMAND of each service, in the order of their start. The kernel's
# softdog is the second watchdog: the first is User-Mode Linux's own, which wants a
# helper on the host.
nasd_services() {
	cat <<-'END'
	nasd-watchdog /var/log/nasd/nasd-watchdog.log /usr/sbin/nasd-watchdog --device /dev/watchdog1 --timeout 3 --stale 1000
	nasd /var/log/nasd/nasd.log /usr/sbin/nasd --allow-injection
	END
}

nasd_present() {
	[ -x "$LAB_STATE/inst/usr/sbin/nasd" ] && [ -e "$here/etc/nasd.conf" ]
}

# Who takes over: see lab_trigger. peer: there is no nasd, but lib/peer.sh's stack. With
# --plain there is neither.
nasd_trigger() {
	[ -e "$LAB_STATE/plain" ] || cat "$LAB_STATE/trigger"
}

# Lines for boot.conf of a NAS node: from its second boot on nasd starts with
# it; in the first, the lab makes the file system before nasd may look.
nasd_boot_conf() {
	echo "dir /run/nasd"
	echo "dir /run/resource-agents" # as systemd-tmpfiles has it
	echo "modprobe softdog nowayout=0"
	if nasd_present && [ -e "$LAB_STATE/node/fs.made" ] && [ "$(nasd_trigger)" != peer ]; then
		nasd_services | sed 's/^/service /'
	fi
	case $(nasd_trigger) in pacemaker | peer) pacemaker_services | sed 's/^/service /' ;; esac
	[ "$(nasd_trigger)" != keepalived ] || keepalived_services | sed 's/^/service /'
}

nasd_files() { # ROOT
	[ ! -e "$here/etc/nasd.conf" ] || [ "$(nasd_trigger)" = peer ] ||
		sed -e "s/^\ttrigger = .*/\ttrigger = $(nasd_trigger)/" -e "s/type = \"ext4\"/type = \"$(lab_fs)\"/" "$here/etc/nasd.conf" |
		if [ "$(nasd_trigger)" = pacemaker ]; then sed '/^fence /,/^}/d'; else cat; fi >"$1/etc/nasd/nasd.conf"
	mkdir -p "$1/usr/sbin"
	install -m 755 "$here/tools/fence_lab" "$1/usr/sbin/"
}

# trigger manual|heartbeat|pacemaker: who takes over: nobody, nasd itself, or Pacemaker. DRBD's fencing
# goes with it. Both nodes' nasd are started again.
lab_trigger() {
	local n
	case $1 in manual | heartbeat | pacemaker | keepalived) ;; *) die "usage: lab trigger manual|heartbeat|pacemaker|keepalived" 2 ;; esac
	need_lab
	[ ! -e "$LAB_STATE/plain" ] || die "this lab runs without nasd"
	[ "$1" != "$(nasd_trigger)" ] || return 0
	trigger_files "$1"
	for n in $NAS_NODES; do
		! node_is_ready "$n" || in_node "$n" /lab/bin/labnode service restart nasd
	done
}

trigger_files() { # TRIGGER
	local n d
	echo "$1" >"$LAB_STATE/trigger"
	for n in $NAS_NODES; do
		d=$LAB_STATE/node/$n/root
		drbd_conf >"$d/etc/drbd.d/r0.res"
		nasd_files "$d"
		node_is_ready "$n" || continue
		lab_put "$n" "$d/etc/drbd.d/r0.res" /etc/drbd.d/r0.res
		lab_put "$n" "$d/etc/nasd/nasd.conf" /etc/nasd/nasd.conf
		in_node "$n" drbdadm adjust r0 || die "drbdadm adjust failed on $n"
	done
}

nasd_json() { # NODE FILTER
	in_node "$1" nasctl status --json | jq -e "$2"
}

nasd_run() {
	local n
	for n in $NAS_NODES; do
		# shellcheck disable=SC2016
		nasd_services | ctl exec "$n" sh -c 'while read -r name rest; do
			/lab/bin/labnode service start "$name" </dev/null 2>/dev/null ||
				/lab/bin/labnode service add $name $rest </dev/null || exit
		done' || die "the services of $n were not added"
	done
	for n in $NAS_NODES; do
		wait_for 15 "nasd on $n is connected to its peer (lab log $n nasd.log)" \
			nasd_json "$n" '.peer.connected == true'
	done
}

nasd_start() {
	local nasd_active='any(.groups[]; .state == "active")'
	nasd_run
	if ! nasd_json nas1 "$nasd_active" >/dev/null &&
		! nasd_json nas2 "$nasd_active" >/dev/null; then
		in_node nas1 nasctl takeover nas1 ||
			die "nasctl takeover nas1 failed (lab log nas1 nasd.log)"
	fi
	# shellcheck disable=SC2016
	wait_for 15 "a group is active (nasctl status; lab log nas1 nasd.log)" eval \
		'nasd_json nas1 "$nasd_active" || nasd_json nas2 "$nasd_active"'
	wait_for 15 "a node serves $FLOAT4" is_served
}
