/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by control_server.c (sockets) and control_client.c (conversations). */
#ifndef NASD_SYS_CONTROL_CLIENT_H
#define NASD_SYS_CONTROL_CLIENT_H

#include <stdint.h>
#include <sys/socket.h>

#include "control_server.h"

struct listener {
	struct control_server *server;
	char *path;
	bool read_only, bound;
	int fd;
	sd_event_source *source, *pause;
	struct ctl_client *clients;
	size_t n_clients;
};

struct control_server {
	sd_event *event;
	struct control_server_ops ops;
	void *data;
	gid_t group;
	size_t queue_max, clients_max;
	struct listener control, status;
};

/* Takes *fd over. Who is not allowed gets an error line and the door. */
int client_new(struct listener *l, int *fd, const struct ucred *cred, bool allowed);

/* Calls on_gone where due and frees; not from within a callback of the client. */
void client_destroy(struct ctl_client *c);

#endif
