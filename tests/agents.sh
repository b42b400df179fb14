#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The check of a hypervisor's mounts; the OCF agent, Pacemaker's fence agent and what keepalived tells, with programs in the
# place of nasctl's and Pacemaker's own that say what a case has them say, and write down what they are asked.
# usage: agents.sh
set -u
here=$(dirname "$(readlink -f "$0")")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/bin" "$tmp/rsc"
# shellcheck source=tests/tally.sh
. "$here/tally.sh"

# ---- nasd-hypervisor-check

mounts() { # WHAT OPTIONS WANTED [RETRIES]: the checks that fail of one mount from the floating address, and the exit status
	echo "10.0.0.1:/vms /mnt/vm $2 0 0" >"$tmp/mounts"
	echo "${4:-8}" >"$tmp/retries"
	echo "${5:-1}" >"$tmp/faults"
	NASD_MOUNTS=$tmp/mounts NASD_TCP_RETRIES=$tmp/retries NASD_USERFAULTFD=$tmp/faults sh "$here/../configs/hypervisor/nasd-hypervisor-check" 10.0.0.1 fd00::1 >"$tmp/out"
	rc=$?
	is "hypervisor check: $1" "$(sed -n 's/^FAIL  *\([a-z]*\) .*/\1/p' "$tmp/out" | paste -sd' ') $rc" "$3"
	is "hypervisor check: $1: a remedy for each" "$(grep -c remedy: "$tmp/out")" "$(grep -c ^FAIL "$tmp/out")"
}
good=hard,proto=tcp,timeo=600,retrans=2,sec=sys,local_lock=none,addr=10.0.0.1
mounts "as it should be" "nfs4 rw,vers=4.2,$good" " 0"
mounts "4.1 over IPv6" "nfs4 rw,vers=4.1,hard,proto=tcp6,timeo=600,addr=fd00::1" " 0"
mounts "NFS 4.0" "nfs4 rw,vers=4.0,$good" "version 1"
mounts "NFS 3, soft, UDP, own locks" "nfs rw,vers=3,soft,proto=udp,timeo=11,nolock,local_lock=all,addr=10.0.0.1" "version hard proto timeo locks 1"
mounts "soft" "nfs4 rw,vers=4.2,soft,proto=tcp,timeo=600,local_lock=none,addr=10.0.0.1" "hard 1"
mounts "short timeo" "nfs4 rw,vers=4.2,hard,proto=tcp,timeo=50,addr=10.0.0.1" "timeo 1"
mounts "TCP that tries for 15 minutes" "nfs4 rw,vers=4.2,$good" "tcp 1" 15
mounts "post-copy needs root" "nfs4 rw,vers=4.2,$good" " 0" 8 0
is "hypervisor check: post-copy needs root: it is said" "$(grep -c '^note  post-copy .*unprivileged_userfaultfd=1' "$tmp/out")" 1
mounts "post-copy does not" "nfs4 rw,vers=4.2,$good" " 0" 8 1
is "hypervisor check: post-copy does not: nothing is said" "$(grep -c '^note' "$tmp/out")" 0
mounts "another server's is none of ours" "nfs4 rw,vers=4.2,soft,addr=10.0.0.2" "mount 1"

# The agents' PATH is their own: the copies that are tested look here first.
for agent in ocf/nasd fence/fence_nasd_pacemaker; do
	sed "s,^PATH=,PATH=$tmp/bin:," "$here/../configs/$agent" >"$tmp/${agent#*/}"
done

stub() { # NAME: what it does comes on standard input; what it is asked goes to asked
	{ printf '#!/bin/sh\necho "%s $*" >>%s\n' "$1" "$tmp/asked"; cat; } >"$tmp/bin/$1"
	chmod +x "$tmp/bin/$1"
}

role() { echo "$*" >"$tmp/role"; } # STATE SCORE: what nas1's nasd says when it is asked

# What nasctl does besides saying the role: exit status $tmp/exit.
stub nasctl <<-END
	case "\$*" in
	*role) [ -e $tmp/role ] && exec cat $tmp/role; exit 5 ;;
	*) echo "nasctl says no"; exit \$(cat $tmp/exit) ;;
	esac
END
stub crm_attribute </dev/null
stub attrd_updater </dev/null

agent() { # ACTION: status in $rc, what was asked besides for the role in $asked
	: >"$tmp/asked"
	HA_RSCTMP=$tmp/rsc OCF_RESKEY_CRM_meta_on_node=nas1 OCF_RESOURCE_INSTANCE=vmstore:0 OCF_RESKEY_group=vmstore OCF_RESKEY_patience=1 \
		OCF_RESKEY_CRM_meta_interval="${every:-0}" OCF_RESKEY_CRM_meta_notify_promote_uname="${next:-}" sh "$tmp/nasd" "$1" 2>"$tmp/said" >"$tmp/out"
	rc=$?
	asked=$(grep -v 'role$' "$tmp/asked" | sed 's/ --socket [^ ]*//; s/ --group [^ ]*//' | paste -sd';')
}

echo 0 >"$tmp/exit"
agent meta-data
is "meta-data" $rc 0
cp /usr/share/resource-agents/ra-api-1.dtd "$tmp" 2>/dev/null && command -v xmllint >/dev/null &&
	is "meta-data is valid" "$(xmllint --noout --valid --path "$tmp" "$tmp/out" 2>&1)" ""
agent unheard-of
is "an action that is none" $rc 3
OCF_RESKEY_patience=x sh "$tmp/nasd" validate-all 2>/dev/null
is "validate-all of nonsense" $? 6
agent monitor
is "monitor, no nasd, not started" $rc 7
agent stop
is "stop, no nasd, not started" $rc 0
agent start
is "start without a nasd" $rc 1

role standby 500
agent monitor
is "monitor, standing by, not started" "$rc $asked" "7 "
role active 1000
agent monitor
is "a probe that finds it active" "$rc $asked" "8 crm_attribute --promotion --lifetime reboot --update 1000;attrd_updater --refresh"
rm "$tmp/rsc"/*
role standby 500
agent start
is "start" "$rc $asked" "0 crm_attribute --promotion --lifetime reboot --update 500"
every=10000
agent monitor
is "monitor, standing by; a score is told once" "$rc $asked" "0 "
every=''
agent monitor
is "a probe: Pacemaker may be a new one, or a part of it, and is told again" "$rc $asked" "0 crm_attribute --promotion --lifetime reboot --update 500;attrd_updater --refresh"
role standby -
agent monitor
is "no score with an old copy" "$rc $asked" "0 crm_attribute --promotion --lifetime reboot --delete;attrd_updater --refresh"
role active 1000
every=10000
agent monitor
every=''
is "monitor, active" "$rc $asked" "8 crm_attribute --promotion --lifetime reboot --update 1000"
role failing 900
agent monitor
is "monitor, cannot get it up" "${rc}" 9
rm "$tmp/role"
agent monitor
is "monitor, started, no nasd" $rc 1
agent stop
is "stop, started, no nasd: nothing is claimed" $rc 1

role standby 500
agent promote
is "promote asks as Pacemaker" "$rc ${asked%%;*}" "0 nasctl takeover nas1 --by pacemaker"
echo 3 >"$tmp/exit"
agent promote
is "promote refused" $rc 1
is "... and why" "$(cat "$tmp/said")" "nasd (vmstore): nasctl says no"
echo 0 >"$tmp/exit"
rm "$tmp/role"
echo 5 >"$tmp/exit"
agent promote
is "promote without a nasd" "$rc $asked" "1 nasctl takeover nas1 --by pacemaker"
echo 0 >"$tmp/exit"
role active 1000
next=nas2 agent demote
is "demote with a target moves" "$rc $asked" "0 nasctl switchover nas2"
next='nas1 ' agent demote
is "demote with no other target releases" "$rc $asked" "0 nasctl release nas1"
agent demote
is "demote without a target" "$rc $asked" "0 nasctl release nas1"
echo 4 >"$tmp/exit"
next=nas2 agent demote
is "demote that is rolled back" "$rc $asked" "1 nasctl switchover nas2;nasctl release nas1"
role standby 500
agent demote
is "demote, standing by" "$rc $asked" "0 "
next=nas2 agent demote
is "demote, standing by, nothing to move" "$rc $asked" "0 nasctl switchover nas2"
role active 1000
agent stop
is "stop that is refused" "$rc $asked" "1 nasctl release nas1"
echo 0 >"$tmp/exit"
agent stop
is "stop" "$rc $asked" "0 nasctl release nas1;crm_attribute --promotion --lifetime reboot --delete"
agent notify
is "notify" "$rc $asked" "0 "

# ---- the fence agent

# Says what Pacemaker's fencing has done, and which devices there are, as 2.1.5 does, and
# fences with exit status $tmp/exit.
stub stonith_admin <<-END
	case "\$*" in
	"--history nas1 --verbose --output-as=xml")
		echo '<pacemaker-result api-version="2.25" request="stonith_admin --history nas1 --verbose --output-as=xml">'
		echo "  <list name=\"fencing history\" count=\"\$(grep -c . $tmp/history)\">"
		cat $tmp/history
		printf '%s\n' '  </list>' '  <status code="0" message="OK"/>' '</pacemaker-result>' ;;
	--list*) cat $tmp/devices; echo "\$(grep -c . $tmp/devices) fence devices found" ;;
	*) exit \$(cat $tmp/exit) ;;
	esac
END
: >"$tmp/devices"
stub crm_attribute <<<'echo off'

fence() { # LINE...: status in $rc, whether Pacemaker was told to fence in $asked
	: >"$tmp/asked"
	printf '%s\n' "$@" | sh "$tmp/fence_nasd_pacemaker" >"$tmp/out" 2>"$tmp/said"
	rc=$?
	asked=$(grep -E 'stonith_admin --(fence|reboot)' "$tmp/asked")
}

event() { # ACTION STATUS SECONDS-AGO
	printf '    <fence_event action="%s" target="nas1" client="pacemaker-controld.905" origin="nas2" status="%s" delegate="nas2" completed="%s"/>\n' \
		"$1" "$2" "$(date -u -d "@$((now - $3))" '+%F %TZ')"
}
told="stonith_admin --fence nas1 --timeout 60"
now=$(date +%s)
event off success 10 >"$tmp/history"
fence action=off nodename=nas1 since=$((now - 20)).5
is "fenced since: not again" "$rc $asked" "0 "
fence action=off nodename=nas1 since=$((now - 10)).0
is "fenced in the very second: again" "$rc $asked" "0 $told"
fence action=off nodename=nas1 since=$((now - 5)).0
is "fenced before the last sign of life: again" "$rc $asked" "0 $told"
fence action=off nodename=nas1
is "fenced, and no last sign of life is known: again" "$rc $asked" "0 $told"
{ event on success 5; event off failed 6; event off success 30; } >"$tmp/history"
fence action=off nodename=nas1 since=$((now - 20)).0
is "switched on since, and switching it off has failed: again" "$rc $asked" "0 $told"
{ event off failed 5; event reboot success 10; event off success 3000; } >"$tmp/history"
fence action=off nodename=nas1 since=$((now - 20)).0
is "fenced since, and earlier: not again" "$rc $asked" "0 "
event off success -1000 >"$tmp/history"
fence action=off nodename=nas1 since=$((now - 20)).0
is "fenced in the future: again" "$rc $asked" "0 $told"
: >"$tmp/history"
fence action=off nodename=nas1 since=$((now - 20)).0
is "never fenced" "$rc $asked" "0 $told"
echo 1 >"$tmp/exit"
fence action=off nodename=nas1 since=$((now - 20)).0
is "Pacemaker cannot fence" "$rc $asked" "1 $told"
fence action=status nodename=nas1
is "status without a device" $rc 1
echo fence-nas1 >"$tmp/devices"
fence action=status nodename=nas1
is "status in peace" "$rc $(cat "$tmp/out")" "0 Status: ON"
event off success 10 >"$tmp/history"
fence action=status nodename=nas1 since=$((now - 20)).0
is "status after it was fenced" "$rc $(cat "$tmp/out")" "2 Status: OFF"
fence action=off "nodename=nas1; reboot"
is "a name that is none" $rc 1
fence action=off nodename=nas1 since=yesterday
is "a time that is none" $rc 1
fence action=metadata
is "metadata names the action off" "$rc $(grep -c 'action name="off"' "$tmp/out")" "0 1"

# ---- fence_nasd_client: nas/NODE has the exit status of nasctl there, and what it says

sed "s,^PATH=,PATH=$tmp/bin:," "$here/../configs/fence/fence_nasd_client" >"$tmp/fence_nasd_client"
mkdir "$tmp/nas"
stub ssh <<-END
	while [ "\${1#-}" != "\$1" ]; do shift 2; done
	[ -e $tmp/nas/\$1 ] || { echo "ssh: connect to host \$1: No route to host"; exit 255; }
	sed 1d $tmp/nas/\$1
	exit \$(head -n 1 $tmp/nas/\$1)
END

free() { # LINE...: status in $rc, the nodes asked to release in $asked
	: >"$tmp/asked"
	printf '%s\n' "$@" | sh "$tmp/fence_nasd_client" >"$tmp/out" 2>"$tmp/said"
	rc=$?
	asked=$(sed -n 's/.* -l root \(.*\) nasctl client release 10.0.0.22 --peer-confirmed-dead 10.0.0.22$/\1/p' "$tmp/asked" | paste -sd' ')
}

off=(action=off nodename=vnode2 port=10.0.0.22 "nas=nas1,nas2")
echo 0 >"$tmp/nas/nas1"
free "${off[@]}"
is "release: the first serves" "$rc $asked" "0 nas1"
printf '3\nerror: it is not served here\n' >"$tmp/nas/nas1"
echo 0 >"$tmp/nas/nas2"
free "${off[@]}"
is "release: the second serves" "$rc $asked" "0 nas1 nas2"
printf '3\nerror: the server knows no client at 10.0.0.22\n' >"$tmp/nas/nas2"
free "${off[@]}"
is "release: nobody is known there, nothing is to be freed" "$rc $asked" "0 nas1 nas2"
printf '3\nerror: 10.0.0.22 was heard 1 s ago\n' >"$tmp/nas/nas2"
free "${off[@]}"
is "release: it is refused" "$rc $asked" "1 nas1 nas2"
is "... and why, of each" "$(grep -c 'nas1: error: it is not served here.*nas2: error: 10.0.0.22 was heard' "$tmp/said")" 1
rm "$tmp/nas/nas2"
free "${off[@]}"
is "release: one refuses, and one cannot be reached" "$rc $asked" "1 nas1 nas2"
rm "$tmp/nas/nas1"
free action=monitor nas=nas1,nas2
is "monitor: none answers" $rc 1
echo 0 >"$tmp/nas/nas2"
free action=monitor nas=nas1,nas2
is "monitor: one answers" $rc 0
free action=off port=vnode2 nas=nas1
is "a name is no address" "$rc $asked" "1 "
free action=off port=10.0.0.22
is "without a NAS" $rc 1
free action=off port=10.0.0.22 'nas=nas1;reboot'
is "a NAS that is none" $rc 1
free action=on port=10.0.0.22 nas=nas1
is "on does nothing" "$rc $asked" "0 "
free action=metadata
is "its metadata names the action off" "$rc $(grep -c 'action name="off"' "$tmp/out")" "0 1"

# ---- nasd-keepalived-notify

mkdir "$tmp/run"
sed "s,/run/nasd,$tmp/run,; s/^node=.*/&; again=0.1/" "$here/../configs/keepalived/nasd-keepalived-notify" >"$tmp/notify"
stub nasctl <<-END
	case "\$1" in ready) [ -e $tmp/serves ]; exit ;; esac
	exit \$(cat $tmp/exit)
END
stub logger </dev/null
mkfifo "$tmp/fifo"

# What keepalived writes into its FIFO when it is started, all at once; when the last has
# been read (group `last' tells) and nasctl was asked so often, it goes on a moment, and
# ends. $asked: of what nasctl was asked, each once; $state as it stood before the end.
keepalived() { # TIMES LINE...
	: >"$tmp/asked"
	(flock 8; PATH=$tmp/bin:$PATH exec sh "$tmp/notify" nas1 nas2 images vmstore last "$tmp/fifo") 2>"$tmp/said" 8>"$tmp/runs" &
	{
		printf '%s\n' "${@:2}" 'INSTANCE "last" BACKUP 1'
		for _ in $(seq 200); do
			[ -e "$tmp/run/keepalived.last" ] && [ "$(grep -c -- --by "$tmp/asked")" -ge "$1" ] && break
			sleep 0.1
		done
		sleep 0.5
		state=$(cut -d' ' -f1 "$tmp/run/keepalived.vmstore" 2>&1)
		known=$(cd "$tmp/run" && echo *)
	} >"$tmp/fifo"
	wait $!
	flock "$tmp/runs" true # until all that it began has ended
	asked=$(grep '^nasctl .*--by' "$tmp/asked" | uniq | sed 's/nasctl //; s/ --by keepalived//' | paste -sd';')
}

echo 0 >"$tmp/exit"
keepalived 1 'INSTANCE "vmstore" BACKUP 110' 'INSTANCE "vmstore" MASTER 110'
is "keepalived: master in the second after backup" "$state $asked" "MASTER takeover nas1 --group vmstore"
is "keepalived has ended: no state is left" "$(ls "$tmp/run")" ""
keepalived 0 'INSTANCE "vmstore" BACKUP 110'
is "keepalived: one that has just started gives nothing away" "$state $asked" "BACKUP "
touch "$tmp/serves"
keepalived 1 'INSTANCE "vmstore" BACKUP 110' 'INSTANCE "vmstore" FAULT 110'
is "keepalived: fault where it is served" "$state $asked" "FAULT switchover nas2 --group vmstore"
keepalived 0 'INSTANCE "vmstore" MASTER 110' 'INSTANCE "vmstore" STOP 110'
is "keepalived: stopped" "$state" "cut: $tmp/run/keepalived.vmstore: No such file or directory"
rm "$tmp/serves"
keepalived 0 'INSTANCE "vmstore" BACKUP 110' 'INSTANCE "vmstore" FAULT 110'
is "keepalived: fault where it is not served" "$state $asked" "FAULT "
keepalived 0 'GROUP "vmstore" MASTER 110' 'INSTANCE "routers" MASTER 110' 'INSTANCE "vmstore" UNHEARD 110' 'INSTANCE'
is "keepalived: others' instances, sync groups and unknown states are none of nasd's" "$known $asked" "keepalived.last "
keepalived 2 'INSTANCE "vmstore" MASTER 110' 'INSTANCE "images" MASTER 110'
is "keepalived: two groups" "$(printf '%s' "$asked" | tr ';' '\n' | sort | paste -sd';')" "takeover nas1 --group images;takeover nas1 --group vmstore"
echo 4 >"$tmp/exit"
keepalived 3 'INSTANCE "vmstore" MASTER 110'
is "keepalived: refused, and asked again" "$(grep -c takeover "$tmp/asked" | awk '{ print ($1 > 2) }')" 1
before=$(grep -c takeover "$tmp/asked")
sleep 0.5
is "keepalived has ended: no more is asked for" "$(grep -c takeover "$tmp/asked")" "$before"
sh "$tmp/notify" vmstore nas1 nas2 INSTANCE vmstore MASTER 110 2>"$tmp/said"
is "keepalived: a line of notify" "$? $(grep -c 'vrrp_notify_fifo_script.*is not a FIFO' "$tmp/said")" "2 1"

tally agents
