/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One file that one thread writes and reads, synchronously: on an NFSv4.1 server
 * (a connection and a session of its own), or in a directory (O_SYNC, O_DIRECT).
 * All functions end the program with a message when something is wrong: a
 * measurement with an error in it is none.
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include <stddef.h>
#include <stdint.h>

#define TARGET_WRITE 4096U          /* bytes of a write */
#define TARGET_READ  (1024U * 1024U) /* of a read */
#define TARGET_FILE  (16U * TARGET_READ)

struct target;

/* where: "ADDRESS:PORT/NAME/..." or "/DIRECTORY"; the file there is named by number. */
struct target *target_open(const char *where, unsigned number);

/* All TARGET_FILE bytes of the file. */
void target_fill(struct target *t);

/* TARGET_WRITE bytes at a multiple of it, stable when this returns. */
void target_write(struct target *t, uint64_t offset);

/* TARGET_READ bytes at a multiple of it; they must be there. */
void target_read(struct target *t, uint64_t offset);

void target_close(struct target *t);

_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
