/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf_schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "conf_buf.h"
#include "conf_value.h"

#define AT(type, member) .offset = offsetof(struct type, member)
#define MS(n) ((uint64_t)(n) * 1000)
#define S(n) ((uint64_t)(n) * 1000000)
#define SECTION(var, title, rows)                                                            \
	const struct section var = { .name = title, .fields = rows,                          \
				     .n_fields = sizeof(rows) / sizeof(*(rows)) };           \
	_Static_assert(sizeof(rows) / sizeof(*(rows)) <= FIELDS_MAX, "FIELDS_MAX")

static const struct field cluster_fields[] = {
	{ "name", FIELD_NAME, AT(conf_cluster, name) },
	{ "secret-file", FIELD_PATH, AT(conf_cluster, secret_file), .def = "" },
	{ "tls-cert", FIELD_PATH, AT(conf_cluster, tls_cert), .def = "" },
	{ "tls-key", FIELD_PATH, AT(conf_cluster, tls_key), .def = "" },
	{ "tls-ca", FIELD_PATH, AT(conf_cluster, tls_ca), .def = "" },
	{ "trigger", FIELD_TRIGGER, AT(conf_cluster, trigger) },
	{ "heartbeat-interval", FIELD_DURATION, AT(conf_cluster, heartbeat_interval_us), .min = MS(10), .max = S(10) },
	{ "dead-after", FIELD_DURATION, AT(conf_cluster, dead_after_us), .min = MS(50), .max = S(60) },
	{ "hold-down", FIELD_DURATION, AT(conf_cluster, hold_down_us), .def = "30s", .max = S(3600) },
	{ "takeover-delay", FIELD_DURATION, AT(conf_cluster, takeover_delay_us), .def = "300ms", .max = S(60) },
	{ "takeover-delay-random", FIELD_DURATION, AT(conf_cluster, takeover_delay_random_us), .def = "0ms", .max = S(60) },
	{ "witness", FIELD_IP_LIST, AT(conf_cluster, witness), .def = "", .max = CONF_WITNESSES_MAX,
	  .count_offset = offsetof(struct conf_cluster, n_witness) },
	{ "fence-retry", FIELD_DURATION, AT(conf_cluster, fence_retry_us), .def = "5s", .min = S(1), .max = S(600) },
	{ "peer-port", FIELD_PORT, AT(conf_cluster, peer_port), .def = "7790", .min = 1, .max = 65535 },
};
SECTION(conf_cluster_section, "cluster", cluster_fields);

static const struct field node_fields[] = {
	{ "addresses", FIELD_IP_LIST, AT(conf_node, addresses), .max = CONF_NODE_ADDRESSES_MAX,
	  .count_offset = offsetof(struct conf_node, n_addresses) },
};
SECTION(conf_node_section, "node", node_fields);

static const struct field group_fields[] = {
	{ "id", FIELD_ID, AT(conf_group, id), .min = 1, .max = 65535 },
	{ "on-server-failure", FIELD_FAILURE, AT(conf_group, on_failure), .def = "restart" },
};
SECTION(conf_group_section, "group", group_fields);

static const struct field drbd_fields[] = {
	{ "resource", FIELD_RESOURCE, AT(conf_drbd, resource) },
	{ "device", FIELD_DEVICE, AT(conf_drbd, device) },
};
SECTION(conf_drbd_section, "drbd", drbd_fields);

static const struct field fs_fields[] = {
	{ "mount", FIELD_PATH, AT(conf_filesystem, mount) },
	{ "type", FIELD_FSTYPE, AT(conf_filesystem, type) },
	{ "options", FIELD_OPTIONS, AT(conf_filesystem, options), .def = "" },
	{ "uuid", FIELD_UUID, AT(conf_filesystem, uuid) },
};
SECTION(conf_fs_section, "filesystem", fs_fields);

static const struct field export_fields[] = {
	{ "id", FIELD_ID, AT(conf_export, id), .min = 1, .max = 65000 },
	{ "path", FIELD_PATH, AT(conf_export, path) },
	{ "pseudo", FIELD_PATH, AT(conf_export, pseudo) },
	{ "clients", FIELD_NET_LIST, AT(conf_export, clients), .max = CONF_CLIENTS_MAX,
	  .count_offset = offsetof(struct conf_export, n_clients) },
	{ "access", FIELD_ACCESS, AT(conf_export, access) },
	{ "squash", FIELD_SQUASH, AT(conf_export, squash) },
};
SECTION(conf_export_section, "export", export_fields);

static const struct field address_fields[] = {
	{ "interface", FIELD_IFNAME, AT(conf_address, interface) },
};
SECTION(conf_address_section, "address", address_fields);

/* 180 s and 270 s are ganesha 4.3's own bounds. */
static const struct field nfs_fields[] = {
	{ "port", FIELD_PORT, AT(conf_nfs, port), .def = "2049", .min = 1, .max = 65535 },
	{ "lease", FIELD_SECONDS, AT(conf_nfs, lease_us), .min = S(10), .max = S(180) },
	{ "grace", FIELD_SECONDS, AT(conf_nfs, grace_us), .min = S(10), .max = S(270) },
	{ "reclaim-wait", FIELD_SECONDS, AT(conf_nfs, reclaim_wait_us), .def = "0s", .min = 0, .max = S(270) },
	{ "record-wait", FIELD_DURATION, AT(conf_nfs, record_wait_us), .def = "1s", .min = 0, .max = S(5) },
	{ "bind-address", FIELD_IP, AT(conf_nfs, bind), .def = "" },
	{ "migrate-state", FIELD_MIGRATE, AT(conf_nfs, migrate), .def = "auto" },
	{ "hung-after", FIELD_DURATION, AT(conf_nfs, hung_after_us), .def = "10s", .max = S(300) },
};
SECTION(conf_nfs_section, "nfs", nfs_fields);

static const struct field limits_fields[] = {
	{ "switchover", FIELD_DURATION, AT(conf_limits, switchover_us), .def = "30s", .min = S(1), .max = S(3600) },
	{ "precopy", FIELD_DURATION, AT(conf_limits, precopy_us), .def = "15s", .min = MS(100), .max = S(3600) },
	{ "freeze", FIELD_DURATION, AT(conf_limits, freeze_us), .def = "8s", .min = MS(100), .max = S(60) },
	{ "step", FIELD_DURATION, AT(conf_limits, step_us), .def = "5s", .min = MS(100), .max = S(600) },
	{ "dirty", FIELD_SIZE, AT(conf_limits, dirty_bytes), .def = "16MiB", .min = 64 << 10, .max = 64ULL << 30 },
};
SECTION(conf_limits_section, "limits", limits_fields);

static const struct field fence_fields[] = {
	{ "node", FIELD_HOST, AT(conf_fence, node_name) },
	{ "agent", FIELD_AGENT, AT(conf_fence, agent) },
	{ "options", FIELD_PAIR_LIST, AT(conf_fence, options), .max = CONF_FENCE_OPTIONS_MAX,
	  .count_offset = offsetof(struct conf_fence, n_options) },
	{ "level", FIELD_COUNT, AT(conf_fence, level), .def = "1", .min = 1, .max = CONF_FENCES_NODE_MAX },
	{ "timeout", FIELD_DURATION, AT(conf_fence, timeout_us), .def = "10s", .min = MS(100), .max = S(300) },
	{ "retries", FIELD_COUNT, AT(conf_fence, retries), .def = "1", .max = 10 },
	{ "retry-wait", FIELD_DURATION, AT(conf_fence, retry_wait_us), .def = "1s", .max = S(60) },
	{ "verify", FIELD_YESNO, AT(conf_fence, verify), .def = "yes" },
	{ "verify-limit", FIELD_DURATION, AT(conf_fence, verify_limit_us), .def = "10s", .min = MS(100), .max = S(300) },
	{ "verify-interval", FIELD_DURATION, AT(conf_fence, verify_every_us), .def = "250ms", .min = MS(50), .max = S(10) },
};
SECTION(conf_fence_section, "fence", fence_fields);

static const struct field hypervisor_fields[] = {
	{ "uri", FIELD_URI, AT(conf_hypervisor, uri) },
	{ "migrate-uri", FIELD_URI, AT(conf_hypervisor, migrate_uri), .def = "" },
	{ "mounts", FIELD_PAIR_LIST, AT(conf_hypervisor, mounts), .max = CONF_EXPORTS_MAX,
	  .count_offset = offsetof(struct conf_hypervisor, n_mounts) },
};
SECTION(conf_hypervisor_section, "hypervisor", hypervisor_fields);

/* The words of the enums, in their order. */
static const char *const trigger_names[] = { "manual", "pacemaker", "keepalived", "heartbeat" };
static const char *const access_names[] = { "ro", "rw" };
static const char *const squash_names[] = { "no_root", "root", "all" };
static const char *const migrate_names[] = { "auto", "off" };
static const char *const failure_names[] = { "restart", "switchover" };
static const char *const yesno_names[] = { "no", "yes" };

const char *conf_trigger_name(enum conf_trigger t)
{
	return trigger_names[t];
}

const char *conf_access_name(enum conf_access a)
{
	return access_names[a];
}

const char *conf_squash_name(enum conf_squash s)
{
	return squash_names[s];
}

const char *conf_migrate_name(enum conf_migrate m)
{
	return migrate_names[m];
}

const char *conf_failure_name(enum conf_failure f)
{
	return failure_names[f];
}

static int word_index(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(text, words[i]))
			return (int)i;
	return -1;
}

int field_is_list(const struct field *f)
{
	return f->kind == FIELD_IP_LIST || f->kind == FIELD_NET_LIST || f->kind == FIELD_PAIR_LIST;
}

/* Copies text that a check has found to fit; an empty one only as a default. */
static const char *put_text(const struct field *f, char *at, const char *text,
			    const char *(*check)(const char *))
{
	const char *bad = !*text && f->def && !*f->def ? NULL : check(text);

	if (!bad)
		memcpy(at, text, strlen(text) + 1);
	return bad;
}

static const char *check_fstype(const char *text)
{
	return strcmp(text, "ext4") && strcmp(text, "xfs") ? "must be ext4 or xfs" : NULL;
}

static const char *check_device(const char *text)
{
	uint32_t minor;

	return value_device(text, &minor);
}

static const char *check_agent(const char *text)
{
	return strlen(text) >= CONF_FENCE_PATH_MAX ? "must be shorter than 128 bytes" : value_check_path(text);
}

static const char *put_text_kind(const struct field *f, char *at, const char *text)
{
	switch (f->kind) {
	case FIELD_NAME:
		return put_text(f, at, text, value_check_name);
	case FIELD_RESOURCE:
		return put_text(f, at, text, value_check_resource);
	case FIELD_PATH:
		return put_text(f, at, text, value_check_path);
	case FIELD_IFNAME:
		return put_text(f, at, text, value_check_ifname);
	case FIELD_OPTIONS:
		return put_text(f, at, text, value_check_options);
	case FIELD_UUID:
		return put_text(f, at, text, value_check_uuid);
	case FIELD_FSTYPE:
		return put_text(f, at, text, check_fstype);
	case FIELD_DEVICE:
		return put_text(f, at, text, check_device);
	case FIELD_HOST:
		return put_text(f, at, text, value_check_host);
	case FIELD_AGENT:
		return put_text(f, at, text, check_agent);
	case FIELD_URI:
		return *text || !f->def ? put_text(f, at, text, value_check_uri) : NULL;
	case FIELD_PORT:
	case FIELD_ID:
	case FIELD_COUNT:
	case FIELD_DURATION:
	case FIELD_SECONDS:
	case FIELD_SIZE:
	case FIELD_TRIGGER:
	case FIELD_ACCESS:
	case FIELD_SQUASH:
	case FIELD_MIGRATE:
	case FIELD_FAILURE:
	case FIELD_YESNO:
	case FIELD_IP:
	case FIELD_IP_LIST:
	case FIELD_NET_LIST:
	case FIELD_PAIR_LIST:
		break;
	}
	return "is of an unknown kind";
}

/* What the bounds are, in the field's own unit. */
static void print_range(const struct field *f, char *msg, size_t size)
{
	char lo[VALUE_MAX], hi[VALUE_MAX];

	if (f->kind == FIELD_DURATION || f->kind == FIELD_SECONDS) {
		value_print_duration(f->min, lo);
		value_print_duration(f->max, hi);
	} else if (f->kind == FIELD_SIZE) {
		value_print_size(f->min, lo);
		value_print_size(f->max, hi);
	} else {
		snprintf(lo, sizeof(lo), "%" PRIu64, f->min);
		snprintf(hi, sizeof(hi), "%" PRIu64, f->max);
	}
	snprintf(msg, size, "must be between %s and %s", lo, hi);
}

static int put_number(const struct field *f, void *at, const char *text, char *msg, size_t msg_size)
{
	const char *bad;
	uint64_t v = 0;

	if (f->kind == FIELD_DURATION || f->kind == FIELD_SECONDS)
		bad = value_duration(text, &v);
	else if (f->kind == FIELD_SIZE)
		bad = value_size(text, &v);
	else
		bad = value_number(text, &v);
	if (!bad && f->kind == FIELD_SECONDS && v % 1000000)
		bad = "must be whole seconds";
	if (bad) {
		snprintf(msg, msg_size, "%s", bad);
		return -1;
	}
	if (v < f->min || v > f->max) {
		print_range(f, msg, msg_size);
		return -1;
	}
	if (f->kind == FIELD_PORT || f->kind == FIELD_ID || f->kind == FIELD_COUNT)
		*(uint16_t *)at = (uint16_t)v;
	else
		*(uint64_t *)at = v;
	return 0;
}

static const char *put_enum(const struct field *f, void *at, const char *text)
{
	int i;

	if (f->kind == FIELD_TRIGGER) {
		i = word_index(text, trigger_names, 4);
		if (i < 0)
			return "must be manual, pacemaker, keepalived or heartbeat";
		*(enum conf_trigger *)at = (enum conf_trigger)i;
	} else if (f->kind == FIELD_ACCESS) {
		i = word_index(text, access_names, 2);
		if (i < 0)
			return "must be ro or rw";
		*(enum conf_access *)at = (enum conf_access)i;
	} else if (f->kind == FIELD_MIGRATE) {
		i = word_index(text, migrate_names, 2);
		if (i < 0)
			return "must be auto or off";
		*(enum conf_migrate *)at = (enum conf_migrate)i;
	} else if (f->kind == FIELD_FAILURE) {
		i = word_index(text, failure_names, 2);
		if (i < 0)
			return "must be restart or switchover";
		*(enum conf_failure *)at = (enum conf_failure)i;
	} else if (f->kind == FIELD_YESNO) {
		i = word_index(text, yesno_names, 2);
		if (i < 0)
			return "must be yes or no";
		*(bool *)at = i == 1;
	} else {
		i = word_index(text, squash_names, 3);
		if (i < 0)
			return "must be no_root, root or all";
		*(enum conf_squash *)at = (enum conf_squash)i;
	}
	return NULL;
}

/* One may hold a password: a message names the key, or the place. */
static int put_pairs(const struct field *f, void *base, const char *const *values, size_t n, char *msg,
		     size_t msg_size)
{
	struct conf_fence_option *at = (void *)((char *)base + f->offset);

	if (n > f->max) {
		snprintf(msg, msg_size, "must have at most %" PRIu64 " values", f->max);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		const char *bad = value_pair(values[i], &at[i]);

		if (!bad)
			continue;
		size_t key = strchr(values[i], '=') ? strcspn(values[i], "=") : 0;

		snprintf(msg, msg_size, "value %zu%s%.*s%s %s", i + 1, key ? " (`" : "", key < 40 ? (int)key : 40, values[i],
			 key ? "')" : "", bad);
		return -1;
	}
	*(size_t *)(void *)((char *)base + f->count_offset) = n;
	return 0;
}

static int put_list(const struct field *f, void *base, const char *const *values, size_t n,
		    char *msg, size_t msg_size)
{
	char *at = (char *)base + f->offset;
	const char *bad = NULL;
	size_t i;

	if ((n == 0 && !f->def) || n > f->max) { /* one with a default may be left out */
		snprintf(msg, msg_size, "must have between 1 and %" PRIu64 " values", f->max);
		return -1;
	}
	for (i = 0; i < n && !bad; i++) {
		if (f->kind == FIELD_IP_LIST)
			bad = value_ip(values[i], &((struct conf_ip *)(void *)at)[i]);
		else
			bad = value_net(values[i], &((struct conf_net *)(void *)at)[i]);
	}
	if (bad) {
		snprintf(msg, msg_size, "`%.80s' %s", values[i - 1], bad);
		return -1;
	}
	*(size_t *)(void *)((char *)base + f->count_offset) = n;
	return 0;
}

int field_decode(const struct field *f, void *base, const char *const *values, size_t n, char *msg,
		 size_t msg_size)
{
	void *at = (char *)base + f->offset;
	const char *bad = NULL;

	if (f->kind == FIELD_PAIR_LIST)
		return put_pairs(f, base, values, n, msg, msg_size);
	if (field_is_list(f))
		return put_list(f, base, values, n, msg, msg_size);
	switch (f->kind) {
	case FIELD_PORT:
	case FIELD_ID:
	case FIELD_COUNT:
	case FIELD_DURATION:
	case FIELD_SECONDS:
	case FIELD_SIZE:
		return put_number(f, at, values[0], msg, msg_size);
	case FIELD_TRIGGER:
	case FIELD_ACCESS:
	case FIELD_SQUASH:
	case FIELD_MIGRATE:
	case FIELD_FAILURE:
	case FIELD_YESNO:
		bad = put_enum(f, at, values[0]);
		break;
	case FIELD_IP:
		bad = *values[0] ? value_ip(values[0], at) : NULL;
		break;
	case FIELD_NAME:
	case FIELD_RESOURCE:
	case FIELD_PATH:
	case FIELD_IFNAME:
	case FIELD_OPTIONS:
	case FIELD_UUID:
	case FIELD_FSTYPE:
	case FIELD_DEVICE:
	case FIELD_HOST:
	case FIELD_AGENT:
	case FIELD_URI:
		bad = put_text_kind(f, at, values[0]);
		break;
	case FIELD_IP_LIST:
	case FIELD_NET_LIST:
	case FIELD_PAIR_LIST:
		break;
	}
	if (bad)
		snprintf(msg, msg_size, "%s", bad);
	return bad ? -1 : 0;
}

static void print_pair(const struct conf_fence_option *o, bool masked, struct buf *out)
{
	buf_add(out, "%s=%s", o->key, masked && conf_fence_is_secret(o->key) ? "***" : o->value);
}

static void print_list(const struct field *f, const void *base, bool masked, struct buf *out)
{
	const char *at = (const char *)base + f->offset;
	size_t n = *(const size_t *)(const void *)((const char *)base + f->count_offset);

	buf_add(out, "{ ");
	for (size_t i = 0; i < n; i++) {
		if (f->kind == FIELD_PAIR_LIST) {
			buf_add(out, i ? ", \"" : "\"");
			print_pair(&((const struct conf_fence_option *)(const void *)at)[i], masked, out);
			buf_add(out, "\"");
			continue;
		}
		const char *text = f->kind == FIELD_IP_LIST
					   ? ((const struct conf_ip *)(const void *)at)[i].text
					   : ((const struct conf_net *)(const void *)at)[i].text;

		buf_add(out, "%s\"%s\"", i ? ", " : "", text);
	}
	buf_add(out, " }");
}

void field_print(const struct field *f, const void *base, bool masked, struct buf *out)
{
	const void *at = (const char *)base + f->offset;
	char tmp[VALUE_MAX];

	buf_add(out, "%s = ", f->key);
	switch (f->kind) {
	case FIELD_NAME:
	case FIELD_RESOURCE:
	case FIELD_PATH:
	case FIELD_IFNAME:
	case FIELD_OPTIONS:
	case FIELD_UUID:
	case FIELD_FSTYPE:
	case FIELD_DEVICE:
	case FIELD_HOST:
	case FIELD_AGENT:
	case FIELD_URI:
		buf_add(out, "\"%s\"", (const char *)at);
		break;
	case FIELD_PORT:
	case FIELD_ID:
	case FIELD_COUNT:
		buf_add(out, "%u", *(const uint16_t *)at);
		break;
	case FIELD_DURATION:
	case FIELD_SECONDS:
		buf_add(out, "%s", value_print_duration(*(const uint64_t *)at, tmp));
		break;
	case FIELD_SIZE:
		buf_add(out, "%s", value_print_size(*(const uint64_t *)at, tmp));
		break;
	case FIELD_TRIGGER:
		buf_add(out, "%s", conf_trigger_name(*(const enum conf_trigger *)at));
		break;
	case FIELD_ACCESS:
		buf_add(out, "%s", conf_access_name(*(const enum conf_access *)at));
		break;
	case FIELD_SQUASH:
		buf_add(out, "%s", conf_squash_name(*(const enum conf_squash *)at));
		break;
	case FIELD_MIGRATE:
		buf_add(out, "%s", conf_migrate_name(*(const enum conf_migrate *)at));
		break;
	case FIELD_FAILURE:
		buf_add(out, "%s", conf_failure_name(*(const enum conf_failure *)at));
		break;
	case FIELD_YESNO:
		buf_add(out, "%s", yesno_names[*(const bool *)at]);
		break;
	case FIELD_IP:
		buf_add(out, "\"%s\"", ((const struct conf_ip *)at)->text);
		break;
	case FIELD_IP_LIST:
	case FIELD_NET_LIST:
	case FIELD_PAIR_LIST:
		print_list(f, base, masked, out);
		break;
	}
}
