# The lines of raw/moves: medians per combination (of the moves with the state).
def median: map(select(. != null)) | sort | if length == 0 then null else .[(length - 1) / 2 | floor] end;
{
	began: $began, cores: ($cores | tonumber), commit: $commit, load: [$a, $b] | map(tonumber),
	failed: (map(select((.done and .moved and .back) | not)) | length),
	combinations: (group_by([.clients, .opens]) | map(
		. as $all | map(select(.done and .moved)) as $ok |
		{clients: $all[0].clients, opens: $all[0].opens, moves: ($all | length), moved: ($ok | length),
		 reclaimed: ($all | map(select(.done and (.moved | not))) | length),
		 not_back: ($all | map(select(.back == false)) | length),
		 load: ($all | map(.load) | max)} +
		(["bytes", "drain_ms", "dump_ms", "hand_ms", "load_ms", "freeze_ms", "clients_ms", "gate_ms", "stop_ms", "export_ms", "announce_ms", "confirm_ms", "wait_ms"] |
			map(. as $k | {($k): ($ok | map(.[$k]) | median)}) | add) +
		{freeze_max_ms: ($ok | map(.freeze_ms) | max), reclaim_freeze_ms: ($all | map(select(.done and (.moved | not)) | .freeze_ms) | median),
		 why: ($all | map(select((.done and .moved) | not) | .why) | unique)})),
	moves: .
}
