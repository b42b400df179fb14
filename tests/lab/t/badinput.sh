#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What no program of ours would send, to a running nasd: malformed requests to
# its sockets, malformed messages and random bytes to the peers' port, malformed
# configurations to nasd -t. One clear error each; the same process goes on, the
# link to its peer stays up, the service is not touched.
#
# usage: badinput.sh [RANDOM-CONNECTIONS]   (default 100)
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"

count=${1:-100}
corpus=$(readlink -f "$t_dir/../../corpus")
port=7790

nasd_pid() { on "$1" pgrep -xo nasd; }

# What must be the same afterwards.
fingerprint() {
	local n
	snap
	for n in $NODES; do
		echo "$n pid $(nasd_pid "$n") $(st "$n" '"state \(.groups[0].state) owner \(.groups[0].owner) epoch \(.groups[0].epoch) connected \(.peer.connected) since \(.peer.since)"')"
		echo "$n journal: $(grep -c . "$(journal_of "$n")") records"
	done
}

# None of it comes back when it has changed once: asked again, an answer that came too
# late is not a difference.
is_same() { [ "$(fingerprint)" = "$before" ]; }

untouched() { # WHAT
	if wait_until 10 is_same; then
		pass "$1: the same nasd, link, owner, journal"
	else
		fail "$1: the same nasd, link, owner, journal" "$(diff <(echo "$before") <(fingerprint) | grep '^[<>]')"
	fi
	check "$1: the client writes on" writes_on bad
}

# What was before: whole, and no more changing by itself (of the test before this one).
is_steady() {
	before=$(fingerprint)
	[[ $before != *null* && $before != *' pid  '* ]] && sleep 1 && is_same
}

# The answers are lines of throw.pl; prints those that are not one clear error
# for each line that was sent: with a place, a message, no control characters.
unclear() { # FILE
	local name end lines last sent
	while IFS=$'\t' read -r name end lines last; do
		sent=$(tr -cd '\n' <"$corpus/control/$name" | wc -c)
		# throw.pl ends the last line when the file does not
		[ "$(tail -c 1 "$corpus/control/$name" | od -An -tx1)" = ' 0a' ] || sent=$((sent + 1))
		[ "$lines" = "$sent" ] && [ "$end" != refused ] &&
			jq -e '.result == "error" and (.error.message | length > 0) and
			(.error.where | length > 0) and (.error.message | test("[\\x00-\\x1f\\x7f]") | not)' \
				<<<"$last" >/dev/null 2>&1 && continue
		echo "$name: $lines lines for $sent, last: $last"
	done <"$1"
}

# In a node the checkout may be hidden (it has a /tmp of its own): what is thrown
# goes through the node's share.
lay_out() {
	local n
	for n in $NODES; do
		mkdir -p "$LAB_STATE/node/$n/badinput"
		cp -r "$t_dir/throw.pl" "$corpus/control" "$corpus/peer" "$LAB_STATE/node/$n/badinput/"
		at_end "rm -rf '$LAB_STATE/node/$n/badinput'"
	done
}

throw() { # NODE ARG...
	local n=$1
	shift
	# shellcheck disable=SC2016
	on "$n" sh -c 'cd /lab/badinput && exec perl throw.pl "$@"' sh "$@"
}

requests() { # SOCKET
	throw "$a" unix "/run/nasd/$1" control >"$t_tmp/out" 2>&1 || {
		fail "$1 takes requests" "$(tail -n 2 "$t_tmp/out")"
		return
	}
	is "$1: all $(find "$corpus/control" -type f | wc -l) malformed requests answered" \
		"$(grep -c . "$t_tmp/out")" "$(find "$corpus/control" -type f | wc -l)"
	is "$1: one clear error each" "$(unclear "$t_tmp/out" | head -n 5)" ""
	untouched "$1"
}

# Cut short, and no end of line ever: nothing but the connection may be kept.
hang_ups() {
	# shellcheck disable=SC2016
	on "$a" perl -MIO::Socket::UNIX -e 'for (1 .. 50) {
		my $s = IO::Socket::UNIX->new(Peer => "/run/nasd/control.sock") or die "$!\n";
		syswrite $s, substr q({"v":1,"cmd":"status"}), 0, $_ % 22;
	}
	my @all = map { IO::Socket::UNIX->new(Peer => "/run/nasd/status.sock") } 1 .. 200;'
}

peer_port() { # KIND WHAT ARG...
	local kind=$1 what=$2 n
	shift 2
	for n in $listening; do
		throw "$(other "$n")" "$kind" "$n-repl" $port "$@" >"$t_tmp/out" 2>&1 || {
			fail "$what: $n accepts" "$(tail -n 2 "$t_tmp/out")"
			continue
		}
		is "$what: $n closes every one of $(grep -c . "$t_tmp/out") connections" \
			"$(awk -F'\t' '$2 != "closed"' "$t_tmp/out" | head -n 3)" ""
	done
	untouched "$what"
}

configurations() {
	local f out rc bad='' n=0
	for f in "$corpus"/conf/*.conf; do
		n=$((n + 1)) rc=0
		out=$("$LAB_STATE/inst/usr/sbin/nasd" -t -n nas1 -c "$f" 2>&1) || rc=$?
		# "nasd: FILE:LINE: what (remedy)", on one line
		[ $rc = 1 ] && [ "$(grep -c . <<<"$out")" = 1 ] && [[ $out =~ ^nasd:\ .+:\ .+ ]] &&
			! [[ $out =~ [^[:print:]] ]] || bad="$bad$f: status $rc: $out"$'\n'
	done
	is "nasd -t: one clear error for each of $n malformed configurations" "$(head -n 5 <<<"$bad")" ""
}

requires jq awk perl
lab_begin
lay_out
probe_begin bad vnode2 --lock 0-99
a=$(active)
# One of the two listens, the other dials.
listening=''
for n in $NODES; do
	! on "$(other "$n")" nc -z "$n-repl" $port || listening="$listening $n"
done
[ -n "$listening" ] || die "no node listens on port $port"
wait_until 30 is_steady || die "nothing has been sent, and it changes: $(diff <(echo "$before") <(fingerprint))"
requests control.sock
requests status.sock
check "fifty cut requests, two hundred idle connections" hang_ups
untouched "hang-ups"
peer_port tcp "the corpus, plain" peer
peer_port tls "the corpus after a ClientHello" peer
peer_port random "random bytes" "$count"
configurations
check "the client was clean to the end" lab guest probe stop bad
wait_until 20 is_ready
check "a switchover works as ever" ctl "$(active)" switchover "$(other "$(active)")"
t_end
