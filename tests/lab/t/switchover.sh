#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N alternating switchovers under a writing guest, a locking client and a
# stranger to the lock. Nothing may be lost, wrong or stolen; afterwards the two
# disks are the same, block by block, and hold every acknowledged write.
# --reclaim: with migrate-state = off, so that the clients reclaim in each.
#
# usage: switchover.sh [--reclaim] [N]   (default 20)
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/moves.sh
. "$t_dir/moves.sh"

reclaim=''
[ "${1:-}" != --reclaim ] || { reclaim=1; shift; }
n=${1:-20}
case $n in '' | *[!0-9]* | 0) die "usage: switchover.sh [--reclaim] [N]" ;; esac

# Nobody's: services ended, nothing mounted, both DRBD Secondary.
stand_down() {
	local v p
	for v in vnode2 vnode3; do
		on "$v" umount /mnt/vm || on "$v" umount -fl /mnt/vm || return 1
	done
	for p in $NODES; do
		lab service "$p" nasd stop || return 1
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
	on "$1" sh -c 'mount -t ext4 -o ro,noload /dev/drbd0 /srv/vmstore || exit 1
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
	for p in $NODES; do lab service "$p" nasd start; done
	wait_until 40 is_ready || { show_pair; return 1; }
	lab up
}

limit() { # WHAT GAPS
	sort -n "$2" | awk -v what="$1" '{ v[NR] = $1 } END {
		if (!NR) exit
		m = v[int((NR + 1) / 2)]
		printf "      %s: median %d ms (limit 1000) %s, longest %d ms (limit 3000) %s\n", what, m,
			m <= 1000 ? "PASS" : "FAIL", v[NR], v[NR] <= 3000 ? "PASS" : "FAIL"
	}'
}

requires qemu-system-x86_64
lab_begin
eval "$(lab guest build)"
probe=$GUEST_PROBE
if [ -n "$reclaim" ]; then
	at_end 'lab up; migrate_state auto'
	migrate_state off || die "the pair is not ready with migrate-state off: $(show_pair)"
fi
writers_begin
moves_begin
start=$SECONDS
for i in $(seq "$n"); do
	move "$i" || break
done
took=$((SECONDS - start))
is "$n switchovers done" "$(wc -l <"$t_tmp/moves")" "$n"
check "both nodes tell the same history" histories_agree
writers_end
for w in guest client; do
	grep '^{"ev":"summary"' "$(guest_log $w)" | tail -n 1 |
		jq -r '"      \(.name): \(.acked) writes acknowledged, \(.reads) reads verified, errors \(.write_errors + .read_errors), bad \(.bad_blocks), lock \(.lock // "none" | tostring)"'
	switch_gaps $w >"$t_tmp/gaps.$w"
	other_gaps $w >"$t_tmp/noise.$w"
done

check "both nodes stand down: Secondary, nothing mounted" stand_down
is "DRBD knows of nothing out of sync" "$(out_of_sync nas1) $(out_of_sync nas2)" "0 0"
check "the disks are the same, block by block" compare_disks
compare_disks 2>/dev/null | grep compared
for node in $NODES; do
	check "every acknowledged write is on $node's disk" verify_node "$node"
done
check "nasd takes up the service again" stand_up

note "$n switchovers in $took s; all gaps of 20 ms and more in a switchover count as its own"
for w in guest client; do
	note "$(percentiles "$w, gap of a switchover" ms <"$t_tmp/gaps.$w")"
	note "$(percentiles "$w, gaps otherwise" ms <"$t_tmp/noise.$w")"
done
history_of nas1 | jq -r '.[] | .freeze_us / 1000 | floor' >"$t_tmp/freeze"
note "$(percentiles "nasd's own freeze" ms <"$t_tmp/freeze")"
note "$(history_of nas1 | jq -r '.[] | .total_us / 1000 | floor' | percentiles "nasd's own total" ms)"
table_of_steps
limit "figures of the guest" "$t_tmp/gaps.guest"
limit "figures of the client" "$t_tmp/gaps.client"
t_end
