# SPDX-License-Identifier: GPL-2.0-or-later
# results.json for people: lines of plain text.

def pad($n): tostring | . + (" " * ([0, $n - length] | max));
def lpad($n): tostring | (" " * ([0, $n - length] | max)) + .;
def fig: if . == null then "-" elif . >= 100 then round | tostring
	else . * 10 | round / 10 | tostring | if test("\\.") then . else . + ".0" end end | lpad(9);
def head($t): "", ($t | pad(44)) + (["n", "median", "p90", "p99", "max"] | map(lpad(9)) | join(""));
def row($t; $s): if $s == null then empty
	else "  " + ($t | pad(42)) + ($s.n | lpad(9)) + ([$s.median, $s.p90, $s.p99, $s.max] | map(fig) | join("")) end;
def at($p): (.load[$p] // []) as $l | "load \($l | map(tostring) | join(" to "))";

. as $r |
(if .quick then "QUICK RUN: it works; these are not figures to quote." else empty end),
"\(.machine.date), \(.machine.cores) cores (\(.machine.cpu)), load \(.machine.load_start) to \(.machine.load_end)",
"nasd \(.machine.commit), ganesha \(.machine.ganesha), DRBD \(.machine.drbd), \(.machine.nodes), QEMU \(.machine.qemu) (TCG). Times in ms.",
(.parts.noise | select(.) | head("1. noise: no switch, \(.seconds | round) s (\($r | at("noise")))"),
	row("guest, gap beyond its pace"; .gap_ms), row("guest, one write"; .write_ms),
	"  \(if .quiet then "quiet" else "NOT QUIET" end): gaps over 20/30/80/200 ms: \([.over_ms["20", "30", "80", "200"]] | map(tostring) | join("/"))"),
(.parts.floor | select(.) | head("2. floor (\($r | at("floor")))"),
	row("umount..mount, one clock"; .total_ms), row("umount"; .umount_ms), row("Secondary"; .secondary_ms),
	row("message"; .message_ms), row("Primary"; .primary_ms), row("mount"; .mount_ms)),
(.parts.nasd | select(.) | head("3. nasd switchovers (\($r | at("nasd")))"),
	row("guest's gap (QEMU on vnode2)"; .guest_gap_ms), row("client's gap (locks, vnode3)"; .client_gap_ms),
	row("nasd's freeze_us"; .freeze_ms), row("whole transaction"; .total_ms),
	row("between the rows, within the freeze"; .between_rows_ms),
	(.payloads[] | "  \(.name): \(if .clean then "clean" else "NOT CLEAN" end): \(.writes) writes, errors \(.write_errors)+\(.read_errors), bad blocks \(.bad_blocks)\(if .lock then ", locks lost \(.lock.lost)" else "" end)"),
	head("   steps"),
	(.steps[] | row("\(.stage | pad(11)) \(.step | pad(15)) \(.side)"; .ms))),
(.parts.script | select(.) | head("4. script (\($r | at("script")))"),
	row("guest's gap, ganesha by SIGTERM"; .term.guest_gap_ms), row("  the same without program starts"; .term.guest_gap_without_starts_ms),
	row("  stop"; .term.stop_ms), row("  start"; .term.start_ms),
	row("guest's gap, ganesha by SIGKILL"; .kill.guest_gap_ms), row("  the same without program starts"; .kill.guest_gap_without_starts_ms),
	row("  stop"; .kill.stop_ms), row("  start"; .kill.start_ms),
	row("one program start (/bin/true)"; .program_start_ms), row("one remote command"; .remote_command_ms),
	"  programs started while clients wait: \(.programs)"),
(.parts.memory | select(.) | "", "5. memory and CPU, idle (\($r | at("memory")))",
	"  " + ("node" | pad(8)) + ("program" | pad(16)) + (["RSS MiB", "own MiB", "threads", "ticks", "CPU %"] | map(lpad(9)) | join("")),
	(sort_by(.node, .program)[] | "  " + (.node | pad(8)) + (.program | pad(16)) +
		(.rss_kib / 1024 | fig) + (.anon_kib / 1024 | fig) + (.threads | lpad(9)) + (.ticks | lpad(9)) + (.cpu_percent | lpad(9)))),
(.parts.pacemaker | select(.) | head("6. by Pacemaker, guest's gap"),
	({nasd: "nasd", peer: "standard agents"} as $names | . as $stacks | "nasd", "peer" | . as $s | $stacks[$s] | select(.) |
		row("\($names[$s]), move"; .move_gap_ms), row("\($names[$s]), power cut"; .crash_gap_ms),
		row("  of that until the switch was asked"; .fenced_ms),
		row("processes made in both nodes, move"; .move_forks), row("  in the one left, power cut"; .crash_forks), "  load \(.load | map(tostring) | join(" to "))"),
	row("one program start (/bin/true)"; .program_start_ms),
	(.payloads[] | "  \(.stack), \(.name): \(if .clean then "clean" else "NOT CLEAN" end): \(.writes) writes, errors \(.write_errors)+\(.read_errors), bad blocks \(.bad_blocks)")),
(.parts.hold | select(.) | (.lengths[] | head("7. a move held \(.seconds) s, \(.under) (load \(.load | map(tostring) | join(" to ")))"),
		row("guest's gap"; .guest_gap_ms), row("nasd's freeze_us"; .freeze_ms),
		(.steps[] | select(.step | IN("gate", "unmount", "mount", "export")) | row("  \(.step) \(.side)"; .ms))),
	(.payloads[] | "  \(.name): \(if .clean then "clean" else "NOT CLEAN" end): \(.writes) writes, errors \(.write_errors)+\(.read_errors), bad blocks \(.bad_blocks)")),
"", "ratios of medians", (.ratios | to_entries[] | select(.value) | "  " + (.key | pad(50)) + (.value | lpad(8)))
