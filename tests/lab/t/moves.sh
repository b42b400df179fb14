# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Alternating moves under writers, and what is known of them afterwards. For tests
# that have sourced functions.sh; they set n (how many) and call moves_begin.
# shellcheck disable=SC2154

# A guest, a client with locks, a stranger to the locks, and a look at both nodes.
writers_begin() {
	guest_begin guest vnode2
	probe_begin client vnode3 --lock 0-99
	thief_begin lock vnode2 /mnt/vm/client 0-99
	sampler_start
}

# What holds whatever moved: of the nodes, the lock and the writers.
writers_end() {
	local thief
	check "no socket of an earlier server is left on either node" no_dead_sockets
	check "at no time both nodes had anything" sampler_overlaps 0
	sampler_stop
	thief=$(thief_end lock vnode2) || true
	is "nobody else got the lock" "$(jq -r .stolen <<<"$thief")" 0
	is "its attempts met no error" "$(jq -r .errors <<<"$thief")" 0
	check "the guest: no error, no bad block" lab guest stop guest
	check "the client: no error, no bad block, no lost lock" lab guest probe stop client
}

writers_say() {
	local w
	for w in guest client; do
		grep '^{"ev":"summary"' "$(guest_log $w)" | tail -n 1 |
			jq -r '"      \(.name): \(.acked) writes acknowledged, \(.reads) reads verified, errors \(.write_errors + .read_errors), bad \(.bad_blocks), lock \(.lock // "none" | tostring)"'
	done
}

# The first switchover of this test has an epoch above this one.
moves_begin() {
	wait_until 40 is_ready || die "not ready: $(show_pair)"
	first_epoch=$(epoch)
	: >"$t_tmp/moves"
}

# The gaps between two switchovers are the lab's own noise: each switchover is
# given a moment before the next, so that its gap is told from its neighbour's.
move() { # NUMBER
	local from to asked code=0 began ended
	wait_until 40 is_ready || { fail "switchover $1: the pair was not ready" "$(show_pair)"; return 1; }
	from=$(active) to=$(other "$from") asked=$from
	[ $(($1 % 3)) != 0 ] || asked=$to # either node can be asked
	began=$(wall_us)
	ctl "$asked" switchover "$to" --json >"$t_tmp/move" 2>&1 || code=$?
	ended=$(wall_us)
	[ $code = 0 ] || { fail "switchover $1 to $to (asked on $asked)" "$(tail -n 3 "$t_tmp/move")"; return 1; }
	wait_until 20 is_settled || { fail "switchover $1: not settled" "$(show_pair)"; return 1; }
	[ "$(active)" = "$to" ] || { fail "switchover $1: $to is not active" "$(show_pair)"; return 1; }
	writes_on guest || { fail "switchover $1: the guest writes on" "acknowledged $(acked guest)"; return 1; }
	writes_on client || { fail "switchover $1: the client writes on" "acknowledged $(acked client)"; return 1; }
	echo "$began $ended $(wall_us)" >>"$t_tmp/moves"
}

# A killed server's socket that lives on would answer in the place of the next
# server for a client that has the same port again.
dead_sockets() {
	local p
	for p in $NODES; do
		on "$p" ss -Htan '( sport = :2049 )' | grep -vE '^(LISTEN|ESTAB)'
	done
}
no_dead_sockets() { ! dead_sockets; }

# Per move of this test, oldest first: its entry on one node.
history_of() { # NODE [KIND]
	jq -c --argjson first "$first_epoch" --arg kind "${2:-switchover}" \
		'select(.kind == $kind and .epoch > $first)' \
		"$LAB_STATE/node/$1/var/history.jsonl" | jq -sc 'group_by(.epoch) | map(last) | sort_by(.epoch)'
}

histories_agree() {
	local a b
	a=$(history_of nas1 | jq -c 'map([.epoch, .source, .target, .result])')
	b=$(history_of nas2 | jq -c 'map([.epoch, .source, .target, .result])')
	[ "$a" = "$b" ] && [ "$(jq length <<<"$a")" = "$n" ] && return
	printf 'nas1 %s\nnas2 %s\nwanted %s of them\n' "$a" "$b" "$n"
	return 1
}

# Gaps of NAME that a switchover explains: overlapping it, the longest of each.
switch_gaps() { # NAME
	local began ended until
	while read -r began ended until; do
		: "$ended"
		gap_between "$1" "$began" "$until"
	done <"$t_tmp/moves"
}

# Gaps of 20 ms and more outside of every switchover: the lab's noise.
other_gaps() { # NAME
	sed -n 's/.* ev=gap ms=\([0-9.]*\) .* begin_wall_us=\([0-9]*\).*/\2 \1/p' "$(guest_log "$1")" |
		awk 'NR == FNR { a[NR] = $1; b[NR] = $3; n = NR; next }
			$1 < a[1] { next }
			{ for (i = 1; i <= n; i++) if ($1 + $2 * 1000 >= a[i] && $1 <= b[i]) next; printf "%.0f\n", $2 }' \
			"$t_tmp/moves" -
}

table_of_steps() { # KIND
	history_of nas1 "$1" >"$t_tmp/h1"
	history_of nas2 "$1" >"$t_tmp/h2"
	# Each node's steps from its own history.
	jq -rs --arg order "$(ctl nas1 plan --json | jq -r '[.steps[].name] | join(" ")')" '
		def pick(p): sort | .[(length - 1) * p | floor];
		($order | split(" ")) as $o |
		[.[0][].steps[] | select(.node == "nas1")] + [.[1][].steps[] | select(.node == "nas2")] |
		group_by(.name) | map({name: .[0].name, stage: .[0].stage, d: map(.duration_us / 1000)}) |
		sort_by(.name as $n | $o | index($n)) | .[] |
		[.stage, .name, (.d | length), (.d | pick(0.5)), (.d | pick(0.9)), (.d | max)] | @tsv' \
		"$t_tmp/h1" "$t_tmp/h2" | awk -F'\t' '
		BEGIN { printf "      %-11s %-15s %4s %10s %10s %10s\n", "stage", "step", "runs", "median ms", "p90 ms", "max ms" }
		{ printf "      %-11s %-15s %4d %10.1f %10.1f %10.1f\n", $1, $2, $3, $4, $5, $6 }'
}
