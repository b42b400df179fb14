/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One error, as every function of nasd that can fail fills it in.
 *
 * A function that fails returns a negative errno value and, when it was handed
 * a struct err, describes the failure there: what kind it is, at which place
 * (a file:line, a step, an option, a peer), what happened, and what the reader
 * can do about it. Success leaves the struct untouched.
 */
#ifndef NASD_BASE_ERR_H
#define NASD_BASE_ERR_H

enum err_class {
	ERR_NONE = 0,
	ERR_INPUT,    /* somebody handed us something malformed */
	ERR_REFUSED,  /* well formed, but a precondition does not hold */
	ERR_SYSTEM,   /* the kernel or a library said no */
	ERR_TIMEOUT,  /* no answer in time: the outcome may be unknown */
	ERR_PEER,     /* the other node said no, or cannot be reached */
	ERR_INTERNAL, /* a bug */
};

enum {
	ERR_WHERE_MAX = 128,
	ERR_MSG_MAX = 384,
	ERR_REMEDY_MAX = 256,
};

struct err {
	enum err_class cls;
	int errnum;                  /* positive errno value, 0 when none fits */
	char where[ERR_WHERE_MAX];   /* the place: "nasd.conf:12", "step mount" */
	char msg[ERR_MSG_MAX];       /* what happened */
	char remedy[ERR_REMEDY_MAX]; /* what to do; may be empty */
};

/* Empties e; e may be NULL, here and in all functions below. */
void err_clear(struct err *e);

/*
 * Fills e and returns -errnum (-EINVAL when errnum is 0), so that a caller can
 * write `return err_set(e, ...)`. The text does not repeat strerror(errnum):
 * err_format adds it for ERR_SYSTEM. Too long a text is cut.
 */
int err_set(struct err *e, enum err_class cls, int errnum, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Adds the remedy: a sentence that tells the reader what to do now. */
void err_remedy(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Writes "where: msg (strerror); remedy" to buf, always terminated, and
 * returns buf. An empty error gives "no error".
 */
char *err_format(const struct err *e, char *buf, unsigned long size);

/* "input", "refused", ...: stable words, used in JSON output. */
const char *err_class_name(enum err_class cls);

#endif
