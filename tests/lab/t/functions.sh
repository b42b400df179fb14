# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the real-kernel tests share. A test is
#
#   . functions.sh
#   requires qemu-system-x86_64
#   lab_begin
#   check "what holds" COMMAND...
#   t_end
#
# It runs in the lab that LAB_STATE names, when one runs there, and leaves it
# as it found it; else in a lab of its own, gone when it ends. Exit status: 0
# all held, 1 something did not, 2 the test could not do its work, 77 skipped.
# shellcheck disable=SC2154
set -u
t_dir=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
t_name=$(basename "$0" .sh)
t_lab=$(readlink -f "$t_dir/..")
t_passed=0 t_failed=0 t_own='' t_at_end=() t_told=''
t_tmp=$(mktemp -d "${TMPDIR:-/tmp}/nasd-t.XXXXXX")
NODES="nas1 nas2"
: >"$t_tmp/began"

# ---- saying

# Once, at the first failure: the end of what each node's programs have written down since
# the test began. Where CI runs, this is all that is left of it.
t_tell_logs() {
	local n f lines
	[ -z "$t_told" ] && [ -d "${LAB_STATE:-/nonexistent}/node" ] || return 0
	t_told=1
	for n in nas1 nas2 vnode2 vnode3; do
		for f in "$LAB_STATE/node/$n"/{console.log,varlog/*.log}; do
			[ "$f" -nt "$t_tmp/began" ] || continue
			lines=3
			[ "${f##*/}" != nasd.log ] || lines=12
			tail -n $lines "$f" | cut -c 1-300 | sed "s/^/      | $n ${f##*/}: /"
		done
	done
}

note() { printf '      %s\n' "$*"; }
pass() { t_passed=$((t_passed + 1)); printf 'ok    %s\n' "$*"; }

# fail WHAT [SEEN]: one thing that does not hold, and what was seen instead.
fail() {
	t_failed=$((t_failed + 1))
	printf 'FAIL  %s\n' "$1"
	[ -z "${2:-}" ] || printf '%s\n' "$2" | sed 's/^/      seen: /'
	t_tell_logs
}

# check WHAT CMD...: CMD must succeed; its output is shown when it does not.
check() {
	local what=$1 out
	shift
	if out=$("$@" 2>&1); then pass "$what"; else fail "$what" "${out:-status $? of: $*}"; fi
}

is() { # WHAT SEEN WANTED
	if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "'$2', wanted '$3'"; fi
}

# The test itself cannot go on.
die() {
	printf 'ERROR %s: %s\n' "$t_name" "$1" >&2
	t_tell_logs >&2
	exit 2
}

skip() {
	printf 'SKIP  %s: %s\n' "$t_name" "$*"
	exit 77
}

requires() {
	local c
	for c; do
		command -v "$c" >/dev/null || skip "$c is not installed"
	done
}

t_end() {
	printf '%s: %d held, %d did not\n' "$t_name" "$t_passed" "$t_failed"
	[ "$t_failed" = 0 ] || exit 1
	exit 0
}

# ---- ending: what was begun last ends first

at_end() { t_at_end+=("$*"); }

t_cleanup() {
	local rc=$? i
	trap - EXIT INT TERM
	for ((i = ${#t_at_end[@]} - 1; i >= 0; i--)); do
		eval "${t_at_end[i]}" >/dev/null 2>&1 || true
	done
	if [ -n "$t_own" ] && [ -z "${T_KEEP:-}" ]; then
		"$t_lab/lab" down >/dev/null 2>&1
	fi
	rm -rf "$t_tmp"
	exit $rc
}
trap t_cleanup EXIT
trap 'exit 130' INT
trap 'echo "ERROR $t_name: told to end while it did: $BASH_COMMAND (${FUNCNAME[*]:-main}, line ${BASH_LINENO[*]:-0})"; t_tell_logs; exit 143' TERM

# ---- time

now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }
wall_us() { echo "${EPOCHREALTIME/[.,]/}"; }

# wait_until SECONDS CMD...: polls; false when it did not come true. No limit is a claim of
# how fast something is: LAB_PATIENCE (default 1) times as long on machines with much to do.
wait_until() {
	local end=$(($(now_ms) + $1 * 1000 * ${LAB_PATIENCE:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

# await SECONDS WHAT CMD...: the same as an assertion that is silent when it holds.
await() {
	local s=$1 what=$2
	shift 2
	wait_until "$s" "$@" && return
	fail "$what (within $((s * ${LAB_PATIENCE:-1})) s)" "$("$@" 2>&1 | tail -n 5)"
	return 1
}

# ---- the lab

lab() { "$t_lab/lab" "$@"; }
on() { local n=$1; shift; "$LAB_STATE/bin/labctl" "$LAB_STATE" exec -n "$n" "$@"; }
ctl() { local n=$1; shift; on "$n" nasctl "$@"; }
other() { if [ "$1" = nas1 ]; then echo nas2; else echo nas1; fi; }
nasd_log() { echo "$LAB_STATE/node/$1/varlog/nasd.log"; }
journal_of() { echo "$LAB_STATE/node/$1/var/journal"; }

# shellcheck disable=SC2317 # what tests call
lab_runs() { [ -S "$LAB_STATE/sup.sock" ] && lab status >/dev/null 2>&1; }

lab_begin() {
	[ "$(id -u)" = 0 ] || skip "the lab needs root"
	requires linux.uml jq awk
	export LAB_QUIET=1
	if [ -z "${LAB_STATE:-}" ] || ! lab_runs; then
		export LAB_STATE=${LAB_STATE:-/dev/shm/nasd-t-$$}
		t_own=1
		lab up >"$t_tmp/up.log" 2>&1 || die "the lab did not come up: $(tail -n 3 "$t_tmp/up.log")"
	fi
	on nas1 test -x /usr/sbin/nasd || skip "this lab runs without nasd"
	wait_until 40 is_ready || die "the pair is not ready for a switchover: $(show_pair)"
}

# ---- nasd as its own status tells it

status_of() { ctl "$1" status --json --timeout 3 >"$t_tmp/st.$1.new" 2>/dev/null; }

# Both nodes' status into $t_tmp/st.nas1 and st.nas2; {} where there is none. A node that
# was given no processor for 3 s is asked again: many a caller looks once.
snap() {
	local n pids=()
	for n in $NODES; do
		{
			status_of "$n" || status_of "$n" || echo '{}' >"$t_tmp/st.$n.new"
			mv "$t_tmp/st.$n.new" "$t_tmp/st.$n"
		} &
		pids+=($!)
	done
	wait "${pids[@]}"
}

st() { jq -r "$2" "$t_tmp/st.$1" 2>/dev/null; }

show_pair() {
	local n
	snap
	for n in $NODES; do
		st "$n" '"\(.node // "no nasd"): \(.groups[0].state) owner \(.groups[0].owner) epoch \(.groups[0].epoch) peer \(.peer.connected) \(.groups[0].detail)"' ||
			echo "$n: no status"
	done
}

# One active, the other standing by, connected, of one mind, nothing running.
is_settled() {
	snap
	jq -se 'map(.groups[0]) as $g | all(.[]; .peer.connected == true) and
		([$g[].state] | sort) == ["active", "standby"] and
		$g[0].epoch == $g[1].epoch and $g[0].owner == $g[1].owner and
		all($g[]; .transaction == null and .detail == "") and
		all(.[]; .node as $n | .groups[0] | (.state == "active") == (.owner == $n))' \
		"$t_tmp/st.nas1" "$t_tmp/st.nas2" >/dev/null
}

# Of the last snap.
active() { if [ "$(st nas1 '.groups[0].state')" = active ]; then echo nas1; else echo nas2; fi; }
epoch() { st "$(active)" '.groups[0].epoch'; }

# Settled, and a switchover would be let through: the standby is warm.
is_ready() {
	local a
	is_settled || return 1
	a=$(active)
	ctl "$a" check "$(other "$a")" --json 2>/dev/null | jq -e '.ready == true' >/dev/null
}

# Makes NODE the active one, when it is not.
make_active() {
	wait_until 30 is_ready || die "the pair is not ready: $(show_pair)"
	[ "$(active)" = "$1" ] || ctl "$1" switchover "$1" >/dev/null 2>&1 || die "switchover to $1 failed"
	wait_until 30 is_ready || die "the pair is not ready after a switchover: $(show_pair)"
	[ "$(active)" = "$1" ] || die "$1 did not become active"
}

# Whether nasd takes over by itself, for as long as this test runs.
with_trigger() { # manual|heartbeat
	local was
	was=$(cat "$LAB_STATE/trigger")
	[ "$was" != "$1" ] || return 0
	at_end "lab trigger $was"
	lab trigger "$1" || die "the trigger cannot be changed to $1"
	wait_until 40 is_ready || die "not ready with trigger = $1: $(show_pair)"
}

# An option of a section on both nodes, also after they have been switched off: after
# the line that begins with SECTION, indented by TABS.
section_option() { # SECTION TABS KEY VALUE
	local p file
	for p in $NODES; do
		file=$LAB_STATE/node/$p/root/etc/nasd/nasd.conf
		sed -i -e "/^$2$3 = /d" -e "s/^$1.*/&\n$2$3 = $4/" "$file" &&
			lab put "$p" "$file" /etc/nasd/nasd.conf >/dev/null || return 1
	done
	for p in $NODES; do
		lab service "$p" nasd restart >/dev/null || return 1
	done
}

group_option() { section_option 'group ' '\t' "$@"; } # KEY VALUE

# A server is what it was started as: two moves renew both.
nfs_option() { # KEY VALUE
	local p
	section_option '\tnfs {' '\t\t' "$@" || return 1
	for p in 1 2; do
		wait_until 40 is_ready || return 1
		p=$(other "$(active)")
		ctl "$p" switchover "$p" >/dev/null 2>&1 || return 1
	done
	wait_until 40 is_ready
}

# Whether a planned move takes the clients' state along.
migrate_state() { nfs_option migrate-state "$1"; } # auto|off

# What the journal on disk says: "OWNER-INDEX EPOCH" of the newest owner record
# that no abort of its own transaction has taken back (nasd/core/journal.h).
journal_owner() {
	sed -n 's/^[0-9a-f]* //p' "$(journal_of "$1")" | jq -r -n 'reduce inputs as $r ({now: null, before: null};
		if $r.kind == "owner" and (.now == null or $r.epoch >= .now.epoch) then
			(if .now and $r.epoch > .now.epoch then .before = .now else . end) | .now = $r
		elif $r.kind == "abort" and .now and .before and $r.epoch == .now.epoch then
			.now = .before | .before = null
		else . end) | .now | "\(.owner) \(.epoch)"'
}

# ---- what the node really does, sampled all along

# A loop of shell builtins: reading four files costs less than one fork. Its times
# are the supervisor's: the nodes' own clocks are further apart than a freeze is long.
sampler_text() {
	cat "$t_lab/lib/ask-time.sh" - <<-'END'
	exec 3<>/run/sampler.fifo
	now() { local us=$((${EPOCHREALTIME/[.,]/} + off)); now=${us:0:-6}.${us: -6}; }
	off=0 n=0
	while :; do
		((n++ % 200)) || { ask_time; echo "$off" >/lab/clock; }
		now
		p=0 m=0 a=0 t=$now
		mapfile -t l </proc/drbd; case ${l[*]} in *ro:Primary/*) p=1 ;; esac
		mapfile -t l </proc/mounts; case ${l[*]} in *'/dev/drbd0 /srv/vmstore '*) m=1 ;; esac
		mapfile -t l </proc/net/fib_trie; case ${l[*]} in *' 10.77.1.100'*) a=1 ;; esac
		mapfile -t l </proc/net/if_inet6; case ${l[*]} in *fd770001000000000000000000000100*) a=1 ;; esac
		now
		echo "$t $now $p$m$a"
		read -rt 0.06 -u 3
	done
	END
}

# Again, too, on a node that was off.
sampler_on() { # NODE
	# shellcheck disable=SC2016
	on "$1" sh -c 'rm -f /run/sampler.fifo; mkfifo /run/sampler.fifo
		setsid bash /lab/sampler </dev/null >>/lab/samples 2>/dev/null & echo $! >/run/sampler.pid'
}

sampler_start() {
	local n
	for n in $NODES; do
		sampler_text >"$LAB_STATE/node/$n/sampler"
		: >"$LAB_STATE/node/$n/samples"
		sampler_on "$n"
	done
	at_end sampler_stop
}

# A time (us) of the node's clock as this machine's, by the sampler's last comparison.
host_us() { echo $(($2 + $(cat "$LAB_STATE/node/$1/clock"))); } # NODE WALL-US

sampler_stop() {
	local n
	for n in $NODES; do
		# shellcheck disable=SC2016
		on "$n" sh -c 'kill $(cat /run/sampler.pid)' 2>/dev/null || true
	done
}

# Facts that held on both nodes at once: on one node at every look from one that
# had ended before the other node's look began to one that began after it had
# ended, within 0.6 s. (A look takes as long as the node's CPU is busy elsewhere:
# its two times say when it may have been.) Prints them; status 1 when there are any.
sampler_overlaps() { # SINCE-SECONDS [of: 1 Primary, 2 mounted, 3 address]
	local a
	for a in $NODES; do
		awk -v since="$1" -v of="${2:-123}" 'BEGIN { split("Primary,mounted,address", what, ",") }
			NF != 3 { next }
			NR == FNR { from[++n] = $1; to[n] = $2; s[n] = $3; next }
			{
				while (i < n && to[i + 1] <= $1) i++
				for (k = i; k <= n && from[k] < $2; ) k++
				if (i < 1 || k > n || $1 < since || from[k] - to[i] > 0.6) next
				for (f = 1; f <= 3; f++) {
					held = index(of, f) && substr($3, f, 1) == 1
					for (j = i; held && j <= k; j++) held = substr(s[j], f, 1) == 1
					if (held) {
						printf "%s on both nodes at %.3f\n", what[f], $1
						bad = 1
					}
				}
			}
			END { exit bad }' "$LAB_STATE/node/$(other "$a")/samples" "$LAB_STATE/node/$a/samples" || return 1
	done
}

last_sample() { tail -n 1 "$LAB_STATE/node/$1/samples" | cut -d' ' -f3; }
samples() { wc -l <"$LAB_STATE/node/$1/samples"; }

# The node's newest sample is NODE-STATE 111 or 000, taken after now.
sampled_as() { # NODE WANT SINCE-SECONDS
	tail -n 1 "$LAB_STATE/node/$1/samples" | awk -v w="$2" -v t="$3" '{ exit !($1 > t && $3 == w) }'
}

# ---- writers and lock tests

probe_begin() { # NAME NODE PROBE-OPTION...
	local name=$1 node=$2
	shift 2
	lab guest probe start "$name" --on "$node" --file "/mnt/vm/$name" "$@" >"$t_tmp/probe" 2>&1 ||
		die "the probe $name did not start: $(tail -n 3 "$t_tmp/probe")"
	at_end "lab guest stop $name --kill; on $node rm -f /mnt/vm/$name"
}

# Creates, renames, unlinks and lists in a directory of the export, each exactly once.
meta_begin() { # NAME NODE
	lab guest probe start "$1" --on "$2" --meta "/mnt/vm/$1" --pace 20 >"$t_tmp/probe" 2>&1 ||
		die "the probe $1 did not start: $(tail -n 3 "$t_tmp/probe")"
	at_end "lab guest stop $1 --kill; on $2 rm -rf /mnt/vm/$1"
}

guest_begin() { # NAME NODE
	lab guest start "$1" --on "$2" >"$t_tmp/guest" 2>&1 ||
		die "the guest $1 did not start: $(tail -n 3 "$t_tmp/guest")"
	at_end "lab guest stop $1 --kill; on $2 rm -f /mnt/vm/$1.raw"
}

guest_log() { echo "$LAB_STATE/guests/$1/log"; }
acked() { tail -n 400 "$(guest_log "$1")" | sed -n 's/.* ev=hb n=[0-9]* acked=\([0-9]*\) .*/\1/p' | tail -n 1; }

has_more() { [ "$(acked "$1")" -gt "$2" ]; }

# It has an acknowledged write that it had not when this was called.
writes_on() { # NAME [SECONDS]
	local have
	have=$(acked "$1")
	wait_until "${2:-20}" has_more "$1" "$((have + 1))"
}

# Anything that a writer must never report. Prints it.
complaints() {
	! grep -aE 'ev=(error|write-error|read-error|bad|lock|fatal|lock-error|stolen)' "$(guest_log "$1")"
}

# The longest gap in ms between two wall times (us), of a writer's own log; 0: below 20 ms.
gap_between() { # NAME FROM TO
	sed -n 's/.* ev=gap ms=\([0-9.]*\) .* begin_wall_us=\([0-9]*\).*/\2 \1/p' "$(guest_log "$1")" |
		awk -v a="$2" -v b="$3" '$1 + $2 * 1000 >= a && $1 <= b && $2 > m { m = $2 } END { printf "%.0f\n", m }'
}

# A stranger to the lock that NAME holds, trying all along from NODE.
thief_begin() { # NAME NODE FILE RANGE
	lab guest lock-test --on "$2" --file "$3" --range "$4" --seconds 100000 --pace 100 >"$t_tmp/thief.$1" 2>&1 &
	at_end "on $2 pkill -f 'lock-tes[t]'"
}

# Ends it; its one line of JSON on stdout.
thief_end() { # NAME NODE
	on "$2" pkill -TERM -f 'lock-tes[t]' || true
	# its last attempt may wait for the end of a grace period
	wait_until 40 grep -q '"ev":"lock-test"' "$t_tmp/thief.$1"
	grep '"ev":"lock-test"' "$t_tmp/thief.$1" || { cat "$t_tmp/thief.$1"; return 1; }
}

# ---- the wire

# A command in the lab's own network namespace, where the bridges are.
in_net() {
	local inner
	read -r _ inner <"$LAB_STATE/sup.pid"
	nsenter -t "$inner" -n "$@"
}

# What the clients' bridge carries, into $t_tmp/pcap, until $capture is killed.
# (Not by in_net: $! would be the shell that waits for tcpdump.)
capture_begin() { # FILTER...
	local inner
	read -r _ inner <"$LAB_STATE/sup.pid"
	rm -f "$t_tmp/tcpdump.err"
	nsenter -t "$inner" -n tcpdump -i br-client -U -s 0 -w "$t_tmp/pcap" "$@" >/dev/null 2>"$t_tmp/tcpdump.err" &
	capture=$!
	at_end "kill $capture"
	wait_until 10 grep -q 'listening on' "$t_tmp/tcpdump.err" || die "tcpdump: $(cat "$t_tmp/tcpdump.err")"
}

# percentiles NAME UNIT: numbers on stdin, one line of text.
percentiles() {
	sort -n | awk -v name="$1" -v unit="$2" '{ v[NR] = $1 }
		function at(p,   i) { i = int(p * NR + 0.999999); return v[i < 1 ? 1 : i] }
		END {
			if (!NR) { printf "%-28s none\n", name; exit }
			printf "%-28s n %3d  min %s  median %s  p90 %s  p99 %s  max %s %s\n", name, NR, v[1], at(.5), at(.9), at(.99), v[NR], unit
		}'
}
