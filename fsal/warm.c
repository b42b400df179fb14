/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "warm.h"

#include <inttypes.h>
#include <link.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* since Linux 5.14; an older one says no, and faults */
#endif

enum {
	MMAP_FROM = 32 << 20,   /* glibc's own limit for it */
	TRIM_FROM = 64 << 20,
	BLOCK = 64 << 10,       /* glibc takes it from the heap */
	BLOCKS_MAX = 256,
	WHOLE_MAX = 256 << 10,  /* of a larger range, only its */
	STACK_TOP = 32 << 10,   /* upper end is touched */
};

/* A threshold that is set stays: without the first, each buffer of a large READ or
 * WRITE would be mapped anew. Both are where glibc's own adapting ends. */
void warm_keep_heap(void)
{
	mallopt(M_MMAP_THRESHOLD, MMAP_FROM);
	mallopt(M_TRIM_THRESHOLD, TRIM_FROM);
}

static uintptr_t page_size(void)
{
	return (uintptr_t)sysconf(_SC_PAGESIZE);
}

/* ---- libraries: they are never unloaded, so a touch is safe */

/* Also what an address sanitizer has put between variables. */
__attribute__((no_sanitize("address"))) static size_t touch_to_read(uintptr_t from, uintptr_t to)
{
	uintptr_t page = page_size();
	size_t n = 0;

	for (uintptr_t at = from / page * page; at < to; at += page, n++)
		(void)*(const volatile unsigned char *)at;
	return n;
}

/* Writes what is there: another thread's store in between is seen, and wins. */
__attribute__((no_sanitize("address"))) static size_t touch_to_write(uintptr_t from, uintptr_t to)
{
	uintptr_t page = page_size();
	size_t n = 0;

	for (uintptr_t at = (from + page - 1) / page * page; at + page <= to; at += page, n++) {
		volatile uint32_t *word = (volatile uint32_t *)at;
		uint32_t value = *word;

		__atomic_compare_exchange_n(word, &value, value, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	}
	return n;
}

/* What relocation has made read-only is the beginning of the writable segment. */
static int touch_library(struct dl_phdr_info *info, size_t size, void *data)
{
	struct warm_counts *counts = data;
	uintptr_t relro_end = 0, page = page_size();

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO)
			relro_end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
	relro_end = (relro_end + page - 1) / page * page;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + p->p_vaddr, to = from + p->p_memsz;

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_R))
			continue;
		if (p->p_flags & PF_W)
			counts->written_pages += touch_to_write(from > relro_end ? from : relro_end, to);
		else
			counts->read_pages += touch_to_read(from, to);
	}
	return 0;
}

/* ---- heaps and stacks: they come and go, so the kernel is asked, which says no
 * where we would crash */

int warm_parse_map(const char *line, uintptr_t *from, uintptr_t *to)
{
	char mode[5] = "";
	unsigned long inode;

	if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*x %*x:%*x %lu", from, to, mode, &inode) != 4 || *from >= *to)
		return -1;
	return mode[0] == 'r' && mode[1] == 'w' && mode[3] == 'p' && inode == 0;
}

/* A stack is used from its upper end. */
static int populate(uintptr_t from, uintptr_t to)
{
	if (to - from > WHOLE_MAX)
		from = to - STACK_TOP;
	return madvise((void *)from, to - from, MADV_POPULATE_WRITE);
}

static void populate_private(struct warm_counts *counts)
{
	FILE *f = fopen("/proc/self/maps", "re");
	uintptr_t from, to;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (warm_parse_map(line, &from, &to) == 1 && populate(from, to) == 0)
			counts->ranges++;
	if (f)
		fclose(f);
}

/* ---- the calling thread's heap */

static void touch_heap(size_t bytes)
{
	size_t page = page_size(), n = bytes / BLOCK < BLOCKS_MAX ? bytes / BLOCK : BLOCKS_MAX;
	volatile char *blocks[BLOCKS_MAX];

	for (size_t i = 0; i < n; i++) {
		blocks[i] = malloc(BLOCK);
		for (size_t at = 0; blocks[i] && at < BLOCK; at += page)
			blocks[i][at] = 0;
	}
	for (size_t i = 0; i < n; i++)
		free((void *)blocks[i]);
}

void warm_memory(size_t bytes, struct warm_counts *out)
{
	int64_t start = clock_now_us();

	*out = (struct warm_counts){0};
	touch_heap(bytes);
	populate_private(out);
	dl_iterate_phdr(touch_library, out);
	out->took_us = clock_now_us() - start;
}
