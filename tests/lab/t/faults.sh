#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every row of the table that runs (nasctl plan), on each side it runs on, made
# to fail in every way, while a client writes and holds a lock: before the
# commitment the service is back on the source, from it on it is the target's,
# and nasctl says the same or that it does not know.
#
# usage: faults.sh [--quick] [--rows ROW,...] [--sides source,target] [KIND...]
# A KIND is WHAT-WHEN: fail, unknown or kill, before or after its effect.
#   fail     the effect says that it failed (after: although it happened)
#   unknown  its answer is lost (before: it did not happen)
#   kill     nasd gets kill -9 and is started again 200 ms later
# At last nasd is told to end (SIGTERM) in the middle of a move, on either side.
# --quick: fail-before, kill-before and kill-after.
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/rows.sh
. "$t_dir/rows.sh"

kinds=()
while [ $# -gt 0 ]; do
	case $1 in
	--quick) kinds=(fail-before kill-before kill-after) ;;
	--rows) rows=$2 && shift ;;
	--sides) sides=$2 && shift ;;
	fail-before | fail-after | unknown-before | unknown-after | kill-before | kill-after) kinds+=("$1") ;;
	*) die "unknown argument '$1' (see the head of $0)" ;;
	esac
	shift
done
[ ${#kinds[@]} -gt 0 ] || kinds=(fail-before fail-after unknown-before unknown-after kill-before kill-after)

# Which side may have the service in the end, by what the fault does to whom.
allowed() { # SIDE PHASE KIND ROW
	case $2 in
	after) echo target ;;
	before)
		# An answer that was lost is found by looking, and a check is asked again by
		# itself when its nasd comes back in time: then there is nothing to go back for.
		# The facts that the target sends every 2 s count as its answer to a check as
		# well: a check that failed there just then is not noticed.
		case $4-$1-$3 in
		*-unknown-* | check-target-kill-* | check-target-fail-*) echo 'source target' ;;
		*) echo source ;;
		esac
		;;
	commit)
		# The source's record is the commitment; what its journal says, goes.
		case $1-$3 in
		target-*) echo target ;;
		source-kill-after) echo target ;;
		source-*-before) echo source ;;
		*) echo 'source target' ;;
		esac
		;;
	esac
}

# The answers of nasctl that fit where the service is. 6 is: not known.
answer_fits() { # CODE OWNER-SIDE
	case $1 in
	0) [ "$2" = target ] ;;
	3 | 4) [ "$2" = source ] ;;
	6) true ;;
	*) false ;;
	esac
}

judge_world() { # OWNER SINCE-SECONDS
	local over
	wait_until 5 sampled_as "$1" 111 "$EPOCHREALTIME" ||
		wrong "$1 is not Primary, mounted and addressed: $(last_sample "$1")"
	wait_until 5 sampled_as "$(other "$1")" 000 "$EPOCHREALTIME" ||
		wrong "$(other "$1") still has something: $(last_sample "$(other "$1")")"
	over=$(sampler_overlaps "$2") || wrong "$(head -n 1 <<<"$over")"
}

one_case() { # ROW SIDE PHASE KIND
	local row=$1 side=$2 phase=$3 kind=$4 source target node code began fired owner owner_side ms wall settle since answered
	is_settled || { wrong "not settled at the begin"; return; }
	source=$(active) target=$(other "$source")
	node=$source
	[ "$side" = source ] || node=$target
	fired=$(injected_count)
	wall=$(wall_us) since=$EPOCHREALTIME began=$(now_ms)
	ctl "$node" inject "$row" "${kind%-*}" "${kind#*-}" >"$t_tmp/inject" 2>&1 ||
		{ wrong "not armed: $(head -n 1 "$t_tmp/inject")"; return; }
	code=0
	ctl "$source" switchover "$target" --timeout 60 >"$t_tmp/answer" 2>&1 || code=$?
	answered=$(($(now_ms) - began))
	if ! wait_until 40 is_ready; then
		wrong "did not settle: $(show_pair | tr '\n' '|')"
		return
	fi
	settle=$(($(now_ms) - began))
	owner=$(active) owner_side=source
	[ "$owner" = "$source" ] || owner_side=target
	[ "$(injected_count)" -gt "$fired" ] || wrong "the fault was never met"
	case " $(allowed "$side" "$phase" "$kind" "$row") " in
	*" $owner_side "*) ;;
	*) wrong "the service is on the $owner_side" ;;
	esac
	answer_fits "$code" "$owner_side" ||
		wrong "nasctl said $code: $(tail -n 2 "$t_tmp/answer" | tr '\n' ' ')"
	if [ "$phase" = commit ] && [ "${kind%-*}" != kill ]; then
		# Written or not, nobody was told: what a restart reads must lead to one owner too.
		lab service "$node" nasd kill >/dev/null 2>&1
		wait_until 40 is_ready || { wrong "did not settle after a restart: $(show_pair | tr '\n' '|')"; return; }
		owner=$(active)
	fi
	judge_journals "$owner"
	judge_world "$owner" "$since"
	writes_on faults || wrong "the client does not write on"
	complaints faults >"$t_tmp/complaints" || wrong "the client complains: $(head -n 1 "$t_tmp/complaints")"
	ms=$(gap_between faults "$wall" "$(wall_us)")
	longest=$((ms > longest ? ms : longest))
	printf '%-15s %-7s %-14s -> %-7s nasctl %s  answer %5d ms  settled %5d ms  client gap %5d ms\n' \
		"$row" "$side" "$kind" "$owner_side" "$code" "$answered" "$settle" "$ms" >"$t_tmp/line"
	echo "$ms" >>"$t_tmp/gaps.$owner_side"
}

# nasd is told to end (SIGTERM) while a row of a move hangs: the move comes to its end first.
told_to_end() { # ROW SIDE NASCTL-SAYS OWNER-SIDE
	local source target node code=0 wall lines asking
	is_settled || { wrong "not settled at the begin"; return; }
	source=$(active) target=$(other "$source") wall=$(wall_us)
	node=$source
	[ "$2" = source ] || node=$target
	lines=$(wc -l <"$(nasd_log "$node")")
	ctl "$node" inject "$1" stall before >/dev/null || { wrong "not armed"; return; }
	ctl "$source" switchover "$target" --timeout 60 >"$t_tmp/answer" 2>&1 &
	asking=$!
	wait_until 20 stalls_since "$node" "$lines" || wrong "the fault was never met"
	lab service "$node" nasd restart >/dev/null 2>&1
	wait "$asking" || code=$?
	[ "$code" = "$3" ] || wrong "nasctl said $code: $(tail -n 2 "$t_tmp/answer" | tr '\n' ' ')"
	tail -n "+$((lines + 1))" "$(nasd_log "$node")" | grep -q 'does so after the move' || wrong "nasd did not wait for the move"
	wait_until 40 is_ready || { wrong "did not settle: $(show_pair | tr '\n' '|')"; return; }
	[ "$(active)" = "$([ "$4" = source ] && echo "$source" || echo "$target")" ] || wrong "$(active) serves"
	judge_journals "$(active)"
	writes_on faults || wrong "the client does not write on"
	complaints faults >"$t_tmp/complaints" || wrong "the client complains: $(head -n 1 "$t_tmp/complaints")"
	note "SIGTERM in $1, $2: client gap $(gap_between faults "$wall" "$(wall_us)") ms"
}
stalls_since() { tail -n "+$(($2 + 1))" "$(nasd_log "$1")" | grep -aq 'injected fault'; } # NODE LINES-BEFORE

recover() { # after a case that went wrong, so that the next one means something
	wait_until 5 is_ready && return
	note "the pair is stuck: nasd is started again on both nodes"
	for n in $NODES; do lab service "$n" nasd kill >/dev/null 2>&1 || true; done
	wait_until 40 is_ready && return
	die "the pair does not recover: $(show_pair)"
}

requires linux.uml jq awk
lab_begin
list_rows >"$t_tmp/rows"
[ -s "$t_tmp/rows" ] || die "no such rows"
sampler_start
probe_begin faults vnode2 --lock 0-99 --pace 10
thief_begin t vnode3 /mnt/vm/faults 0-99
longest=0 start=$SECONDS
for kind in "${kinds[@]}"; do
	while read -r row side phase <&5; do
		problems='' line=''
		: >"$t_tmp/line"
		one_case "$row" "$side" "$phase" "$kind"
		line=$(cat "$t_tmp/line")
		[ -n "$line" ] || line="$row $side $kind"
		if [ -z "$problems" ]; then
			pass "$line"
		else
			fail "$line" "${problems#; }"
			recover
		fi
	done 5<"$t_tmp/rows"
done
while read -r row side code owner <&5; do
	problems=''
	told_to_end "$row" "$side" "$code" "$owner"
	if [ -z "$problems" ]; then
		pass "told to end in $row on the $side: $owner serves"
	else
		fail "told to end in $row on the $side" "${problems#; }"
		recover
	fi
done 5<<-'END'
	address-del source 4 source
	address-add target 0 target
END
cases=$(($(wc -l <"$t_tmp/rows") * ${#kinds[@]}))
note "$cases cases in $((SECONDS - start)) s, longest gap of the client $longest ms"
for side in source target; do
	[ ! -e "$t_tmp/gaps.$side" ] || note "$(percentiles "client gap, ends on $side" ms <"$t_tmp/gaps.$side")"
done

thief=$(thief_end t vnode3) || true
is "nobody else got the lock" "$(jq -r '.stolen' <<<"$thief")" 0
note "the lock was tried for $(jq -r '"\(.tries) times, refused \(.refused) times, errors \(.errors)"' <<<"$thief")"
check "the client was clean to the end" lab guest probe stop faults
check "at no time both nodes had anything" sampler_overlaps 0
note "samples: $(samples nas1) on nas1, $(samples nas2) on nas2"
t_end
