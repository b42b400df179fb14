#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nasd under real corosync and Pacemaker: what nasd-pacemaker(7) says is expected. All the
# time a guest and a client with a lock write.
#
# usage: pacemaker.sh [CASE...]   (default: all; a CASE is a function's name below)
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/moves.sh
. "$t_dir/moves.sh"
# shellcheck source=tests/lab/t/failures.sh
. "$t_dir/failures.sh"

# Pacemaker knows who serves, and agrees with nasd.
agrees() {
	is_settled && on "$(active)" crm_mon -1 --output-as=xml >"$t_tmp/mon" &&
		grep 'resource_agent="ocf:nasd:nasd"' "$t_tmp/mon" | grep 'role="Promoted"' -A1 >/dev/null &&
		sed -n '/resource_agent="ocf:nasd:nasd".*role="Promoted"/,/<\/resource>/s/.*<node name="\([^"]*\)".*/\1/p' "$t_tmp/mon" |
		grep -qx "$(active)"
}
both_agree() {
	agrees && [ "$(grep -cE 'resource_agent="ocf:nasd:nasd" role="(Promoted|Unpromoted)".*failed="false"' "$t_tmp/mon")" = 2 ] &&
		[ "$(grep -cE '<node name=.* online="true".* pending="false"' "$t_tmp/mon")" = 2 ] && is_ready
}
serves() { snap; [ "$(st "$1" '.groups[0].state')" = active ]; }

writes() { # WHAT
	writes_on guest "$HANG" || fail "$1: the guest writes on" "acknowledged $(acked guest)"
	writes_on client "$HANG" || fail "$1: the client writes on" "acknowledged $(acked client)"
}

last_kind() { ctl "$1" history --limit 1 --json | jq -r '.entries[0] | "\(.kind) \(.result) \(.requested_by)"'; }

# What Pacemaker's daemons wrote down since SINCE-US, "MS EVENT" by this machine's clock,
# the first of each event: the change was seen, a transition was calculated, ...
cluster_events() { # SINCE-US
	local n
	for n in $NODES; do
		TZ=UTC awk -v off="$(cat "$LAB_STATE/node/$n/clock")" -v since="$1" -v year="$(date -u +%Y)" '
			BEGIN { split("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", m, " "); for (i in m) month[m[i]] = i }
			function event(name,   t) {
				split($3, t, /[:.]/)
				at = mktime(year " " month[$1] " " $2 " " t[1] " " t[2] " " t[3]) * 1000000 + t[4] * 1000 + off
				if (at >= since) printf "%d %s\n", (at - since) / 1000, name
			}
			/ aborted by .*: Configuration change/ { event("seen") }
			/Calculated transition/ { event("planned") }
			/Node .* state is now lost/ { event("lost") }
			/wants to fence/ { event("fencing") }
			/Operation .* targeting .*: OK/ { event("fenced") }
			/Initiating notify .*pre_notify_demote/ { event("notify") }
			/Initiating demote/ { event("demote") }
			/Result of demote/ { event("demoted") }
			/Initiating promote/ { event("promote") }
			/Result of promote/ { event("promoted") }' \
			"$LAB_STATE/node/$n/varlog/pacemaker.log"
	done | sort -n | awk '!seen[$2]++'
}

# The newest move or takeover as nasd has it: "MS EVENT" as above.
nasd_events() { # NODE SINCE-US
	local began
	ctl "$1" history --limit 1 --json >"$t_tmp/entry"
	began=$(host_us "$1" "$(date -d "$(jq -r '.entries[0].began' "$t_tmp/entry")" +%s%6N)")
	jq -r --argjson ms "$((began - $2))" '.entries[0] as $e | ($e.steps | map(select(.name == "announce")) | max_by(.start_us)) as $last |
		(if $e.kind == "takeover" then
			($e.steps[] | select(.name == "detect" or .name == "fence") |
				[.start_us + .duration_us, {detect: "silent", fence: "proven"}[.name]])
		else
			[0, "nasd"], [($e.steps | map(select(.stage == "freeze").start_us) | min), "freeze"]
		end), [$last.start_us + $last.duration_us, "served"] |
		"\((.[0] + $ms) / 1000 | floor) \(.[1])"' "$t_tmp/entry"
}

# The guest's gap across the freeze, and its longest since the command: a node of the lab
# has one processor, and Pacemaker's programs keep the server from it before and after.
gaps() { # SINCE-US
	local freeze served
	freeze=$(sed -n 's/ freeze$//p' "$t_tmp/events") served=$(sed -n 's/ served$//p' "$t_tmp/events")
	gap=$(gap_between guest "$(($1 + ${freeze:-0} * 1000))" "$(($1 + ${served:-0} * 1000))")
	longest=$(gap_between guest "$1" "$(wall_us)")
}

moved_to() { # WHAT NODE COMMAND-US
	await "$HANG" "$1: $2 serves" serves "$2" || { on "$2" crm_mon -1; return 1; }
	writes "$1"
	await "$HANG" "$1: Pacemaker agrees" agrees
	is "$1: by nasd's switchover" "$(last_kind "$2" | cut -d' ' -f1,2)" "switchover done"
	{ cluster_events "$3"; nasd_events "$2" "$3"; } | sort -n >"$t_tmp/events"
	gaps "$3"
	note "$1: guest's gap $gap ms, longest in all $longest; ms since the command: $(awk '{ print $2, $1 }' "$t_tmp/events" | paste -sd' ')"
}

cluster_moves() {
	local from to asked
	await "$HANG" "move: ready" both_agree || return
	from=$(active) to=$(other "$from")
	asked=$(wall_us)
	on "$from" crm_resource --move --resource vmstore-clone --promoted --node "$to" >"$t_tmp/out" 2>&1 ||
		fail "crm_resource --move" "$(cat "$t_tmp/out")"
	moved_to move "$to" "$asked"
	on "$to" crm_resource --clear --resource vmstore-clone >/dev/null 2>&1
}

move() { cluster_moves; }

between() { # KIND FIRST LAST: of each move
	awk -v k="$1" -v a="$2" -v b="$3" '$1 == k && $2 == a { f = $3 } $1 == k && $2 == b { print $3 - f }' "$t_tmp/figures" |
		percentiles "$1: $2 to $3" ms
}

# Ten moves of each kind: the operator's while Pacemaker looks away, and Pacemaker's.
moves() {
	local i to asked
	await "$HANG" "moves: ready" both_agree || return
	: >"$t_tmp/figures"
	on nas1 crm_attribute --type crm_config --name maintenance-mode --update true
	for i in 1 2 3 4 5 6 7 8 9 10; do
		await "$HANG" "moves: ready for number $i" is_ready || return
		to=$(other "$(active)") asked=$(wall_us)
		ctl "$to" switchover "$to" >/dev/null 2>&1 || fail "moves: nasctl switchover $to"
		writes "nasctl switchover"
		nasd_events "$to" "$asked" >"$t_tmp/events"
		gaps "$asked"
		figure nasctl >>"$t_tmp/figures"
	done
	on nas1 crm_attribute --type crm_config --name maintenance-mode --delete
	for i in 1 2 3 4 5 6 7 8 9 10; do
		cluster_moves || return
		figure pacemaker >>"$t_tmp/figures"
	done
	table_of_events nasctl nasd freeze served gap longest
	between nasctl nasd freeze
	between nasctl freeze served
	table_of_events pacemaker seen planned notify demote nasd freeze served demoted promote promoted gap longest
	between pacemaker nasd freeze
	between pacemaker freeze served
}

standby() {
	local from to asked
	await "$HANG" "standby: ready" both_agree || return
	from=$(active) to=$(other "$from")
	asked=$(wall_us)
	on "$to" crm_standby --node "$from" --update on
	moved_to standby "$to" "$asked"
	on "$to" crm_standby --node "$from" --delete
	await "$HANG" "unstandby: both are back" both_agree
	is "unstandby: the group stays" "$(snap; active)" "$to"
}

# The power of the active node is cut. "failed" is when, by the switch's log.
power_cut() { # WHAT
	local failed
	await "$HANG" "$1: ready" both_agree || return
	round_begin || return
	lab crash "$victim"
	failed=$(power_log "$round_from" | awk -v n="$victim" '$3 == n && $5 == "lab" { print $1; exit }')
	await "$HANG" "$1: $heir takes over" taken_over || { fence_story "$heir"; on "$heir" crm_mon -1; return 1; }
	writes "$1"
	is "$1: a takeover, asked for by Pacemaker" "$(last_kind "$heir")" "takeover done pacemaker"
	is "$1: $victim is fenced once" "$(power_log "$round_from" | awk '$2 == "off" && $5 != "lab"' | wc -l)" 1
	longest=$(gap_between guest "$round_from" "$(wall_us)") gap=$longest
	{ cluster_events "$failed"; nasd_events "$heir" "$failed"; } | sort -n >"$t_tmp/events"
	note "$1: guest's gap $gap ms; ms since the cut: $(awk '{ print $2, $1 }' "$t_tmp/events" | paste -sd' ')"
	revive "$victim" || fail "$1: $victim is back and stands by" "$(show_pair)"
	await "$HANG" "$1: Pacemaker has both again" both_agree
}

crash() { power_cut crash; }

# What table_of_events says of: each event of each kind of move.
figure() { # KIND
	echo "$1 gap $gap"
	echo "$1 longest $longest"
	awk -v kind="$1" '{ print kind, $2, $1 }' "$t_tmp/events"
}
table_of_events() { # KIND EVENT...
	local kind=$1 e
	shift
	for e; do
		sed -n "s/^$kind $e //p" "$t_tmp/figures" | percentiles "$kind: $e" ms
	done
}

cuts() {
	local i
	: >"$t_tmp/figures"
	for ((i = 0; i < ${CUTS:-10}; i++)); do
		power_cut "cut $i" || return
		figure cut >>"$t_tmp/figures"
	done
	table_of_events cut silent lost fencing fenced promote proven served gap
}

# Its fence device refuses: nobody takes over, and it goes on when it works again.
fence_failure() {
	await "$HANG" "fence failure: ready" both_agree || return
	round_begin || return
	echo fail >"$LAB_STATE/node/$heir/fence.fault"
	lab crash "$victim"
	await "$HANG" "fence failure: Pacemaker says that it failed" \
		eval "on $heir stonith_admin --history $victim --verbose 2>&1 | grep -qi fail"
	check "fence failure: $heir waits" still_standby
	note "$(ctl "$heir" status --json | jq -r '.groups[0].detail')"
	rm -f "$LAB_STATE/node/$heir/fence.fault"
	await "$HANG" "fence failure, repaired: $heir takes over" taken_over || on "$heir" crm_mon -1
	writes "fence failure"
	revive "$victim" || fail "fence failure: $victim is back" "$(show_pair)"
	await "$HANG" "fence failure: Pacemaker has both again" both_agree
}

untouched() { # WHAT CMD...: the group stays where it is, and nobody is fenced
	local what=$1 was since
	shift
	await "$HANG" "$what: ready" both_agree || return
	was=$(active) since=$(wall_us)
	"$@" "$was"
	writes "$what"
	await "$HANG" "$what: all is well again" both_agree
	is "$what: the group stays" "$(active)" "$was"
	is "$what: nobody is fenced" "$(fenced_by nas1 "$since")$(fenced_by nas2 "$since")" ""
}
kill_of() { on "$2" pkill -KILL -x "$1"; } # NAME NODE
restart_nasd() { lab service "$1" nasd kill; }
ganesha_killed() { on "$1" pkill -KILL -x ganesha.nfsd; }
pacemaker_crash() { untouched "pacemakerd dies" kill_of pacemakerd; }

# For Pacemaker a node whose controller dies has failed: it is fenced, and stays off; or its
# controller is back before that, what runs there is looked for, and the group stays.
# (pkill knows fifteen letters of a name.)
log_since() { tail -qn "+$(($2 + 1))" "$LAB_STATE/node/$1/varlog/pacemaker.log"; } # NODE LINES-BEFORE
idle_again() { # HEIR'S-LINES VICTIM'S-LINES: who is the DC then has nothing left to do
	log_since "$heir" "$1" | awk '/is no longer a peer/ { n = 1 } n && /-> S_IDLE/ { f = 1 } END { exit !f }' ||
		log_since "$victim" "$2" | grep -q -e '-> S_IDLE'
}
controller_dies() {
	local lines became
	await "$HANG" "the controller dies: ready" both_agree || return
	is "no node was fenced before that was not off" "$(fences_of_living)" 0
	round_begin || return
	lines="$(wc -l <"$LAB_STATE/node/$heir/varlog/pacemaker.log") $(wc -l <"$LAB_STATE/node/$victim/varlog/pacemaker.log")"
	kill_of pacemaker-contr "$victim"
	await "$HANG" "the controller dies: Pacemaker has acted" eval "idle_again $lines"
	await "$HANG" "the controller dies: both nodes are up" whole
	writes "the controller dies"
	await "$HANG" "the controller dies: Pacemaker has both again" both_agree
	became=$(what_became "$victim")
	note "the controller dies: $victim $became, $(active) serves"
	[ "$became" != "left alone" ] || is "the controller dies, and nobody is fenced: the group stays" "$(active) $(epoch)" "$victim $epoch_before"
	failures_since=$(wall_us)
}
resource_failure() {
	untouched "ganesha dies" ganesha_killed
	untouched "nasd dies" restart_nasd
}

maintenance() {
	await "$HANG" "maintenance: ready" both_agree || return
	local was
	was=$(active)
	on "$was" crm_attribute --type crm_config --name maintenance-mode --update true
	ganesha_killed "$was"
	writes maintenance
	ctl "$was" switchover "$(other "$was")" >/dev/null 2>&1 || fail "maintenance: an operator moves the group" "$(show_pair)"
	writes "maintenance, moved"
	await "$HANG" "maintenance: ready to go back" is_ready
	ctl "$was" switchover "$was" >/dev/null 2>&1 || fail "maintenance: and back" "$(show_pair)"
	on "$was" crm_attribute --type crm_config --name maintenance-mode --delete
	await "$HANG" "maintenance: over" both_agree
	is "maintenance: the group stays" "$(active)" "$was"
}

# What ocf-tester judges of the agent, on the node that serves: it is taken down and up
# again some times. An instance of its own: Pacemaker's keeps its marks.
tester() {
	local was out
	await "$HANG" "ocf-tester: ready" both_agree || return
	was=$(active)
	on "$was" crm_attribute --type crm_config --name maintenance-mode --update true
	if out=$(on "$was" ocf-tester -n tester -o group=vmstore /usr/lib/ocf/resource.d/nasd/nasd 2>&1); then
		pass "ocf-tester: $(tail -n 1 <<<"$out")"
	else
		fail "ocf-tester" "$out"
	fi
	ctl "$was" takeover "$was" --by pacemaker >"$t_tmp/out" 2>&1 || fail "ocf-tester: the group is served again" "$(cat "$t_tmp/out")"
	writes "ocf-tester"
	on "$was" crm_attribute --type crm_config --name maintenance-mode --delete
	await "$HANG" "ocf-tester: Pacemaker agrees" both_agree
	is "ocf-tester: the group stays" "$(active)" "$was"
}

two_triggers() {
	local out
	await "$HANG" "two triggers: ready" both_agree || return
	out=$(ctl nas1 takeover nas1 --by keepalived 2>&1)
	is "two triggers at once are refused" "$? $(grep -c 'trigger = pacemaker is in force' <<<"$out")" "3 1"
}

[ $# -gt 0 ] || set -- move two_triggers standby resource_failure pacemaker_crash maintenance tester crash fence_failure controller_dies
requires pacemakerd corosync crm ocf-tester xmllint
lab_begin
# shellcheck disable=SC2016
at_end 'rm -f "$LAB_STATE"/node/*/fence.fault; lab pacemaker down'
lab pacemaker up >"$t_tmp/out" 2>&1 || die "$(tail -n 3 "$t_tmp/out")"
pass "Pacemaker comes up, with the example's configuration"
writers_begin
failures_since=$(wall_us)
for case in "$@"; do
	declare -F "$case" >/dev/null || die "no such case: $case"
	"$case"
done
is "no node was fenced that was not off" "$(fences_of_living)" 0
writers_end
writers_say
t_end
