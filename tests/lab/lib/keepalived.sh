# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# keepalived as nasd's trigger on both NAS nodes, by the example that is installed.
# shellcheck disable=SC2154

keepalived_services() {
	echo "keepalived /var/log/nasd/keepalived.log /usr/sbin/keepalived -f /etc/keepalived/keepalived.conf -P -n -l -D"
}

keepalived_conf() { # NODE
	local other=nas2 priority=110
	[ "$1" = nas1 ] || other=nas1 priority=100
	sed -e 's/eth0/vec0/' -e "s/\\bnas1 nas2\\b/$1 $other/; s/router_id nas1/router_id $1/" \
		-e "s/priority 110/priority $priority/" \
		-e "s/unicast_src_ip .*/unicast_src_ip 10.77.1.$(node_nr "$1")/" \
		-e "s/^\t\t10\.77\.1\.12/\t\t10.77.1.$(node_nr $other)/" \
		"$repo/configs/keepalived/keepalived.conf.example"
}

keepalived_file() { # NODE
	mkdir -p "$LAB_STATE/node/$1/root/etc/keepalived"
	keepalived_conf "$1" >"$LAB_STATE/node/$1/root/etc/keepalived/keepalived.conf"
}

# Both nodes agree on a master.
keepalived_settled() {
	[ "$(for n in $NAS_NODES; do
		in_node "$n" sed 's/ .*//' /run/nasd/keepalived.vmstore
	done | sort | tr '\n' ' ')" = "BACKUP MASTER " ]
}

lab_keepalived() { # up|down
	local n was
	need_lab
	[ ! -e "$LAB_STATE/plain" ] || die "this lab runs without nasd"
	case $1 in
	up)
		[ "$(nasd_trigger)" = keepalived ] || cat "$LAB_STATE/trigger" >"$LAB_STATE/trigger.before"
		lab_trigger keepalived
		for n in $NAS_NODES; do
			keepalived_file "$n"
			lab_put "$n" "$LAB_STATE/node/$n/root/etc/keepalived/keepalived.conf" /etc/keepalived/keepalived.conf
			# shellcheck disable=SC2046
			in_node "$n" /lab/bin/labnode service restart keepalived >/dev/null 2>&1 ||
				in_node "$n" /lab/bin/labnode service add $(keepalived_services)
		done
		wait_for 30 "keepalived has a master and a backup" keepalived_settled
		;;
	down)
		for n in $NAS_NODES; do
			! node_is_ready "$n" || in_node "$n" /lab/bin/labnode service remove keepalived || true
		done
		was=$(cat "$LAB_STATE/trigger.before" 2>/dev/null || echo manual)
		lab_trigger "$was"
		;;
	*) die "usage: lab keepalived up|down" 2 ;;
	esac
}
