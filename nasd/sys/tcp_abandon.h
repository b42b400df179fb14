/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TCP connections of a server that is about to be killed, ended without a
 * packet. Left to close(2), each would send FIN from an address that is gone, and
 * stay in FIN-WAIT-1 for minutes. When the address comes back within that time,
 * the dead socket answers for a client of the same port: it acknowledges where
 * the kernel would reset, and the client waits 18 s before it reconnects.
 */
#ifndef NASD_SYS_TCP_ABANDON_H
#define NASD_SYS_TCP_ABANDON_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/*
 * Puts every connection of process pid on local port (host order) into repair
 * mode (TCP_REPAIR, linux/tcp.h; the sockets by pidfd_getfd(2)): whatever closes
 * it then, it is gone at once and nobody is told. The process itself can no
 * longer use them: only for one that is killed next, and whose address has been
 * taken away, so that no connection is accepted in between. Listening sockets are
 * left alone. *count (may be NULL): connections found; negative return and err:
 * the first that could not be changed, the others were all the same. Needs
 * CAP_SYS_PTRACE and CAP_NET_ADMIN. Never waits.
 */
int tcp_abandon(pid_t pid, int pidfd, uint16_t port, size_t *count, struct err *err);

#endif
