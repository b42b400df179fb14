/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signs of life beside the TLS link: datagrams (wire/pulse_msg.h) between each
 * pair of link addresses, every heartbeat_interval. A path is such a pair: our
 * address and the peer's of the same index. The keys come with the introductions
 * over TLS and outlive that link, which is the point. Everything runs in the
 * event loop, the sending at a high priority; no function here blocks.
 */
#ifndef NASD_SYS_PULSE_H
#define NASD_SYS_PULSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "conf.h"
#include "err.h"
#include "model.h"
#include "pulse_msg.h"

struct pulse;

struct pulse_ops {
	/* A good pulse of the peer, now (monotonic). Not to call pulse_free. */
	void (*heard)(unsigned path, int64_t now_us, void *data);
};

/*
 * Opens the sockets: UDP, port cluster.peer_port, one for each path. An address
 * that is not there (yet) is logged once and tried again, not an error. conf
 * must outlive the pulse; self is our index in it. Until pulse_keys nothing is
 * sent and nothing counts.
 */
int pulse_new(sd_event *event, const struct conf *conf, int self, const struct pulse_ops *ops,
	      void *data, struct pulse **out, struct err *err);

/* p may be NULL. */
void pulse_free(struct pulse *p);

/*
 * The link came up: own is how we introduced ourselves (peer_link_own_intro),
 * peer how the peer did. Pulses of an earlier nasd of the peer count no more; the
 * first of ours leaves in the loop's next turn. -EINVAL when a key is none.
 */
int pulse_keys(struct pulse *p, const struct peer_intro *own, const struct peer_intro *peer);

unsigned pulse_paths(const struct pulse *p);

/*
 * When the peer's kernel last said (ICMP) that nobody there takes our pulses: the
 * node runs, its nasd does not. Monotonic; -1: never. Anyone on the way can say
 * so: good for holding back, for nothing else. Kernels say it about once a second.
 */
int64_t pulse_refused_us(const struct pulse *p);

struct pulse_path_status {
	char address[CONF_IP_MAX], peer_address[CONF_IP_MAX];
	bool open;                /* the socket is bound */
	int64_t heard_us;         /* monotonic; -1: never */
	int64_t peer_heard_us;    /* how long before now it last heard us here, as its newest pulse
	                             says; -1: never, or not known */
	uint64_t sent, received, send_errors;
};

struct pulse_status {
	bool keyed;
	unsigned n_paths;
	struct pulse_path_status paths[PULSE_PATHS_MAX];
	uint64_t verdicts[PULSE_VERDICTS]; /* datagrams, by what came of them */
};

void pulse_status(const struct pulse *p, int64_t now_us, struct pulse_status *out);

#endif
