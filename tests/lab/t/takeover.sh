#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N power cuts of the active node, alternating, under a writing guest, a locking
# client and a stranger to the lock. nasd takes over by itself; the dead node is
# switched on again, resyncs and stands by before the next one. Nothing may be lost,
# wrong or stolen, and never two nodes serve; afterwards the two disks are the same
# and hold every acknowledged write.
#
# usage: takeover.sh [N]   (default 20)
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/moves.sh
. "$t_dir/moves.sh"
# shellcheck source=tests/lab/t/disks.sh
. "$t_dir/disks.sh"
# shellcheck source=tests/lab/t/failures.sh
. "$t_dir/failures.sh"

n=${1:-20}
case $n in '' | *[!0-9]* | 0) die "usage: takeover.sh [N]" ;; esac

one() { # NUMBER
	round_begin || return 1
	lab crash "$victim"
	await "$HANG" "power cut $1: $heir takes over" taken_over || { fence_story "$heir"; return 1; }
	writes_on guest "$HANG" || { fail "power cut $1: the guest writes on" "acknowledged $(acked guest)"; return 1; }
	writes_on client "$HANG" || { fail "power cut $1: the client writes on" "acknowledged $(acked client)"; return 1; }
	round_end
	revive "$victim" || { fail "power cut $1: $victim is back, in sync, and stands by" "$(show_pair)"; return 1; }
}

requires qemu-system-x86_64
lab_begin
with_trigger heartbeat
writers_begin
moves_begin
: >"$t_tmp/rounds"
start=$SECONDS
for i in $(seq "$n"); do
	one "$i" || break
done
took=$((SECONDS - start))
is "$n power cuts survived" "$(wc -l <"$t_tmp/moves")" "$n"
is "no node was fenced that was not off" "$(fences_of_living)" 0
writers_end
writers_say
disks_judge

note "$n power cuts in $took s"
for w in guest client; do
	switch_gaps $w >"$t_tmp/gaps.$w"
	note "$(percentiles "$w, gap of a takeover" ms <"$t_tmp/gaps.$w")"
	other_gaps $w >"$t_tmp/noise.$w"
	note "$(percentiles "$w, gaps otherwise" ms <"$t_tmp/noise.$w")"
done
table_of_parts
note "figures of the guest: $(percentiles "gap" ms <"$t_tmp/gaps.guest")"
t_end
