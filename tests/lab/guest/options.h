/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of `probe run`, the payload itself.  Parsing is pure. */
#ifndef PROBE_OPTIONS_H
#define PROBE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes first to last, both included, as in `0-4095`. */
struct range {
	uint64_t first;
	uint64_t last;
};

struct options {
	const char *file;      /* this, or meta */
	const char *meta;      /* a directory: the metadata client */
	const char *report;    /* see report_open() */
	const char *name;      /* shown in the first line and the summary */
	uint64_t size;         /* bytes of the region; 0: the default, or the device */
	uint64_t pace_ns;      /* between writes */
	uint64_t beat_ns;      /* between heartbeats */
	uint64_t gap_ns;       /* gaps longer than this are reported */
	uint64_t seconds;      /* 0: until told to stop */
	unsigned verify_every; /* one block is read back after so many writes; 0: never */
	uint64_t dirty;        /* bytes of memory written per second; 0: none */
	bool direct;           /* O_DIRECT */
	bool lock;
	struct range lock_range;
};

#define OPTIONS_DEFAULT_SIZE (UINT64_C(16) << 20)

/*
 * Parse argv[1..argc-1].  0, or -1 with the reason in message.  Strings in
 * *opt point into argv.
 */
int options_parse(struct options *opt, int argc, char *const *argv, char *message, size_t size);

/* "A-B" or "A" (one byte); 0 or -1. */
int options_parse_range(const char *text, struct range *out);

/* A number with an optional K, M or G (powers of 1024) after it; 0 or -1. */
int options_parse_size(const char *text, uint64_t *out);

#endif
