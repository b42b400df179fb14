#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The module in a ganesha on this machine's loopback, without nasd: a dead client's locks
# are free when client-release says so; the rest of a state is made although there are no
# descriptors for a moment. 20 seconds. usage: fsal-loopback.sh (after make fsal)
set -u
here=$(dirname "$(readlink -f "$0")")
so=${FSAL_SO:-$here/../build/fsal/libfsalnasd.so}
# shellcheck source=tests/tally.sh
. "$here/tally.sh"
# shellcheck source=tests/protocol/server.sh
. "$here/protocol/server.sh"
[ -f "$so" ] || { echo "SKIP  the module is not built here: make fsal"; exit 77; }
command -v ganesha.nfsd >/dev/null || { echo "SKIP  no ganesha.nfsd"; exit 77; }
[ "$(id -u)" = 0 ] || { echo "SKIP  needs root, for namespaces"; exit 77; }
if [ -z "${SERVER_INSIDE:-}" ]; then
	work=$(mktemp -d)
	export work
	"$here/tools/nfs41load/build.sh" "$work" || exit 2
	server_inside "$0"
	rc=$?
	rm -rf "$work"
	exit $rc
fi

OPENS=3000

ask() { # SERVER WORD...: the answer in out
	"$here/tools/fsal-ask.pl" "$work/$1.sock" "${@:2}" >"$work/out"
}
field() { jq -r ".$1" "$work/out"; }
within() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	until "${@:2}"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
load() { # NAME CLIENTS: returns when they hold OPENS opens and locks; its process in $loader
	"$work/nfs41load" --server 127.0.0.1 --path /x --name "$1" --clients "$2" --opens $OPENS >"$work/$1.out" 2>&1 &
	loader=$!
	disown $loader
	within 60 grep -q ev=ready "$work/$1.out"
}
released() { # is the answer another one than "ask again"? Each is kept.
	ask one client-release address=127.0.0.1
	cat "$work/out" >>"$work/asked"
	[ "$(field errno)" != 115 ] && [ "$(field errno)" != 11 ]
}
states_of() { ask "$1" precopy && field opens; }
made() { ! runs two || { ask two status && [ "$(field late_clients)" = 0 ]; }; }
descriptors() { find "/proc/$pid/fd" -mindepth 1 | wc -l; }
is_full() { ! runs two || [ "$(descriptors)" -ge $((limit - 1)) ]; }
runs() { kill -0 "$(cat "$work/$1.pid")" 2>/dev/null; }

server_filesystem "$work/x" 300M || exit 2
server_plugins
server_start one "$work/x" || exit 2

load dead 1
is "a client with opens and locks" "$(states_of one)" $OPENS
ask one client-release address=127.0.0.1
is "one that is heard is refused" "$(field errno)" 11
kill -STOP "$(cat "$work/one.pid")"
ask one client-release address=127.0.0.1 &
asker=$!
sleep 3 # by the server's clock he is silent then
kill -CONT "$(cat "$work/one.pid")"
wait $asker
is "a server that stood still itself lets go of nobody" "$(field errno) $(field error | grep -o 'stood still')" "11 stood still"
kill -9 $loader
: >"$work/asked"
within 30 released
is "a dead one is let go of" "$(field ok) $(field clients)" "true 1"
is "... the last answer before that said that more is to come" "$(tail -n 2 "$work/asked" | head -n 1 | jq -r .errno)" 115
is "... and nothing of his is left" "$(states_of one)" 0

load moved 80
ask one gate reopen_ms=60000
ask one out="$work/state" dump
is "the state of 80" "$(field clients) $(field opens)" "80 $OPENS"
kill -9 $loader
server_stop one
# shellcheck disable=SC2034 # server.sh's
port=2050
server_start two "$work/x" || exit 2
pid=$(cat "$work/two.pid")
soft=$(prlimit --pid "$pid" --nofile -o SOFT --noheadings | tr -d ' ')
limit=$(($(descriptors) + OPENS / 3))
prlimit --pid "$pid" --nofile=$limit:
ask two in="$work/state" load
# some of the 80 may have been made before it is written
is "the load is answered before all are made" "$(field ok) $(field 'late_clients > 0')" "true true"
within 30 is_full
sleep 0.3
is "without descriptors the server waits" "$(runs two && echo runs)" runs
prlimit --pid "$pid" --nofile="$soft":
within 30 made
is "and makes the rest when there are some" "$(field late_clients) $(field late_lost)" "0 0"
is "... all of it" "$(states_of two)" $OPENS

tally fsal-loopback
