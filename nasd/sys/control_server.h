/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server side of the control socket (wire/control.h): control.sock for
 * uid 0 and one group, status.sock for everybody, read-only. It parses
 * requests, turns away what is malformed or not allowed, and carries events and
 * results back. Everything runs in the event loop; nothing blocks.
 *
 * A client may have one request running; further lines wait, unread, until its
 * result is sent.
 */
#ifndef NASD_SYS_CONTROL_SERVER_H
#define NASD_SYS_CONTROL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <jansson.h>
#include <systemd/sd-event.h>

#include "control.h"
#include "err.h"

struct control_server;
struct ctl_client;

struct control_server_ops {
	/*
	 * A valid, permitted request. Exactly one ctl_client_result_* answers it,
	 * now or later. requested_by is "uid 0 pid 123", valid during the call.
	 */
	void (*on_request)(struct ctl_client *client, const struct ctl_request *req,
			   const char *requested_by, void *data);
	/*
	 * The client is gone (hung up, too slow, or answered and closed); called
	 * once for every client that ever had an on_request. The handle is valid
	 * until this returns; sending to it in between does nothing. Never called
	 * from within a ctl_client_* function.
	 */
	void (*on_gone)(struct ctl_client *client, void *data);
};

struct control_server_spec {
	const char *control_path;  /* NULL: no such socket */
	const char *status_path;   /* NULL: no such socket */
	gid_t group;               /* may use control_path besides uid 0; its owner group */
	size_t queue_max;          /* bytes a slow reader may owe; 0: 4 MiB */
	size_t clients_max;        /* 0: 64; on each socket */
};

/*
 * Binds and listens (control.sock 0660 root:group, status.sock 0666). A stale
 * socket file is replaced; one where somebody answers is -EADDRINUSE. The
 * directory must exist.
 */
int control_server_new(sd_event *event, const struct control_server_spec *spec,
		       const struct control_server_ops *ops, void *data,
		       struct control_server **out, struct err *err);

/* Hangs up on all (on_gone is called for each) and removes the socket files. */
void control_server_free(struct control_server *server);

/* Sends one event line; event is borrowed. No request running: nothing is sent. */
void ctl_client_event(struct ctl_client *client, json_t *event);

/* The result that ends the request; data (may be NULL) is borrowed. */
void ctl_client_result_ok(struct ctl_client *client, json_t *data);

/* findings: an array, borrowed, or NULL. */
void ctl_client_result_error(struct ctl_client *client, const struct err *e, json_t *findings);

/* The running request; NULL when none. */
const struct ctl_request *ctl_client_request(const struct ctl_client *client);

/* False when the client came over the read-only socket. */
bool ctl_client_may_change(const struct ctl_client *client);

#endif
