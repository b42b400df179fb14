# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# For tests that make something happen at every row of the table, and have sourced
# functions.sh. A case collects what is wrong with it in $problems.

rows='' sides='source,target'

# "ROW SIDE PHASE" per line, in running order; PHASE is before, commit or after.
list_rows() {
	ctl nas1 plan --json | jq -r --arg rows "$rows" --arg sides "$sides" '
		(.steps | map(.stage) | index("commitment")) as $c | .steps | to_entries[] |
		(if .key < $c then "before" elif .key == $c then "commit" else "after" end) as $phase |
		.value.name as $row | (if .value.side == "both" then ["source", "target"] else [.value.side] end)[] |
		select(. as $s | $sides | split(",") | index($s)) |
		select($rows == "" or ($rows | split(",") | index($row))) | "\($row) \(.) \($phase)"'
}

# A fault that is armed and was not met must not wait for a later case.
injected_count() { cat "$(nasd_log nas1)" "$(nasd_log nas2)" | grep -ac 'injected fault'; }

problems=''
wrong() { problems="$problems; $*"; }

# The journals agree with each other and with who serves.
judge_journals() { # OWNER
	local a b
	a=$(journal_owner nas1) b=$(journal_owner nas2)
	[ "$a" = "$b" ] || wrong "journals differ: nas1 '$a', nas2 '$b'"
	[ "${a%% *}" = $((${1#nas} - 1)) ] || wrong "the journals' owner is '$a', $1 serves"
}
