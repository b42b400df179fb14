# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The installed ganesha on this machine's loopback: a plain VFS export ("stock"), or
# the same export through the module ("module"). For scripts that run inside of
# namespaces of their own (server_enter), whose end is then the end of all of it.
# The script sets $work (a directory) and $so (the module); $port, $lease, $grace if it likes.
# shellcheck disable=SC2154

# server_inside PROGRAM ARGUMENT...: runs PROGRAM in PID, network and mount namespaces of
# its own, with SERVER_INSIDE set, and returns its status. With us ends all that it began;
# when we are ended early, $work goes too.
server_inside() {
	local pid rc
	SERVER_INSIDE=1 unshare --mount --net --pid --fork --kill-child --mount-proc \
		--propagation private "$@" &
	pid=$!
	# shellcheck disable=SC2064 # this one's pid
	trap "kill -9 $pid; wait $pid; sleep 0.2; rm -rf '$work'" EXIT
	trap 'exit 143' INT TERM
	wait $pid
	rc=$?
	trap - EXIT INT TERM
	return $rc
}

# An ext4 of its own, SIZE as truncate takes it, in memory: what disks do is not the question.
server_filesystem() { # DIRECTORY SIZE
	ip link set lo up &&
		truncate -s "$2" "$work/disk.img" &&
		mkfs.ext4 -q -F -E nodiscard "$work/disk.img" &&
		mkdir -p "$1" && mount -o loop "$work/disk.img" "$1"
}

server_plugins() {
	mkdir -p "$work/plugins" && cp "$so" "$work/plugins/libfsalnasd.so" &&
		cp /usr/lib/*/ganesha/libfsalvfs.so "$work/plugins/"
}

# KIND: stock, control (one more of those), or module, or another name for one more module
server_conf() { # KIND EXPORTED-DIRECTORY
	local block='' fsal='FSAL { Name = VFS; }'
	case $1 in
	stock | control) ;;
	*)
		block="NASD { Socket = \"$work/$1.sock\"; }"
		fsal='FSAL { Name = NASD; FSAL { Name = VFS; } }'
		;;
	esac
	cat <<-END
	NFS_CORE_PARAM { NFS_Port = ${port:-2049}; Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false;
		Enable_UDP = false; fsid_device = false; Plugins_Dir = "$work/plugins"; }
	NFS_KRB5 { Active_krb5 = false; }
	NFSV4 { Minor_Versions = 1, 2; Lease_Lifetime = ${lease:-15}; Grace_Period = ${grace:-15};
		Delegations = false; RecoveryBackend = fs; RecoveryRoot = "$work/recovery-$1";
		Server_Owner = $1; Server_Scope = $1; }
	$block
	EXPORT { Export_Id = 1; Path = "$2"; Pseudo = "/x"; Access_Type = RW;
		Squash = No_Root_Squash; SecType = sys; Protocols = 4; Transports = TCP; $fsal }
	END
}

# server_start KIND EXPORTED-DIRECTORY: it serves when this returns; its process is in KIND.pid.
server_start() {
	local end=$((SECONDS + 20)) pid
	server_conf "$1" "$2" >"$work/$1.conf"
	mkdir -p "$work/recovery-$1"
	rm -f "$work/$1.log" "$work/$1.pid"
	${SERVER_ENV:+env $SERVER_ENV} ganesha.nfsd -F -f "$work/$1.conf" -L "$work/$1.log" \
		-p "$work/$1.lock" -N NIV_EVENT >"$work/$1.out" 2>&1 </dev/null &
	pid=$!
	disown "$pid" # nobody wants to read that it was killed
	until (exec 3<>"/dev/tcp/127.0.0.1/${port:-2049}") 2>/dev/null && grep -qs 'NFS SERVER INITIALIZED' "$work/$1.log"; do
		if [ $SECONDS -ge $end ] || ! kill -0 "$pid" 2>/dev/null; then
			echo "the $1 server did not start: $(tail -n 3 "$work/$1.log" "$work/$1.out")" >&2
			return 1
		fi
		sleep 0.1
	done
	echo "$pid" >"$work/$1.pid"
	! grep 'No export entries found' "$work/$1.log" >&2
}

server_stop() { # KIND
	local pid
	pid=$(cat "$work/$1.pid")
	kill -9 "$pid" || return
	while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
}
