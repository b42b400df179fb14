#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nasctl evacuate: the guests of a hypervisor leave it and come back, two at a time,
# while they write. What cannot move is named and keeps all from beginning; a record
# says who comes back; one that is cancelled stays whole.
#
# usage: evacuate.sh [--quick]   (away and back, without the refusals and the interruption)
# shellcheck source=tests/lab/t/functions.sh
. "$(dirname "$(readlink -f "$0")")/functions.sh"

quick=''
case ${1:-} in
--quick) quick=1 ;;
'') ;;
*) die "usage: evacuate.sh [--quick]" ;;
esac
guests="e1 e2"

runs_on() { # HYPERVISOR: our guests there, by libvirt's word
	on "$1" virsh -q list --name --state-running | grep -xE "${guests// /|}" | sort | tr '\n' ' '
}

record() { on nas1 sh -c 'cat /var/lib/nasd/evacuated/vnode2.json 2>/dev/null' | jq -r '[.guests[].name] | sort | join(" ")'; }

evacuate() { # ARGUMENT...: its JSON in $t_tmp/out, its exit status
	ctl nas1 evacuate vnode2 --json "$@" >"$t_tmp/out" 2>"$t_tmp/err"
}

all_write_on() {
	local g
	for g in $guests; do
		writes_on "$g" 40 || return 1
	done
}

show_moves() { jq -r '.guests[] | "\(.name): \(.from) to \(.to), \(.result), total \(.total_us / 1000 | floor) ms, stopped \(.downtime_ms) ms (QEMU)"' "$t_tmp/out"; }

away_and_back() {
	evacuate
	is "evacuate vnode2: done" $? 0
	show_moves | while read -r l; do note "$l"; done
	is "all of them run on vnode3" "$(runs_on vnode3)" "e1 e2 "
	is "none on vnode2" "$(runs_on vnode2)" ""
	is "the record has them" "$(record)" "$guests"
	check "they write on" all_write_on
	evacuate
	is "there is nobody left to move: done" $? 0
	is "and the record still has them" "$(record)" "$guests"
	evacuate --back
	is "--back: done" $? 0
	show_moves | while read -r l; do note "$l"; done
	is "all of them run on vnode2" "$(runs_on vnode2)" "e1 e2 "
	is "the record is gone" "$(record)" ""
	check "they write on" all_write_on
}

refusals() {
	ctl nas1 evacuate vnode9 >/dev/null 2>&1
	is "an unknown hypervisor is a usage error" $? 2
	ctl nas1 evacuate vnode2 --to vnode2 >/dev/null 2>&1
	is "to itself, too" $? 2
	on vnode2 virsh -q suspend e2
	evacuate
	is "a guest that is paused: refused" $? 3
	check "it is named, with the remedy; the other one could go" jq -e '.result == "refused" and .ready == false and
		([.guests[] | select(.name == "e2")][0] | .ready == false and (.findings[0].remedy | contains("virsh resume"))) and
		([.guests[] | select(.name == "e1")][0] | .ready and .result == "not-begun")' "$t_tmp/out"
	is "nothing was begun" "$(runs_on vnode3)" ""
	is "and there is no record" "$(record)" ""
	evacuate --skip
	is "--skip: it stays, and so the exit status is 1" $? 1
	is "the other one has gone" "$(runs_on vnode3)" "e1 "
	is "and is in the record alone" "$(record)" e1
	on vnode2 virsh -q resume e2
	evacuate --back --dry-run
	is "--back --dry-run" $? 0
	check "it says who would come" jq -e '.result == "ready" and [.guests[] | [.name, .from, .to]] == [["e1", "vnode3", "vnode2"]]' "$t_tmp/out"
	evacuate --back
	is "--back: it comes" $? 0
	is "both run on vnode2" "$(runs_on vnode2)" "e1 e2 "
	on nas1 sh -c 'echo nonsense >/var/lib/nasd/evacuated/vnode2.json'
	evacuate --back
	is "a record that cannot be read is an error" $? 1
	check "with the file's name and the remedy" jq -e '.error | (.where | contains("vnode2.json")) and (.remedy | contains("nasctl migrate"))' "$t_tmp/out"
	on nas1 rm /var/lib/nasd/evacuated/vnode2.json
}

no_job() {
	local g
	for g in $guests; do
		on vnode2 virsh -q domjobinfo "$g" | grep -q None || return 1
	done
}

some_job() { ! no_job; }

interrupted() {
	# shellcheck disable=SC2016
	on nas1 sh -c 'nasctl evacuate vnode2 >/run/evacuate.out 2>&1 & echo $! >/run/evacuate.pid
		wait $!; echo $? >/run/evacuate.rc' &
	await 60 "interrupted: a move runs" some_job
	# shellcheck disable=SC2016
	on nas1 sh -c 'kill -TERM "$(cat /run/evacuate.pid)"'
	wait $!
	is "interrupted: exit status 1" "$(on nas1 cat /run/evacuate.rc)" 1
	await 30 "interrupted: no job runs" no_job
	is "interrupted: all are where they were" "$(runs_on vnode2)" "e1 e2 "
	is "interrupted: nobody is in the record" "$(record)" ""
	check "interrupted: they write on" all_write_on
}

requires virsh libvirtd qemu-system-x86_64
lab_begin
lab libvirt up >"$t_tmp/libvirt" 2>&1 || die "libvirt: $(tail -n 3 "$t_tmp/libvirt")"
at_end 'lab libvirt down'
on nas1 rm -rf /var/lib/nasd/evacuated
for g in $guests; do
	lab guest start "$g" --on vnode2 --libvirt --pace 50 >"$t_tmp/guest" 2>&1 || die "$g did not start: $(tail -n 3 "$t_tmp/guest")"
	at_end "lab guest stop $g --kill; on vnode2 virsh destroy $g; on vnode3 virsh destroy $g; on vnode3 rm -f /mnt/vm/$g.raw"
done

away_and_back
if [ -z "$quick" ]; then
	refusals
	interrupted
fi
for g in $guests; do
	is "$g has seen no error" "$(complaints "$g")" ""
	check "$g verifies all it wrote" lab guest stop "$g"
done
t_end
