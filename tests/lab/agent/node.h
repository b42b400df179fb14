/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of a lab node: PID 1's pieces. */
#ifndef LAB_NODE_H
#define LAB_NODE_H

#include <sys/types.h>

/* boot.c: the root file system, then the lines of boot.conf. */
void boot_root(const char *state, const char *share);
/* Runs every line of FILE; dies through boot_fail on the first that fails. */
void boot_run(const char *file);
void boot_fail(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
/* Tells the supervisor; VERB is "ready" or "failed". */
void boot_report(const char *verb, const char *text);

/* service.c: programs that are started again when they end. */
#define SVC_SOCKET "/run/lab.sock"
#define SVC_RESPAWN_MS 200
/* argv: NAME LOG CMD [ARG...]; returns 0 or -1 (table full, name taken). */
int service_add(int argc, char **argv);
void service_reaped(pid_t pid, int status);
int service_tick(void);		/* starts what is due; ms until the next, or -1 */
int service_listen(void);
void service_accept(int lfd);	/* one request from SVC_SOCKET */
int service_client(int argc, char **argv);	/* the "service" command */

/* session.c: one command on the exec channel, in a process of its own. */
void session_run(int sock) __attribute__((noreturn));

#endif
