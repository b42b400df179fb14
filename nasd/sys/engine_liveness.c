/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peer's silence, from the link alone. */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_US = 100000 };

struct engine_liveness {
	sd_event_source *timer;
	char boot_id[BOOT_ID_LEN];
	bool silent;
};

static int look(sd_event_source *s, uint64_t usec, void *data)
{
	struct engine *e = data;
	struct peer_life life;

	(void)usec;
	sd_event_source_set_time_relative(s, LOOK_US);
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	engine_liveness_get(e, &life);
	if (life.silent == e->liveness->silent)
		return 0;
	e->liveness->silent = life.silent;
	engine_fence_life_changed(e);
	return 0;
}

int engine_liveness_open(struct engine *e, struct err *err)
{
	int ret;

	e->liveness = calloc(1, sizeof(*e->liveness));
	if (!e->liveness)
		return err_set(err, ERR_SYSTEM, ENOMEM, "liveness", "no memory");
	ret = sd_event_add_time_relative(e->event, &e->liveness->timer, CLOCK_MONOTONIC, LOOK_US, 1000, look, e);
	return ret < 0 ? err_set(err, ERR_SYSTEM, -ret, "liveness", "timer") : 0;
}

void engine_liveness_close(struct engine *e)
{
	if (!e->liveness)
		return;
	sd_event_source_disable_unref(e->liveness->timer);
	free(e->liveness);
	e->liveness = NULL;
}

void engine_liveness_peer_up(struct engine *e, const struct peer_intro *intro)
{
	snprintf(e->liveness->boot_id, sizeof(e->liveness->boot_id), "%s", intro->boot_id);
	engine_fence_life_changed(e);
}

void engine_liveness_get(struct engine *e, struct peer_life *out)
{
	struct peer_link_status s;
	int64_t from;

	peer_link_status(e->link, &s);
	memset(out, 0, sizeof(*out));
	out->heard_us = s.last_heard_us ? s.last_heard_us : -1;
	out->ever_heard = s.last_heard_us != 0;
	out->paused_us = -1;
	from = s.last_heard_us ? s.last_heard_us : e->started_us;
	out->silent = engine_now_us() - from > (int64_t)e->conf->cluster.dead_after_us;
	snprintf(out->boot_id, sizeof(out->boot_id), "%s", e->liveness->boot_id);
}

json_t *engine_liveness_json(struct engine *e)
{
	struct peer_life life;

	engine_liveness_get(e, &life);
	return json_pack("{s:b, s:o}", "silent", life.silent, "heard_ms", life.heard_us < 0 ? json_null() :
			 json_integer((engine_now_us() - life.heard_us) / 1000));
}
