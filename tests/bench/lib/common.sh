# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What every part uses: the lab, its nodes with and without nasd, the guest.
# shellcheck disable=SC2154 # variables go between the files of lib/

FLOAT4=10.77.1.100
GUEST=bench
CLIENT=benchlock

say() { echo "bench: $*" >&2; }
die() { echo "bench: $*" >&2; exit 1; }
load() { cut -d' ' -f1 /proc/loadavg; }
lab() { "$LAB" "$@" </dev/null; }
node() { "$LAB" exec -n "$@"; }
now_us() { echo "${EPOCHREALTIME/[.,]/}"; }

# until_true SECONDS WHAT CMD...
until_true() {
	local limit=$1 what=$2 end
	shift 2
	end=$((SECONDS + limit))
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || die "$what: not true after $limit s"
		sleep 0.1
	done
}

build_helpers() {
	if [ ! -x "$OUT/floor" ] || [ "$here/floor.c" -nt "$OUT/floor" ]; then
		"${CC:-gcc}" -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wshadow -Wconversion \
			-static -o "$OUT/floor" "$here/floor.c" || die "floor.c does not build"
	fi
}

# Where a node finds them as /lab/bin. A new name each time: see "hostfs caches"
# in the lab's README.
install_helpers() {
	local n
	HELPERS=bench-$$
	for n in nas1 nas2; do
		mkdir -p "$LAB_STATE/node/$n/bin/$HELPERS"
		cp "$OUT/floor" "$here/peer-script.sh" "$here/lib/idle.sh" "$here/lib/hold.pl" \
			"$LAB_STATE/node/$n/bin/$HELPERS/"
	done
	HELPERS=/lab/bin/$HELPERS
}

machine_json() {
	jq -n --arg date "$(date -u +%Y-%m-%dT%H:%M:%SZ)" --arg cores "$(nproc)" \
		--arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
		--arg kernel "$(uname -r)" --arg node "$(node nas1 uname -r)" \
		--arg mib "$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)" \
		--arg load "$(load)" --arg nasd "$(node nas1 nasctl version 2>/dev/null | head -n 1)" \
		--arg commit "$(git -C "$repo" rev-parse --short HEAD 2>/dev/null)" \
		--arg ganesha "$(dpkg-query -W -f='${Version}' nfs-ganesha)" \
		--arg drbd "$(node nas1 sed -n 's/^version: \([^ ]*\).*/\1/p' /proc/drbd)" \
		--arg qemu "$(dpkg-query -W -f='${Version}' qemu-system-x86)" '
		{date: $date, cores: ($cores | tonumber), cpu: $cpu, memory_mib: ($mib | tonumber),
		 kernel: $kernel, load_start: ($load | tonumber),
		 nodes: "User-Mode Linux \($node)", nasd: $nasd, commit: $commit,
		 ganesha: $ganesha, drbd: $drbd, qemu: $qemu}'
}

# Everything in raw/ as one object: {"NAME": [documents]}.
gather() {
	local f
	for f in "$OUT"/raw/*.json; do
		jq -c -s --arg name "$(basename "$f" .json)" '{($name): .}' "$f"
	done | jq -s add
}

# ---- the guest and the client with a lock

guest_log() { echo "$LAB_STATE/guests/$1/log"; }
acked() { sed -n 's/.* ev=hb n=[0-9]* acked=\([0-9]*\) .*/\1/p' "$(guest_log "$1")" | tail -n 1; }
acked_since() { [ "$(acked "$1")" -gt "$2" ]; }
runs() { lab guest list 2>/dev/null | grep -q "^$1 .*running"; }

guest_up() {
	runs "$GUEST" || {
		lab guest start "$GUEST" --on vnode2
		sleep 5 # the first seconds are QEMU's own translation
	}
}

client_up() {
	runs "$CLIENT" || lab guest probe start "$CLIENT" --on vnode3 \
		--file /mnt/vm/$CLIENT.dat --lock 0-4095
}

# Ends them; each verifies all it has written. Their files go.
guests_down() { # PART
	local g
	for g in $GUEST $CLIENT; do
		! runs "$g" || {
			lab guest stop "$g" >"$OUT/raw/stop-$1-$g.txt" || say "$g was NOT clean: $OUT/raw/stop-$1-$g.txt"
			grep '^{"ev":"summary"' "$(guest_log "$g")" | tail -n 1 >"$OUT/raw/end-$1-$g.json"
		}
	done
	node vnode2 rm -f /mnt/vm/$GUEST.raw /mnt/vm/$CLIENT.dat || true
}

mark() { lab guest mark "$1" | grep '^{"ev":"section"'; }

# ---- nasd in and out of the NAS nodes

owner() {
	node nas1 nasctl status --json | jq -r '.groups[0].owner'
}

ready_for() { node nas1 nasctl check "$1" >/dev/null; }

clients_mount() {
	local v
	for v in vnode2 vnode3; do
		# shellcheck disable=SC2016
		node $v sh -c 'mountpoint -q /mnt/vm || mount -t nfs4 \
			-o vers=4.2,hard,proto=tcp,timeo=600,retrans=2 "$1:/vmstore" /mnt/vm' sh $FLOAT4
	done
}

clients_umount() {
	local v
	for v in vnode2 vnode3; do
		node $v sh -c '! mountpoint -q /mnt/vm || umount /mnt/vm'
	done
}

one_is_active() {
	[ "$(node nas1 nasctl status --json | jq '[.groups[0].state == "active"] | any')" = true ] ||
		[ "$(node nas2 nasctl status --json | jq '[.groups[0].state == "active"] | any')" = true ]
}

# A part says what it needs; starting and stopping is not repeated.
NASD_IS=in
want_nasd() { # in|out
	[ $NASD_IS != "$1" ] || return 0
	lab nasd "$1"
	NASD_IS=$1
}

show_results() { # FILE
	jq -r -f "$here/lib/show.jq" "$1" | tee "$OUT/results.txt"
}
