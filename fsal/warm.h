/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * First touches of memory, before a freeze instead of in it. What a process has
 * mapped is not in its page tables: the first touch of each page is a fault, of
 * less than a microsecond on a machine and some dozens in a virtual one. Knows
 * Linux and glibc, not ganesha.
 */
#ifndef FSAL_WARM_H
#define FSAL_WARM_H

#include <stddef.h>
#include <stdint.h>

struct warm_counts {
	size_t read_pages;    /* of code and constants */
	size_t written_pages; /* of variables */
	size_t ranges;        /* of heap and stacks */
	int64_t took_us;
};

/* Has malloc keep what was freed: what was touched once stays. What a server takes
 * when it starts should have been taken: large tables are better mapped. */
void warm_keep_heap(void);

/*
 * Touches the code and the variables of the program and all libraries that are
 * loaded, what there is of heaps and of other threads' stacks, and bytes of
 * the calling thread's own heap. Changes no contents, and other threads may run.
 */
void warm_memory(size_t bytes, struct warm_counts *out);

/* Of a line of /proc/self/maps: whether it is memory of this process alone that
 * may be written, and no file. 1, 0, or -1 for a line that is none. */
int warm_parse_map(const char *line, uintptr_t *from, uintptr_t *to);

#endif
