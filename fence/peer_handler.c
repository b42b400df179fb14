/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peer_handler.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int status;
	const char *text;
} answers[FENCE_PEER_ANSWER_COUNT] = {
	[FENCE_PEER_NO_PROOF] = { "no-proof", FENCE_EXIT_FROZEN, "no proof: DRBD keeps its I/O frozen" },
	[FENCE_PEER_INCONSISTENT] = { "inconsistent", FENCE_EXIT_INCONSISTENT, "the peer's disk is inconsistent" },
	[FENCE_PEER_OUTDATED] = { "outdated", FENCE_EXIT_OUTDATED, "the peer's disk is outdated" },
	[FENCE_PEER_DOWN] = { "down", FENCE_EXIT_DOWN, "the peer is down" },
	[FENCE_PEER_PRIMARY] = { "primary", FENCE_EXIT_PRIMARY, "the peer is primary: our own disk is outdated" },
	[FENCE_PEER_FENCED] = { "fenced", FENCE_EXIT_FENCED, "the peer was fenced" },
};

const char *fence_peer_answer_name(enum fence_peer_answer a)
{
	return (unsigned)a < FENCE_PEER_ANSWER_COUNT ? answers[a].name : "invalid";
}

int fence_peer_exit(enum fence_peer_answer a)
{
	return (unsigned)a < FENCE_PEER_ANSWER_COUNT ? answers[a].status : FENCE_EXIT_FROZEN;
}

const char *fence_peer_exit_text(int status)
{
	for (unsigned i = 0; i < FENCE_PEER_ANSWER_COUNT; i++)
		if (answers[i].status == status)
			return answers[i].text;
	return answers[FENCE_PEER_NO_PROOF].text;
}

enum fence_peer_answer fence_peer_answer_of(const struct fence_evidence *proof, bool peer_disk_outdated)
{
	if (!proof)
		return FENCE_PEER_NO_PROOF;
	switch (proof->source) {
	case FENCE_BY_AGENT:
	case FENCE_BY_CLUSTER:
		return FENCE_PEER_FENCED;
	case FENCE_BY_OPERATOR:
		return FENCE_PEER_DOWN;
	case FENCE_BY_STANDDOWN:
		return peer_disk_outdated ? FENCE_PEER_OUTDATED : FENCE_PEER_NO_PROOF;
	case FENCE_BY_DRBD:     /* the link stands: there is nothing to fence */
	case FENCE_BY_SILENCE:
	case FENCE_SOURCE_COUNT:
		break;
	}
	return FENCE_PEER_NO_PROOF;
}

/* ---- the request */

char *fence_peer_request(const char *resource)
{
	size_t n = strspn(resource, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"), size;
	char *line;

	if (!n || resource[n] || n >= 128)
		return NULL;
	size = n + 64;
	line = malloc(size);
	if (line)
		snprintf(line, size, "{\"v\":1,\"cmd\":\"fence-peer\",\"resource\":\"%s\"}\n", resource);
	return line;
}

/* ---- the reply */

static void printable(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	for (; src && *src && n + 1 < size; src++)
		dst[n++] = (char)((unsigned char)*src < 0x20 || *src == 0x7f ? '?' : *src);
	dst[n] = '\0';
}

static bool find_answer(const char *word, enum fence_peer_answer *answer)
{
	for (unsigned i = 0; word && i < FENCE_PEER_ANSWER_COUNT; i++) {
		if (!strcmp(word, answers[i].name)) {
			*answer = (enum fence_peer_answer)i;
			return true;
		}
	}
	return false;
}

static const char *text_of(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

static enum fence_peer_line read_result(const json_t *obj, const char *resource, enum fence_peer_answer *answer,
					char *reason)
{
	const char *result = text_of(obj, "result"), *about;
	const json_t *data = json_object_get(obj, "data");

	if (!result || strcmp(result, "ok")) {
		const char *msg = text_of(json_object_get(obj, "error"), "message");

		printable(reason, FENCE_EXPLAIN_MAX, msg ? msg : "nasd gave no result");
		return FENCE_LINE_REFUSED;
	}
	about = text_of(data, "resource");
	if (!about || strcmp(about, resource)) {
		snprintf(reason, FENCE_EXPLAIN_MAX, "nasd's answer is not about %s", resource);
		return FENCE_LINE_REFUSED;
	}
	if (!find_answer(text_of(data, "peer"), answer)) {
		snprintf(reason, FENCE_EXPLAIN_MAX, "nasd's answer is not one that is known here");
		return FENCE_LINE_REFUSED;
	}
	printable(reason, FENCE_EXPLAIN_MAX, text_of(data, "reason"));
	return FENCE_LINE_ANSWER;
}

enum fence_peer_line fence_peer_reply(const char *line, size_t len, const char *resource,
				      enum fence_peer_answer *answer, char *reason)
{
	json_t *obj = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	enum fence_peer_line what;

	*answer = FENCE_PEER_NO_PROOF;
	reason[0] = '\0';
	if (!json_is_object(obj)) {
		snprintf(reason, FENCE_EXPLAIN_MAX, "what nasd said is not JSON");
		json_decref(obj);
		return FENCE_LINE_REFUSED;
	}
	if (json_object_get(obj, "event") && !json_object_get(obj, "result"))
		what = FENCE_LINE_EVENT;
	else
		what = read_result(obj, resource, answer, reason);
	json_decref(obj);
	return what;
}
