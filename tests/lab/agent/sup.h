/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lab's supervisor: its nodes, and who may ask it for what. */
#ifndef LAB_SUP_H
#define LAB_SUP_H

#include <stdint.h>
#include <sys/types.h>

#define SUP_NODES 16

enum node_state { NODE_OFF, NODE_BOOTING, NODE_READY, NODE_FAILED };

struct sup_node {
	char name[32];
	pid_t pid;
	enum node_state state;
	int paused;
	int boots;
	int64_t started, ready_ms;	/* ready_ms: how long the last boot took */
	char addr[32];
	char text[256];			/* why it failed */
	int restart;			/* power it on again when it has gone */
};

/* supnode.c: starting, killing and measuring nodes. Text answers go to OUT. */
extern const char *sup_state_dir;
struct sup_node *sup_node_find(const char *name);	/* NULL: no such node */
struct sup_node *sup_node_at(int i);			/* NULL past the end */
int sup_node_on(struct sup_node *n, char *out, size_t cap);	/* 0 or -1 */
void sup_node_off(struct sup_node *n);		/* returns when it has gone */
int sup_node_pause(struct sup_node *n, int on, char *out, size_t cap);
void sup_node_reaped(pid_t pid, int status);
/* CPU time of every process in the node, in clock ticks; RSS in KiB. */
void sup_node_usage(struct sup_node *n, uint64_t *ticks, uint64_t *rss);
const char *sup_state_name(enum node_state s);
/* It is up: its interfaces are open. */
void sup_node_ready(struct sup_node *n);

/* supnet.c: room in, and no echo on, the sockets of a node's interfaces. */
void sup_net_tune(pid_t uml);

/* labsup.c: a node has gone, end the exec connections to it. */
void sup_conns_drop(const char *node);
void sup_waiters_check(void);

#endif
