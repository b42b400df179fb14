/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file under the journal: appended bytes that are on the disk when the
 * function returns. What the bytes mean is core's business. All functions block
 * and are called from a lane (one thread at a time per file).
 */
#ifndef NASD_SYS_JOURNAL_FILE_H
#define NASD_SYS_JOURNAL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct journal_file;

/*
 * Opens or creates the file (mode 0600), creating its directory (0700) when
 * missing; the parent of the directory must exist. A lock beside the file
 * (path + ".lock") keeps a second nasd out: -EBUSY, the holder's pid in the
 * message. Refuses what is not a regular file.
 */
int journal_file_open(const char *path, struct journal_file **out, struct err *err);

/* All bytes of the file, *data malloc'ed (never NULL on success), *len its length. */
int journal_file_read(struct journal_file *j, unsigned char **data, size_t *len, struct err *err);

/*
 * Appends len bytes and waits until they are on the disk. All or nothing: when
 * writing fails (ENOSPC, EIO) the file is cut back to its last good length.
 * When the disk's answer to the sync, or the cutting back, fails, nobody knows
 * what is on the disk: the journal is poisoned, this and every later append and
 * rewrite fails with -EIO until the process starts anew.
 */
int journal_file_append(struct journal_file *j, const void *data, size_t len, struct err *err);

/* The same without waiting: on the disk with the next that is, or when the kernel
 * writes it. For what a power cut may take back. */
int journal_file_append_lazily(struct journal_file *j, const void *data, size_t len, struct err *err);

/*
 * Cuts the file to len bytes (a torn record at its end, found by the reader)
 * and syncs. len must not be more than its length.
 */
int journal_file_truncate(struct journal_file *j, uint64_t len, struct err *err);

/*
 * Replaces the contents in one step (compaction): temporary file, sync, rename,
 * sync of the directory. When it fails before the rename the old contents stay
 * and the journal is usable; a failure after it poisons.
 */
int journal_file_rewrite(struct journal_file *j, const void *data, size_t len, struct err *err);

uint64_t journal_file_length(const struct journal_file *j);
bool journal_file_poisoned(const struct journal_file *j);

/* Closes and unlocks; j may be NULL. */
void journal_file_close(struct journal_file *j);

#endif
