/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "discover.h"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "clock.h"

#define NFSD "libganesha_nfsd.so"
#define RPC "libntirpc.so"

/* The segments of a library in this process. */
enum { SEGMENTS_MAX = 8 };

struct library {
	const char *name;
	struct scan_range segments[SEGMENTS_MAX];
	size_t n_segments;
	struct scan_range code, relro, data, notes;
};

static struct scan_range range_at(uintptr_t addr, size_t len)
{
	return (struct scan_range){.addr = addr, .len = len, .bytes = (const void *)addr};
}

static int note_library(struct dl_phdr_info *info, size_t size, void *data)
{
	struct library *lib = data;

	(void)size;
	if (!info->dlpi_name || !strstr(info->dlpi_name, lib->name))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		struct scan_range r = range_at(info->dlpi_addr + p->p_vaddr, p->p_memsz);

		if (p->p_type == PT_LOAD && p->p_flags & PF_X)
			lib->code = r;
		else if (p->p_type == PT_LOAD && p->p_flags & PF_W)
			lib->data = r;
		else if (p->p_type == PT_GNU_RELRO)
			lib->relro = r;
		else if (p->p_type == PT_NOTE && !lib->notes.len)
			lib->notes = r;
		if (p->p_type == PT_LOAD && lib->n_segments < SEGMENTS_MAX)
			lib->segments[lib->n_segments++] = r;
	}
	return 1;
}

static int find_library(const char *name, struct library *lib, struct fault *fault)
{
	*lib = (struct library){.name = name};
	if (!dl_iterate_phdr(note_library, lib))
		return fault_set(fault, ENOENT, "%s is not loaded", name);
	if (!lib->code.len || !lib->relro.len || !lib->data.len || !lib->notes.len)
		return fault_set(fault, ENOENT, "%s lacks a segment", name);
	/* what relocation made read-only is the beginning of the data segment */
	if (!scan_within(&lib->data, lib->relro.addr, lib->relro.len))
		return fault_set(fault, ENOENT, "%s: RELRO is not in the data", name);
	return 0;
}

/* What is not the library's own is read through the kernel, which says no where
 * we would crash. */
static bool read_memory(void *data, uintptr_t addr, void *buf, size_t len)
{
	const struct library *lib = data;
	struct iovec local = {buf, len}, remote = {(void *)addr, len};

	for (size_t i = 0; i < lib->n_segments; i++)
		if (scan_within(&lib->segments[i], addr, len)) {
			memcpy(buf, (const void *)addr, len);
			return true;
		}
	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)len;
}

static struct scan_reader reader_of(struct library *lib)
{
	return (struct scan_reader){.read = read_memory, .data = lib};
}

/* ---- builds */

static const char known_builds[] =
#include "known_builds.h"
;

static int check_build(const struct library *lib, char id[SCAN_BUILD_ID_MAX], struct fault *fault)
{
	int ret = scan_build_id(&lib->notes, id, fault);

	if (ret == 0 && !scan_known(known_builds, id))
		ret = fault_set(fault, ENOTSUP, "unknown build %s of %s (fsal/known-builds)", id, lib->name);
	return ret;
}

/* ---- the table of operations */

static int find_ops(struct library *lib, struct private_parts *out, struct fault *fault)
{
	static const struct scan_op_layout layout = {
		.size = sizeof(struct op_desc),
		.name = offsetof(struct op_desc, name),
		.funct = offsetof(struct op_desc, funct),
	};
	const struct scan_op_anchor anchors[] = {
		{NFS4_OP_PUTFH, "OP_PUTFH", (uintptr_t)nfs4_op_putfh},
		{NFS4_OP_LOOKUP, "OP_LOOKUP", (uintptr_t)nfs4_op_lookup},
		{NFS4_OP_LINK, "OP_LINK", (uintptr_t)nfs4_op_link},
		{NFS4_OP_RENAME, "OP_RENAME", (uintptr_t)nfs4_op_rename},
		{NFS4_OP_SEQUENCE, "OP_SEQUENCE", 0},
		{NFS4_OP_EXCHANGE_ID, "OP_EXCHANGE_ID", 0},
		{NFS4_OP_CREATE_SESSION, "OP_CREATE_SESSION", 0},
		{NFS4_OP_DESTROY_SESSION, "OP_DESTROY_SESSION", 0},
		{NFS4_OP_DESTROY_CLIENTID, "OP_DESTROY_CLIENTID", 0},
		{NFS4_OP_BIND_CONN_TO_SESSION, "OP_BIND_CONN_TO_SESSION", 0},
		{NFS4_OP_RECLAIM_COMPLETE, "OP_RECLAIM_COMPLETE", 0},
		{NFS4_OP_OPEN, "OP_OPEN", 0},
		{NFS4_OP_LOCK, "OP_LOCK", 0},
		{NFS4_OP_LOCKU, "OP_LOCKU", 0},
		{NFS4_OP_REMOVEXATTR, "OP_REMOVEXATTR", 0}, /* the last one */
	};
	const struct scan_reader reader = reader_of(lib);
	uintptr_t table;
	int ret = scan_op_table(&lib->relro, &lib->code, &reader, &layout, anchors,
				sizeof(anchors) / sizeof(*anchors), &table, fault);

	if (ret == 0)
		out->ops = (struct op_desc *)table;
	return ret;
}

/* ---- hash tables */

struct table_key {
	const struct scan_range *code;
	const char *name;           /* NULL: it has none, but that component */
	log_components_t component;
};

static bool is_table(const struct scan_reader *rd, uintptr_t addr, const void *data)
{
	const struct table_key *key = data;
	struct hash_table t;

	if (!rd->read(rd->data, addr, &t, sizeof(t)) || t.parameter.index_size != PRIME_STATE ||
	    !t.node_pool || !t.data_pool ||
	    !scan_within(key->code, (uintptr_t)t.parameter.compare_key, 1) ||
	    !scan_within(key->code, (uintptr_t)t.parameter.display_val, 1))
		return false;
	if (key->name)
		return scan_text_is(rd, (uintptr_t)t.parameter.ht_name, key->name);
	return !t.parameter.ht_name && t.parameter.ht_log_component == key->component;
}

/* Variables are behind what relocation made read-only. */
static struct scan_range variables_of(const struct library *lib)
{
	uintptr_t from = lib->relro.addr + lib->relro.len;

	return range_at(from, lib->data.addr + lib->data.len - from);
}

static int find_table(struct library *lib, const char *name, log_components_t component,
		      struct hash_table **table, struct fault *fault)
{
	const struct table_key key = {&lib->code, name, component};
	const struct scan_reader reader = reader_of(lib);
	const struct scan_range variables = variables_of(lib);
	uintptr_t addr;
	int ret = scan_object(&variables, &reader, is_table, &key, name ? name : "the session table", &addr,
			      fault);

	if (ret == 0)
		*table = (struct hash_table *)addr;
	return ret;
}

/* The way of finding tables, tried on one that is exported. */
static int check_tables(struct library *lib, struct fault *fault)
{
	struct hash_table *confirmed;
	int ret = find_table(lib, "Confirmed Client ID", 0, &confirmed, fault);

	if (ret == 0 && confirmed != ht_confirmed_client_id)
		ret = fault_set(fault, EINVAL, "self-test: not the confirmed client table");
	return ret;
}

static int find_methods(struct library *lib, struct private_parts *out, struct fault *fault)
{
	static const char *const names[] = {"AddExport", "RemoveExport", "get_grace"};
	const struct scan_reader reader = reader_of(lib);
	struct gsh_dbus_method **where[] = {&out->add_export, &out->remove_export, &out->get_grace};
	uintptr_t addr;
	int ret = 0;

	for (size_t i = 0; i < 3 && ret == 0; i++) {
		ret = scan_method(&lib->data, &lib->code, &reader, names[i], &addr, fault);
		if (ret == 0)
			*where[i] = (struct gsh_dbus_method *)addr;
	}
	return ret;
}

/*
 * The counters that ids are made of, by the code that makes them. Which they are
 * is checked by each id that is made of them when state is loaded (load.c).
 *
 * new_clientid (SAL/nfs4_clientid.c:1295): lea; mov $1,%edx; lock xadd %edx,(%rax);
 * mov nfs_ServerEpoch@GOT,%rax; mov (%rax),%rax; shl $32,%rax
 * nfs41_Build_sessionid (SAL/nfs41_session_id.c:252): lea; mov $1,%eax;
 * lock xadd %rax,(%rdx); pxor %xmm0,%xmm0; movups %xmm0,(%rsi); add $1,%rax
 */
static int find_counters(struct library *lib, struct private_parts *out, struct fault *fault)
{
	const struct scan_range variables = variables_of(lib);
	uintptr_t client = 0, session = 0;
	int ret = scan_operand(&lib->code,
			       "48 8d 05 ?? ?? ?? ?? ba 01 00 00 00 f0 0f c1 10 48 8b 05 ?? ?? ?? ?? "
			       "48 8b 00 48 c1 e0 20",
			       &variables, "the counter of client ids", &client, fault);

	if (ret == 0)
		ret = scan_operand(&lib->code,
				   "48 8d 15 ?? ?? ?? ?? b8 01 00 00 00 f0 48 0f c1 02 66 0f ef c0 "
				   "0f 11 06 48 83 c0 01",
				   &variables, "the counter of session ids", &session, fault);
	if (ret == 0 && (client % sizeof(uint32_t) || session % sizeof(uint64_t)))
		ret = fault_set(fault, EINVAL, "a counter that is not aligned");
	if (ret == 0) {
		out->client_counter = (uint32_t *)client;
		out->session_counter = (uint64_t *)session;
	}
	return ret;
}

int discover_code(struct private_parts *out, struct fault *fault)
{
	int64_t start = clock_now_us();
	struct library nfsd, rpc;
	int ret;

	memset(out, 0, sizeof(*out));
	ret = find_library(NFSD, &nfsd, fault);
	if (ret == 0)
		ret = check_build(&nfsd, out->build_id, fault);
	if (ret == 0)
		ret = find_library(RPC, &rpc, fault);
	if (ret == 0)
		ret = check_build(&rpc, out->rpc_build_id, fault);
	if (ret == 0)
		ret = find_ops(&nfsd, out, fault);
	if (ret == 0)
		ret = find_methods(&nfsd, out, fault);
	out->took_us = clock_now_us() - start;
	return ret;
}

int discover_tables(struct private_parts *out, struct fault *fault)
{
	int64_t start = clock_now_us();
	struct library nfsd;
	int ret = find_library(NFSD, &nfsd, fault);

	if (ret == 0)
		ret = check_tables(&nfsd, fault);
	if (ret == 0)
		ret = find_table(&nfsd, NULL, COMPONENT_SESSIONS, &out->sessions, fault);
	if (ret == 0)
		ret = find_table(&nfsd, "Unconfirmed Client ID", 0, &out->unconfirmed, fault);
	if (ret == 0)
		ret = find_table(&nfsd, "State ID Table", 0, &out->states, fault);
	if (ret == 0)
		ret = find_counters(&nfsd, out, fault);
	out->took_us += clock_now_us() - start;
	return ret;
}
