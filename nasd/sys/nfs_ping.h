/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does an NFS server answer? One NULL call (RFC 5531, procedure 0 of program
 * 100003, version 4; RFC 8881 16.1) on a TCP connection of its own, which is
 * reset afterwards: nothing of it stays, in the server or here.
 */
#ifndef NASD_SYS_NFS_PING_H
#define NASD_SYS_NFS_PING_H

#include <stdint.h>

#include "addr.h"
#include "err.h"

/*
 * Asks the server at addr (prefix and interface are ignored) and port (host
 * order), within limit_us for all of it. 0: it answered, whatever it said.
 * ERR_TIMEOUT: it did not in time. Others: it could not be asked (-ECONNREFUSED:
 * nobody listens), or what answers does not speak RPC (-EPROTO).
 */
int nfs_ping(const struct net_addr *addr, uint16_t port, int64_t limit_us, struct err *err);

#endif
