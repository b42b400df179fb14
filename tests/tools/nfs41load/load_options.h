/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line.  Parsing is pure. */
#ifndef NFS41LOAD_LOAD_OPTIONS_H
#define NFS41LOAD_LOAD_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

struct load_options {
	const char *server;  /* an IPv4 or IPv6 address */
	uint16_t port;
	const char *path;
	const char *name;    /* owners and files begin with it */
	unsigned clients;
	unsigned opens;      /* of all clients together */
	unsigned files;      /* they are of so many files */
	uint64_t renew_ns;   /* a third of the lease, unless given */
	uint64_t timeout_ns; /* a request that is not answered for so long, a lease: a new connection */
};

/* 0, or -1 with the reason in message.  Strings in *opt point into argv. */
int load_options_parse(struct load_options *opt, int argc, char *const *argv, char *message, size_t size);

#endif
