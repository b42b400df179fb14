# results.json as text.
def cell(n): (if . == null then "-" else tostring end) | (" " * ([n - length, 0] | max)) + .;
"\(.began), \(.cores) cores, load \(.load[0]) to \(.load[1]), nasd \(.commit). Medians in ms.",
"",
"clients  opens  moved   KiB     dump  hand-over     load   freeze  (max) | clients    gate    stop  export announce confirm | longest wait",
(.combinations[] | [(.clients | cell(7)), (.opens | cell(7)), ("\(.moved)/\(.moves)" | cell(7)),
	((if .bytes then .bytes / 1024 | round else null end) | cell(6)), (.dump_ms | cell(9)), (.hand_ms | cell(11)), (.load_ms | cell(9)),
	(.freeze_ms | cell(9)), (.freeze_max_ms | cell(7)), " |", (.clients_ms | cell(8)), (.gate_ms | cell(8)), (.stop_ms | cell(8)),
	(.export_ms | cell(8)), (.announce_ms | cell(9)), (.confirm_ms | cell(8)), " |", (.wait_ms | cell(8))] | add),
"",
(.combinations[] | select(.moved < .moves or .not_back > 0) |
	"\(.clients) clients, \(.opens) opens: \(.moved) of \(.moves) moved with their state, \(.reclaimed) with reclaim" +
	(if .reclaim_freeze_ms then " (freeze \(.reclaim_freeze_ms) ms)" else "" end) +
	(if .not_back > 0 then ", \(.not_back) times not all clients were back in time" else "" end) +
	(if (.why | length) > 0 then ": " + (.why | join("; ")) else "" end)),
(if .failed == 0 then "every move took the state along, and all clients came back" else "\(.failed) moves did not" end)
