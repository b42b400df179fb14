/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The socket, and the one thread that serves it and carries the requests out. */
#ifndef FSAL_SERVER_H
#define FSAL_SERVER_H

#include "fault.h"

/*
 * Starts the thread; it waits until ganesha has started, and then listens on
 * path (a stale socket there is removed), which only root may open. Once.
 */
int server_start(const char *path, struct fault *fault);

#endif
