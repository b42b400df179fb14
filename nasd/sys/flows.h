/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * CLIENT_CONNECTION entries ("client-ip client-port floating-ip port") and TCP
 * flows, and a small file of them.
 */
#ifndef NASD_SYS_FLOWS_H
#define NASD_SYS_FLOWS_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "flow.h"

/* Pure. False: malformed. The floating address is the flow's local side. */
bool flow_parse(const char *text, struct net_flow *out);

/* Pure. Returns buf, always terminated; 120 bytes are enough. */
char *flow_format(const struct net_flow *flow, char *buf, size_t size);

/* An order, for qsort(): less than 0, 0 when they are equal, or more. */
int flow_compare(const void *a, const void *b);

/*
 * One flow per line; survives nasd, not the node (no fsync). A missing file is
 * an empty list; malformed lines are passed over. *out is the caller's to free.
 */
int flows_save(const char *path, const struct net_flow *flows, size_t n, struct err *e);
int flows_load(const char *path, struct net_flow **out, size_t *n, struct err *e);

#endif
