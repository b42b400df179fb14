/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All clients of the process, each with its connection, in one epoll loop.
 *
 * A connection that breaks is made anew at once, and then every 100 ms until it
 * is there; one attempt is given a second.  A request that is not answered for
 * a whole lease ends its connection.
 */
#ifndef NFS41LOAD_POOL_H
#define NFS41LOAD_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "client.h"
#include "load_options.h"

struct connection {
	struct client client;
	int fd;               /* or -1 */
	bool connected;
	bool had_one;
	bool writable_wanted;
	uint64_t retry_ns;    /* fd is -1: when to try again; connecting: when to give up */
	uint64_t sent_ns;     /* the pending request, on this connection */
	size_t sent;          /* bytes of it */
	size_t received;
	unsigned char input[CLIENT_REPLY];
};

/* What one second, or the whole run since all was held, has seen. */
struct pool_times {
	uint64_t replies;
	uint64_t longest_reply_ns; /* from a request's first sending to its answer */
	uint64_t longest_reply_wall_ns;
	uint64_t longest_gap_ns;   /* between two replies of whichever clients */
	uint64_t longest_gap_wall_ns;
};

struct pool {
	const struct load_options *opt;
	struct client_shared shared;
	struct connection *connections;
	struct client_file *files;
	struct sockaddr_storage address;
	socklen_t address_len;
	int epoll_fd;
	int signal_fd;
	char owner[64];
	uint64_t begin_ns;
	uint64_t last_reply_ns;
	uint64_t reconnects;
	uint64_t timeouts;
	unsigned lines;     /* of errors, printed so far */
	unsigned seconds;
	bool ready_said;
	bool check_running;
	uint64_t stop_ns;   /* when it was told to stop; 0: it was not */
	struct pool_times second;
	struct pool_times total;
};

/* 0, or -errno with the reason on standard error. */
int pool_open(struct pool *p, const struct load_options *opt);

/* Until SIGTERM or SIGINT; SIGUSR1 has all stateids tested. */
void pool_run(struct pool *p);

/* True: all that was asked for was held until the end, and no error was seen. */
bool pool_clean(const struct pool *p);

#endif
