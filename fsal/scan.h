/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Finds objects that a library keeps to itself, by what they look like in memory.
 *
 * Pure: all functions work on ranges that they are handed, and read what is
 * outside of them through a function of the caller (which may say no). A thing
 * that is found twice, in different places, is not found: nothing is guessed.
 */
#ifndef FSAL_SCAN_H
#define FSAL_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

/* Memory from addr on, of which bytes is what it holds. */
struct scan_range {
	uintptr_t addr;
	size_t len;
	const void *bytes;
};

/* Reads len bytes at addr into buf; false when they cannot be read. */
typedef bool (*scan_read_fn)(void *data, uintptr_t addr, void *buf, size_t len);

struct scan_reader {
	scan_read_fn read;
	void *data;
};

/* Whether the n bytes at addr are all within r. */
bool scan_within(const struct scan_range *r, uintptr_t addr, size_t n);

/* Whether a text that equals word is at addr. */
bool scan_text_is(const struct scan_reader *rd, uintptr_t addr, const char *word);

/* ---- a table of operations: an array of equal elements, each with a pointer to
 * its name and a pointer to its function */
struct scan_op_layout {
	size_t size;        /* of an element */
	size_t name, funct; /* where in it the two pointers are */
};

struct scan_op_anchor {
	unsigned index;
	const char *name;
	uintptr_t funct;    /* 0: any that is in the code */
};

/*
 * Finds the one table in where for which all anchors hold; the first anchor must
 * have a function. *table is the address of element 0.
 */
int scan_op_table(const struct scan_range *where, const struct scan_range *code,
		  const struct scan_reader *rd, const struct scan_op_layout *layout,
		  const struct scan_op_anchor *anchors, size_t n_anchors, uintptr_t *table,
		  struct fault *fault);

/* ---- objects on the heap that a variable of the library points to */

/* True when the object at addr is the one; key is the caller's. */
typedef bool (*scan_match_fn)(const struct scan_reader *rd, uintptr_t addr, const void *key);

/*
 * Finds the one object to which a pointer in where leads and that matches. what
 * is its name, for the fault.
 */
int scan_object(const struct scan_range *where, const struct scan_reader *rd, scan_match_fn match,
		const void *key, const char *what, uintptr_t *object, struct fault *fault);

/* ---- a method of a D-Bus interface: { name, function, ... } */
int scan_method(const struct scan_range *where, const struct scan_range *code,
		const struct scan_reader *rd, const char *name, uintptr_t *method,
		struct fault *fault);

/* ---- a variable that an instruction names by its distance (x86-64) */

/*
 * Finds the one place in code that has these bytes ("48 8d 05 ?? ?? ?? ?? ba": in
 * hex, ?? is any), and of it the variable that the first four ?? lead to: their
 * value, as a signed number, from their end on. The variable's 8 bytes must lie in
 * variables. what is its name, for the fault.
 */
int scan_operand(const struct scan_range *code, const char *bytes, const struct scan_range *variables,
		 const char *what, uintptr_t *addr, struct fault *fault);

/* ---- the GNU build-id in a note segment, as lower-case hex */
enum { SCAN_BUILD_ID_MAX = 65 };
int scan_build_id(const struct scan_range *notes, char out[SCAN_BUILD_ID_MAX], struct fault *fault);

/*
 * Whether a list of known builds has this one. A line of the list is "id rest";
 * "#" begins a comment. id must be a whole word.
 */
bool scan_known(const char *list, const char *id);

#endif
