# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The part pacemaker: nasd with Pacemaker as its trigger, and the peer stack (tests/lab/etc/
# peer.crm), each moved by crm_resource and then bereft of its active node, under one guest.
# shellcheck disable=SC2154,SC2153

OTHER_WRITES=100 # more than a guest writes between two of its heartbeats

with_float() { # NODE
	node "$1" ip -o -4 addr show dev vec0 2>/dev/null | grep -q " $FLOAT4/"
}
serving() { if with_float nas1; then echo nas1; else echo nas2; fi; }
other() { if [ "$1" = nas1 ]; then echo nas2; else echo nas1; fi; }

stack_resource() { # STACK
	case $1 in nasd) echo "vmstore-clone --promoted" ;; peer) echo g_nfs ;; esac
}

nasd_stack_up() {
	want_nasd in
	lab pacemaker up
}
nasd_stack_down() {
	lab pacemaker down
	lab trigger manual
	until_true 60 "nasd serves without Pacemaker" one_is_active
}
peer_stack_up() { lab peer-stack up; }
peer_stack_down() { lab peer-stack down; }

# Both nodes are in, of one mind, and the mirror is whole: nothing of the last round goes on.
nasd_stack_ready() {
	local mon
	mon=$(node nas1 crm_mon -1 --output-as=xml 2>/dev/null) || return 1
	[ "$(grep -c 'resource_agent="ocf:nasd:nasd".*role="\(Promoted\|Unpromoted\|Slave\)" active="true".*failed="false"' <<<"$mon")" = 2 ] &&
		ready_for "$(other "$(serving)")"
}
peer_stack_ready() { lab peer-stack ready; }

# The guest's longest gap since the mark, when it has gone on writing.
gap_after() { # WHAT
	local had
	had=$(acked "$GUEST")
	until_true 180 "$1: the guest writes again" acked_since "$GUEST" $((had + OTHER_WRITES))
	mark "$GUEST"
}

# Seldom: a program in the node that takes over is time that it has not for that.
until_served() { # NODE WHAT
	local end=$((SECONDS + 120))
	until with_float "$1"; do
		[ $SECONDS -lt $end ] || die "$2: $1 has not the address after 120 s"
		sleep 1
	done
}

# Processes made since it was booted: in this lab each is dear.
forks() { # NODE
	node "$1" sed -n 's/^processes //p' /proc/stat
}

pacemaker_note() { # STACK KIND ROUND FROM TO GUEST EXTRA-JSON
	jq -n -c --arg stack "$1" --arg kind "$2" --argjson round "$3" --arg from "$4" --arg to "$5" \
		--argjson guest "$6" --argjson extra "$7" --arg load "$(load)" \
		'{stack: $stack, kind: $kind, round: $round, load: ($load | tonumber), from: $from, to: $to,
		  guest: $guest} + $extra' >>"$OUT/raw/pacemaker.json"
	say "  $1 $2 $3, $4 -> $5: guest $(jq .longest_gap_ms <<<"$6") ms"
}

pacemaker_move() { # STACK ROUND
	local from to guest resource forks
	until_true 120 "$1, move $2: ready" "$1_stack_ready"
	from=$(serving) to=$(other "$from") resource=$(stack_resource "$1")
	forks=$(($(forks nas1) + $(forks nas2)))
	mark "$GUEST" >/dev/null
	# shellcheck disable=SC2086 # words
	node "$from" crm_resource --move --node "$to" --resource $resource >"$OUT/raw/move.txt" 2>&1 ||
		die "$1, move $2: crm_resource refused: $(cat "$OUT/raw/move.txt")"
	until_served "$to" "$1, move $2"
	guest=$(gap_after "$1, move $2")
	forks=$(($(forks nas1) + $(forks nas2) - forks))
	node "$to" crm_resource --clear --resource "${resource%% *}" >/dev/null 2>&1
	pacemaker_note "$1" move "$2" "$from" "$to" "$guest" "{\"forks\": $forks}"
}

# When the switch was asked to switch the dead node off, after it had died, in ms.
fenced_after() { # NODE SINCE-US FORKS
	awk -v n="$1" -v since="$2" -v forks="$3" '$1 >= since && $2 == "off" && $3 == n {
		if ($5 == "lab") dead = $1
		else { fenced = ($1 - dead) / 1000; exit }
	} END { printf "{\"forks\": %d, \"fenced_ms\": %s}\n", forks, fenced ? int(fenced) : "null" }' "$LAB_STATE/sup.log"
}

pacemaker_crash() { # STACK ROUND
	local from to guest since forks
	until_true 120 "$1, power cut $2: ready" "$1_stack_ready"
	from=$(serving) to=$(other "$from")
	forks=$(forks "$to")
	mark "$GUEST" >/dev/null
	since=$(now_us)
	lab crash "$from"
	sleep 1 # the heartbeats of the last writes; nobody takes over so soon
	guest=$(gap_after "$1, power cut $2")
	forks=$(($(forks "$to") - forks))
	pacemaker_note "$1" crash "$2" "$from" "$to" "$guest" "$(fenced_after "$from" "$since" "$forks")"
	lab boot "$from"
}

# Each in turn, so that neither has the quieter half of the run to itself.
pacemaker_rounds() { # STACK
	local i
	"$1_stack_up"
	start_costs >>"$OUT/raw/pacemaker-starts.json"
	guest_up
	for ((i = 1; i <= PACEMAKER_ROUNDS; i++)); do
		pacemaker_move "$1" "$i"
		pacemaker_crash "$1" "$i"
	done
	until_true 120 "$1: whole again" "$1_stack_ready"
	guests_down "pacemaker-$1"
	jq -c --arg stack "$1" '. + {stack: $stack}' "$OUT/raw/end-pacemaker-$1-$GUEST.json" >>"$OUT/raw/end-pacemaker.json"
	"$1_stack_down"
}

part_pacemaker() {
	guests_down pacemaker
	for stack in $PACEMAKER_STACKS; do
		pacemaker_rounds "$stack"
	done
}
