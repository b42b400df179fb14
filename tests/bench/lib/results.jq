# SPDX-License-Identifier: GPL-2.0-or-later
# raw/*.json (as one object, {"NAME": [documents]}) to results.json. All times in ms.
. as $raw |

# Nearest rank, so every figure is one that was measured.
def rank($p): sort | .[[0, ((length * $p / 100) | ceil) - 1] | max];
def stats: map(select(. != null)) |
	if length == 0 then null
	else {n: length, median: rank(50), p90: rank(90), p99: rank(99), max: max} | map_values(. * 1000 | round / 1000)
	end;
def us: map(. / 1000);
def over($a; $b): if $a == null or $b == null or $b == 0 then null else $a / $b * 100 | round / 100 end;

# Time between the first and the last row of the freeze in which no row ran:
# journal writes, messages, waiting for a thread.
def freeze_rows: map(select((.skipped | not) and .start_us != null and
	(.stage | IN("freeze", "release", "commitment", "acquire", "activate"))));
def uncovered: freeze_rows | sort_by(.start_us) |
	reduce .[] as $s ({at: null, idle: 0};
		if .at == null then .at = $s.start_us + $s.duration_us
		else (if $s.start_us > .at then .idle += $s.start_us - .at else . end) |
			.at = ([.at, $s.start_us + $s.duration_us] | max)
		end) | .idle;

def steps: [.[].move as $m | $m.steps[] | select(.skipped | not) |
		. + {side: (if .node == $m.source then "source" else "target" end)}] |
	to_entries | group_by([.value.name, .value.side]) |
	map({step: .[0].value.name, side: .[0].value.side, stage: .[0].value.stage, order: .[0].key,
	     ms: (map(.value.duration_us / 1000) | stats)}) | sort_by(.order) | map(del(.order));

def section: {n: .gap_ms.n, median: .gap_ms.p50, p90: .gap_ms.p90, p99: .gap_ms.p99, max: .gap_ms.max};
def clean: map({name, clean, writes, write_errors, read_errors, bad_blocks, lock});

def noise: $raw.noise | if . then .[0] | {
	gap_ms: section,
	write_ms: {n: .write_ms.n, median: .write_ms.p50, p90: .write_ms.p90, p99: .write_ms.p99, max: .write_ms.max},
	over_ms: .gaps_over_ms, seconds, quiet: (.gap_ms.p99 < 30 and .gaps_over_ms["80"] == 0)} else null end;

def nasd: $raw.nasd | if . then {
	guest_gap_ms: (map(.guest.longest_gap_ms) | stats),
	client_gap_ms: (map(.client.longest_gap_ms) | stats),
	freeze_ms: (map(.move.freeze_us) | us | stats),
	total_ms: (map(.move.total_us) | us | stats),
	between_rows_ms: (map(.move.steps | uncovered) | us | stats),
	results: (map(.move.result) | group_by(.) | map({(.[0]): length}) | add),
	steps: steps,
	payloads: ([$raw["end-nasd-bench"], $raw["end-nasd-benchlock"]] | map(select(.) | .[0]) | clean),
	rounds: map({round, load, source: .move.source, target: .move.target, guest_ms: .guest.longest_gap_ms,
		client_ms: .client.longest_gap_ms, freeze_ms: (.move.freeze_us / 1000)})} else null end;

def floor_part: $raw.floor | if . then map(select(.total_us)) as $r | {
	total_ms: ($r | map(.total_us) | us | stats),
	umount_ms: ($r | map(.umount_us) | us | stats),
	secondary_ms: ($r | map(.secondary_us) | us | stats),
	message_ms: ($r | map(.message_us) | us | stats),
	primary_ms: ($r | map(.primary_us) | us | stats),
	mount_ms: ($r | map(.mount_us) | us | stats),
	round_trip_ms: (map(.rtt_us | select(.)) | us | stats)} else null end;

def script_kind($kind; $starts; $remote): map(select(.kind == $kind)) | if length == 0 then null else {
	guest_gap_ms: (map(.guest.longest_gap_ms) | stats),
	stop_ms: (map(.stop_us) | us | stats),
	start_ms: (map(.start_us) | us | stats),
	guest_gap_without_starts_ms: (map(.guest.longest_gap_ms - $starts - $remote) | stats),
	rounds: map({round, load, guest_ms: .guest.longest_gap_ms, script_ms: ((.stop_us + .start_us) / 1000)})} end;

def script: $raw.script | if . then
	($raw.starts | map(.start_us | select(.)) | us | stats) as $start |
	($raw.starts | map(.remote_us | select(.)) | us | stats) as $remote |
	($raw.starts | map(.programs | select(.)) | .[0]) as $programs | {
	program_start_ms: $start, remote_command_ms: $remote, programs: $programs,
	term: script_kind("term"; $programs * $start.median; $remote.median),
	kill: script_kind("kill"; $programs * $start.median; $remote.median),
	payloads: ([$raw["end-script-bench"]] | map(select(.) | .[0]) | clean)} else null end;

def stack($name): map(select(.stack == $name)) | if length == 0 then null else {
	move_gap_ms: (map(select(.kind == "move") | .guest.longest_gap_ms) | stats),
	crash_gap_ms: (map(select(.kind == "crash") | .guest.longest_gap_ms) | stats),
	fenced_ms: (map(.fenced_ms) | stats),
	move_forks: (map(select(.kind == "move") | .forks) | stats),
	crash_forks: (map(select(.kind == "crash") | .forks) | stats),
	load: [map(.load) | min, max],
	rounds: map({kind, load, from, to, guest_ms: .guest.longest_gap_ms, fenced_ms, forks})} end;

def pacemaker: $raw.pacemaker | if . then {nasd: stack("nasd"), peer: stack("peer"),
	program_start_ms: ($raw["pacemaker-starts"] // [] | map(.start_us) | us | stats),
	payloads: ($raw["end-pacemaker"] // [] | map({stack, name, clean, writes, write_errors, read_errors, bad_blocks}))} else null end;

def hold: $raw.hold | if . then {
	lengths: (group_by([.under, .seconds]) | map({under: .[0].under, seconds: .[0].seconds, load: [map(.load) | min, max],
		guest_gap_ms: (map(.guest.longest_gap_ms) | stats), freeze_ms: (map(.move.freeze_us) | us | stats), steps: steps})),
	payloads: ([$raw["end-hold-bench"]] | map(select(.) | .[0]) | clean)} else null end;

{noise: noise, nasd: nasd, floor: floor_part, script: script, pacemaker: pacemaker, hold: hold, memory: $raw.memory} as $p |
{
	quick: ($quick != ""),
	machine: ($raw.machine[0] + {load_end: ($load_end | tonumber)}),
	load: ($raw | to_entries | map(select(.key | startswith("load-")) | {(.key[5:]): .value[0]}) | add),
	ratios: {
		"nasd's freeze / floor": over($p.nasd.freeze_ms.median; $p.floor.total_ms.median),
		"guest's gap with nasd / floor": over($p.nasd.guest_gap_ms.median; $p.floor.total_ms.median),
		"script (TERM) / nasd, guest's gap": over($p.script.term.guest_gap_ms.median; $p.nasd.guest_gap_ms.median),
		"script (KILL) / nasd, guest's gap": over($p.script.kill.guest_gap_ms.median; $p.nasd.guest_gap_ms.median),
		"script (TERM) without program starts / nasd": over($p.script.term.guest_gap_without_starts_ms.median; $p.nasd.guest_gap_ms.median),
		"script (KILL) without program starts / nasd": over($p.script.kill.guest_gap_without_starts_ms.median; $p.nasd.guest_gap_ms.median),
		"standard agents / nasd, both by Pacemaker, move": over($p.pacemaker.peer.move_gap_ms.median; $p.pacemaker.nasd.move_gap_ms.median),
		"standard agents / nasd, both by Pacemaker, crash": over($p.pacemaker.peer.crash_gap_ms.median; $p.pacemaker.nasd.crash_gap_ms.median)
	},
	parts: $p
}
