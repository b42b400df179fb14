# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The part hold: does a move that is held long before its freeze (nasctl migrate --with-nas)
# freeze for longer? Lengths in turns, under the guest, and with a client beside it that
# writes files through its page cache.
# shellcheck disable=SC2154,SC2153

is_held() { # NODE
	node "$1" nasctl status --json | jq -e '.groups[0].transaction.step == "hold"' >/dev/null
}

hold_round() { # LOAD SECONDS ROUND
	local from to mover guest
	from=$(owner)
	if [ "$from" = nas1 ]; then to=nas2; else to=nas1; fi
	until_true 60 "nasd is ready to move to $to (nasctl check $to)" ready_for "$to"
	node "$from" "$HELPERS/hold.pl" begin "$to" >"$OUT/raw/hold.txt" 2>&1 &
	mover=$!
	until_true 60 "the move is held ($OUT/raw/hold.txt)" is_held "$from"
	sleep "$2"
	mark "$GUEST" >/dev/null
	node "$from" "$HELPERS/hold.pl" go >/dev/null || die "hold, $2 s: the freeze did not begin"
	wait $mover || die "hold, $2 s: the move failed: $(cat "$OUT/raw/hold.txt")"
	sleep 1.5
	guest=$(mark "$GUEST")
	node "$to" nasctl history --json --limit 1 | jq -c --arg under "$1" --argjson seconds "$2" --argjson round "$3" \
		--argjson guest "$guest" --arg load "$(load)" \
		'{under: $under, seconds: $seconds, round: $round, load: ($load | tonumber), guest: $guest, move: .entries[0]}' >>"$OUT/raw/hold.json"
	say "  $1, held $2 s: guest $(jq .longest_gap_ms <<<"$guest") ms, nasd $(tail -n 1 "$OUT/raw/hold.json" | jq '.move.freeze_us / 1000') ms"
}

# 400 files over and over, 256 KiB each.
files_begin() {
	# shellcheck disable=SC2016
	node vnode3 sh -c 'mkdir -p /mnt/vm/many; setsid sh -c '\''i=0; while :; do i=$((i + 1))
		dd if=/dev/zero of=/mnt/vm/many/f$((i % 400)) bs=64k count=4 conv=notrunc 2>/dev/null
	done'\'' </dev/null >/dev/null 2>&1 & echo $! >/run/many.pid'
}
files_end() {
	# shellcheck disable=SC2016
	node vnode3 sh -c 'kill $(cat /run/many.pid); rm -rf /mnt/vm/many'
}

part_hold() {
	local i s
	want_nasd in
	guest_up
	for ((i = 1; i <= HOLD_ROUNDS; i++)); do
		for s in $HOLD_SECONDS; do hold_round guest "$s" "$i"; done
	done
	files_begin
	for ((i = 1; i <= HOLD_FILES_ROUNDS; i++)); do
		for s in $HOLD_FILES_SECONDS; do hold_round files "$s" "$i"; done
	done
	files_end
	guests_down hold
}
