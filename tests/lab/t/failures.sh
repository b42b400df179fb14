# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What tests share in which a node fails and the other takes over. For tests that
# have sourced functions.sh and moves.sh. A round is
#
#   round_begin              victim: the active node; heir: the other one
#   lab crash "$victim"      or another failure
#   await "$HANG" "..." taken_over
#   revive "$victim"
#
# shellcheck disable=SC2154,SC2034

# No time that is asserted: after this long, something hangs.
HANG=90
failures_since=$(wall_us)

round_begin() {
	wait_until "$HANG" is_ready || { fail "the pair is ready" "$(show_pair)"; return 1; }
	victim=$(active) heir=$(other "$victim")
	epoch_before=$(epoch)
	round_from=$(wall_us)
	boots="$(boot_of nas1) $(boot_of nas2)"
}
boot_of() { on "$1" cat /proc/sys/kernel/random/boot_id; }
boot_before() { # NODE
	if [ "$1" = nas1 ]; then echo "${boots% *}"; else echo "${boots#* }"; fi
}

# Asks the heir alone: who asks a node that hangs waits for it.
heir_says() { ctl "$heir" status --json --timeout 3 | jq -e "$1" >/dev/null; }
taken_over() { heir_says ".groups[0] | .state == \"active\" and .epoch > $epoch_before"; }
still_standby() { heir_says ".groups[0] | .state == \"standby\" and .epoch == $epoch_before"; }

# What nasd says of fencing, for people and for tests.
fence_story() { ctl "$1" fence status; }
fence_says() { ctl "$1" fence status --json | jq -e "$2" >/dev/null; } # NODE FILTER

# Power on; true when it has resynced and stands by.
revive() { # NODE
	lab boot "$1" && sampler_on "$1" && wait_until "$HANG" is_ready
}

# All on their feet, by themselves or with their power button. For await.
whole() {
	local n
	for n in $NODES; do
		lab status | grep -q "^$n  *ready" || lab boot "$n" && sampler_runs "$n" || return 1
	done
	is_ready
}
sampler_runs() { # NODE
	# shellcheck disable=SC2016
	on "$1" sh -c 'kill -0 $(cat /run/sampler.pid)' 2>/dev/null || sampler_on "$1"
}

# Of a node that is on, since the round began: by the switch's log, and its boot id.
what_became() { # NODE
	local by
	by=$(fenced_by "$1" "$round_from")
	if [ -n "$by" ]; then
		echo "fenced"
	elif [ "$(boot_of "$1")" != "$(boot_before "$1")" ]; then
		echo "reset"
	else
		echo "left alone"
	fi
}
is_off() { lab status | grep -q "^$1  *off"; }

# What the power switch did since the test began: "TIME-US VERB NODE STATE BY".
power_log() {
	awk -v since="${1:-$failures_since}" 'NF == 5 && $1 >= since && $2 ~ /^(off|on|reboot)$/' "$LAB_STATE/sup.log"
}

# By whom NODE was fenced since TIME-US; and how many nodes were that ran.
fenced_by() { power_log "$2" | awk -v n="$1" '$3 == n && $2 == "off" && $5 != "lab" { print $5 }' | grep -m 1 .; }
fences_of_living() { power_log | awk '$2 != "on" && $4 == "ready" && $5 != "lab"' | wc -l; }

# Kept for table_of_parts: when it failed, when the switch was asked, the guest's gap.
round_end() {
	local failed off
	failed=$(power_log "$round_from" | awk -v n="$victim" '$3 == n && $2 == "off" && $5 == "lab" { print $1; exit }')
	off=$(power_log "$round_from" | awk -v n="$victim" '$3 == n && $2 == "off" && $5 != "lab" { print $1; exit }')
	echo "$round_from $(wall_us) $(wall_us)" >>"$t_tmp/moves"
	echo "$heir $(ctl "$heir" status --json | jq '.groups[0].epoch') ${failed:-$round_from} ${off:-0} $(gap_between guest "$round_from" "$(wall_us)")" >>"$t_tmp/rounds"
}

# "NAME MS" of each part of each takeover, by this machine's clock.
parts() {
	local node epoch failed off gap entry began
	while read -r node epoch failed off gap; do
		entry=$(jq -c --argjson e "$epoch" 'select(.kind == "takeover" and .epoch == $e)' \
			"$LAB_STATE/node/$node/var/history.jsonl" | tail -n 1)
		[ -n "$entry" ] || continue
		began=$(date -d "$(jq -r .began <<<"$entry")" +%s%6N)
		began=$(host_us "$node" "$began")
		jq -r --argjson began "$began" --argjson failed "$failed" --argjson off "$off" --argjson gap "$gap" '
			def ms: . / 1000;
			(.steps | map(select(.stage != "confirm"))) as $s |
			(($s | map(.start_us + .duration_us) | max) + $began - $failed | ms) as $served |
			"asked \($off - $failed | ms)", ($s | group_by(.name)[] | "\(.[0].name) \(map(.duration_us) | add | ms)"),
			"served \($served)", "clients \($gap - $served)", "guest \($gap)"' <<<"$entry"
	done <"$t_tmp/rounds"
}

# From the power cut: asked, when the switch was asked to switch off; detect, the
# silence; fence, from then to the proof, takeover-delay in it; the rows; served, the
# end of the last row; clients, from there to the guest's next write (reconnect,
# reclaim); guest, its whole gap, from its last write before the cut.
table_of_parts() {
	local name
	parts >"$t_tmp/parts"
	for name in detect fence drbd-primary mount export address-add announce asked served clients guest; do
		note "$(sed -n "s/^$name \([-0-9]*\).*/\1/p" "$t_tmp/parts" | percentiles "part: $name" ms)"
	done
}
