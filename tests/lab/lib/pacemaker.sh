# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# corosync and Pacemaker in nas1 and nas2. No systemd: each daemon is a service of the
# node's supervisor, so that one that dies is started again, as systemd would.
# shellcheck disable=SC2154

pacemaker_services() {
	cat <<-'END'
	corosync /var/log/nasd/corosync.log /usr/sbin/corosync -f
	pacemaker /var/log/nasd/pacemaker.out /lab/pacemaker
	END
}

# Both networks, and two nodes of which one may go on alone once it has fenced the other.
# The token is Debian's 3 s shortened: the lab's nodes share a machine, and a standstill of
# half a second is seen there. Not at real-time priority: a node has one processor, and
# corosync's start at that priority starves the watchdog for longer than it waits.
corosync_conf() {
	local n
	cat <<-END
	totem {
	    version: 2
	    cluster_name: lab
	    transport: knet
	    crypto_cipher: none
	    crypto_hash: none
	    token: 1500
	}
	system {
	    sched_rr: no
	    priority: 0
	    move_to_root_cgroup: no
	}
	quorum {
	    provider: corosync_votequorum
	    two_node: 1
	    wait_for_all: 0
	}
	logging {
	    to_stderr: yes
	    to_syslog: no
	    to_logfile: no
	    timestamp: hires
	}
	nodelist {
	END
	for n in $NAS_NODES; do
		echo "    node {"
		echo "        name: $n"
		echo "        nodeid: $(($(node_nr "$n") - 10))"
		echo "        ring0_addr: 10.77.2.$(node_nr "$n")"
		echo "        ring1_addr: 10.77.1.$(node_nr "$n")"
		echo "    }"
	done
	echo "}"
}

# What is nowhere but in memory has to be there first. A corosync that is not up yet is
# waited for: pacemakerd would end.
pacemaker_start() {
	cat <<-'END'
	#!/bin/sh
	# Made by tests/lab/lab.
	mountpoint -q /dev/shm || { mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm; }
	cib=/var/lib/pacemaker/cib/cib.xml
	[ -e $cib ] || install -o hacluster -g haclient -m 600 /lab/cib.xml $cib
	until grep -q @quorum /proc/net/unix; do sleep 0.2; done
	export PCMK_logfile=/var/log/nasd/pacemaker.log PCMK_logpriority=info PCMK_node_start_state=default
	exec /usr/sbin/pacemakerd -f
	END
}

# What a node of the lab starts with, whose memory is lost with its power: it waits for
# others for a shorter time than 20 s, and fences nobody before it has met a cluster.
pacemaker_first_cib() {
	cat <<-'END'
	<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0">
	  <configuration>
	    <crm_config>
	      <cluster_property_set id="cib-bootstrap-options">
	        <nvpair name="stonith-enabled" value="false" id="cib-bootstrap-options-stonith-enabled"/>
	        <nvpair name="dc-deadtime" value="4s" id="cib-bootstrap-options-dc-deadtime"/>
	      </cluster_property_set>
	    </crm_config>
	    <nodes/><resources/><constraints/>
	  </configuration>
	  <status/>
	</cib>
	END
}

# The example's configuration as the cluster keeps it. crm is a Python program, which takes its time in a
# node: it works on a file here, and misses the agents, which are in the nodes only.
pacemaker_config() { # FILE
	sed 's/stonith:fence_ipmilan/stonith:fence_lab/; s/params ip=[^ ]* username=[^ ]* password=[^ ]* lanplus=1/params plug=@/' \
		"$here/../../configs/pacemaker/nasd.crm" |
		sed '/primitive fence-nas1/,/^$/s/plug=@/plug=nas1/; /primitive fence-nas2/,/^$/s/plug=@/plug=nas2/' >"$1.crm"
	pacemaker_cib "$1"
}

pacemaker_cib() { # FILE, made of FILE.crm
	cibadmin --empty >"$1"
	{ CIB_file=$1 crm -F configure load replace "$1.crm" && crm_verify --xml-file "$1"; } >"$1.log" 2>&1 ||
		die "$1.crm cannot be loaded: $(tail -n 5 "$1.log")"
	sed -n -i '/<configuration>/,/<\/configuration>/p' "$1"
}

pacemaker_files() { # NODE
	local d=$LAB_STATE/node/$1
	mkdir -p "$d/root/etc/corosync"
	corosync_conf >"$d/root/etc/corosync/corosync.conf"
	pacemaker_start >"$d/pacemaker"
	chmod +x "$d/pacemaker"
	pacemaker_first_cib >"$d/cib.xml"
	: >"$d/varlog/pacemaker.log"
}

# By their logs: each program that is started in a node keeps it from its work.
pacemaker_joined() {
	grep -q 'State transition .* -> S_NOT_DC' "$LAB_STATE"/node/nas[12]/varlog/pacemaker.log
}

pacemaker_ready() {
	local n up
	sleep 0.5
	up=$(in_node nas1 crm_mon -1 --output-as=xml 2>/dev/null) || return 1
	for n in $NAS_NODES; do
		grep -qE "<node name=\"$n\" .*online=\"true\"" <<<"$up" || return 1
	done
	grep -q 'role="Promoted"' <<<"$up" && grep -qE 'role="(Unpromoted|Slave)"' <<<"$up"
}

pacemaker_add() { # NODE
	local have
	have=$(in_node "$1" /lab/bin/labnode service list)
	# shellcheck disable=SC2086 # words
	pacemaker_services | while read -r name rest; do
		if grep -q "^$name " <<<"$have"; then
			in_node "$1" /lab/bin/labnode service start "$name"
		else
			in_node "$1" /lab/bin/labnode service add "$name" $rest
		fi || exit
	done || die "the services of $1 were not added"
}

# Both nodes in one cluster with the configuration that is in nas1's /lab.
pacemaker_run() { # CIB
	local n adding=''
	for n in $NAS_NODES; do
		pacemaker_add "$n" &
		adding+=" $!"
	done
	for n in $adding; do
		wait "$n" || exit
	done
	wait_for 90 "Pacemaker has a cluster of two (lab log nas1 nasd/pacemaker.log)" pacemaker_joined
	in_node nas1 cibadmin --modify --allow-create --scope configuration --xml-file "/lab/$1" || die "the cluster does not take its configuration"
}

# The service goes on: what Pacemaker does not manage it does not stop.
pacemaker_down() {
	local n ending=''
	for n in $NAS_NODES; do
		! in_node "$n" crm_attribute --type crm_config --name maintenance-mode --update true || break
	done
	for n in $NAS_NODES; do
		node_is_ready "$n" || continue
		{
			in_node "$n" /lab/bin/labnode service stop pacemaker
			in_node "$n" /lab/bin/labnode service stop corosync
			in_node "$n" sh -c 'rm -f /var/lib/pacemaker/cib/*' # maintenance mode is in there
		} &
		ending+=" $!"
	done
	for n in $ending; do
		wait "$n" || true
	done
	lab_trigger "$(cat "$LAB_STATE/trigger.before" 2>/dev/null || echo manual)"
	nas_boot_confs
}

# pacemaker up: the trigger is Pacemaker, its configuration that of configs/pacemaker, the
# stonith device the lab's power switch.
lab_pacemaker() { # up|down
	local n
	case $1 in up | down) ;; *) die "usage: lab pacemaker up|down" 2 ;; esac
	need_lab
	[ ! -e "$LAB_STATE/plain" ] || die "this lab runs without nasd"
	if [ "$1" = down ]; then
		pacemaker_down
		return
	fi
	[ "$(nasd_trigger)" = pacemaker ] || cat "$LAB_STATE/trigger" >"$LAB_STATE/trigger.before"
	pacemaker_config "$LAB_STATE/node/nas1/nasd.cib"
	for n in $NAS_NODES; do
		pacemaker_files "$n"
		lab_put "$n" "$LAB_STATE/node/$n/root/etc/corosync/corosync.conf" /etc/corosync/corosync.conf
	done
	lab_trigger pacemaker
	nas_boot_confs
	pacemaker_run nasd.cib
	wait_for 90 "Pacemaker has promoted one node, and the other stands by (crm_mon -1)" pacemaker_ready
}
