# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Storage without nasd: DRBD's first start, the file system, and (with --plain)
# ganesha and the floating addresses on nas1.
# shellcheck disable=SC2154

# Both disks are the same zeroes: say so instead of copying one to the other.
drbd_first_time() {
	[ ! -e "$LAB_STATE/node/fs.made" ] || return 0
	# shellcheck disable=SC2016
	in_node nas1 sh -c '
		until_drbd() {
			i=0
			until grep -q "$1" /proc/drbd; do
				i=$((i + 1))
				[ $i -lt 200 ] || { echo "not $1:" >&2; cat /proc/drbd >&2; exit 1; }
				sleep 0.05
			done
		}
		set -e
		until_drbd cs:Connected
		grep -q "ds:UpToDate/UpToDate" /proc/drbd ||
			drbdadm new-current-uuid --clear-bitmap r0
		until_drbd ds:UpToDate/UpToDate
		drbdadm primary r0
		case $2 in
		ext4) mkfs.ext4 -q -F -m 0 -N 16384 -J size=8 -L vmstore -U "$1" \
			-E nodiscard,lazy_itable_init=0,lazy_journal_init=0 /dev/drbd0 ;;
		xfs) mkfs.xfs -q -f -K -L vmstore -m uuid="$1" /dev/drbd0 ;;
		esac
		drbdadm secondary r0' sh "$FS_UUID" "$(lab_fs)" ||
		die "DRBD's first start failed (lab log nas1, lab log nas2)"
	: >"$LAB_STATE/node/fs.made"
}

plain_ganesha_conf() {
	cat <<-'END'
	# Made by tests/lab/lab up --plain.
	NFS_CORE_PARAM {
	    Protocols = 4;
	    Enable_NLM = false;
	    Enable_RQUOTA = false;
	    Enable_UDP = false;
	    NFS_Port = 2049;
	    MNT_Port = 20048;
	    fsid_device = false;
	}
	NFSv4 {
	    Minor_Versions = 1, 2;
	    Lease_Lifetime = 15;
	    Grace_Period = 20;
	    Delegations = false;
	    RecoveryBackend = fs;
	    Server_Owner = nasd;
	    Server_Scope = nasd;
	}
	NFS_KRB5 { Active_krb5 = false; }
	LOG { Default_Log_Level = EVENT; }
	EXPORT {
	    Export_Id = 1;
	    Path = /srv/vmstore;
	    Pseudo = /vmstore;
	    Protocols = 4;
	    Transports = TCP;
	    Access_Type = RW;
	    Squash = No_Root_Squash;
	    SecType = sys;
	    FSAL { Name = VFS; }
	}
	END
}

plain_start() {
	if is_served; then return 0; fi
	plain_ganesha_conf | ctl exec nas1 sh -c 'mkdir -p /etc/ganesha && cat >/etc/ganesha/lab.conf'
	# The address last: it must not answer before the export does.
	# shellcheck disable=SC2016
	in_node nas1 sh -c '
		set -e
		drbdadm primary r0
		mountpoint -q /srv/vmstore || mount /dev/drbd0 /srv/vmstore
		/lab/bin/labnode service list | grep -q "^ganesha " ||
			/lab/bin/labnode service add ganesha /var/log/nasd/ganesha.out \
			/usr/bin/ganesha.nfsd -F -L /var/log/nasd/ganesha.log \
			-f /etc/ganesha/lab.conf -p /run/ganesha/ganesha.pid
		i=0
		until nc -z 127.0.0.1 2049; do
			i=$((i + 1)); [ $i -lt 100 ] || exit 1; sleep 0.05
		done
		ip addr replace "$1/24" dev vec0
		ip addr replace "$2/64" dev vec0 nodad
		arping -q -c 1 -U -I vec0 "$1" || true' sh "$FLOAT4" "$FLOAT6" ||
		die "the plain server did not start on nas1 (lab log nas1 ganesha.log)"
}

# Some NAS node has the floating address.
is_served() {
	local n
	for n in $NAS_NODES; do
		! node_is_ready "$n" || ! in_node "$n" \
			sh -c "ip -o -4 addr show dev vec0 | grep -q ' $FLOAT4/'" || return 0
	done
	return 1
}

mount_export() { # VNODE
	# shellcheck disable=SC2016
	in_node "$1" sh -c 'mountpoint -q /mnt/vm ||
		mount -t nfs4 -o vers=4.2,hard,proto=tcp,timeo=600,retrans=2 "$1:/vmstore" /mnt/vm' \
		sh "$FLOAT4" || die "mounting the export on $1 failed (lab log $1)"
}
