# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The lab with nasd: what is in its nodes for it, and how it takes over first.
# shellcheck disable=SC2154

# shellcheck disable=SC2034
NASD_CMD="/usr/sbin/nasd --allow-injection"

nasd_present() {
	[ -x "$LAB_STATE/inst/usr/sbin/nasd" ] && [ -e "$here/etc/nasd.conf" ]
}

# Lines for boot.conf of a NAS node: from its second boot on nasd starts with
# it; in the first, the lab makes the file system before nasd may look.
nasd_boot_conf() {
	if nasd_present && [ -e "$LAB_STATE/node/fs.made" ]; then
		echo "service nasd /var/log/nasd/nasd.log /usr/sbin/nasd --allow-injection"
	fi
}

nasd_files() { # ROOT
	[ ! -e "$here/etc/nasd.conf" ] || cp "$here/etc/nasd.conf" "$1/etc/nasd/nasd.conf"
}

nasd_json() { # NODE FILTER
	in_node "$1" nasctl status --json | jq -e "$2"
}

nasd_start() {
	local n nasd_active='any(.groups[]; .state == "active")'
	for n in $NAS_NODES; do
		in_node "$n" sh -c '/lab/bin/labnode service list | grep -q "^nasd " ||
			/lab/bin/labnode service add nasd /var/log/nasd/nasd.log /usr/sbin/nasd --allow-injection'
	done
	for n in $NAS_NODES; do
		wait_for 15 "nasd on $n is connected to its peer (lab log $n nasd.log)" \
			nasd_json "$n" '.peer.connected == true'
	done
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
