/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a server does for the first time takes it long: threads are made, memory is
 * touched, libraries are loaded. A warm server does it once before it has to.
 */
#ifndef NASD_SYS_GANESHA_REHEARSE_H
#define NASD_SYS_GANESHA_REHEARSE_H

#include <stdint.h>

#include "err.h"

struct conf_nfs;
struct ganesha;

/*
 * For a server that is warm, has no clients, and has time: an export that comes
 * and goes again, by the module (where it has one), then requests. Until the
 * deadline; what fails is logged and no more.
 */
void ganesha_rehearse(struct ganesha *g, int64_t deadline);

/*
 * Some connections to the server that listens here, each with requests that
 * change nothing: NULL, and a SEQUENCE of a session that does not exist. They are
 * reset when all is answered, or after timeout_us. Refused when the server's
 * bind-address is not on this node: another one could answer there.
 */
int ganesha_rehearse_requests(const struct conf_nfs *nfs, int64_t timeout_us, struct err *err);

#endif
