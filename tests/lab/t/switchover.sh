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
# shellcheck source=tests/lab/t/disks.sh
. "$t_dir/disks.sh"

reclaim=''
[ "${1:-}" != --reclaim ] || { reclaim=1; shift; }
n=${1:-20}
case $n in '' | *[!0-9]* | 0) die "usage: switchover.sh [--reclaim] [N]" ;; esac

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
writers_say
for w in guest client; do
	switch_gaps $w >"$t_tmp/gaps.$w"
	other_gaps $w >"$t_tmp/noise.$w"
done

disks_judge

note "$n switchovers in $took s; all gaps of 20 ms and more in a switchover count as its own"
for w in guest client; do
	note "$(percentiles "$w, gap of a switchover" ms <"$t_tmp/gaps.$w")"
	note "$(percentiles "$w, gaps otherwise" ms <"$t_tmp/noise.$w")"
done
history_of nas1 | jq -r '.[] | .freeze_us / 1000 | floor' >"$t_tmp/freeze"
note "$(percentiles "nasd's own freeze" ms <"$t_tmp/freeze")"
note "$(history_of nas1 | jq -r '.[] | .total_us / 1000 | floor' | percentiles "nasd's own total" ms)"
table_of_steps switchover
limit "figures of the guest" "$t_tmp/gaps.guest"
limit "figures of the client" "$t_tmp/gaps.client"
t_end
