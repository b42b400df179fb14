/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block.h"
#include "options.h"

struct verify {
	const char *file;
	uint64_t run;
	uint64_t acked;
	uint64_t newest;
	uint64_t blocks;
};

static int parse(struct verify *v, int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		const char *value = argv[i + 1];
		char *end = NULL;

		if (strcmp(argv[i], "--file") == 0) {
			v->file = value;
		} else if (strcmp(argv[i], "--run") == 0) {
			v->run = strtoull(value, &end, 16);
			if (*end)
				return -1;
		} else if (strcmp(argv[i], "--acked") == 0) {
			if (options_parse_size(value, &v->acked))
				return -1;
		} else if (strcmp(argv[i], "--newest") == 0) {
			if (options_parse_size(value, &v->newest))
				return -1;
		} else if (strcmp(argv[i], "--blocks") == 0) {
			if (options_parse_size(value, &v->blocks))
				return -1;
		} else {
			return -1;
		}
	}
	return argc % 2 && v->file && v->blocks && v->newest < UINT64_MAX ? 0 : -1;
}

/*
 * A block that a write of unknown outcome may have reached is good with any
 * number from the newest acknowledged one on; block_judge() allows for one
 * such write, this for --newest many.
 */
static enum block_state judge(const struct verify *v, const struct block_codec *codec,
			      const void *buf, uint64_t index, struct block_head *head)
{
	enum block_state state =
		block_judge(codec, buf, v->run, index, v->blocks, v->acked, head);

	if (state == BLOCK_FUTURE && head->seq <= v->newest)
		return BLOCK_GOOD;
	return state;
}

int verify_main(int argc, char **argv)
{
	struct verify v = { 0 };
	static struct block_codec codec; /* 8 KiB; const once filled */
	uint64_t bad = 0;
	void *buf = aligned_alloc(PROBE_BLOCK, PROBE_BLOCK);
	int fd;

	if (!buf || parse(&v, argc, argv)) {
		fprintf(stderr, "usage: probe verify --file F --run RUN --acked N --blocks B "
				"[--newest M]\n");
		free(buf);
		return 2;
	}
	block_codec_init(&codec);
	fd = open(v.file, O_RDONLY | O_CLOEXEC);
	for (uint64_t i = 0; fd >= 0 && i < v.blocks; i++) {
		struct block_head head;
		enum block_state state;

		if (pread(fd, buf, PROBE_BLOCK, (off_t)(i * PROBE_BLOCK)) != (ssize_t)PROBE_BLOCK) {
			fprintf(stderr, "probe: %s: block %" PRIu64 ": short or failed read\n", v.file, i);
			close(fd);
			free(buf);
			return 2;
		}
		state = judge(&v, &codec, buf, i, &head);
		if (state == BLOCK_GOOD)
			continue;
		bad++;
		printf("ev=bad state=%s block=%" PRIu64 " want=%" PRIu64 " seq=%" PRIu64 "\n",
		       block_state_name(state), i, block_expected(i, v.blocks, v.acked), head.seq);
	}
	if (fd < 0) {
		fprintf(stderr, "probe: %s: %s\n", v.file, strerror(errno));
		free(buf);
		return 2;
	}
	close(fd);
	free(buf);
	printf("{\"ev\":\"verify\",\"file\":\"%s\",\"run\":\"%016" PRIx64 "\",\"blocks\":%" PRIu64
	       ",\"acked\":%" PRIu64 ",\"bad_blocks\":%" PRIu64 "}\n",
	       v.file, v.run, v.blocks, v.acked, bad);
	return bad ? 1 : 0;
}
