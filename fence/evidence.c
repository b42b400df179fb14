/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evidence.h"

#include <stdio.h>
#include <string.h>

const char *fence_source_name(enum fence_source s)
{
	static const char *const names[FENCE_SOURCE_COUNT] = {
		[FENCE_BY_AGENT] = "agent",	      [FENCE_BY_OPERATOR] = "operator",
		[FENCE_BY_STANDDOWN] = "stand-down",  [FENCE_BY_CLUSTER] = "cluster",
		[FENCE_BY_DRBD] = "drbd",	      [FENCE_BY_SILENCE] = "silence",
	};

	return (unsigned)s < FENCE_SOURCE_COUNT ? names[s] : "invalid";
}

const char *fence_said_name(enum fence_said s)
{
	static const char *const names[FENCE_SAID_COUNT] = {
		[FENCE_SAID_OFF] = "off",	  [FENCE_SAID_ON] = "on",
		[FENCE_SAID_FAILED] = "failed",	  [FENCE_SAID_UNKNOWN] = "unknown",
		[FENCE_SAID_TIMEOUT] = "timeout",
	};

	return (unsigned)s < FENCE_SAID_COUNT ? names[s] : "invalid";
}

const char *fence_verdict_text(enum fence_verdict v)
{
	static const char *const texts[FENCE_VERDICT_COUNT] = {
		[FENCE_PROOF] = "it is proof",
		[FENCE_NO_SILENCE] = "silence is not proof",
		[FENCE_NO_OTHER_NODE] = "it is about another node",
		[FENCE_NO_TYPED_NAME] = "the name typed is not the node's",
		[FENCE_NO_ON] = "it says that the node is on",
		[FENCE_NO_FAILED] = "it has failed",
		[FENCE_NO_UNKNOWN] = "it does not know",
		[FENCE_NO_TIMEOUT] = "it did not answer in time",
		[FENCE_NO_ACT] = "nobody reported to have switched the node off",
		[FENCE_NO_VERIFICATION] = "the off state was not verified",
		[FENCE_NO_LINK] = "the replication link on which it was said is gone",
		[FENCE_NO_OTHER_EPOCH] = "it belongs to another epoch",
		[FENCE_NO_OTHER_BOOT] = "the node has been booted since",
		[FENCE_NO_FUTURE] = "it is dated in the future",
		[FENCE_NO_PAUSE] = "this node was itself stopped since",
		[FENCE_NO_ALIVE_SINCE] = "the node was heard since",
		[FENCE_NO_CLAIM_SINCE] = "the node has said since that it serves",
		[FENCE_NO_TOO_OLD] = "it is too old",
	};

	return (unsigned)v < FENCE_VERDICT_COUNT ? texts[v] : "invalid";
}

/* What was said, whatever its time and subject. */
static enum fence_verdict judge_words(const struct fence_evidence *e, const struct fence_view *v)
{
	switch (e->said) {
	case FENCE_SAID_OFF:
		break;
	case FENCE_SAID_ON:
		return FENCE_NO_ON;
	case FENCE_SAID_FAILED:
		return FENCE_NO_FAILED;
	case FENCE_SAID_TIMEOUT:
		return FENCE_NO_TIMEOUT;
	case FENCE_SAID_UNKNOWN:
	case FENCE_SAID_COUNT:
		return FENCE_NO_UNKNOWN;
	}
	switch (e->source) {
	case FENCE_BY_AGENT:
		if (!e->acted)
			return FENCE_NO_ACT;
		return e->verified || !v->need_verified ? FENCE_PROOF : FENCE_NO_VERIFICATION;
	case FENCE_BY_CLUSTER:
		return e->acted ? FENCE_PROOF : FENCE_NO_ACT;
	case FENCE_BY_OPERATOR:
		return strcmp(e->typed, v->node) ? FENCE_NO_TYPED_NAME : FENCE_PROOF;
	case FENCE_BY_DRBD:
		return v->replicating ? FENCE_PROOF : FENCE_NO_LINK;
	case FENCE_BY_STANDDOWN:
		return FENCE_PROOF;
	case FENCE_BY_SILENCE:
	case FENCE_SOURCE_COUNT:
		break;
	}
	return FENCE_NO_SILENCE;
}

/* Does it come from a peer that lives? */
static bool from_the_living(enum fence_source s)
{
	return s == FENCE_BY_STANDDOWN || s == FENCE_BY_DRBD;
}

static enum fence_verdict judge_time(const struct fence_evidence *e, const struct fence_view *v)
{
	if (e->at_us > v->now_us || e->at_us < 0)
		return FENCE_NO_FUTURE;
	if (e->at_us <= v->paused_us)
		return FENCE_NO_PAUSE;
	if (!from_the_living(e->source) && e->at_us <= v->heard_us)
		return FENCE_NO_ALIVE_SINCE;
	if (from_the_living(e->source) && e->at_us <= v->claimed_us)
		return FENCE_NO_CLAIM_SINCE;
	if (v->max_age_us && v->now_us - e->at_us > v->max_age_us)
		return FENCE_NO_TOO_OLD;
	return FENCE_PROOF;
}

enum fence_verdict fence_judge(const struct fence_evidence *e, const struct fence_view *v)
{
	enum fence_verdict said;

	if ((unsigned)e->source >= FENCE_BY_SILENCE)
		return FENCE_NO_SILENCE;
	if ((unsigned)e->said >= FENCE_SAID_COUNT)
		return FENCE_NO_UNKNOWN;
	if (!v->node[0] || strcmp(e->node, v->node))
		return FENCE_NO_OTHER_NODE;
	said = judge_words(e, v);
	if (said != FENCE_PROOF)
		return said;
	if (e->epoch != v->epoch)
		return FENCE_NO_OTHER_EPOCH;
	if (strcmp(e->boot_id, v->boot_id))
		return FENCE_NO_OTHER_BOOT;
	return judge_time(e, v);
}

void fence_book_add(struct fence_book *b, const struct fence_evidence *e, int64_t now_us)
{
	const struct fence_evidence *old;

	if ((unsigned)e->source >= FENCE_SOURCE_COUNT)
		return;
	old = &b->of[e->source];
	if (b->has[e->source] && old->at_us > e->at_us && old->at_us <= now_us)
		return;
	b->of[e->source] = *e;
	b->has[e->source] = true;
}

static const enum fence_source strongest_first[] = {
	FENCE_BY_AGENT, FENCE_BY_CLUSTER, FENCE_BY_OPERATOR, FENCE_BY_STANDDOWN, FENCE_BY_DRBD,
};
enum { RANKED = sizeof(strongest_first) / sizeof(strongest_first[0]) };

const struct fence_evidence *fence_book_proof(const struct fence_book *b, const struct fence_view *v)
{
	for (unsigned i = 0; i < RANKED; i++) {
		enum fence_source s = strongest_first[i];

		if (b->has[s] && fence_judge(&b->of[s], v) == FENCE_PROOF)
			return &b->of[s];
	}
	return NULL;
}

static void say_proof(const struct fence_evidence *e, const struct fence_view *v, char *buf, size_t size)
{
	long long age_ms = (long long)((v->now_us - e->at_us) / 1000);

	snprintf(buf, size, "%s is proven not to write: %s%s%s%s, %lld ms ago", v->node,
		 fence_source_name(e->source), e->who[0] ? " " : "", e->who,
		 e->source == FENCE_BY_AGENT && !e->verified ? " (not verified, as configured)" : "",
		 age_ms);
}

char *fence_book_explain(const struct fence_book *b, const struct fence_view *v, char *buf, size_t size)
{
	const struct fence_evidence *proof = fence_book_proof(b, v);
	bool any = false;
	size_t n;

	if (!size)
		return buf;
	if (proof) {
		say_proof(proof, v, buf, size);
		return buf;
	}
	snprintf(buf, size, "no proof that %s does not write: ", v->node);
	for (unsigned i = 0; i < FENCE_SOURCE_COUNT; i++) {
		const struct fence_evidence *e = &b->of[i];

		if (!b->has[i])
			continue;
		n = strlen(buf);
		snprintf(buf + n, size - n, "%s%s%s%s said %s, but %s", any ? "; " : "",
			 fence_source_name(e->source), e->who[0] ? " " : "", e->who, fence_said_name(e->said),
			 fence_verdict_text(fence_judge(e, v)));
		any = true;
	}
	n = strlen(buf);
	snprintf(buf + n, size - n, "%s; a fence device that works would give it, or an operator who has seen that "
		 "the node is off: nasctl fence confirm %s", any ? "" : "nothing but silence", v->node);
	return buf;
}
