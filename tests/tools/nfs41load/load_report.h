/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is printed, one line each, on standard output:
 *   ev=ready      every client has its session and its locks
 *   ev=second     what the last second has seen
 *   ev=check      the answer to SIGUSR1
 *   ev=error      client, operation, status; at most ERROR_LINES of them
 *   {"ev":"summary",...}   the last line
 */
#ifndef NFS41LOAD_LOAD_REPORT_H
#define NFS41LOAD_LOAD_REPORT_H

#include "pool.h"

#define ERROR_LINES 200U

void report_second(struct pool *p, uint64_t now_ns);
void report_ready(struct pool *p, uint64_t now_ns);
void report_check(struct pool *p);
void report_summary(struct pool *p, uint64_t now_ns);
/* For client_shared.complain; arg is the pool. */
void report_complaint(void *arg, unsigned client, const char *op, uint32_t status);

uint64_t clock_wall_us(void);

#endif
