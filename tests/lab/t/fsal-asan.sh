#!/bin/bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# The ganesha module under AddressSanitizer and UBSan, in the stock ganesha.nfsd: the
# gate with clients that write, the filesystem released and restored, exports, a crash
# and its reclaim, then MOVES moves of clients with opens and locks between two servers.
# Not in the lab: User-Mode Linux has 39 bits of addresses, AddressSanitizer wants 47.
# So on this machine's kernel, which has no NFS client: clients are programs of ours
# (tests/tools/nfs41load, tests/bench/fsal), the network is namespaces and a bridge.
# usage: fsal-asan.sh [MOVES]   (20)
# shellcheck source=tests/lab/t/functions.sh
t_dir=$(dirname "$(readlink -f "$0")")
top=$(readlink -f "$t_dir/../../..")
moves=${1:-20}
B=$top/build-asan
# shellcheck source=tests/protocol/server.sh
. "$top/tests/protocol/server.sh"

build() {
	local sanitize='-fsanitize=address,undefined -fno-sanitize-recover=undefined'
	local flags="-O1 -g -fno-omit-frame-pointer $sanitize"
	mkdir -p "$B/fsal"
	[ ! -d "$top/build/fsal/src" ] || [ -d "$B/fsal/src" ] || cp -a "$top/build/fsal/src" "$B/fsal/"
	make -C "$top" --no-print-directory B=build-asan OPT="$flags" SAN="$sanitize" fsal &&
		gcc -std=c11 -D_GNU_SOURCE -g -O1 -Wall -Wextra -Wshadow -Wconversion -fno-omit-frame-pointer -fPIC -shared \
			-fsanitize=address -o "$B/fsal-asan.so" "$t_dir/fsal-asan.c" &&
		"$top/tests/tools/nfs41load/build.sh" "$B" && "$top/tests/bench/fsal/build.sh" "$B"
}

if [ -z "${SERVER_INSIDE:-}" ]; then
	skip() { echo "SKIP  fsal-asan: $*"; exit 77; }
	[ "$(id -u)" = 0 ] || skip "namespaces need root"
	for c in gcc jq perl ganesha.nfsd unshare nsenter mkfs.ext4; do
		command -v "$c" >/dev/null || skip "$c is not installed"
	done
	[ -e "$(gcc -print-file-name=libasan.so)" ] || skip "gcc has no libasan here"
	build >&2 || { echo "ERROR fsal-asan: it does not build" >&2; exit 2; }
	[ -f "$B/fsal/libfsalnasd.so" ] || skip "the module is not built (see above)"
	work=$(mktemp -d /dev/shm/nasd-asan.XXXXXX) || exit 2
	export work
	server_inside "$0" "$@"
	rc=$?
	if [ $rc = 0 ]; then rm -rf "$work"; else echo "logs: $work" >&2; fi
	exit $rc
fi
. "$t_dir/functions.sh"

float=10.77.1.100 fs=$work/fs so=$B/fsal/libfsalnasd.so
where=$float:2049/x

# ---- two nodes on a bridge, one filesystem

network() {
	local n i=10
	ip link set lo up && ip link add br0 type bridge && ip link set br0 up && ip addr add 10.77.1.1/24 dev br0 || return
	for n in a b; do
		i=$((i + 1))
		unshare --net sleep infinity &
		echo $! >"$work/$n.ns"
		wait_until 5 other_net "$(cat "$work/$n.ns")" || return
		ip link add "v$n" type veth peer name eth0 netns "$(cat "$work/$n.ns")" && ip link set "v$n" master br0 up &&
			in_ns $n ip link set lo up && in_ns $n ip link set eth0 up && in_ns $n ip addr add 10.77.1.$i/24 dev eth0 || return
	done
}

# shellcheck disable=SC2317
other_net() { [ "$(readlink /proc/self/ns/net)" != "$(readlink "/proc/$1/ns/net")" ]; }
in_ns() { local n=$1; shift; nsenter --net="/proc/$(cat "$work/$n.ns")/ns/net" "$@"; }
exec_in_ns() { local n=$1; shift; exec nsenter --net="/proc/$(cat "$work/$n.ns")/ns/net" "$@"; } # in the background
ask() { local n=$1; shift; "$t_dir/fsal-ask.pl" "$work/$n.sock" "$@"; }
field() { jq -rs ".[$1].$2" "$t_tmp/answers"; }
all_ok() { jq -rs 'map(select(.ok != null) | .ok) | all' "$1"; }
answers() { ask "$@" >"$t_tmp/answers" 2>"$t_tmp/body"; }
address_on() { in_ns "$1" ip addr add $float/24 dev eth0 && ip neigh flush dev br0; }
address_off() { in_ns "$1" ip addr del $float/24 dev eth0; }

# server.sh's configuration; of a standby: no export but the one that loads the module
conf() { # NODE [standby]
	server_conf "$1" "$fs" | sed 's/Server_Owner = .*;/Server_Owner = t; Server_Scope = t;/
		s/^NASD {/& Record_Wait = 300; Reclaim_Wait = 3000;/' |
		if [ -z "${2:-}" ]; then cat; else sed 's/Export_Id = 1/Export_Id = 65535/
			s|Path = "[^"]*"; Pseudo = "/x"|Path = "/run"; Pseudo = "/.nasd"|; s/FSAL { Name = VFS; }//'; fi
}

serve() { # NODE CONFIGURATION
	rm -f "$work/$1.fifo" "$work/$1.sock"
	mkfifo "$work/$1.fifo"
	exec_in_ns "$1" env ASAN_FIFO="$work/$1.fifo" \
		LD_PRELOAD="$B/fsal-asan.so:$(gcc -print-file-name=libasan.so):$(gcc -print-file-name=libubsan.so)" \
		ASAN_OPTIONS="verify_asan_link_order=0:detect_leaks=1:leak_check_at_exit=0:intercept_tls_get_addr=0:fast_unwind_on_malloc=0:log_path=$work/asan" \
		UBSAN_OPTIONS="print_stacktrace=1:log_path=$work/ubsan" \
		ganesha.nfsd -F -f "$work/$2" -L "$work/$1.log" -p "$work/$1.lock" -N NIV_EVENT >>"$work/$1.out" 2>&1 </dev/null &
	echo $! >"$work/$1.pid"
	disown
	wait_until 30 ask "$1" status || die "no server on $1: $(tail -n 3 "$work/$1.log" "$work/$1.out"; reports)"
}

# With AddressSanitizer's memory to give back, an end takes a while.
end_server() { # NODE
	kill -9 "$(cat "$work/$1.pid")"
	wait_until 20 ended "$(cat "$work/$1.pid")" || die "the server on $1 does not end"
}

# shellcheck disable=SC2317
ended() { [ ! -e "/proc/$1" ] || { grep -q '^State:.*Z' "/proc/$1/status" && [ "$(find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l)" -le 1 ]; }; }

standby() { # NODE
	rm -rf "$work/recovery-$1"
	mkdir -p "$work/recovery-$1"
	serve "$1" "$1.standby"
	wait_until 15 out_of_grace "$1" || die "$1 stays in grace"
}

# shellcheck disable=SC2317
out_of_grace() { answers "$1" grace-lift status && [ "$(field 1 in_grace)" = false ]; }

# What the sanitizers have said; leaks are looked for, and told, elsewhere.
reports() {
	find "$work" -maxdepth 1 -name '[au]*san.*' -size +0 -exec head -n 40 {} +
	grep -hE 'AddressSanitizer|runtime error:' "$work"/*.out
}
clean() { [ -z "$(reports 2>/dev/null)" ]; }

# ---- clients

write_begin() { # MS: it writes for twice that and twice as long for warming up
	"$B/pairs" --write --turns 1 --ms "$1" 4 $where >"$t_tmp/writers" 2>&1 &
	writers=$!
}

write_end() { # WHAT
	wait $writers || fail "$1: the writers" "$(cat "$t_tmp/writers")"
	# shellcheck disable=SC2016 # awk's
	check "$1: they wrote" awk '$4 > 0 { ok = 1 } END { exit !ok }' "$t_tmp/writers"
}

load_begin() { # CLIENTS OPENS
	"$B/nfs41load" --server $float --path /x --clients "$1" --opens "$2" --renew 20 --name load >"$t_tmp/load" 2>&1 &
	load=$!
	wait_until 60 grep -q '^ev=ready' "$t_tmp/load" || die "the clients are not ready: $(tail -n 3 "$t_tmp/load")"
}

load_end() { # WHAT
	kill -USR1 $load
	check "$1: the stateids were looked at" wait_until 30 grep -q '^ev=check' "$t_tmp/load"
	kill -TERM $load
	wait $load
	grep '"ev":"summary"' "$t_tmp/load" >"$t_tmp/summary"
	note "$1: $(jq -c '{clients, opens, replies, reconnects, sessions_survived, sessions_lost, locks_reclaimed}' "$t_tmp/summary")"
	is "$1: each stateid is good, nothing went wrong" "$(jq -c '[.stateids_bad, .errors, .reclaims_failed, .clean]' "$t_tmp/summary")" "[0,0,0,true]"
}

# ---- set up

network || die "no network of namespaces"
mkdir -p "$fs"
{ server_filesystem "$fs" 128M && server_plugins; } || die "no filesystem"
umount "$fs"
again="mount -o loop $work/disk.img $fs"
for n in a b; do
	mkdir -p "$work/recovery-$n"
	conf $n >"$work/$n.conf"
	conf $n standby >"$work/$n.standby"
done
standby a
check "the sanitizers' runtime is in the server" grep -q libasan "/proc/$(cat "$work/a.pid")/maps"
answers a "run $again" "export-add id=1 path=$work/a.conf" status
is "the module is ready, and serves" "$(all_ok "$t_tmp/answers") $(field 2 ready)" "true true"
address_on a

"$t_dir/fsal-records.pl" "$work/a.sock" >"$t_tmp/records" 2>&1 &
at_end "kill $!"

# ---- the gate, the filesystem, the exports
write_begin 2500
items=()
for _ in {1..20}; do items+=(precopy "gate reopen_ms=8000" "drain timeout_ms=2000" dump thaw "sleep 0.05"); done
sleep 1
answers a "${items[@]}" || true
is "twenty gates, drains and dumps under writers" "$(jq -rs 'map(select(.resumed != null)) | length' "$t_tmp/answers") $(all_ok "$t_tmp/answers")" "20 true"
[ "$(all_ok "$t_tmp/answers")" = true ] || note "$(grep -v '"ok":true' "$t_tmp/answers")"
answers a "gate reopen_ms=300"
sleep 1
answers a "gate reopen_ms=20000" "drain timeout_ms=2000" "release path=$fs" "run umount $fs" "run $again" "restore path=$fs" thaw status
is "released, unmounted, mounted, restored" "$(all_ok "$t_tmp/answers") $(field 3 rc) $(field 4 rc)" "true 0 0"
is "the gate that was left alone opened itself" "$(field 7 expired_count)" 1
write_end "the gate"
server_conf b "$fs" | sed 's/Export_Id = 1/Export_Id = 2/; s|Pseudo = "/x"|Pseudo = "/y"|' >"$work/second.conf"
for _ in {1..10}; do
	answers a "export-add id=2 path=$work/second.conf" "export-add id=2 path=$work/second.conf" "export-remove id=2" \
		"export-remove id=2" "export-add id=3 path=/none" "gate" "thaw" "no-such-op" || true
	[ "$(jq -rs 'map(.ok) | join(" ")' "$t_tmp/answers" | cut -d' ' -f1-5)" = "true false true false false" ] || fail "exports" "$(cat "$t_tmp/answers")"
done
check "no report so far" clean

# ---- clients that come and go: their first answers held
for _ in {1..10}; do
	"$B/nfs41load" --server $float --path /x --clients 20 --opens 20 --name come >"$t_tmp/come.load" 2>&1 &
	load=$!
	wait_until 60 grep -q '^ev=ready' "$t_tmp/come.load" || die "the clients are not ready: $(tail -n 3 "$t_tmp/come.load")"
	kill -TERM $load
	wait $load
	is "twenty new clients: nothing went wrong" "$(grep '"ev":"summary"' "$t_tmp/come.load" | jq -c '[.errors, .clean]')" "[0,true]"
done
answers a status
is "of their answers those were held that should be" "$(field 0 records_heard) $(field 0 records_held)" "true 0"
note "held: $(jq -c '{records_kept, records_alone, records_expired, record_us, record_longest_us}' "$t_tmp/answers")"
is "each was told of once" "$(wc -l <"$t_tmp/records")" "$(jq '.records_kept + .records_alone + .records_expired' "$t_tmp/answers")"
is "some got no word" "$(jq '.records_kept > 100 and .records_alone > 40 and .records_expired > 20' "$t_tmp/answers")" true
check "no report so far" clean

# ---- a crash: reclaimed, and grace ended by the last one
load_begin 10 100
end_server a
serve a a.conf
check "grace ends with the last reclaim" wait_until 20 out_of_grace a
sleep 1
load_end "a crash"

# ---- a crash, and one of two is dead
load_begin 5 5
"$B/nfs41load" --server $float --path /x --clients 1 --opens 1 --name dead >"$t_tmp/dead" 2>&1 &
dead=$!
wait_until 30 grep -q '^ev=ready' "$t_tmp/dead" || die "the client to die is not ready"
kill -9 $dead
end_server a
serve a a.conf
# shellcheck disable=SC2317
given_up() { answers a status && [ "$(field 0 in_grace) $(field 0 given_up_count)" = "false 1" ]; }
check "grace ends without the dead one" wait_until 15 given_up
load_end "a crash without one"
end_server a
wait_until 5 umount "$fs" || die "the filesystem is in use"
address_off a

# ---- moves
clients=10
# shellcheck disable=SC2317
survived() { tail -n 1 "$t_tmp/load" | grep " survived=$1 "; }

# A copy ahead and what has changed since: as nasd puts them together.
together() {
	awk 'FNR == NR { if ($1 == "client") id = $2; else if ($1 == "end") id = ""; else if (id != "") rows[id] = rows[id] $0 "\n"; next }
		$1 == "client" { id = $2 }
		$1 == "same" { printf "%s", rows[id]; next }
		$1 != "end"' "$work/copy" "$work/changes"
}

move() { # FROM TO
	local base
	ask "$1" precopy >"$t_tmp/ahead" 2>"$work/copy"
	ask "$1" "gate reopen_ms=30000" "drain timeout_ms=100" dump >"$t_tmp/gone" 2>"$work/state"
	base=$(jq .base "$t_tmp/ahead")
	ask "$1" "dump-since base=$base" commit >>"$t_tmp/ahead" 2>"$work/changes"
	[ "$(all_ok "$t_tmp/gone") $(all_ok "$t_tmp/ahead")" = "true true" ] || die "no dump on $1: $(cat "$t_tmp/gone" "$t_tmp/ahead")"
	together | cmp -s - <(grep -v '^end' "$work/state") || fail "a copy and the changes since are not the whole" "$(cat "$t_tmp/ahead")"
	leaks "$1"
	address_off "$1"
	end_server "$1"
	wait_until 5 umount "$fs" || die "$1 does not let go of the filesystem"
	ask "$2" "run echo 3 >/proc/sys/vm/drop_caches; $again" "export-add id=1 path=$work/$2.conf" "load $work/state" >"$t_tmp/come"
	[ "$(all_ok "$t_tmp/come")" = true ] || die "no load on $2: $(cat "$t_tmp/come")"
	address_on "$2"
	standby "$1"
}

# A look for leaks in a server that goes: its report ends up in leaks.N.
looks=0
leaks() { # NODE
	local pid
	pid=$(cat "$work/$1.pid")
	printf l >"$work/$1.fifo"
	wait_until 60 grep -qs 'SUMMARY: AddressSanitizer' "$work/asan.$pid" || die "no look for leaks on $1"
	mv "$work/asan.$pid" "$work/leaks.$((++looks))"
}

# Blocks of a report, one per leak, that went through the module.
leaks_of_ours() { awk -v RS= '/leak of/ && /libfsalnasd/ && !/leak_on_purpose/' "$work"/leaks.*; }

standby a
answers a "run $again" "export-add id=1 path=$work/a.conf"
is "served again" "$(all_ok "$t_tmp/answers")" true
address_on a
standby b
load_begin $clients 100
from=a to=b
for ((i = 1; i <= moves; i++)); do
	move $from $to
	n=$from from=$to to=$n
	await 30 "move $i: each client went on in its session" survived $((clients * i)) || break
done
note "$moves moves, the last: $(jq -c 'select(.bytes != null) | {clients, sessions, opens, locks, ranges}' "$t_tmp/gone")"
load_end "$moves moves"
is "no session was lost" "$(jq -c .sessions_lost "$t_tmp/summary")" 0
is "each went on after each move" "$(jq -c .sessions_survived "$t_tmp/summary")" $((clients * moves))
check "no report" clean
is "every look for leaks saw the one made on purpose" "$(grep -l leak_on_purpose "$work"/leaks.* | wc -l)" "$moves"
is "no leak of the module" "$(leaks_of_ours | head -n 30)" ""

# shellcheck disable=SC2317
reports_overflow() { reports | grep -q overflow_on_purpose; }

# ---- would anything have been noticed?
printf o >"$work/$from.fifo"
check "an overflow on purpose is reported" wait_until 20 reports_overflow
t_end
