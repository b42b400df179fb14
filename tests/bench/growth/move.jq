# An entry of nasctl history: what the growth benchmark wants of it.
def ms(name; word): ([.steps[] | select(.name == name) | .message] | last // "") as $m |
	(if $m | test(word + " [0-9.]+") then $m | capture(word + " (?<v>[0-9.]+)").v | tonumber else null end);
def took(name): ([.steps[] | select(.name == name) | .duration_us / 1000] | add // 0 | . * 10 | round / 10);
([.steps[] | select(.name == "gate") | .message] | last // "") as $gate |
([.steps[] | select(.name == "export") | .message] | last // "") as $export |
($export | test("state loaded in")) as $moved |
{
	clients: $c, opens: $o, move: $i, done: (.result == "done"), back: $back, load: ($load | tonumber), moved: $moved,
	why: (if $moved then null elif $gate | test("reclaim") then $gate else $export end),
	bytes: (if $gate | test("in [0-9]+ bytes") then $gate | capture("in (?<v>[0-9]+) bytes").v | tonumber else null end),
	drain_ms: ms("gate"; "drain"), dump_ms: ms("gate"; "dump"), hand_ms: ms("gate"; "handed over"),
	load_ms: ms("export"; "loaded in"), freeze_ms: (.freeze_us / 1000 * 10 | round / 10),
	stop_ms: took("server-stop"), announce_ms: took("announce"), clients_ms: took("clients"), gate_ms: took("gate"),
	export_ms: took("export"), confirm_ms: took("confirm"), wait_ms: ($wait | tonumber? // null)
}
