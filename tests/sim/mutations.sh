#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Do the tests of the core find bugs? Applies small mutations to a copy of
# nasd/core, one at a time, and requires that each makes a test fail. A mutation
# whose pattern no longer matches is an error: bring it up to date.
#
#   tests/sim/mutations.sh [NAME...]     all, or those named
#   MUTATION_SEEDS=n                     random schedules and storms per mutation (2000)
#   MUTATION_JOBS=n                      side by side (2)
set -u
cd "$(dirname "$0")/../.." || exit 2
B=${B:-build}/mutations
CC=${CC:-gcc}
FLAGS=(-D_GNU_SOURCE -std=c11 -O1 -w -Inasd/base -Ifence -Itests/sim -Itests/unit)
TESTS=(table moves past journal crash hold takeover asked random storm)
export CORE_SEEDS=${MUTATION_SEEDS:-2000} SEEDS=${MUTATION_SEEDS:-2000}

# name | file | sed program | what it breaks
read -r -d '' LIST <<'EOF'
old-commit|target.c|s/if (epoch <= g->j.epoch [|][|] g->state == GS_SWITCHING)/if (g->state == GS_SWITCHING)/|the epoch is not compared in COMMIT
commit-first|source.c|s/^\tgroup_journal(g, "owner", g->txn_epoch.*/\tgroup_send(g, MSG_COMMIT, g->txn_epoch);\n&/|COMMIT is sent before its record
commit-busy|peer.c|s/if (g->state == GS_STANDBY && g->peer_up && g->peer_hello && g->j.owner/if (g->peer_up \&\& g->peer_hello \&\& g->j.owner/|handed over before standing down
early-activate|target.c|s/^\tgroup_send(g, MSG_PREPARED, g->txn_epoch);/&\n\tactivate(g, now, false, "");/|activated before COMMIT
late-abort|source.c|s/ [|][|] g->src == SRC_COMMIT)$/)/|rolled back while the record is written
rollback-committed|peer.c|s/^\tif (g->state == GS_SWITCHING)$/\tif (g->awaiting_done)\n\t\tactivate(g, now, true, "");\n&/|rolled back after the commitment
unknown-is-done|program.c|s/^\t\tg->prog.unknown = true;$/\t\tin_place(g, now);\n\t\treturn;/|no look at the world after an unknown outcome
unknown-retried|program.c|/g->prog.unknown_report = \*r;/{n;s/OP_VERIFY/OP_RUN/}|an unknown outcome is answered by a retry
unknown-is-failed|program.c|s/^\t\tg->prog.unknown = true;$/\t\tfailed(g, now, e);\n\t\treturn;/|an unknown outcome counts as failed
resume-unasked|group.c|s/return g->j.owner == g->cfg.self && (.*/return g->j.owner == g->cfg.self;/;/!strcmp(g->j.owner_boot, g->cfg.boot_id));/d|serves after a reboot without the peer's word
resume-beside|peer.c|s/ [|][|] g->peer.serving)/)/|resumes while the peer has not stood down
no-abort-record|source.c|/group_journal(g, "abort", g->txn_epoch/d|the abort is not journalled
no-target-abort|target.c|/group_journal(g, "abort", g->txn_epoch/d|the target's abort is not journalled
reused-epoch|actions.c|s/uint64_t e = g->j.max_epoch + 1;/uint64_t e = g->j.epoch + 1;/|an aborted epoch is used again
common-epochs|actions.c|s/return (e & 1) == .*/return e;/|both nodes choose from the same epochs
address-first|steps.c|s/STEP_MOUNT, STEP_EXPORT,$/STEP_MOUNT, STEP_ADDRESS_ADD, STEP_EXPORT,/|the address comes before the exports
no-guard|program.c|s/if (!rebuilds [|][|] g->prog.guarded)/if (true)/|the server is rebuilt under the address
address-last|steps.c|s/program_release\[\] = { STEP_GATE, STEP_ADDRESS_DEL, STEP_SERVER_STOP,/program_release[] = { STEP_GATE, STEP_SERVER_STOP, STEP_ADDRESS_DEL,/|the server stops under the address
no-demote|steps.c|s/STEP_SERVER_STOP, STEP_UNMOUNT,$/STEP_SERVER_STOP, STEP_UNMOUNT, STEP_NONE,/|the source stays Primary
stale-answer|program.c|s/^\tif (g->stale) {/\tif (false) {/|an old step's answer is taken for a new one's
undo-beside|source.c|/never undo beside a running step/{N;d}|undone beside a running step
lost-reply|request.c|/g->forwarded && g->state != GS_ACTIVATING/{N;d}|no answer when the link is lost
two-replies|request.c|/^void request_reply_open/,/^}/s/^\tg->req_open = false;$//|an answer is given twice
late-reply|request.c|s/if (g->req_open && now >= g->req_deadline)/if (false)/|a hung step is never answered for
claim-served|claim.c|s/^\tif (g->state != GS_STANDBY)$/\tif (false)/|a claim is agreed to by a node that serves
no-proof|claim.c|s/^\tif (!req->peer_confirmed_dead) {/\tif (false) {/|takeover without proof
proof-of-the-living|claim.c|s/^\t\tif (req->peer_confirmed_dead) {/\t\tif (false) {/|an operator's word against a living peer counts
claim-unwritten|group.c|s/claimed = group_drop_message(g, MSG_CLAIMED);/claimed = false;/|agreed to a claim without a record
commit-unwritten|group.c|s/commit = group_drop_message(g, MSG_COMMIT);/commit = false;/|a COMMIT outlives its record's failure
owed-after-claim|claim.c|s/^\tgroup_hand_over_if_owed(g);//|what is owed is forgotten after a refused claim
both-refused|claim.c|s/g->state == GS_CLAIMING && g->cfg.self == 1 &&/false \&\&/|two claims at the same time refuse each other
done-once|peer.c|s/if (first && g->awaiting_done && h->epoch == g->j.epoch)/if (false)/|a lost DONE is not asked for again
deadline-stays|actions.c|/a deadline belongs to the state that set it/d|a deadline outlives its state
retry-at-once|program.c|s/g->prog.retry_at = now + (wait.*/g->prog.retry_at = now;/|a failed program is retried in a loop
no-retry|program.c|s/^\tg->prog.retry_at = now + (wait.*//|a failed program is not retried
deaf-to-epochs|peer.c|s/if (h->epoch > g->j.epoch && (h->owner == peer .*/if (false) {/|the peer's newer epoch is passed over
deaf-to-silence|peer.c|s/if (g->state == GS_PREPARED && h->epoch < g->txn_epoch &&/if (false \&\&/|a target waits for a source that knows of nothing
no-take-back|journal.c|s/^\t\t\ttake_back(s);/\t\t\t;/|a failed commitment is not taken back
no-rewrite|group.c|s/if (!g->n_unwritten [|][|] !g->rewrite_at [|][|] now < g->rewrite_at)/if (true)/|a failed record is not written again
no-hold|program.c|s/if (purpose == PURPOSE_ACTIVATE && g->n_unwritten)/if (false)/;/^void program_hold/,/^}/s/g->prog.purpose != PURPOSE_ACTIVATE/true/|activated though the record is not on the disk
begin-unwritten|group.c|s/group_drop_message(g, MSG_PREPARE);/(void)0;/;s/if (g->state == GS_SWITCHING && !strcmp(rec->kind, "begin")) {/if (false) {/|a switchover goes on without its begin record
old-owner|journal.c|/the past does not speak/{s/.*/\t\t;/}|an older owner record overrides
summary-forgets|journal.c|s/if (s->max_epoch > s->epoch)/if (false)/|compaction forgets the aborted epochs
summary-boot|journal.c|s/memcpy(r->boot_id, s->owner_boot/memset(r->boot_id, 0/;s/memset(r->boot_id, 0, sizeof(r->boot_id));/r->boot_id[0] = 0;/|compaction forgets the boot
endless-freeze|source.c|s/if (now - g->freeze_began > g->cfg.freeze_us) {/if (false) {/;s/SRC_RELEASE, g->cfg.freeze_us)/SRC_RELEASE, 0)/|the freeze has no limit
patient|program.c|/^static void overdue/,/^}/s/if (g->state == GS_SWITCHING)/if (false)/|an overdue step is not rolled back
blind-monitor|server.c|s/if (f->server == SERVER_DOWN) {/if (false) {/|a dead server is not noticed
to-no-proof|takeover.c|s/^\tproof = fence_book_proof(&t->book, &v);/\tstatic struct fence_evidence none;\n&\n\tif (!proof)\n\t\tproof = \&none;/|silence is taken for proof
to-no-second-look|takeover.c|s/if (t->proven_at && g->facts.*collected_us >= t->proven_at)/if (true)/|what became of this copy while the other was fenced is not looked at
to-same-epoch|takeover.c|s/^\tuint64_t epoch = group_new_epoch(g);$/\tuint64_t epoch = g->j.epoch;/|taken over without a new epoch
to-stale-copy|takeover.c|s/if (strcmp(f->drbd_disk, "UpToDate") != 0)/if (false)/|taken over with a copy that is not the newest
to-unmet|takeover.c|s/if (!knows_the_epoch(g))/if (false)/|taken over in a boot that has not heard the other
to-early|takeover.c|s/if (too_early(g, now, f))/if (false)/|a nasd that was just started fences a node that it has not met yet
asked-impatient|asked.c|s/return met > at ? met : at;/return at;/|a trigger is refused while the node still waits for a peer that it has not met
to-cut-off|takeover.c|s/if (!in_touch(g, g->t.silent_at))/if (false)/|a node that is cut off from the clients fences
to-no-last-look|takeover.c|s/if (need == NEED_IO && !t->looked)/if (false)/|a peer that DRBD is connected to again is switched off
to-never-retries|takeover.c|s/t->run_at = now + g->cfg.fence_retry_us;/;/|a fence run that failed is not tried again
to-run-goes-on|takeover.c|/^static void proven/,/^}/s/^\tcall_off(g);.*/\tg->t.need = NEED_NONE;/|a fence run goes on beside an operator's word
to-no-call-off|takeover.c|/^static void call_off/,/^}/s/if (t->need == NEED_NONE)/if (true)/|a run goes on though the peer is heard
held-untold|held.c|s/^\tif (g->j.owner != g->cfg.self)$/&/;/^static void let_io_go_on/,/^}/s/if (t->asked) {/if (false) {/|DRBD's question is not answered
held-fenced-unproven|held.c|s/|| t->told_at <= t->linked_us)/|| false)/|what was known before DRBD's last connection is told again
held-keeps-told|held.c|s/return t->told == FENCE_PEER_OUTDATED ||.*/return true;/|told though the peer was heard since
held-any-copy|held.c|/^bool held_copy_good/,/^}/s/return known && .*/return true;/|promoted on a copy that may be the older one
held-open|held.c|s/if (held_replicating(f) && t->asked)/if (false)/|the question stays open when DRBD is connected again
held-not-outdated|held.c|s/^\t\t\tg->t.outdating = group_push(g, ACT_OUTDATE) != NULL;/\t\t\tgroup_send_err(g, MSG_OUTDATED, m->epoch, NULL);/|agreed without marking the copy
held-disconnected|held.c|s/g->t.linked_us = now;$/;/|a new loss is not told from an old one
hold-not|source.c|s/if (!g->req.hold_us) {/if (true) {/|a move that a guest goes along with is not held
hold-endless|source.c|s/enter(g, now, SRC_HOLD, g->req.hold_us)/enter(g, now, SRC_HOLD, 0)/|a hold has no limit
hold-goes-by-itself|source.c|s/^\t\thold_broken(g, now, "hold", "nobody said in time.*/\t\tsend_clients(g, now);/|a hold that is over begins the freeze
hold-goes-on-death|source.c|/^void source_hold_lost_server/,/^}/s/if (source_held(g))/if (false)/;s/else if (f->server != SERVER_SERVING)/else if (false)/|a held move goes on when the server dies
hold-blind|source.c|s/if (!f->drbd_known || !facts_drbd_connected(f).*/if (false)/|what is held does not see that DRBD has parted
hold-any-go|source.c|/^bool group_go/,/^}/s/if (!source_held(g))/if (g->state != GS_SWITCHING)/|the word to go counts at any moment
hold-forsaken|source.c|/^void group_forsaken/,/^}/s/ || g->src == SRC_HOLD)/)/|who asked has gone, and the move stays held
hold-two-answers|source.c|/^void group_forsaken/,/^}/s/g->gather.active = false;/;/|a forsaken request is answered twice
hold-down-forgotten|group.c|/^\tresume_hold_down(g, now);/d|a restart ends hold-down
hold-down-backwards|group.c|s/(since > 0 ? since : 0)/since/|a clock set back makes hold-down endless
hold-of-the-peer|request.c|s/if ((req->hold_us || req->by_trigger) && g->j.owner/if (req->by_trigger \&\& g->j.owner/|a hold is asked of the node that does not serve
said-once|group.c|s/if (g->state == GS_STANDBY && group_may_serve(g) != g->said_serving)/if (false)/|a standby that is free now does not say so
EOF

mutate() { # folder, file, sed program
	rm -rf "$1"
	mkdir -p "$1"
	cp nasd/core/*.[ch] "$1/"
	sed -i "$3" "$1/$2"
	! cmp -s "$1/$2" "nasd/core/$2"
}

build() { # folder: all tests against the core in it
	local f o=()
	for f in "$1"/*.c; do
		"$CC" "${FLAGS[@]}" -I"$1" -c "$f" -o "${f%.c}.o" || return 1
		o+=("${f%.c}.o")
	done
	for f in "${TESTS[@]}"; do
		$CC "$B/obj/test_core_$f.o" "${o[@]}" "$B"/obj/sim/*.o "$B"/obj/base/*.o "$B"/obj/fence/*.o -o "$1/$f" -lm "${CHECK_LIBS[@]}" || return 1
	done
}

# Prints the first test that fails, and the seed of a random schedule.
caught_by() { # folder
	local t
	for t in "${TESTS[@]}"; do
		timeout 300 "$1/$t" >"$1/$t.out" 2>&1 && continue
		echo "$t$(sed -n '/SEED=/{s/.*SEED=\([0-9]*\).*/ \1/p;q}' "$1/$t.out")"
		return 0
	done
	return 1
}

# What the mutations do not change is compiled once.
prepare() {
	local f
	mkdir -p "$B/obj/sim" "$B/obj/base" "$B/obj/fence"
	read -ra CHECK_LIBS <<<"$(pkg-config --libs check jansson)"
	read -ra CHECK_CFLAGS <<<"$(pkg-config --cflags check)"
	for f in nasd/base tests/sim; do
		for c in "$f"/*.c; do
			"$CC" "${FLAGS[@]}" -Inasd/core -c "$c" -o "$B/obj/$(basename "$f")/$(basename "${c%.c}").o" || exit 2
		done
	done
	for f in evidence peer_handler; do
		"$CC" "${FLAGS[@]}" -c "fence/$f.c" -o "$B/obj/fence/$f.o" || exit 2
	done
	for f in "${TESTS[@]}"; do
		"$CC" "${FLAGS[@]}" -Inasd/core "${CHECK_CFLAGS[@]}" -c "tests/unit/test_core_$f.c" -o "$B/obj/test_core_$f.o" || exit 2
	done
}

wanted() { # name
	[ ${#ONLY[@]} = 0 ] || printf '%s\n' "${ONLY[@]}" | grep -qx -- "$1"
}

one() { # line of the list: a line for people, and the word of the result in a file
	local name=${1%%|*} rest=${1#*|} file what program by dir verdict=caught
	file=${rest%%|*} rest=${rest#*|}
	what=${rest##*|} program=${rest%|*}
	dir=$B/$name
	if ! mutate "$dir" "$file" "$program"; then
		by=STALE verdict=stale
	elif ! build "$dir" >"$dir/build.out" 2>&1; then
		by=NOBUILD verdict=stale
	elif ! by=$(caught_by "$dir"); then
		by=MISSED verdict=missed
	fi
	printf '%-22s %-16s %s\n' "$name" "$by" "$what"
	echo "$verdict" >"$B/$name.verdict"
	[ "$verdict" = missed ] || rm -rf "$dir"
}

count() { # verdict
	cat "$B"/*.verdict 2>/dev/null | grep -cx "$1"
}

ONLY=("$@")
rm -rf "$B"/*.verdict
prepare
# Unchanged they must pass, or every mutation would look caught.
# shellcheck disable=SC2016 # a sed program
if ! mutate "$B/unchanged" group.c '$a /* */' || ! build "$B/unchanged" >"$B/build.out" 2>&1 || by=$(caught_by "$B/unchanged"); then
	echo "the tests fail without any mutation: ${by:-build}" >&2
	exit 2
fi
printf '%-22s %-16s %s\n' MUTATION 'CAUGHT (SEED)' 'WHAT IT BREAKS'
while IFS= read -r line; do
	wanted "${line%%|*}" || continue
	while [ "$(jobs -rp | wc -l)" -ge "${MUTATION_JOBS:-2}" ]; do
		wait -n
	done
	one "$line" &
done <<<"$LIST"
wait
caught=$(count caught) missed=$(count missed) stale=$(count stale)
echo "mutations: $((caught + missed + stale)), caught $caught, missed $missed, not applicable $stale"
[ "$missed" = 0 ] && [ "$stale" = 0 ] && [ "$caught" -gt 0 ]
