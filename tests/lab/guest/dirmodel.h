/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one directory must hold, known by the only one who changes it.  Pure.
 *
 * A fixed set of names, each absent, a file or a directory; a file may have
 * several of the names (links).  Names are used again and again, so that a
 * REMOVE or RENAME that is executed a second time later hits something.
 *
 * NFSv4.1 sessions promise exactly-once semantics (RFC 8881, 2.10.6): a request
 * that is sent again is answered from the reply cache.  So an EEXIST for a name
 * that is known to be free, or an ENOENT for one that is known to be there, is
 * an operation that was executed twice; and a listing that lacks, repeats or
 * invents an entry is wrong, whatever the reason.
 */
#ifndef PROBE_DIRMODEL_H
#define PROBE_DIRMODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIRMODEL_NAMES     48U
#define DIRMODEL_NAME_SIZE 8U /* with the final NUL */

enum dirmodel_kind {
	DIRMODEL_ABSENT,
	DIRMODEL_FILE,
	DIRMODEL_DIR,
	DIRMODEL_UNKNOWN /* an operation failed, and so did the look at what came of it */
};

enum dirmodel_verb {
	DIRMODEL_CREATE, /* name: O_EXCL, and a little written into it */
	DIRMODEL_LINK,   /* name gets another name, to */
	DIRMODEL_RENAME, /* name becomes to, which is free or another file */
	DIRMODEL_UNLINK,
	DIRMODEL_MKDIR,
	DIRMODEL_RMDIR,
	DIRMODEL_STAT,
	DIRMODEL_LIST,
	DIRMODEL_VERBS /* their number */
};

struct dirmodel_op {
	enum dirmodel_verb verb;
	unsigned name;
	unsigned to;
};

/* One thing with at least one name. */
struct dirmodel_object {
	unsigned names; /* of ours that mean it; 0: this slot is free */
	uint64_t links; /* what stat must say; files only */
	uint64_t size;  /* files only */
	uint64_t inode; /* 0: not seen yet */
};

struct dirmodel {
	enum dirmodel_kind kind[DIRMODEL_NAMES];
	unsigned object[DIRMODEL_NAMES];
	struct dirmodel_object objects[DIRMODEL_NAMES];
};

/* What stat says of a name. */
struct dirmodel_seen {
	enum dirmodel_kind kind; /* DIRMODEL_ABSENT: ENOENT; UNKNOWN: it could not be asked */
	uint64_t links;
	uint64_t size;
	uint64_t inode;
};

struct dirmodel_listing {
	unsigned count[DIRMODEL_NAMES];
};

enum dirmodel_verdict {
	DIRMODEL_DONE,
	DIRMODEL_REPLAYED, /* EEXIST or ENOENT that can only come from a second execution */
	DIRMODEL_FAILED    /* any other error: what came of it is to be looked at */
};

void dirmodel_init(struct dirmodel *m);

/* The text of a name's number, and back (DIRMODEL_NAMES: not one of ours). */
void dirmodel_name(unsigned number, char out[DIRMODEL_NAME_SIZE]);
unsigned dirmodel_number(const char *text);

const char *dirmodel_verb_name(enum dirmodel_verb verb);

/* The next number of a sequence (splitmix64); state is advanced. */
uint64_t dirmodel_random(uint64_t *state);

/* One operation that is possible now, chosen by a random number. */
void dirmodel_choose(const struct dirmodel *m, uint64_t random, struct dirmodel_op *op);

/* What an operation's errno (0: success) means; every op chosen above is possible. */
enum dirmodel_verdict dirmodel_judge(enum dirmodel_verb verb, int err);

/* The operation was done.  Size is what a create wrote; inode what it saw, or 0. */
void dirmodel_done(struct dirmodel *m, const struct dirmodel_op *op, uint64_t size, uint64_t inode);

/* NULL, or the first thing that stat says otherwise: "absent", "kind", ... */
const char *dirmodel_differs(const struct dirmodel *m, unsigned name, const struct dirmodel_seen *seen);

/* The name is what was seen, whatever was believed. */
void dirmodel_adopt(struct dirmodel *m, unsigned name, const struct dirmodel_seen *seen);

/*
 * A listing, entry by entry, without . and ..: NULL, or what is wrong with this
 * one: "repeated", "present" though it must be absent, "foreign".
 */
void dirmodel_list_begin(struct dirmodel_listing *l);
const char *dirmodel_list_entry(struct dirmodel_listing *l, const struct dirmodel *m, const char *text);

/* The first name from this number on that the listing lacks, or DIRMODEL_NAMES. */
unsigned dirmodel_list_missing(const struct dirmodel_listing *l, const struct dirmodel *m, unsigned from);

#endif
