# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# corosync and Pacemaker in vnode2 and vnode3: a cluster of hypervisors, which fences with
# the lab's power switch, has the NAS free what the dead one held, and starts its guests on
# the other one. nasd is as it was: the two clusters know nothing of each other.
# shellcheck disable=SC2154

# The fence agent reaches the NAS by ssh, as a user's would. (What this machine's root has in
# his .bashrc is none of a node's.)
virt_ssh() {
	local n
	[ -e "$LAB_STATE/node/virt.key" ] || ssh-keygen -q -t ed25519 -N '' -f "$LAB_STATE/node/virt.key"
	for n in $NAS_NODES; do
		ctl exec "$n" sh -c ': >/root/.bashrc; mkdir -p /root/.ssh && chmod 700 /root/.ssh &&
			cat >/root/.ssh/authorized_keys && chmod 600 /root/.ssh/authorized_keys' <"$LAB_STATE/node/virt.key.pub"
		in_node "$n" sh -c '[ -e /etc/lab-sshd.key ] || dropbearkey -t ed25519 -f /etc/lab-sshd.key
			/lab/bin/labnode service list | grep -q "^sshd " ||
			/lab/bin/labnode service add sshd /var/log/nasd/sshd.log /usr/sbin/dropbear -F -E -s -r /etc/lab-sshd.key -P /run/lab-sshd.pid' >/dev/null ||
			die "sshd was not started on $n"
	done
	for n in $VNODES; do
		lab_put "$n" "$LAB_STATE/node/virt.key" /etc/lab-virt.key
	done
}

# The example's configuration, with the lab's devices and GUEST.
virt_config() { # GUEST
	local f=$LAB_STATE/node/vnode2/virt.cib
	sed -e 's/stonith:fence_ipmilan/stonith:fence_lab/; s/params ip=[^ ]* username=[^ ]* password=[^ ]* lanplus=1/params plug=@/' \
		-e "s/nas=\"[^\"]*\"/nas=\"10.77.1.11 10.77.1.12\" ssh=\"ssh -i \/etc\/lab-virt.key -o BatchMode=yes -o ConnectTimeout=5 -o StrictHostKeyChecking=no -o UserKnownHostsFile=\/dev\/null -l root\"/" \
		-e "s/web1/$1/g; s/config=[^ ]*/config=\/etc\/lab-guest.xml/" \
		"$repo/configs/pacemaker/hypervisors.crm" |
		sed '/primitive power-vnode2/,/^$/s/plug=@/plug=vnode2/; /primitive power-vnode3/,/^$/s/plug=@/plug=vnode3/' >"$f.crm"
	pacemaker_cib "$f"
}

virt_files() { # NODE
	local d=$LAB_STATE/node/$1
	NAS_NODES=$VNODES pacemaker_files "$1"
	# A hypervisor's one processor is its guest's most of the time: it is silent for longer.
	sed -i '/ring0_addr/d; s/ring1_addr/ring0_addr/; s/token: .*/token: 5000/' "$d/root/etc/corosync/corosync.conf"
	in_node "$1" mkdir -p /etc/corosync /run/resource-agents
	lab_put "$1" "$d/root/etc/corosync/corosync.conf" /etc/corosync/corosync.conf
	lab_put "$1" "$LAB_STATE/inst/usr/lib/nasd/fence_nasd_client" /usr/sbin/fence_nasd_client
	lab_put "$1" "$here/tools/fence_lab" /usr/sbin/fence_lab
}

virt_joined() {
	grep -q 'State transition .* -> S_NOT_DC' "$LAB_STATE"/node/vnode[23]/varlog/pacemaker.log
}

virt_ready() { # GUEST
	sleep 0.5
	in_node vnode2 crm_mon -1 --output-as=xml |
		grep -A1 "<resource id=\"$1\" .*role=\"Started\".*failed=\"false\"" | grep -q '<node name="vnode'
}

# up GUEST: one that runs as a domain (lab guest start GUEST --libvirt) is the cluster's.
lab_virt_cluster() { # up GUEST | down
	local n
	need_lab
	case ${1:-} in up) need_args virt-cluster 2 "up GUEST" "$@" ;; down) ;; *) die "usage: lab virt-cluster up GUEST | down" 2 ;; esac
	if [ "$1" = down ]; then
		for n in $VNODES; do
			node_is_ready "$n" || continue
			! in_node "$n" crm_attribute --type crm_config --name maintenance-mode --update true || break
		done
		for n in $VNODES $NAS_NODES; do
			node_is_ready "$n" || continue
			# shellcheck disable=SC2016
			in_node "$n" sh -c 'for s in pacemaker corosync sshd; do
				[ "$1" = virt ] || [ $s = sshd ] || continue
				/lab/bin/labnode service list | grep -q "^$s " || continue
				/lab/bin/labnode service stop $s; /lab/bin/labnode service remove $s
			done; [ "$1" != virt ] || rm -f /var/lib/pacemaker/cib/*' sh "$(is_nas "$n" || echo virt)" || true
		done
		return
	fi
	[ -e "$LAB_STATE/guests/$2/node" ] || die "no such guest: $2"
	virt_ssh
	virt_config "$2"
	in_node "$(cat "$LAB_STATE/guests/$2/node")" virsh -q dumpxml "$2" >"$LAB_STATE/guests/$2/domain.xml" || die "$2 is no domain that runs"
	for n in $VNODES; do
		virt_files "$n"
		lab_put "$n" "$LAB_STATE/guests/$2/domain.xml" /etc/lab-guest.xml
		pacemaker_add "$n" || exit
	done
	wait_for 90 "the hypervisors have a cluster of two (lab log vnode2 pacemaker.log)" virt_joined
	in_node vnode2 cibadmin --modify --allow-create --scope configuration --xml-file /lab/virt.cib || die "the cluster does not take its configuration"
	wait_for 90 "Pacemaker has found $2 where it runs (crm_mon -1)" virt_ready "$2"
}
