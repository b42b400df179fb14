#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The networks between the two nodes and to their clients cut in every way: what is
# expected of each row is in its line below, and nasd.8 says why. All the time a
# guest and a client write. Nothing may be lost, wrong or stolen, never two nodes
# serve, and the disks are the same in the end.
#
# usage: partitions.sh [ROW...]   (default: all; a ROW is its number below)
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"
# shellcheck source=tests/lab/t/moves.sh
. "$t_dir/moves.sh"
# shellcheck source=tests/lab/t/disks.sh
. "$t_dir/disks.sh"
# shellcheck source=tests/lab/t/failures.sh
. "$t_dir/failures.sh"

# Seconds of a cut in which nobody is fenced. Where the clients wait, it is short: TCP
# tries again after 0.2, 0.4, 0.8 s and so on, and a client that is cut off for longer
# than the lease loses its locks.
HOLD=5 HOLD_WAITS=3

# NUMBER|WHAT|WHO IS CUT: NODE NET [in|out], ...|ACTIVE AFTERWARDS|ACTIVE WAS|STANDBY WAS|GUEST
# guest: writes again before the cut ends (on), or only after it (waits)
rows() {
	cat <<-'END'
	1|replication|standby repl|same|left alone|left alone|on
	2|replication, to the standby only|standby repl in|same|left alone|left alone|on
	3|replication, from the standby only|standby repl out|same|left alone|left alone|on
	4|clients of the standby|standby client|same|left alone|left alone|on
	5|clients of the active|active client|same|left alone|left alone|waits
	6|clients of the active, to it only|active client in|same|left alone|left alone|waits
	7|clients of the active, from it only|active client out|same|left alone|left alone|waits
	8|the active from all|active client, active repl|other|fenced|left alone|on
	9|the standby from all|standby client, standby repl|same|left alone|fenced|on
	10|the active from all, to it only|active client in, active repl in|same|left alone|left alone|waits
	11|the active from all, from it only|active client out, active repl out|other|fenced|left alone|on
	12|replication, six times for a second|standby repl flap|same|left alone|left alone|on
	END
}

node_called() { if [ "$1" = active ]; then echo "$victim"; else echo "$heir"; fi; }

# One or more cuts at once, held (until a node was fenced) or repeated, and healed.
cut_and_heal() { # CUTS HOLD [WHO-IS-FENCED]
	local cuts=$1 how=${1##* } node net way
	each() { # cut|heal
		while read -r node net way; do
			[ "$way" != flap ] || way=''
			[ "$1" = cut ] || way=''
			# shellcheck disable=SC2086 # way may be absent
			lab "$1" "$(node_called "$node")" "$net" $way
		done < <(tr ',' '\n' <<<"$cuts")
	}
	case $how in
	flap) for _ in 1 2 3 4 5 6; do each cut; sleep 1; each heal; sleep 1; done ;;
	*)
		each cut
		[ -z "$3" ] || wait_until 20 fenced_by "$3" "$round_from"
		sleep $(($2 - 1))
		have=$(acked guest)
		sleep 1
		now=$(acked guest)
		each heal
		;;
	esac
}

one() { # NUMBER WHAT CUTS ACTIVE ACTIVE-WAS STANDBY-WAS GUEST
	local seen have=0 now=1 guest=waits after=same fenced='' hold=$HOLD gap w
	round_begin || return
	case $5/$6 in fenced/*) fenced=$victim ;; */fenced) fenced=$heir ;; esac
	[ "$7" != waits ] || hold=$HOLD_WAITS
	cut_and_heal "$3" "$hold" "$fenced"
	[ "$now" = "$have" ] || guest=on # in the cut's last second
	for w in guest client; do
		writes_on $w "$HANG" || fail "$1 $2: the $w writes on" "acknowledged $(acked $w)"
	done
	gap=$(gap_between guest "$round_from" "$(wall_us)")
	await "$HANG" "$1 $2: the pair is whole" whole || { show_pair; return; }
	[ "$(active)" = "$victim" ] || after=other
	seen="$after|$(what_became "$victim")|$(what_became "$heir")|$guest"
	if [ "$seen" = "$4|$5|$6|$7" ]; then
		pass "$(printf '%2d %-40s %s, gap %5s ms' "$1" "$2" "$seen" "$gap")"
	else
		fail "$1 $2: $4|$5|$6|$7" "$seen, gap $gap ms"
	fi
}

requires qemu-system-x86_64
lab_begin
with_trigger heartbeat
: >"$t_tmp/moves"
writers_begin
while IFS='|' read -r -u 5 number what cuts after was standby guest; do
	[ $# = 0 ] || [[ " $* " == *" $number "* ]] || continue
	one "$number" "$what" "$cuts" "$after" "$was" "$standby" "$guest"
done 5< <(rows)
writers_end
writers_say
disks_judge
t_end
