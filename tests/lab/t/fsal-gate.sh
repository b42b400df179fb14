#!/bin/bash
# SPDX-License-Identifier: LGPL-3.0-or-later
# The ganesha module under a kernel client that writes: the gate, the drain, the
# release of the filesystem and its return, the expiry of a gate that nobody
# speaks to, exports added and removed in the process, and the end of grace.
# Two nodes, no DRBD, no nasd. usage: fsal-gate.sh
# shellcheck source=tests/lab/t/functions.sh
# shellcheck disable=SC2016 # what nodes expand
. "$(dirname "$(readlink -f "$0")")/functions.sh"

[ "$(id -u)" = 0 ] || skip "the lab needs root"
requires linux.uml jq perl ganesha.nfsd
top=$(readlink -f "$t_dir/../../..")
so=${FSAL_SO:-$top/build/fsal/libfsalnasd.so}
[ -f "$so" ] || skip "the module is not built (make fsal)"
export LAB_QUIET=1 LAB_STATE=${LAB_STATE:-/dev/shm/lab-fsal}
[ ! -S "$LAB_STATE/sup.sock" ] || die "a lab runs in $LAB_STATE"
t_own=1
lab up --plain nas1 vnode2 >"$t_tmp/up.log" 2>&1 || die "the lab did not come up: $(tail -n 3 "$t_tmp/up.log")"

sock=/run/fsal.sock
vfs=$(echo /usr/lib/*/ganesha/libfsalvfs.so)
mkdir -p "$LAB_STATE/node/nas1/fsal"
cp "$so" "$vfs" "$LAB_STATE/node/nas1/fsal/"
cp "$t_dir/fsal-ask.pl" "$t_dir/fsal-lock.pl" "$LAB_STATE/node/nas1/"
cp "$t_dir/fsal-write.pl" "$t_dir/fsal-lock.pl" "$LAB_STATE/node/vnode2/"

ganesha_conf() {
	cat <<-END
	NFS_CORE_PARAM { NFS_Port = 2049; Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false;
		Enable_UDP = false; fsid_device = false; Plugins_Dir = "/lab/fsal"; }
	NFS_KRB5 { Active_krb5 = false; }
	NFSV4 { Minor_Versions = 1, 2; Lease_Lifetime = 15; Grace_Period = 60; Delegations = false;
		RecoveryBackend = fs; RecoveryRoot = "/lab/recov"; Server_Owner = t; Server_Scope = t; }
	NASD { Socket = "$sock"; }
	EXPORT { Export_Id = 1; Path = "/srv/x"; Pseudo = "/x"; Access_Type = RW;
		Squash = No_Root_Squash; SecType = sys; Protocols = 4; Transports = TCP;
		FSAL { Name = NASD; FSAL { Name = VFS; } } }
	END
}

ask() { on nas1 /lab/fsal-ask.pl $sock "$@"; }
field() { jq -rs ".[$1].$2" "$t_tmp/answers"; } # of answer number N, from 0
threads() { on nas1 sh -c 'ls /proc/$(cat /run/g.pid)/task | wc -l'; }

serve() {
	on nas1 sh -c 'setsid ganesha.nfsd -F -f /lab/g.conf -L /lab/g.log -p /run/g.pid -N NIV_EVENT \
		</dev/null >/dev/null 2>&1 &'
	wait_until 20 ask status || die "ganesha did not start: $(tail -n 3 "$LAB_STATE/node/nas1/g.log")"
}

# The writers in the background; their report goes to $t_tmp/writers.
write_begin() { # SECONDS LONG-MS
	on vnode2 sh -c 'rm -f /run/w[1-4]'
	on vnode2 /lab/fsal-write.pl /mnt/x 4 "$1" "$2" >"$t_tmp/writers" 2>&1 &
	writers=$!
	wait_until 20 on vnode2 sh -c 'test -e /run/w1 -a -e /run/w2 -a -e /run/w3 -a -e /run/w4' ||
		die "the writers do not write: $(cat "$t_tmp/writers")"
}

# A loaded machine makes long writes of its own: how many is a pattern.
write_end() { # WHAT LONG-PATTERN MAX-MS
	wait $writers || fail "$1: the writers" "$(cat "$t_tmp/writers")"
	sed 's/^/      /' "$t_tmp/writers"
	check "$1: no error, all blocks read back" grep -q '^verified' "$t_tmp/writers"
	is "$1: long writes" "$(grep -c "errors 0, long $2," "$t_tmp/writers")" 4
	check "$1: none longer than $3 ms" awk -v max="$3" '/longest/ && $NF > max { exit 1 }' "$t_tmp/writers"
}

ganesha_conf >"$LAB_STATE/node/nas1/g.conf"
# shellcheck disable=SC2016
on nas1 sh -c 'set -e
	mkdir -p /srv/x /lab/recov
	truncate -s 64M /lab/x.img
	mkfs.ext4 -q -F -E nodiscard /lab/x.img
	mount -o loop /lab/x.img /srv/x' || die "no filesystem on nas1"
serve
ask status >"$t_tmp/answers"
is "the module is ready" "$(field 0 ready)" true
note "discovery $(field 0 discovery_us) us"
on vnode2 sh -c 'mkdir -p /mnt/x; mount -t nfs4 -o vers=4.2,hard,proto=tcp nas1:/x /mnt/x' || die "no mount"

# ---- one second behind the gate
write_begin 5 300
before=$(threads)
ask "gate reopen_ms=8000" "drain timeout_ms=300" "sleep 1" status thaw status >"$t_tmp/answers"
note "drain $(field 1 us) us, held $(field 2 held), thaw $(field 3 run_us) us"
is "the drain is done" "$(field 1 drained)" true
is "nothing but what is held is in flight" "$(field 2 in_flight)" "$(field 2 held)"
check "requests were held" test "$(field 2 held)" -ge 4
is "all went on" "$(field 3 resumed)" "$(field 2 held)"
write_end "one second gated" "[1-3]" 1400
note "threads before $before, after $(threads)"

# ---- ten short ones: what a gate costs by itself
write_begin 6 2000
args=()
for _ in 1 2 3 4 5 6 7 8 9 10; do args+=("gate reopen_ms=8000" "drain timeout_ms=50" thaw "sleep 0.2"); done
ask "${args[@]}" >"$t_tmp/answers"
note "drains, us: $(jq -rs 'map(.us | numbers) | sort | join(" ")' "$t_tmp/answers")"
note "of them drained: $(jq -rs 'map(select(.drained)) | length' "$t_tmp/answers") of 10; thaws, us: $(jq -rs 'map(select(.resumed != null) | .run_us) | sort | join(" ")' "$t_tmp/answers")"
is "every request succeeded" "$(jq -rs 'map(select(.ok)) | length' "$t_tmp/answers")" 30
write_end "ten short gates" 0 2000

# ---- the one who closed it is gone
write_begin 4 300
ask "gate reopen_ms=600" >/dev/null
sleep 1.5
ask status >"$t_tmp/answers"
is "the gate opened by itself" "$(field 0 gate) $(field 0 expired_count)" "open 1"
write_end "an abandoned gate" "[1-3]" 1200

# ---- unmounted and mounted again under the clients, state kept
on vnode2 sh -c '/lab/fsal-lock.pl hold /mnt/x/locked 100 </dev/null >/dev/null 2>&1 &'
wait_until 5 on vnode2 grep -q held /mnt/x/locked
is "a client holds a lock" "$(on nas1 /lab/fsal-lock.pl probe /srv/x/locked)" locked
write_begin 5 2500
ask "gate reopen_ms=20000" "drain timeout_ms=100" "release path=/srv/x" "run umount /srv/x" thaw \
	"run mount -o loop /lab/x.img /srv/x" "restore path=/srv/x" thaw status >"$t_tmp/answers"
note "drained in $(field 1 us) us, $(field 2 descriptors) descriptors released in $(field 2 run_us) us, umount $(field 3 rtt_us) us, mount $(field 5 rtt_us) us, restored $(field 6 descriptors) in $(field 6 run_us) us"
is "release" "$(field 2 ok)" true
is "the filesystem unmounts" "$(field 3 rc)" 0
is "no thaw while it is released" "$(field 4 ok)" false
is "restore" "$(field 6 ok)" true
is "thaw after it" "$(field 7 ok)" true
write_end "released and restored" 0 2500
is "and still does" "$(on nas1 /lab/fsal-lock.pl probe /srv/x/locked)" locked

# ---- the state of the clients
ask "gate reopen_ms=20000" "drain timeout_ms=100" dump thaw >"$t_tmp/answers" 2>"$t_tmp/dump"
note "dump: $(jq -c 'select(.clients != null) | {clients, sessions, opens, locks, ranges, bytes, run_us}' "$t_tmp/answers")"
is "the dump has the client with its session and its lock" \
	"$(jq -rs 'map(select(.clients != null))[0] | "\(.clients) \(.sessions) \(.locks) \(.ranges)"' "$t_tmp/answers")" "1 1 1 1"
is "and is whole" "$(tail -n 1 "$t_tmp/dump")" "end $(($(wc -l <"$t_tmp/dump") - 1))"
check "with the owner that Linux sends" grep -q "^client [0-9]* [0-9a-f]* $(printf 'Linux NFSv4' | od -An -tx1 | tr -d ' \n')" "$t_tmp/dump"
ask dump >"$t_tmp/answers"
is "no dump through an open gate" "$(field 0 ok)" false

# ---- exports in the process
sed -e '/^EXPORT/,$ { s/Export_Id = 1/Export_Id = 2/; s|Pseudo = "/x"|Pseudo = "/y"| }' \
	"$LAB_STATE/node/nas1/g.conf" >"$LAB_STATE/node/nas1/g2.conf"
ask "export-add id=2 path=/lab/g2.conf" "export-add id=2 path=/lab/g2.conf" "export-remove id=2" \
	"export-remove id=2" "export-add id=3 path=/lab/g2.conf" "export-add id=3 path=/none" >"$t_tmp/answers"
note "add $(field 0 run_us) us, remove $(field 2 run_us) us"
is "export added, not twice, removed, not twice, not without a configuration" \
	"$(jq -rs 'map(.ok) | join(" ")' "$t_tmp/answers")" "true false true false false false"

# ---- grace ends with the last RECLAIM_COMPLETE, not with the reaper's round
write_begin 12 100000
on nas1 sh -c 'kill -9 $(cat /run/g.pid)'
sleep 0.3
serve
is "in grace after a crash" "$(grep -c 'Now IN GRACE' "$LAB_STATE/node/nas1/g.log")" 2
start=$(now_ms)
# shellcheck disable=SC2317
graceless() { ask status >"$t_tmp/answers" && [ "$(field 0 in_grace)" = false ]; }
check "grace ends before the period of 60 s" wait_until 12 graceless
note "$(($(now_ms) - start)) ms after the module's socket was there, $(field 0 lift_us) us after the last RECLAIM_COMPLETE"
is "with the last RECLAIM_COMPLETE" "$(field 0 lifted_count)" 1
write_end "a crash of ganesha" 0 11000
is "the lock was reclaimed" "$(on nas1 /lab/fsal-lock.pl probe /srv/x/locked)" locked

# ---- a build that is not known: off, with a reason, and NFS as without the module
on nas1 sh -c 'kill -9 $(cat /run/g.pid)'
while read -r id _; do
	case $id in '' | '#'*) continue ;; esac
	sed -i "s/$id/$(tr 0-9a-f 1-9a-f0 <<<"$id")/" "$LAB_STATE/node/nas1/fsal/libfsalnasd.so"
done <"$top/fsal/known-builds"
serve
ask status "gate reopen_ms=5000" "export-remove id=1" >"$t_tmp/answers"
is "an unknown build is not ready" "$(field 0 ready) $(field 0 state_ready)" "false false"
check "and says why" grep -q "unknown build" "$t_tmp/answers"
is "and refuses to act" "$(field 1 ok) $(field 2 ok)" "false false"
check "but serves" wait_until 30 on vnode2 timeout 5 sh -c 'echo here >/mnt/x/here && sync /mnt/x/here'
t_end
