#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# N alternating switchovers in which the clients' state moves: a writing guest, a
# client that holds POSIX locks, a stranger to the locks, and a client that creates,
# renames and unlinks, whose requests must be executed exactly once. What the
# clients send in the first four moves is captured: SEQUENCE on the sessions they
# have, and nothing that a client says to a server that does not know it.
#
# usage: migrate.sh [N]   (default 20; for figures, LAB_ALONE=1)
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/moves.sh
. "$t_dir/moves.sh"

n=${1:-20}
case $n in '' | *[!0-9]* | 0) die "usage: migrate.sh [N]" ;; esac
captured=4

# What "check" says of the clients' state, one line per node.
client_state() {
	ctl nas1 check "$(other "$(active)")" | sed -n 's/^ok  *client-state *//p'
}
state_moves() { [ "$(client_state | grep -c 'state moves')" = 2 ]; }

# A client whose connection began before the capture shows from its next one on.
recognised_at() { # ADDRESS
	"$t_dir/fsal-wire.pl" "$t_tmp/pcap" "$1" 10.77.1.100 >"$t_tmp/wire"
	! grep -E ' call .*(EXCHANGE_ID|CREATE_SESSION|BIND_CONN|RECLAIM_COMPLETE|OPEN/claim1|TEST_STATEID|DESTROY_)' "$t_tmp/wire" &&
		[ "$(grep -c ' call .*SEQUENCE/' "$t_tmp/wire")" -gt "$captured" ]
}
sessions_of() { sed -n 's,.* call .*SEQUENCE/\([0-9a-f]*\)/.*,\1,p' "$t_tmp/wire" | sort -u | wc -l; }

# Moves whose source handed the state over, and whose target loaded it.
moved() {
	local p
	for p in $NODES; do
		history_of "$p" | jq -r --arg p "$p" '.[] | .steps[] | select(.node == $p) |
			select((.name == "gate" and (.message | test("^[0-9]+ client"))) or
				(.name == "export" and (.message | test("clients. state loaded")))) | .name'
	done | sort | uniq -c | awk '{ print $2, $1 }' | paste -sd' '
}

not_moved() {
	local p
	for p in $NODES; do
		history_of "$p" | jq -r --arg p "$p" '.[] | .epoch as $e | .steps[] |
			select(.node == $p and (.name == "gate" or .name == "export")) | "\($e) \(.name): \(.message)"'
	done | sort -n
}

# From the request that takes the service away from a node to the end of the one that
# brings it back, seconds.
there_and_back() {
	awk 'NR > 1 { printf "%.1f\n", ($2 - began) / 1e6 } { began = $1 }' "$t_tmp/moves" >"$t_tmp/back"
	note "there and back again: $(wc -l <"$t_tmp/back") times, $(awk '$1 <= 10' "$t_tmp/back" | wc -l) of them within 10 s, $(percentiles "each" s <"$t_tmp/back")"
}

figures() {
	local w
	for w in guest client meta; do
		switch_gaps $w >"$t_tmp/gaps.$w"
		note "$(percentiles "$w, gap of a switchover" ms <"$t_tmp/gaps.$w")"
		other_gaps $w >"$t_tmp/noise.$w"
		note "$(percentiles "$w, gaps otherwise" ms <"$t_tmp/noise.$w")"
	done
	note "$(history_of nas1 | jq -r '.[] | .freeze_us / 1000 | floor' | percentiles "nasd's own freeze" ms)"
	table_of_steps switchover
	there_and_back
	note "figures of the guest: $(percentiles "gap" ms <"$t_tmp/gaps.guest")"
}

requires qemu-system-x86_64 tcpdump nsenter perl
lab_begin
# A server that was just started without it is followed by one with it.
wait_until 40 state_moves || {
	why="clients reclaim here: $(client_state | grep -v 'state moves' | head -n 1)"
	[ ! -e "$LAB_STATE/inst/usr/lib/nasd/ganesha/libfsalnasd.so" ] || die "the module is installed, and $why"
	skip "$why"
}
writers_begin
meta_begin meta vnode3
moves_begin
capture_begin tcp port 2049 and host 10.77.1.100
start=$SECONDS
for i in $(seq "$n"); do
	move "$i" || break
	[ "$i" != "$captured" ] || kill "$capture"
done
took=$((SECONDS - start))
kill "$capture" 2>/dev/null
is "$n switchovers done" "$(wc -l <"$t_tmp/moves")" "$n"
went=$(moved)
is "the state moved in each" "$went" "export $n gate $n"
[ "$went" = "export $n gate $n" ] || not_moved | sed 's/^/      /'
for client in 10.77.1.22 10.77.1.23; do
	check "$client went on with the session it had" recognised_at "$client"
	is "$client had one session" "$(sessions_of)" 1
done
is "no server is in grace" "$(snap; st "$(active)" .groups[0].local.in_grace)" false
writers_end
check "the metadata client: each operation once" lab guest probe stop meta
note "$n switchovers in $took s"
figures
t_end
