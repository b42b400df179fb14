#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The power of either node is cut at every row of a switchover (nasctl plan): the
# node that runs the row resets itself there; the other one is switched off while
# the row waits. The survivor serves in the end, with every acknowledged write, and
# at no time do both; the dead node is switched on again, resyncs and stands by.
#
# usage: powercuts.sh [--rows ROW,...] [--sides source,target] [--victims runner,other]
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/moves.sh
. "$t_dir/moves.sh"
# shellcheck source=tests/lab/t/rows.sh
. "$t_dir/rows.sh"
# shellcheck source=tests/lab/t/disks.sh
. "$t_dir/disks.sh"
# shellcheck source=tests/lab/t/failures.sh
. "$t_dir/failures.sh"

victims='runner,other'
while [ $# -gt 0 ]; do
	case $1 in
	--rows) rows=$2 && shift ;;
	--sides) sides=$2 && shift ;;
	--victims) victims=$2 && shift ;;
	*) die "unknown argument '$1' (see the head of $0)" ;;
	esac
	shift
done

met() { [ "$(injected_count)" -gt "$fired" ]; }
survivor_serves() { heir_says '.groups[0] | .state == "active"'; }

one_case() { # ROW SIDE VICTIM
	local row=$1 side=$2 whom=$3 source target runner what=reset fired code=0 since=$EPOCHREALTIME
	round_begin || { wrong "not ready at the begin"; return; }
	source=$victim target=$heir
	runner=$source
	[ "$side" = source ] || runner=$target
	victim=$runner
	[ "$whom" = runner ] || { victim=$(other "$runner") what=stall; }
	heir=$(other "$victim")
	fired=$(injected_count)
	ctl "$runner" inject "$row" $what before >"$t_tmp/inject" 2>&1 ||
		{ wrong "not armed: $(head -n 1 "$t_tmp/inject")"; return; }
	ctl "$source" switchover "$target" --timeout 30 >"$t_tmp/answer" 2>&1 &
	wait_until 30 met || { wrong "the row was never met"; wait $!; return; }
	[ "$whom" = runner ] || lab crash "$victim"
	wait $! || code=$?
	wait_until "$HANG" survivor_serves || { wrong "$heir does not serve: $(heir_says . || true; show_pair | tr '\n' '|')"; return; }
	writes_on guest "$HANG" || wrong "the guest does not write on"
	writes_on client "$HANG" || wrong "the client does not write on"
	wait_until "$HANG" is_off "$victim" || wrong "$victim is not off"
	round_end
	revive "$victim" || { wrong "$victim did not come back: $(show_pair | tr '\n' '|')"; return; }
	judge_journals "$(active)"
	sampler_overlaps "$since" >"$t_tmp/over" || wrong "$(head -n 1 "$t_tmp/over")"
	cut_line="nasctl $code  guest's gap $(gap_between guest "$round_from" "$(wall_us)") ms"
}

requires qemu-system-x86_64 jq awk
lab_begin
list_rows >"$t_tmp/rows"
[ -s "$t_tmp/rows" ] || die "no such rows"
with_trigger heartbeat
writers_begin
moves_begin
: >"$t_tmp/rounds"
start=$SECONDS cases=0
while read -r row side phase <&5; do
	for whom in ${victims//,/ }; do
		problems='' cut_line=''
		cases=$((cases + 1))
		one_case "$row" "$side" "$whom"
		if [ -z "$problems" ]; then
			pass "$row on the $side ($phase), $whom dies: $cut_line"
		else
			fail "$row on the $side ($phase), $whom dies" "${problems#; }"
			lab boot "$victim" 2>/dev/null || true
			wait_until "$HANG" is_ready || die "the pair does not recover: $(show_pair)"
		fi
	done
done 5<"$t_tmp/rows"
note "$cases power cuts in $((SECONDS - start)) s"
is "no node was fenced that was not off" "$(fences_of_living)" 0
writers_end
writers_say
disks_judge
switch_gaps guest >"$t_tmp/gaps.guest"
note "$(percentiles "guest, gap around a power cut" ms <"$t_tmp/gaps.guest")"
t_end
