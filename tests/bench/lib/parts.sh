# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The parts noise, nasd, memory and floor. Each leaves JSON lines in $OUT/raw.
# shellcheck disable=SC2154,SC2153

part_noise() {
	want_nasd in
	guest_up
	mark "$GUEST" >/dev/null
	sleep "$NOISE_S"
	mark "$GUEST" >"$OUT/raw/noise.json"
}

# One switchover: marks right before and after it, so that the longest gap of
# the section is this switchover's (or noise that was longer than it).
switch_round() { # ROUND TARGET
	local target=$2 guest client before after
	until_true 60 "nasd is ready to move to $target (nasctl check $target)" ready_for "$target"
	mark "$CLIENT" >/dev/null
	mark "$GUEST" >/dev/null
	before=$(now_us)
	node nas1 nasctl switchover "$target" >"$OUT/raw/switch.txt" 2>&1 || {
		cat "$OUT/raw/switch.txt" >&2
		die "round $1: switchover to $target failed"
	}
	after=$(now_us)
	sleep 1.5
	guest=$(mark "$GUEST")
	client=$(mark "$CLIENT")
	node "$target" nasctl history --json --limit 1 | jq -c --argjson round "$1" \
		--argjson guest "$guest" --argjson client "$client" --arg load "$(load)" \
		--argjson command_us $((after - before)) '
		{round: $round, load: ($load | tonumber), command_us: $command_us,
		 guest: $guest, client: $client, move: .entries[0]}' >>"$OUT/raw/nasd.json"
	jq -r 'select(.round == '"$1"') | "bench:   \(.round) \(.move.source) -> \(.move.target): guest \(.guest.longest_gap_ms) ms, client \(.client.longest_gap_ms) ms, nasd \(.move.freeze_us / 1000) ms"' \
		"$OUT/raw/nasd.json" >&2
}

part_nasd() {
	local i at
	want_nasd in
	guest_up
	client_up
	at=$(owner)
	for ((i = 1; i <= ROUNDS; i++)); do
		if [ "$at" = nas1 ]; then at=nas2; else at=nas1; fi
		switch_round "$i" "$at"
	done
	guests_down nasd
}

part_memory() {
	want_nasd in
	guests_down memory
	sleep 2
	node nas1 "$HELPERS/idle.sh" "$IDLE_S" >"$OUT/raw/memory1.json" &
	node nas2 "$HELPERS/idle.sh" "$IDLE_S" >"$OUT/raw/memory2.json"
	wait $!
	cat "$OUT"/raw/memory[12].json >"$OUT/raw/memory.json"
	rm -f "$OUT"/raw/memory[12].json
}

# The agent on nas2, the driver and its clock on nas1, over the replication net.
part_floor() {
	local agent
	guests_down floor
	want_nasd out
	node nas2 "$HELPERS/floor" agent 7791 &
	agent=$!
	node nas1 "$HELPERS/floor" drive 10.77.2.12 7791 "$FLOOR_ROUNDS" >"$OUT/raw/floor.json" ||
		die "the floor's driver failed"
	wait $agent || die "the floor's agent failed"
}
