# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The two disks when all is over: the same, block by block, with every write in
# them that the guest and the client (writers_begin of moves.sh) were told is
# stable. For tests that have sourced functions.sh and moves.sh.
# shellcheck disable=SC2154

# Nobody's: services ended, nothing mounted, both DRBD Secondary.
stand_down() {
	local v p
	for v in vnode2 vnode3; do
		on "$v" umount /mnt/vm || on "$v" umount -fl /mnt/vm || return 1
	done
	# the standby's first: it must not see the other one fall silent
	snap
	for p in $(other "$(active)") $(active); do
		watchdog_off "$p" && lab service "$p" nasd stop || return 1
	done
	for p in $NODES; do
		on "$p" sh -c 'pkill -9 -x ganesha.nfsd
			until ! pgrep -x ganesha.nfsd >/dev/null; do sleep 0.05; done
			ip addr del 10.77.1.100/24 dev vec0 2>/dev/null
			ip addr del fd77:1::100/64 dev vec0 2>/dev/null
			! grep -q " /srv/vmstore " /proc/mounts || umount /srv/vmstore || exit 1
			drbdadm secondary r0' || return 1
	done
	wait_until 20 both_secondary
}

# Its device is left armed for the next one; whoever opens it may disarm it.
watchdog_off() { # NODE
	lab service "$1" nasd-watchdog stop && on "$1" sh -c 'printf V >/dev/watchdog1'
}

both_secondary() {
	local p
	for p in $NODES; do
		on "$p" grep -q 'cs:Connected ro:Secondary/Secondary ds:UpToDate/UpToDate' /proc/drbd || return 1
	done
}

out_of_sync() { on "$1" sed -n 's/.* oos:\([0-9]*\).*/\1/p' /proc/drbd; }

# The replicated bytes: DRBD's device is the disk without its metadata.
compare_disks() {
	local bytes
	bytes=$(($(on nas1 cat /sys/block/drbd0/size) * 512))
	[ "$bytes" -gt 1000000 ] || { echo "the size of /dev/drbd0 is $bytes"; return 1; }
	[ "$bytes" = $(($(on nas2 cat /sys/block/drbd0/size) * 512)) ] || { echo "sizes differ"; return 1; }
	on nas1 sync
	on nas2 sync
	cmp -n "$bytes" "$LAB_STATE/node/nas1/disk.img" "$LAB_STATE/node/nas2/disk.img" || return 1
	note "compared $bytes bytes ($((bytes >> 20)) MiB of 4 KiB blocks: $((bytes / 4096)))"
	note "not compared: DRBD's own metadata, the last $(($(stat -c %s "$LAB_STATE/node/nas1/disk.img") - bytes)) bytes"
}

# Every acknowledged write, read from this very node's disk.
verify_on() { # NODE NAME FILE
	local log line
	log=$(guest_log "$2")
	line=$(grep '^{"ev":"summary"' "$log" | tail -n 1)
	[ -n "$line" ] || { echo "no summary of $2"; return 1; }
	# shellcheck disable=SC2016
	on "$1" sh -c 'mount -o ro,norecovery /dev/drbd0 /srv/vmstore || exit 1
		"$@"; rc=$?
		umount /srv/vmstore; exit $rc' sh "$probe" verify --file "/srv/vmstore/$3" \
		--run "$(jq -r .run <<<"$line")" --acked "$(jq .acked <<<"$line")" \
		--blocks "$(jq .blocks <<<"$line")" --newest "$(jq .acked <<<"$line")"
}

verify_node() { # NODE
	local rc=0
	on "$1" drbdadm primary r0 || return 1
	verify_on "$1" guest guest.raw || rc=1
	verify_on "$1" client client || rc=1
	on "$1" drbdadm secondary r0 || rc=1
	return "$rc"
}

# nasd takes up its duty again by itself; the clients mount again.
stand_up() {
	local p
	for p in $NODES; do
		lab service "$p" nasd-watchdog start
		lab service "$p" nasd start
	done
	wait_until 40 is_ready || { show_pair; return 1; }
	lab up
}

# Ends the service for a look at the disks, and takes it up again.
disks_judge() {
	local node
	eval "$(lab guest build)"
	probe=$GUEST_PROBE
	check "both nodes stand down: Secondary, nothing mounted" stand_down
	is "DRBD knows of nothing out of sync" "$(out_of_sync nas1) $(out_of_sync nas2)" "0 0"
	check "the disks are the same, block by block" compare_disks
	compare_disks 2>/dev/null | grep compared
	for node in $NODES; do
		check "every acknowledged write is on $node's disk" verify_node "$node"
	done
	check "nasd takes up the service again" stand_up
}
