/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls under a journal file that can fail in ways no test can
 * arrange with a real disk; the unit test replaces them.
 */
#ifndef NASD_SYS_JOURNAL_FILE_IO_H
#define NASD_SYS_JOURNAL_FILE_IO_H

#include <sys/types.h>

#include "journal_file.h"

struct journal_file_io {
	ssize_t (*write)(int fd, const void *data, size_t len);
	int (*fdatasync)(int fd);
	int (*ftruncate)(int fd, off_t len);
	int (*rename)(const char *from, const char *to);
};

/* journal_file_open with other calls; io must outlive the file. */
int journal_file_open_io(const char *path, const struct journal_file_io *io,
			 struct journal_file **out, struct err *err);

#endif
