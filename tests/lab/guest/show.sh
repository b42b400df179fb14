# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest's figures for people.

show_log() { # DIR KINDS (a regular expression)
	local line
	line=$(grep -E "^\{\"ev\":\"$2\"" "$1/log" | tail -n 1)
	[ -n "$line" ] || {
		echo "nothing was reported yet"
		return
	}
	jq -r '
		if .ops then
		"\(.name): \(.acked) operations in \(.seconds | floor) s, pace \(.pace_ms) ms: " +
			([.ops | to_entries[] | "\(.key) \(.value)"] | join(", ")),
		"violations: \(.violations); errors: \(.errors)",
		"operation: p50 \(.op_ms.p50) p99 \(.op_ms.p99) longest \(.longest_op.ms) ms (\(.longest_op.op))"
		else
		"\(.name): \(.writes) writes in \(.seconds | floor) s, pace \(.pace_ms) ms; acknowledged \(.acked)",
		"errors: \(.write_errors) write, \(.read_errors) read; bad blocks: \(.bad_blocks) of \(.reads) verified",
		(if .lock then "lock: \(.lock.checks) checks, lost \(.lock.lost), reclaims failed \(.lock.reclaim_failed), checks failed \(.lock.check_failed)" else empty end),
		"write: p50 \(.write_ms.p50) p99 \(.write_ms.p99) max \(.write_ms.max) ms"
		end,
		"gap: p50 \(.gap_ms.p50) p99 \(.gap_ms.p99) longest \(.longest_gap_ms) ms" +
			(if .longest_gap_wall_us > 0 then " at \(.longest_gap_wall_us / 1000000 | floor | todate)" else "" end),
		"gaps over 20/30/80/200/1000 ms: \([.gaps_over_ms[]] | map(tostring) | join("/"))"
		' <<<"$line"
	line=$(grep '^{"ev":"view"' "$1/log" | tail -n 1)
	[ -z "$line" ] || jq -r '"seen from outside: \(.beats) heartbeats, lost \(.lost), repeated \(.repeats); longest gap \(.longest_gap_ms) ms"' <<<"$line"
	grep -oE 'ev=(bad|error) .*' "$1/log" | tail -n 20 | sed 's/^/  /' || true
	grep -oE 'ev=gap .*' "$1/log" | tail -n 20 | sed 's/^/  /' || true
}

show_noise() { # the section's and the viewer's JSON lines
	jq -rs '
		def row(what; h; o): "\(what)  n \(h.n)  p50 \(h.p50)  p99 \(h.p99)  max \(h.max) ms  over 20 ms \(o["20"])  30 ms \(o["30"])  80 ms \(o["80"])";
		(map(select(.ev == "section"))[0]) as $s | (map(select(.ev == "view"))[0]) as $v |
		row("guest, gaps      "; $s.gap_ms; $s.gaps_over_ms),
		row("viewer, gaps     "; $v.gap_ms; $v.gaps_over_ms),
		"guest, intervals   n \($s.interval_ms.n)  p50 \($s.interval_ms.p50)  p99 \($s.interval_ms.p99)  max \($s.interval_ms.max) ms",
		"guest, writes      n \($s.write_ms.n)  p50 \($s.write_ms.p50)  p99 \($s.write_ms.p99)  max \($s.write_ms.max) ms",
		(if $s.gap_ms.p99 < 30 and $s.gaps_over_ms["80"] == 0 then "quiet: p99 below 30 ms, none above 80 ms"
		 else "NOT QUIET: wanted p99 below 30 ms and none above 80 ms" end)
		' <<<"$1"
}
