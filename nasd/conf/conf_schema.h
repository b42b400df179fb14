/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The schema as tables: one row per option. The same rows drive what libconfuse
 * is told to accept, the decoding, and the dump. Pure.
 */
#ifndef NASD_CONF_SCHEMA_H
#define NASD_CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"

struct buf;

enum field_kind {
	FIELD_NAME,     /* char[], value_check_* */
	FIELD_RESOURCE,
	FIELD_PATH,
	FIELD_IFNAME,
	FIELD_OPTIONS,
	FIELD_UUID,
	FIELD_FSTYPE,
	FIELD_DEVICE,   /* char[]; the minor is decoded by the section */
	FIELD_PORT,     /* uint16_t, min..max */
	FIELD_ID,       /* uint16_t, min..max */
	FIELD_COUNT,    /* uint16_t, min..max */
	FIELD_DURATION, /* uint64_t microseconds, min..max */
	FIELD_SECONDS,  /* the same, whole seconds */
	FIELD_SIZE,     /* uint64_t bytes, min..max */
	FIELD_TRIGGER,  /* enums */
	FIELD_ACCESS,
	FIELD_SQUASH,
	FIELD_MIGRATE,
	FIELD_FAILURE,
	FIELD_YESNO,    /* bool */
	FIELD_HOST,     /* char[], as below; what it means is decoded by the section */
	FIELD_AGENT,
	FIELD_URI,      /* char[]; "" is none, where that is the default */
	FIELD_IP,       /* struct conf_ip; "" is none */
	FIELD_IP_LIST,  /* struct conf_ip[max], count at count_offset */
	FIELD_NET_LIST, /* struct conf_net[max], count at count_offset */
	FIELD_PAIR_LIST, /* struct conf_fence_option[max], count at count_offset; may be empty */
};

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
	const char *def; /* NULL: required. As it would stand in the file. */
	uint64_t min, max;
	size_t count_offset;
};

struct section {
	const char *name;
	const struct field *fields;
	size_t n_fields;
};

extern const struct section conf_cluster_section;
extern const struct section conf_node_section;
extern const struct section conf_group_section; /* its own options, without the sections in it */
extern const struct section conf_drbd_section;
extern const struct section conf_fs_section;
extern const struct section conf_export_section;
extern const struct section conf_address_section;
extern const struct section conf_nfs_section;
extern const struct section conf_limits_section;
extern const struct section conf_fence_section;
extern const struct section conf_hypervisor_section;

enum { FIELDS_MAX = 16 };

/*
 * Decodes the values (text; one, or several for a list) of field f into the
 * struct at base. Returns 0, or -1 with what is wrong in msg.
 */
int field_decode(const struct field *f, void *base, const char *const *values, size_t n, char *msg,
		 size_t msg_size);

/* "key = value" in canonical form, without a line end. masked: with "***" for secrets. */
void field_print(const struct field *f, const void *base, bool masked, struct buf *out);

/* A list? libconfuse needs to know. */
int field_is_list(const struct field *f);

#endif
