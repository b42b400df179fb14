/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket's protocol, spoken between nasctl and nasd: one JSON
 * object per line, UTF-8, at most CTL_LINE_MAX bytes, in both directions.
 *
 * Request:  {"v":1,"cmd":"switchover","group":"vmstore","node":"nas2", ...}
 * Replies:  any number of events, then exactly one result:
 *   {"event":"step", ...a step report as in history...}
 *   {"event":"status", ...}                        (watch)
 *   {"result":"ok", "data":{...}}
 *   {"result":"error","error":{"class":"refused","where":"...","message":"...",
 *    "remedy":"..."},"findings":[...]}             (findings where checks failed)
 *
 * Commands (fields besides v and cmd; * = it changes something, + = it runs
 * programs; both are refused on the read-only socket):
 *   status                       data: the status object below
 *   watch                        a status event now and on each change, until the client hangs up
 *   check       group? node      data: {"findings":[finding...],"ready":bool}
 *   plan        group? node      data: {"steps":[{"name","stage","side","deadline_ms","help"}...]}
 *   switchover* group? node by?  step events, then the history entry as data; by: a trigger asks
 *               the node that serves to be relieved
 *   switchover* with hold (seconds): before the freeze it says {"event":"held"}, and waits so
 *               long at most for `go`, which comes over another connection; a requester that
 *               hangs up before that calls it off
 *   go*         group?           the freeze of the move that is held may begin
 *   takeover*   group? node peer_confirmed_dead? accept_old_copy? by?   the same; by = pacemaker|
 *               keepalived: the trigger itself asks, and node is to serve by whatever way is safe
 *   release*    group? node     node, which is asked, stops serving, and nobody owns the group
 *   client-release* group? address   the clients at that address are dead: what they held is
 *               free at once; data: {"clients":n}
 *   history     group? limit?    data: {"entries":[...]} newest first
 *   config                       data: {"text":"..."} the running configuration, canonical
 *   version                      data: {"version","protocol","node"}
 *   inject*     step op what     tests only (nasd --allow-injection): the next time
 *               when group?      `step` runs: what = fail|unknown|kill|reset|stall, when = before|after
 *   fence-peer*  resource        DRBD's handler asks (fence/peer_handler.h)
 *   fence-confirm* node          an operator has seen that node off; data: {"note"}
 *   fence-status                 data: the fence object below
 *   fence-check+                 asks each device for its state; data: {"devices":[{"name",
 *                                "node","level","ok":bool,"said","text"}...],"ready":bool}
 * group may be left out when there is exactly one.
 *
 * status: {"node","version","cluster","config_hash","uptime_s","trigger",
 *   "peer":{"node","connected","address","since","rtt_us","version","config_same","last_heard_ms"},
 *   "liveness":liveness,
 *   "groups":[{"name","state","owner","epoch","detail","transaction":null|{"kind","epoch",
 *     "source","target","stage","step","elapsed_ms"},"local":facts,"peer":facts|null,
 *     "clients":[{"address","port","local"}],"client_records":n,"replicated":n,
 *     "last":history entry|null,"drbd_events":{"live":bool,"last_change":"role: Primary -> Secondary",
 *     "at":"2026-..."|null}}]}
 * state: unknown|standby|active|activating|switching|target|standing-down|stopped|failed
 * finding: {"check","node","ok","message","remedy"}
 * history entry: {"kind":"switchover|takeover|resume|release","result":"done|rolled-back|refused|failed|running",
 *   "group","epoch","source","target","began":"2026-11-22T10:00:00.000Z","total_us",
 *   "freeze_us","requested_by","error":null|{...},"steps":[{"name","stage","node","start_us",
 *   "duration_us","outcome","skipped","message"}...]}  start_us relative to "began"
 * fence: {"trigger","peer","phase":"idle|delay|fencing|failed|proven|cancelled","explain",
 *   "since":"2026-..."|null,   (when the last run ended)
 *   "story":"of it, a line each","devices":[{"name","node","level",
 *     "agent","said":"off|on|failed|unknown|timeout|","text","verified":bool}...],
 *   "watchdog":"none|closed|armed|kept|starving|failed|absent",
 *   "questions":[{"resource","since"}...],   (of DRBD's handler, not answered yet)
 *   "liveness":liveness}
 * liveness: {"silent":bool,"node_answers":bool,"heard_ms":n|null,"pauses":n,"paused_ms":n|null,
 *   "longest_pause_ms":n,"boot_id":of the peer,"paths":[{"name":"10.77.2.11","silent":bool,
 *   "heard_ms":n|null,"peer_heard_ms":n|null,"own_address","open":bool,"sent","received",
 *   "send_errors"}...,{"name":"link","silent","heard_ms"}],"dropped":{"mac":n,...}}
 *   All ms are how long ago; peer_heard_ms: when the peer heard us there, as it says. paused_ms:
 *   the end of this node's own last pause. dropped: datagrams, by reason (wire/pulse_msg.h).
 */
#ifndef NASD_WIRE_CONTROL_H
#define NASD_WIRE_CONTROL_H

#include <jansson.h>

#include "model.h"

enum { CTL_LINE_MAX = 1 << 20, CTL_REQUEST_MAX = 4096, CTL_VERSION = 1, CTL_RESOURCE_LEN = 128 };

enum ctl_cmd {
	CTL_STATUS, CTL_WATCH, CTL_CHECK, CTL_PLAN, CTL_SWITCHOVER, CTL_TAKEOVER,
	CTL_HISTORY, CTL_CONFIG, CTL_VERSION_CMD, CTL_INJECT, CTL_FENCE_PEER, CTL_FENCE_CONFIRM,
	CTL_FENCE_STATUS, CTL_FENCE_CHECK, CTL_GO, CTL_RELEASE, CTL_CLIENT_RELEASE, CTL_CMD_COUNT
};

struct ctl_request {
	enum ctl_cmd cmd;
	char group[NAME_MAX_LEN];   /* empty: not given */
	char node[NAME_MAX_LEN];
	char peer_confirmed_dead[NAME_MAX_LEN];
	bool accept_old_copy;
	char by[NAME_MAX_LEN];      /* takeover: the trigger that asks */
	unsigned limit;             /* history; 0: not given */
	unsigned hold;              /* switchover, seconds; 0: not given */
	char step[NAME_MAX_LEN], what[NAME_MAX_LEN], when[NAME_MAX_LEN];
	char resource[CTL_RESOURCE_LEN]; /* as DRBD names it */
	char address[ADDR_TEXT_MAX]; /* IPv4 or IPv6; only its characters have been looked at */
};

/* "switchover" etc.; whether the command changes anything; whether the read-only
 * socket takes it (which changes nothing, and runs nothing). */
const char *ctl_cmd_name(enum ctl_cmd cmd);
bool ctl_cmd_changes(enum ctl_cmd cmd);
bool ctl_cmd_is_public(enum ctl_cmd cmd);

/*
 * Parses one request line (without the newline; len bytes). Strict: unknown
 * fields, wrong types, a missing "node", names that are too long or have
 * characters outside [a-z0-9_-] (nodes and resources: [A-Za-z0-9._-])
 * are refused. 0, or -EINVAL with err filled and req all zero.
 */
int ctl_request_parse(const char *line, size_t len, struct ctl_request *req, struct err *err);

/* The request as one line with its newline; the caller frees it. NULL: no memory. */
char *ctl_request_format(const struct ctl_request *req);

/* JSON forms, each a new reference owned by the caller. */
json_t *ctl_error_json(const struct err *err);
json_t *ctl_finding_json(const struct finding *f, const char *const node_names[2]);

#endif
