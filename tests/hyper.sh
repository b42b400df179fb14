#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nasctl evacuate with libvirt's test driver in the place of hypervisors: who goes where,
# what is refused, the record, an interruption. The moves themselves are real in
# lab/t/evacuate.sh only. usage: hyper.sh (after make)
set -u
cd "$(dirname "$(readlink -f "$0")")/.." || exit 2
[ -x build/lib/nasd/nasd-hyper ] || { echo "SKIP  nasd-hyper is not built here"; exit 77; }
[ "$(id -u)" = 0 ] || { echo "SKIP  needs root, for a /var/lib/nasd of its own"; exit 77; }
[ -n "${HYPER_DIR:-}" ] || HYPER_DIR=$(mktemp -d) exec unshare -m "$0"
mkdir -p /var/lib/nasd && mount -t tmpfs none /var/lib/nasd || exit 2
export HYPER_DIR
. tests/tally.sh
tests/tools/hyper/nasd.pl "$HYPER_DIR/control.sock" "$HYPER_DIR/status.sock" &
nasd=$!
trap 'kill $nasd; rm -rf "$HYPER_DIR"' EXIT
${CC:-gcc} -shared -fPIC -o "$HYPER_DIR/shim.so" tests/tools/hyper/shim.c || exit 2
until [ -S "$HYPER_DIR/status.sock" ]; do sleep 0.05; done

conf=tests/lab/etc/nasd.conf hanging=()

guest() { # HOST NAME MIB [ERROR-POLICY [MORE [CACHE]]]: its UUID is made of its name
	local u
	u=$(printf '%s' "$2" | md5sum | cut -c1-12)
	mkdir -p "$HYPER_DIR/at/vnode2" "$HYPER_DIR/at/vnode3"
	cat >"$HYPER_DIR/at/$1/$2.dom" <<-END
	<domain type='test'><name>$2</name><uuid>00000000-0000-4000-8000-$u</uuid><memory unit='MiB'>$3</memory>
	<vcpu>1</vcpu><os><type>hvm</type></os><devices><disk type='file' device='disk'>
	<driver name='qemu' type='raw' cache='${6:-none}' error_policy='${4:-report}'/><source file='${dir:-/mnt/vm}/$2.raw'/>
	<target dev='vda' bus='virtio'/>${5:-}</disk></devices></domain>
	END
}

nasctl() { # ARGUMENT...: exit status in $rc, JSON in out
	LD_PRELOAD=$HYPER_DIR/shim.so build/bin/nasctl "$1" --json --config "$conf" \
		--socket "$HYPER_DIR/control.sock" "${@:2}" >"$HYPER_DIR/out" 2>"$HYPER_DIR/err"
	rc=$?
}
evacuate() { nasctl evacuate "$@"; }

# The move is asked for over a connection that breaks; both halves.
broken() { # [OPTION...]
	rm -f "$HYPER_DIR/storage" "$HYPER_DIR/broke"
	touch "$HYPER_DIR/job"
	HYPER_BREAK=1 nasctl migrate a --to vnode3 --with-nas nas1 "$@"
}
became() { echo "$rc $(jq -r '"\(.result) \(.runs_on // "?")"' "$HYPER_DIR/out"), storage $(cat "$HYPER_DIR/storage")"; }

guests() { jq -r '[.guests[] | "\(.name):\(.to // "-"):\(.result)"] | sort | join(" ")' "$HYPER_DIR/out"; }
checks() { jq -r '[.guests[].findings[].check] | sort | join(" ")' "$HYPER_DIR/out"; }
at() { (cd "$HYPER_DIR/at/$1" && for f in *.dom; do [ ! -e "$f" ] || echo "${f%.dom}"; done) | paste -sd' '; }
record() { jq -r '[.guests[].name] | sort | join(" ")' /var/lib/nasd/evacuated/vnode2.json 2>/dev/null; }

# A nasd that hangs is waited for as long as its limit and 15 s more: this script once more,
# beside all the rest, with the name of the file that has nasd.pl hang.
if [ $# -gt 0 ]; then
	conf=$HYPER_DIR/nasd.conf
	sed '/limits {/,/}/ { /=/d; s/.*{/&\nswitchover = 3s\nprecopy = 3s\nfreeze = 3s\nstep = 3s/; }' tests/lab/etc/nasd.conf >"$conf"
	touch "$HYPER_DIR/$1"
	guest vnode2 a 100
	nasctl migrate a --to vnode3 --with-nas nas1
	echo "$rc $(jq -r '(.storage // .error).class' "$HYPER_DIR/out"), $(at vnode2), $(at vnode3), storage $(cat "$HYPER_DIR/storage")"
	exit
fi
for what in hang hang-go; do
	mkdir "$HYPER_DIR/of-$what"
	HYPER_DIR=$HYPER_DIR/of-$what unshare -m "$0" "$what" >"$HYPER_DIR/$what.seen" &
	hanging[${#hanging[@]}]=$!
done

guest vnode2 a 100
guest vnode2 b 200
guest vnode3 z 100
dir=/srv guest vnode2 other 100

evacuate vnode2 --dry-run
is "dry run" "$rc $(guests)" "0 a:vnode3:not-begun b:vnode3:not-begun"
is "dry run: nothing has moved, nothing is recorded" "$(at vnode2), $(record)" "a b other, "
is "who has no disk here is named" "$(jq -r '.others | join(" ")' "$HYPER_DIR/out")" other
evacuate vnode2
is "away" "$rc $(guests)" "0 a:vnode3:done b:vnode3:done"
is "away: where they are" "$(at vnode2), $(at vnode3)" "other, a b z"
is "away: the record" "$(record)" "a b"
evacuate vnode2
is "again: there is nobody" "$rc $(guests)" "0 "
mv "$HYPER_DIR/at/vnode3/a.dom" "$HYPER_DIR/at/vnode2/"
evacuate vnode2 --back
is "back, one having returned by himself" "$rc $(guests)" "0 b:vnode2:done"
is "back: where they are, and no record" "$(at vnode2), $(at vnode3), $(ls /var/lib/nasd/evacuated)" "a b other, z, vnode2.lock"

guest vnode2 a 400
evacuate vnode2
is "together they have no room: nothing is begun" "$rc $(guests) $(checks)" "3 a:vnode3:not-begun b:-:not-begun room"
is "and nothing has moved" "$(at vnode3)" z
evacuate vnode2 --skip
is "--skip: who can, goes; somebody stays" "$rc $(guests)" "1 a:vnode3:done b:-:not-begun"
is "--skip: the record has who has gone" "$(record)" a
evacuate vnode2 --back
guest vnode2 a 100 ignore '<shareable/>'
evacuate vnode2
is "an error policy and a lock that lose data" "$rc $(checks)" "3 disk-errors disk-lock"
is "each has a remedy" "$(jq '[.guests[].findings[] | select(.remedy == "")] | length' "$HYPER_DIR/out")" 0
guest vnode2 a 100 stop '' writeback
evacuate vnode2
is "a cache mode with which a move loses data" "$rc $(checks)" "3 disk-cache"
guest vnode2 a 100 stop '' directsync
evacuate vnode2 --dry-run
is "one with which it loses none, and an error policy that stops" "$rc $(checks)" "0 "
guest vnode2 a 100

(HYPER_SLOW=1 evacuate vnode2 --jobs 1; echo $rc >"$HYPER_DIR/rc") &
until grep -qs '"a"' /var/lib/nasd/evacuated/vnode2.json; do sleep 0.05; done
pkill -TERM -P $!
wait $!
is "interrupted: nobody else was begun" "$(cat "$HYPER_DIR/rc") $(jq '[.guests[] | select(.result == "not-begun")] | length' "$HYPER_DIR/out")" "1 1"
is "interrupted: who has gone is in the record, the other is not" "$(record)" "$(at vnode3 | tr ' ' '\n' | grep -x '[ab]' | paste -sd' ')"
evacuate vnode2 --back

evacuate vnode9
is "an unknown hypervisor" $rc 2
evacuate vnode2 --to vnode2
is "to itself" $rc 2
evacuate vnode2 --to vnode3 --back
is "--to with --back" $rc 2
evacuate vnode2 --jobs 17
is "too many at a time" $rc 2
exec 8>/var/lib/nasd/evacuated/vnode2.lock
flock 8
evacuate vnode2
is "two at once: refused" "$rc $(jq -r .error.class "$HYPER_DIR/out")" "3 refused"
exec 8>&-
echo nonsense >/var/lib/nasd/evacuated/vnode2.json
evacuate vnode2 --back
is "a record that is none" "$rc $(jq -r .error.where "$HYPER_DIR/out")" "1 /var/lib/nasd/evacuated/vnode2.json"

rm /var/lib/nasd/evacuated/vnode2.json
(until [ -e "$HYPER_DIR/broke" ]; do sleep 0.05; done; sleep 0.5; mv "$HYPER_DIR/at/vnode2/a.dom" "$HYPER_DIR/at/vnode3/"; rm "$HYPER_DIR/job") &
broken
is "the connection breaks, libvirt moves it all the same" "$(became)" "0 done vnode3, storage went"
mv "$HYPER_DIR/at/vnode3/a.dom" "$HYPER_DIR/at/vnode2/"
(until [ -e "$HYPER_DIR/broke" ]; do sleep 0.05; done; sleep 0.5; rm "$HYPER_DIR/job") &
broken
is "the connection breaks, libvirt's move fails later" "$(became)" "4 rolled-back vnode2, storage left"
broken --timeout 1
is "the connection breaks, the move lasts too long" "$(became) $(jq -r .cancelled "$HYPER_DIR/out")" \
	"4 rolled-back vnode2, storage left the guest did not get over in time"
touch "$HYPER_DIR/cut"
broken
is "the connection breaks, and nobody answers any more" "$(became)" "6 unknown ?, storage left"
rm "$HYPER_DIR/cut" "$HYPER_DIR/job"

rm -f "$HYPER_DIR/storage"
touch "$HYPER_DIR/hang"
(nasctl migrate a --to vnode3 --with-nas nas1; echo $rc >"$HYPER_DIR/rc") &
until grep -qs asked "$HYPER_DIR/storage" || ! kill -0 $! 2>/dev/null; do sleep 0.05; done
pkill -TERM -P $!
wait $!
is "nasd hangs before the move is held, and it is interrupted" "$(cat "$HYPER_DIR/rc") $(at vnode2) $(cat "$HYPER_DIR/storage")" "4 a b other left"

client() { jq -r '[.findings[] | select(.check == "client")] | "\(length) \(.[0].ok)"' "$HYPER_DIR/out"; }
rm "$HYPER_DIR/hang"
echo 3 >"$HYPER_DIR/unseen"
nasctl migrate a --to vnode3 --dry-run
is "a hypervisor whose connection is seen a moment later" "$rc $(client)" "0 1 true"
echo 1000000 >"$HYPER_DIR/unseen"
nasctl migrate a --to vnode3 --dry-run
is "one that has none" "$rc $(client)" "3 1 false"

wait "${hanging[@]}"
is "nasd hangs before the move is held: not for ever" "$(cat "$HYPER_DIR/hang.seen")" "6 timeout, a, , storage left"
is "nasd hangs when it has been told to go: neither" "$(cat "$HYPER_DIR/hang-go.seen")" "6 timeout, , a, storage left"

rm -f "$HYPER_DIR/unseen"
nasctl migrate a --to vnode3 --postcopy --force-after 5
is "--postcopy with --force-after" $rc 2
nasctl migrate a --to vnode3 --postcopy-resume --postcopy
is "--postcopy-resume with another option" $rc 2
evacuate vnode2 --postcopy
is "evacuate has no post-copy" $rc 2
nasctl migrate a --to vnode3 --postcopy-after 0
is "--postcopy-after 0" $rc 2
nasctl migrate a --to vnode3 --postcopy-resume
is "--postcopy-resume of a guest that just runs" "$rc $(jq -r .error.message "$HYPER_DIR/out")" \
	"3 is not in post-copy from vnode2: nothing has broken off"
nasctl migrate a --to vnode3 --postcopy --dry-run
is "--postcopy: the risk is told" "$rc $(jq '[.findings[] | select(.check == "post-copy" and .ok and (.message | contains("cannot be cancelled")))] | length' "$HYPER_DIR/out")" "0 1"
nasctl migrate a --to vnode3
is "never without being asked for" "$rc $(cat "$HYPER_DIR/asked")" "0 0"
mv "$HYPER_DIR/at/vnode3/a.dom" "$HYPER_DIR/at/vnode2/"
nasctl migrate a --to vnode3 --postcopy --bandwidth 7
is "--postcopy, --bandwidth holds after the switch, too" "$rc $(cat "$HYPER_DIR/asked")" "0 postcopy 7"
HYPER_OLD=1 nasctl migrate a --to vnode2 --postcopy
is "a libvirt that cannot take it up again" "$rc $(jq '[.findings[] | select(.check == "post-copy" and (.ok | not) and .remedy != "")] | length' "$HYPER_DIR/out")" "3 2"
cp "$HYPER_DIR/at/vnode3/a.dom" "$HYPER_DIR/at/vnode2/"
echo goes on >"$HYPER_DIR/half"
nasctl migrate a --to vnode3
is "a guest in post-copy does not move" "$rc $(jq -r .error.message "$HYPER_DIR/out")" "3 is in post-copy, between two hypervisors"
nasctl migrate a --to vnode3 --postcopy-resume
is "--postcopy-resume of one that goes on" "$rc $(jq -r .error.message "$HYPER_DIR/out")" "3 its post-copy from vnode2 goes on still, as libvirt says"
evacuate vnode2
is "nor is it evacuated" "$rc $(checks)" "3 guest"
is "nasctl guests says so" "$(nasctl guests; jq -r '[.guests[] | select(.name == "a").state] | join(" ")' "$HYPER_DIR/out")" "post-copy post-copy"
echo failed for good >"$HYPER_DIR/half"
nasctl migrate a --to vnode3 --postcopy-resume
is "it breaks off again" "$rc $(jq -r '"\(.result) \(.broken_off) \(.runs_on // "-")"' "$HYPER_DIR/out") $(cat "$HYPER_DIR/asked")" "1 failed true - postcopy resume 0"
echo failed >"$HYPER_DIR/half"
nasctl migrate a --to vnode3 --postcopy-resume --bandwidth 9
is "it is taken up" "$rc $(jq -r '"\(.result) \(.broken_off) \(.runs_on)"' "$HYPER_DIR/out") $(cat "$HYPER_DIR/asked")" "0 done false vnode3 postcopy resume 9"
echo failed >"$HYPER_DIR/half"
nasctl migrate a --to vnode3 --postcopy-resume
is "its source has died before: nothing to take up" "$rc $(jq -r .error.message "$HYPER_DIR/out")" "3 only vnode3 has a part of it"
cp "$HYPER_DIR/at/vnode3/a.dom" "$HYPER_DIR/at/vnode2/"
echo "failed, dies" >"$HYPER_DIR/half"
nasctl migrate a --to vnode3 --postcopy-resume
is "its source dies, and libvirt's call does not come back" "$rc $(jq -r '"\(.result) \(.broken_off)"' "$HYPER_DIR/out")" "1 failed true"
rm "$HYPER_DIR/half"

tally hyper
