# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What fails in the middle of a move of guest and storage, row by row, and what must
# be then. nasd-hyper(8) has the same table. For guestmove.sh.
# shellcheck disable=SC2154

# WHEN  WHAT  GUEST  STORAGE
# WHEN: reserve (before anything), held (the storage is held, the target prepares),
#       memory (the guest's memory is copied), stopped (the guest stands, the storage freezes),
#       postcopy (the guest goes on at the target, most of its memory is on the source).
# WHAT: the part that dies, or "cut" and the node whose power is cut; row-STEP-HOW-WHEN:
#       that step of the storage's move fails or takes its node along (nasctl inject);
#       net: the hypervisors do not hear each other, until nasctl ends; then it is taken up.
# GUEST: runs on the source, the target, either, or nowhere; lost: half of it is there, is
#       ended as nasctl says, and its disk is whole. STORAGE: the same.
row_table() {
	cat <<-'END'
	reserve  inject-target-reserve-fail-before       source  source
	held     nasctl-TERM                             source  source
	held     nasctl-KILL                             either  source
	held     libvirtd-target                         source  source
	held     libvirtd-source                         source  source
	held     nasd-source                             source  source
	held     nasd-target                             source  source
	held     ganesha-source                          source  source
	held     ganesha-target                          either  either
	memory   nasctl-TERM                             source  source
	memory   nasctl-KILL                             either  source
	memory   qemu-target                             source  source
	memory   qemu-source                             none    source
	memory   libvirtd-target                         source  source
	memory   libvirtd-source                         either  source
	memory   cut-vnode-source                        none    source
	memory   cut-vnode-target                        source  source
	memory   cut-nas-source                          either  target
	memory   cut-nas-target                          source  source
	stopped  nasctl-TERM                             target  target
	stopped  nasctl-KILL                             target  target
	stopped  qemu-target                             source  target
	stopped  libvirtd-target                         either  target
	stopped  libvirtd-source                         either  target
	stopped  cut-vnode-target                        source  target
	stopped  cut-vnode-source                        either/none  target
	postcopy nasctl-TERM                             target  target
	postcopy nasctl-KILL                             target  target
	postcopy libvirtd-target                         target  target
	postcopy libvirtd-source                         target  target
	postcopy net                                     target  target
	postcopy qemu-target                             lost    target
	postcopy qemu-source                             lost    target
	postcopy cut-vnode-target                        lost    target
	postcopy cut-vnode-source                        lost    target
	postcopy cut-nas-source                          target  target
	postcopy cut-nas-target                          target  source
	freeze   inject-source-gate-fail-before          target  source
	freeze   inject-source-unmount-kill-after        target  either
	freeze   inject-target-export-fail-before        target  target
	freeze   inject-target-mount-kill-before         target  target
	freeze   inject-source-gate-reset-before         either  target
	freeze   inject-source-unmount-reset-after       either  target
	freeze   inject-target-drbd-primary-reset-before target  source
	freeze   inject-target-address-add-reset-before  target  source
	END
}

# ---- the moment

is_held() { ctl "$src" status --json | jq -e '.groups[0].transaction.step == "hold"' >/dev/null; }
is_post_copy() { on "$1" virsh -q domstate --reason g 2>/dev/null | grep -q '(post-copy'; } # NODE
copies_memory() { on "$from" virsh -q domjobinfo g | awk '/^Memory processed/ { n = $3 } END { exit !(n > 0) }'; }

# Returns when it has come; 1: it did not.
moment() { # WHEN
	case $1 in
	reserve | freeze) ;;
	held) wait_until 30 is_held ;;
	memory) wait_until 60 copies_memory ;;
	postcopy) wait_until 120 is_post_copy "$to" ;;
	# of a guest that moves the first event of its life is that it is stopped
	stopped) on "$from" timeout 120 virsh -q event --domain g --event lifecycle >/dev/null ;;
	esac
}

# ---- what fails

# shellcheck disable=SC2016
kill_qemu() { # NODE
	on "$1" sh -c 'kill -9 $(cat /run/libvirt/qemu/g.pid)'
}
# shellcheck disable=SC2016
kill_ganesha() { on "$1" sh -c 'kill -9 $(pidof ganesha.nfsd)'; }
# shellcheck disable=SC2016
kill_nasctl() { # SIGNAL
	on "$src" sh -c 'kill -"$1" $(cat /run/migrate.pid)' sh "$1"
}

parted() { # -A: the hypervisors do not hear each other; -D: as before
	local address
	address=$(on "$to" getent ahostsv4 "$from" | awk '{ print $1; exit }')
	on "$to" iptables-legacy "$1" INPUT -s "$address" -j DROP
	on "$to" iptables-legacy "$1" OUTPUT -d "$address" -j DROP
}

strike() { # WHAT
	case $1 in
	inject-*) ;;
	net) parted -A ;;
	nasctl-*) kill_nasctl "${1#*-}" ;;
	libvirtd-source) lab service "$from" libvirtd kill ;;
	libvirtd-target) lab service "$to" libvirtd kill ;;
	qemu-source) kill_qemu "$from" ;;
	qemu-target) kill_qemu "$to" ;;
	nasd-source) lab service "$src" nasd kill ;;
	nasd-target) lab service "$dst" nasd kill ;;
	ganesha-source) kill_ganesha "$src" ;;
	ganesha-target) kill_ganesha "$dst" ;;
	cut-vnode-source) lab crash "$from" ;;
	cut-vnode-target) lab crash "$to" ;;
	cut-nas-source) lab crash "$src" ;;
	cut-nas-target) lab crash "$dst" ;;
	esac >/dev/null 2>&1
}

arm() { # inject-SIDE-STEP-HOW-WHEN
	local node=$src rest=${1#inject-*-} how when
	case $1 in inject-target-*) node=$dst ;; esac
	when=${rest##*-} rest=${rest%-*}
	how=${rest##*-} rest=${rest%-*}
	ctl "$node" inject "$rest" "$how" "$when" >/dev/null
}

# ---- what must be

node_runs() { on "$1" true >/dev/null 2>&1; }

one_serves() { snap; [ "$(st nas1 '.groups[0].state')" = active ] || [ "$(st nas2 '.groups[0].state')" = active ]; }

# What is off is switched on, again where it was fenced meanwhile.
all_up() {
	local n booted=''
	for n in nas1 nas2 vnode2 vnode3; do
		node_runs "$n" || { lab boot "$n" && booted=1; } >/dev/null 2>&1
	done
	[ -z "$booted" ] || { lab up && lab libvirt up; } >/dev/null 2>&1
	is_settled
}

fits() { # RUNS-ON WANTED SOURCE TARGET
	case $2 in
	source) [ "$1" = "$3" ] ;;
	target) [ "$1" = "$4" ] ;;
	either) [ "$1" = "$3" ] || [ "$1" = "$4" ] ;;
	none | lost) [ -z "$1" ] ;;
	either/none) [ -z "$1" ] || [ "$1" = "$3" ] || [ "$1" = "$4" ] ;;
	esac
}

qemus() { # how many there are, on both
	local v c n=0
	for v in vnode2 vnode3; do
		c=$(on "$v" pgrep -xc qemu-system-x86)
		n=$((n + ${c:-0}))
	done
	echo "$n"
}

guest_is() { # WANTED
	ran=$(runs_on)
	fits "$ran" "$1" "$from" "$to" && [ "$(qemus)" = "$(wc -w <<<"$ran")" ] && job_ended
}

# What nasctl says of a guest that has lost the half of its memory, done.
end_half() {
	local half=$from
	is_post_copy "$half" || half=$to
	grep -q "on $half virsh destroy g" "$t_tmp/migrate.out" || wrong "nasctl does not say what to do: $(tail -n 3 "$t_tmp/migrate.out" | tr '\n' ' ')"
	[ "$(cat "$t_tmp/rc")" = 1 ] || wrong "nasctl did not say 1"
	on "$half" virsh -q destroy g >/dev/null || wrong "the half on $half does not end"
}

take_up() {
	parted -D
	grep -q -- "--to $to --postcopy-resume" "$t_tmp/migrate.out" || wrong "nasctl does not say what to do: $(tail -n 3 "$t_tmp/migrate.out" | tr '\n' ' ')"
	wait_until 60 resumes || wrong "it is not taken up: $(tail -n 2 "$t_tmp/resume.out" | tr '\n' ' ')"
	echo 0 >"$t_tmp/rc"
}
resumes() { ctl "$dst" migrate g --to "$to" --postcopy-resume >"$t_tmp/resume.out" 2>&1; }

judge_row() { # GUEST STORAGE
	local rc='' ran=''
	rc=$(cat "$t_tmp/rc" 2>/dev/null)
	wait_until 40 one_serves
	wait_until 120 all_up || wrong "the pair is not settled: $(show_pair | tr '\n' '|')"
	snap
	fits "$(active)" "$2" "$src" "$dst" || wrong "$(active) serves, not the $2"
	[ "$(active)" = "$src" ] || [ "$(active)" = "$dst" ] || wrong "nobody serves"
	[ "$1" != lost ] || end_half
	wait_until 90 guest_is "$1" || wrong "the guest runs on '$ran', not on the $1; $(qemus) QEMUs"
	case $rc in
	# what dies after its half is done
	0) [ "$when $what" = 'postcopy cut-nas-target' ] || fits "$ran$(active)" either "$to$dst" "$to$dst" || wrong "nasctl said 0" ;;
	4) fits "$ran$(active)" either "$from$src" "$from$src" || wrong "nasctl said 4" ;;
	esac
	if [ -n "$ran" ]; then
		writes_on g 60 || wrong "the guest does not write on"
		complaints g >"$t_tmp/complaints" || wrong "the guest complains: $(head -n 1 "$t_tmp/complaints")"
	else
		lab guest verify g --on vnode2 >"$t_tmp/verify" 2>&1 || wrong "the disk: $(tail -n 1 "$t_tmp/verify")"
	fi
	line="$line -> guest ${ran:-nowhere}, storage $(active), nasctl ${rc:-gone}"
}

# ---- a row

begin_move() {
	rm -f "$t_tmp/rc"
	# shellcheck disable=SC2016
	{
		on "$src" sh -c 'echo $$ >/run/migrate.pid; exec nasctl migrate g --to "$1" --with-nas "$2" $3' \
			sh "$to" "$dst" "$options" >"$t_tmp/migrate.out" 2>&1
		echo $? >"$t_tmp/rc"
	} &
	mover=$!
}

one_row() { # WHEN WHAT GUEST STORAGE
	local from to src dst mover watcher='' options='--bandwidth 16'
	[ "$1" != postcopy ] || options='--bandwidth 2 --postcopy-after 1'
	wait_until 60 is_ready || { wrong "the pair is not ready: $(show_pair | tr '\n' '|')"; return; }
	src=$(active) dst=$(other "$src")
	from=$(where) to=$(other_vnode "$from")
	line="$1 $2 ($from to $to, $src to $dst)"
	case $2 in inject-*) arm "$2" || { wrong "not armed"; return; } ;; esac
	if [ "$1" = stopped ]; then # it must listen before it happens
		{ moment stopped && strike "$2"; } &
		watcher=$!
		wait_until 10 on "$from" pgrep -x virsh
	fi
	begin_move
	if [ -n "$watcher" ]; then
		wait "$watcher" || wrong "the moment did not come: $(tail -n 2 "$t_tmp/migrate.out" | tr '\n' ' ')"
	else
		if ! moment "$1"; then
			wrong "the moment did not come: $(tail -n 2 "$t_tmp/migrate.out" | tr '\n' ' ')"
		elif ! strike "$2"; then
			wrong "$2 was not to be had"
		fi
	fi
	case $2 in
	nasctl-KILL) wait "$mover" ;;
	# or has died with its node: nobody switches that on before it has happened
	*) wait_until 150 test -e "$t_tmp/rc" || wrong "nasctl does not end" ;;
	esac
	case "$1 $2" in
	'postcopy nasctl-TERM') grep -q 'it was interrupted, but g is in post-copy' "$t_tmp/migrate.out" || wrong "nasctl does not say that it is too late" ;;
	'postcopy net') take_up ;;
	esac
	judge_row "$3" "$4"
	kill "$mover" 2>/dev/null
	wait "$mover" 2>/dev/null
}

again() { # a guest that died, or that nobody can trust any more
	lab guest stop g --kill >/dev/null 2>&1
	on vnode2 virsh destroy g >/dev/null 2>&1
	on vnode3 virsh destroy g >/dev/null 2>&1
	guest_up
}

rows() { # [REGEX...] of "WHEN WHAT"
	local when what guest storage p
	while read -r when what guest storage <&5; do
		if [ $# -gt 0 ]; then
			p=$(printf '%s\n' "$@")
			grep -qE "$p" <<<"$when $what" || continue
		fi
		problems='' line="$when $what"
		one_row "$when" "$what" "$guest" "$storage"
		if [ -z "$problems" ]; then pass "$line"; else fail "$line" "${problems#; }"; fi
		if [ -z "$(runs_on)" ] || [ -n "$problems" ]; then again; fi
	done 5< <(row_table)
}
