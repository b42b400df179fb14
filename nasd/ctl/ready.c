/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ready.h"

#include <string.h>

#include "view.h"

static bool is(const json_t *facts, const char *key, const char *word)
{
	return !strcmp(js_text(facts, key), word);
}

static bool links_up(const json_t *facts)
{
	const json_t *list = json_object_get(facts, "addresses");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_true(json_object_get(json_array_get(list, i), "link_up")))
			return false;
	return true;
}

const char *ready_why_not(const json_t *group, bool active)
{
	const json_t *facts = json_object_get(group, "local");
	bool serves = is(group, "state", "active");

	if (active)
		return serves ? NULL : "it is not active here";
	if (!serves && !is(group, "state", "standby"))
		return "neither active nor standby";
	if (!json_is_true(json_object_get(facts, "valid")))
		return "the state of this node is not known";
	if (!links_up(facts))
		return "the link of a floating address is down";
	if (!is(facts, "server", serves ? "serving" : "warm"))
		return serves ? "ganesha does not serve" : "ganesha is not warm";
	if (!json_is_true(json_object_get(facts, "journal_ok")))
		return "the journal cannot be written";
	/* an active without its disk serves on from the other node's */
	if (!serves && !is(facts, "drbd_disk", "UpToDate"))
		return "the data here is not up to date";
	return NULL;
}

static bool fit(const json_t *group)
{
	const json_t *facts = json_object_get(group, "local");

	return js_true(facts, "drbd_known") && is(facts, "drbd_disk", "UpToDate") && !js_true(group, "split_brain") &&
	       links_up(facts) && js_true(facts, "journal_ok") && !js_true(facts, "device_mounted_elsewhere") &&
	       !js_true(facts, "mount_dir_busy");
}

const char *ready_role(const json_t *group)
{
	static const char again[] = "trying again";

	if (is(group, "state", "activating") && !strncmp(js_text(group, "detail"), again, sizeof(again) - 1))
		return "failing";
	return js_text(group, "state");
}

int ready_score(const json_t *group)
{
	if (is(group, "state", "active") || is(group, "state", "switching"))
		return 1000;
	if (is(group, "state", "activating"))
		return 900;
	if (!fit(group))
		return -1;
	return is(json_object_get(group, "local"), "server", "warm") ? 500 : 100;
}
