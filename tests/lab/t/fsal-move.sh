#!/bin/bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# State that moves with the service: two ganeshas with the module on two nodes, one
# filesystem image, the floating address, kernel clients with writers, opens and
# locks. A move is what nasd does, without nasd and DRBD: gate, drain, dump, address
# off, connections abandoned, ganesha killed, umount; mount, export-add, load,
# address on, announced, tickles. What the clients then send is captured on the
# lab's client bridge: SEQUENCE on their old sessions, and nothing that reclaims.
# Then moves in which the source's last replies are lost, a crash of a server that
# was loaded, and texts that must be refused.
# usage: fsal-move.sh
# shellcheck source=tests/lab/t/functions.sh
# shellcheck disable=SC2016 # what nodes expand
. "$(dirname "$(readlink -f "$0")")/functions.sh"

[ "$(id -u)" = 0 ] || skip "the lab needs root"
requires linux.uml jq perl ganesha.nfsd tcpdump nsenter
top=$(readlink -f "$t_dir/../../..")
so=${FSAL_SO:-$top/build/fsal/libfsalnasd.so}
[ -f "$so" ] || skip "the module is not built (make fsal)"
export LAB_QUIET=1 LAB_STATE=${LAB_STATE:-/dev/shm/lab-fsal}
[ ! -S "$LAB_STATE/sup.sock" ] || die "a lab runs in $LAB_STATE"
t_own=1
lab up --plain nas1 nas2 vnode2 vnode3 >"$t_tmp/up.log" 2>&1 || die "the lab did not come up: $(tail -n 3 "$t_tmp/up.log")"

sock=/run/fsal.sock
float=10.77.1.100
vfs=$(echo /usr/lib/*/ganesha/libfsalvfs.so)
node() { echo "$LAB_STATE/node/$1"; }

# ---- the servers

ganesha_conf() { # ID PATH PSEUDO BELOW
	cat <<-END
	NFS_CORE_PARAM { NFS_Port = 2049; Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false;
		Enable_UDP = false; fsid_device = false; Plugins_Dir = "/lab/fsal"; }
	NFS_KRB5 { Active_krb5 = false; }
	NFSV4 { Minor_Versions = 1, 2; Lease_Lifetime = 15; Grace_Period = 60; Delegations = false;
		RecoveryBackend = fs; RecoveryRoot = "/lab/recov"; Server_Owner = t; Server_Scope = t; }
	NASD { Socket = "$sock"; }
	EXPORT { Export_Id = $1; Path = "$2"; Pseudo = "$3"; Access_Type = RW;
		Squash = No_Root_Squash; SecType = sys; Protocols = 4; Transports = TCP;
		FSAL { Name = NASD; $4 } }
	END
}

ask() { local n=$1; shift; on "$n" /lab/fsal-ask.pl $sock "$@"; }
field() { jq -rs ".[$1].$2" "$t_tmp/answers"; } # of answer number N, from 0
records() { find "$(node "$1")/recov" -path '*/v4recov/*' -name '*-(*' -printf '%f\n' | sort; }

serve() { # NODE CONFIGURATION
	on "$1" sh -c 'setsid ganesha.nfsd -F -f /lab/'"$2"' -L /lab/g.log -p /run/g.pid -N NIV_EVENT \
		</dev/null >/dev/null 2>&1 &'
	wait_until 20 ask "$1" status || die "ganesha did not start on $1: $(tail -n 3 "$(node "$1")/g.log")"
}

# A server without exports, fresh.
standby() { # NODE
	rm -rf "$(node "$1")/recov"
	mkdir -p "$(node "$1")/recov"
	serve "$1" g.conf
	wait_until 15 out_of_grace "$1" || die "$1 stays in grace"
}

# shellcheck disable=SC2317
out_of_grace() { ask "$1" grace-lift status >"$t_tmp/answers" && [ "$(field 1 in_grace)" = false ]; }

# ---- a move

# lose=1: what the source executes before its gate is closed, it cannot answer.
lose=
source_side() { # NODE
	local ms=100
	if [ -n "$lose" ]; then
		lab cut "$1" client out || die "cut"
		ms=0
		sleep 0.5
	fi
	ask "$1" "gate reopen_ms=30000" "drain timeout_ms=$ms" dump >"$t_tmp/gone" 2>"$t_tmp/state"
	[ "$(jq -rs 'map(.ok) | all' "$t_tmp/gone")" = true ] || die "no dump on $1: $(cat "$t_tmp/gone")"
	ask "$1" commit >/dev/null || die "no commit on $1"
	on "$1" sh -c "ip addr del $float/24 dev vec0
		/lab/fsal-tcp.pl abandon \$(cat /run/g.pid) 2049
		kill -9 \$(cat /run/g.pid)
		while ! umount /srv/x 2>/dev/null; do sleep 0.01; done
		sync" >"$t_tmp/peers" || die "$1 did not let go"
	[ -z "$lose" ] || lab heal "$1" client || die "heal"
}

target_side() { # NODE
	awk -v without="$without" '$1 == "end" { print "end " n; next } $1 != without { print; n++ }' \
		"$t_tmp/state" >"$(node "$1")/state"
	ask "$1" "run echo 3 >/proc/sys/vm/drop_caches; mount -o loop /lab/x.img /srv/x" \
		"export-add id=1 path=/lab/g1.conf" "load /lab/state" status \
		"run ip addr add $float/24 dev vec0; arping -q -c 1 -U -I vec0 $float >/dev/null 2>&1 &" \
		"run /lab/fsal-tcp.pl tickle $float:2049 $(grep -v '^10.77.1.1[12]:' "$t_tmp/peers" | tr '\n' ' ')" >"$t_tmp/come"
}

came() { jq -rs ".[$1].$2" "$t_tmp/come"; }

# A text that the target gets instead: what it takes out of the source's.
without=
moves=0
move() { # FROM TO
	moves=$((moves + 1))
	records "$1" >"$t_tmp/records"
	source_side "$1"
	moved_at=$(date +%s.%N)
	target_side "$2"
	is "move $moves, $1 to $2: the state is loaded" "$(came 2 ok) $(came 2 error)" "true null"
	[ -n "$without" ] || is "move $moves: all of it" "$(jq -c '[.clients, .sessions, .replies, .opens, .locks, .ranges]' <<<"$(sed -n 3p "$t_tmp/come")")" \
		"$(jq -c 'select(.bytes != null) | [.clients, .sessions, .replies, .opens, .locks, .ranges]' "$t_tmp/gone")"
	note "$(jq -c 'select(.bytes != null) | {clients, opens, locks, dump_us: .run_us}' "$t_tmp/gone") load $(jq -c "select(.check_us != null) | [.run_us, .check_us, .make_us, .lock_us]" "$t_tmp/come") us, export-add $(came 1 run_us) us"
	is "move $moves: each client's recovery record, once" "$(records "$2")" "$(cat "$t_tmp/records")"
	is "move $moves: no second load" "$(came 3 can_load)" false
	standby "$1"
}

# ---- what the clients said

wire() { # CLIENT
	sleep 0.3
	"$t_dir/fsal-wire.pl" "$t_tmp/pcap" "$1" $float >"$t_tmp/wire"
}

reclaiming='EXCHANGE_ID|CREATE_SESSION|RECLAIM_COMPLETE|BIND_CONN_TO_SESSION|DESTROY_|TEST_STATEID|OPEN/claim1'

# The compounds of vnode2 since its mount was complete: nothing but its old session.
check_wire() { # SINCE-SECONDS WHAT
	wire 10.77.1.22
	awk -v since="$1" '$1 >= since' "$t_tmp/wire" >"$t_tmp/since"
	check "$2: the clients' compounds were captured" test "$(grep -c ' call ' "$t_tmp/since")" -gt 100
	is "$2: nothing that reclaims" "$(grep ' call ' "$t_tmp/since" | grep -E "$reclaiming" | head -n 3)" ""
	is "$2: each compound begins with SEQUENCE" "$(grep ' call ' "$t_tmp/since" | grep -cv ' SEQUENCE/')" 0
	is "$2: one session" "$(sed -n 's|.* call .* SEQUENCE/\([0-9a-f]*\)/.*|\1|p' "$t_tmp/since" | sort -u | wc -l)" 1
	is "$2: no status flag, no error" "$(grep ' reply ' "$t_tmp/since" | grep -Ev ' (0|10008) SEQUENCE/flags0( |$)' | head -n 3)" ""
	is "$2: one write verifier" "$(grep -Eo ' (WRITE|COMMIT)/[0-9a-f]+' "$t_tmp/since" | cut -d/ -f2 | sort -u | wc -l)" 1
	note "$2: connections $(awk '{ print $3 }' "$t_tmp/since" | sort -u | wc -l), compounds $(grep -c ' call ' "$t_tmp/since"), first after the last move: $(awk -v t="$moved_at" '$1 >= t && $2 == "call" { print $5, $6, $7; exit }' "$t_tmp/since")"
}

# ---- clients

write_begin() { # NODE SECONDS
	on "$1" sh -c 'rm -f /run/w[1-4]'
	on "$1" /lab/fsal-write.pl /mnt/x 4 "$2" 1000 >"$t_tmp/writers" 2>&1 &
	writers=$!
	wait_until 20 on "$1" sh -c 'test -e /run/w1 -a -e /run/w2 -a -e /run/w3 -a -e /run/w4' ||
		die "the writers do not write: $(cat "$t_tmp/writers")"
}

write_end() { # WHAT
	wait $writers || fail "$1: the writers" "$(cat "$t_tmp/writers")"
	sed 's/^/      /' "$t_tmp/writers"
	check "$1: all blocks read back" grep -q '^verified' "$t_tmp/writers"
	is "$1: no error" "$(grep -c 'errors 0,' "$t_tmp/writers")" 4
}

background() { # NODE COMMAND: its pid in the node
	on "$1" sh -c "$2 </dev/null >/dev/null 2>/run/err & echo \$!"
}

probe_lock() { on "$1" timeout 20 /lab/fsal-lock.pl probe "$2" 2>&1; }

# ---- all set up

# What the lab serves by itself is not ours.
for n in vnode2 vnode3; do on $n umount /mnt/vm || die "/mnt/vm on $n"; done
lab service nas1 ganesha stop
on nas1 sh -c "ip addr del $float/24 dev vec0; umount /srv/vmstore; drbdadm secondary r0" || die "the lab's own service on nas1"
for n in nas1 nas2; do
	mkdir -p "$(node $n)/fsal" "$(node $n)/recov"
	cp "$so" "$vfs" "$(node $n)/fsal/"
	cp "$t_dir"/fsal-{ask,lock,tcp}.pl "$(node $n)/"
	ganesha_conf 65535 /run /.nasd "" >"$(node $n)/g.conf"
	ganesha_conf 1 /srv/x /x "FSAL { Name = VFS; }" >"$(node $n)/g1.conf"
	on $n mkdir -p /srv/x
done
for n in vnode2 vnode3; do
	cp "$t_dir"/fsal-{write,lock,meta}.pl "$(node $n)/"
	on $n mkdir -p /mnt/x
done
truncate -s 96M "$(node nas1)/x.img"
mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 "$(node nas1)/x.img" || die "mkfs"
ln "$(node nas1)/x.img" "$(node nas2)/x.img"
standby nas1
standby nas2
ask nas2 status >"$t_tmp/answers"
is "a fresh server can load" "$(field 0 can_load) $(field 0 load_reason)" "true "
note "discovery $(field 0 discovery_us) us"
printf 'nasd-state 2\nserver 1 1 1 0102030405060708\nclient 1 02\nend 3\n' >"$(node nas2)/bad"
ask nas2 "load /lab/bad" status >"$t_tmp/answers"
is "a malformed text changes nothing" "$(field 0 ok) $(field 0 replace) $(field 1 can_load)" "false false true"
ask nas1 "run mount -o loop /lab/x.img /srv/x" "export-add id=1 path=/lab/g1.conf" \
	"run ip addr add $float/24 dev vec0; arping -q -c 1 -U -I vec0 $float" >"$t_tmp/answers" || die "no service on nas1"

read -r _ inner <"$LAB_STATE/sup.pid"
nsenter -t "$inner" -n tcpdump -i br-client -U -s 0 -w "$t_tmp/pcap" tcp port 2049 and host $float >/dev/null 2>"$t_tmp/tcpdump.err" &
at_end "kill $!"
sleep 0.5
on vnode2 mount -t nfs4 -o vers=4.2,hard,proto=tcp $float:/x /mnt/x || die "no mount on vnode2"

# Opens of each kind, a lock, a lock owner whose lock is gone.
holder=$(background vnode2 "/lab/fsal-lock.pl hold /mnt/x/locked 1000")
idler=$(background vnode2 "/lab/fsal-lock.pl idle /mnt/x/idle 1000")
opener=$(background vnode2 'exec sh -c "exec 3<>/mnt/x/both 4>/mnt/x/for-writing; echo x >/mnt/x/for-reading; exec 5</mnt/x/for-reading; exec sleep 1000"')
wait_until 5 on vnode2 sh -c 'grep -q held /mnt/x/locked && grep -q held /mnt/x/idle && test -s /mnt/x/for-reading' ||
	die "the files are not open: $(on vnode2 cat /run/err)"

# ---- there and back, writers running
since=$(date +%s.%N)
write_begin vnode2 14
move nas1 nas2
sleep 1
move nas2 nas1
write_end "two moves"
check_wire "$since" "two moves"
is "the server holds the client's lock" "$(on nas1 /lab/fsal-lock.pl probe /srv/x/locked)" locked
is "but not the one that was gone" "$(on nas1 /lab/fsal-lock.pl probe /srv/x/idle)" free

# ---- a client that is new
on vnode3 mount -t nfs4 -o vers=4.2,hard,proto=tcp $float:/x /mnt/x || die "no mount on vnode3 after moves"
check "a new client writes" on vnode3 sh -c 'echo new >/mnt/x/new && sync /mnt/x/new'
is "and cannot take the lock" "$(probe_lock vnode3 /mnt/x/locked)" locked
is "but the free one" "$(probe_lock vnode3 /mnt/x/idle)" free
waiter=$(background vnode3 "/lab/fsal-lock.pl wait /mnt/x/locked 1000")
sleep 1

# ---- each operation once, whether its reply arrived or not
meta_begin() {
	on vnode3 sh -c 'rm -f /run/meta'
	on vnode3 /lab/fsal-meta.pl /mnt/x 16 "$1" >"$t_tmp/meta" 2>&1 &
	meta=$!
	wait_until 10 on vnode3 test -e /run/meta || die "no metadata client: $(cat "$t_tmp/meta")"
}
meta_end() {
	wait $meta
	note "metadata: $(awk '/operations/ { n += $4; e += $NF } END { print n + 0, "operations,", e + 0, "errors" }' "$t_tmp/meta")"
	grep -v operations "$t_tmp/meta" | sed 's/^/      /'
}

lose=1
meta_begin 14
move nas1 nas2
check "the dump had replies" test "$(jq -c 'select(.bytes != null) | .replies' "$t_tmp/gone")" -gt 0
note "$(jq -c 'select(.bytes != null) | {replies, bytes}' "$t_tmp/gone"), unsent $(sed -n 2p "$t_tmp/gone" | jq -c '[.unsent_connections, .unsent_bytes, .us]')"
sleep 1
move nas2 nas1
meta_end
is "operations whose replies were lost are not done twice" "$(grep -c 'errors 0$' "$t_tmp/meta")" 16
# and this would tell: the same without the replies (of some 16 operations that the
# cut hits, a few only read)
without=reply
meta_begin 9
move nas1 nas2
meta_end
check "without carried replies they are, and are told so" grep -q 'errors [1-9]' "$t_tmp/meta"
lose='' without=''
move nas2 nas1

# ---- with both clients, one of them waiting for a lock
since=$(date +%s.%N)
write_begin vnode2 14
move nas1 nas2
sleep 1
move nas2 nas1
write_end "two more moves"
check_wire "$since" "two more moves"
is "the client that waits still waits" "$(on vnode3 cat /mnt/x/locked)" held
on vnode2 kill "$holder"
# Linux asks again after up to 30 s
check "and gets the lock when it is given back" wait_until 50 on vnode3 grep -q mine /mnt/x/locked
is "the server knows" "$(on nas1 /lab/fsal-lock.pl probe /srv/x/locked)" locked
is "and so does the one who had it" "$(probe_lock vnode2 /mnt/x/locked)" locked

# ---- a client that was loaded takes its leave
on vnode2 kill "$idler" "$opener"
check "a client that was loaded unmounts" wait_until 10 on vnode2 umount /mnt/x
ask nas1 "gate reopen_ms=5000" "drain timeout_ms=100" dump thaw >"$t_tmp/answers" 2>/dev/null
is "and is gone, with its record" "$(field 2 clients) $(records nas1 | wc -l)" "1 1"

# ---- a crash of a server that was loaded: its clients reclaim, and the verifier is another
ask nas1 "gate reopen_ms=5000" "drain timeout_ms=100" dump thaw >/dev/null 2>"$t_tmp/before"
move nas1 nas2
on nas2 sh -c 'kill -9 $(cat /run/g.pid)'
serve nas2 g1.conf
check "a client of a loaded server reclaims after a crash" wait_until 60 on vnode3 timeout 5 sh -c 'echo again >/mnt/x/new && sync /mnt/x/new'
is "its lock included" "$(on nas2 /lab/fsal-lock.pl probe /srv/x/locked)" locked
wait_until 70 out_of_grace nas2
ask nas2 "gate reopen_ms=5000" "drain timeout_ms=100" dump thaw >/dev/null 2>"$t_tmp/after"
verifier() { sed -n 2p "$1" | cut -d' ' -f5; }
is "the write verifier went with the move" "$(verifier "$t_tmp/state")" "$(verifier "$t_tmp/before")"
check "and is another one after the crash" test "$(verifier "$t_tmp/after")" != "$(verifier "$t_tmp/before")"
on vnode3 kill "$waiter" || true

# ---- texts that are not as a dump writes them
on vnode3 umount -l /mnt/x || true
on nas2 sh -c "ip addr del $float/24 dev vec0; kill -9 \$(cat /run/g.pid); while ! umount /srv/x 2>/dev/null; do sleep 0.01; done; sync"
ask nas1 "run echo 3 >/proc/sys/vm/drop_caches; mount -o loop /lab/x.img /srv/x" "export-add id=1 path=/lab/g1.conf" \
	>"$t_tmp/answers" || die "no service on nas1"

variant() { # NAME AWK-PROGRAM: of the last state, its end counted anew
	awk "$2"' /^end / { next } { print; n++ } END { print "end " n }' "$t_tmp/state" >"$(node nas1)/$1"
}
refused() { # NAME REPLACE WHAT
	ask nas1 "load /lab/$1" status >"$t_tmp/answers"
	is "refused: $3" "$(field 0 ok) $(field 0 replace)" "false $2"
	note "$(field 0 error)"
}
variant epoch '/^server / { $2++ }'
variant export '/^open / && !done { sub(/^43000001/, "43000002", $4); done = 1 }'
variant stale '/^open / && !done { sub(/........$/, "ffffff7f", $4); done = 1 }'
variant counter '/^server / { $3 = 0 }'
variant twice '/^client / && !done { print; n++; done = 1 }'
variant bare '/^(session|reply) / { next } /^lock / { print $1, $2, $3, $4, $5, $6, 0; n++; next }'
refused epoch false "ids of another epoch"
refused export false "a file of an export that is not here"
refused stale false "a file that is gone"
refused counter false "ids that the source has not counted"
is "nothing has changed" "$(field 1 can_load) $(field 1 gate)" "true open"
refused twice true "a client twice"
is "it serves nobody any more" "$(field 1 can_load) $(field 1 gate)" "false committed"
refused bare true "anything after that"
on nas1 sh -c 'kill -9 $(cat /run/g.pid)'
standby nas1
ask nas1 "export-add id=1 path=/lab/g1.conf" "load /lab/bare" "gate reopen_ms=5000" dump thaw >"$t_tmp/answers" 2>"$t_tmp/after"
is "clients without sessions, lock owners without locks" "$(field 1 ok) $(field 1 error)" "true null"
is "come out as they went in" "$(grep -v '^server' "$t_tmp/after" | sort)" "$(grep -v '^server' "$(node nas1)/bare" | sort)"
is "and no lock is held" "$(on nas1 /lab/fsal-lock.pl probe /srv/x/locked)" free
t_end
