/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json_model.h"

#include <errno.h>
#include <string.h>

#include "json_field.h"
#include "json_tables.h"

static const char *outcome_word(unsigned v)
{
	return outcome_name((enum outcome)v);
}

static const char *server_word(unsigned v)
{
	return server_state_name((enum server_state)v);
}

static const char *step_word(unsigned v)
{
	return step_name((enum step_id)v);
}

static const char *kind_word(unsigned v)
{
	return client_kind_name((enum client_kind)v);
}

static const char *class_word(unsigned v)
{
	return err_class_name((enum err_class)v);
}

static const struct jf address_rows[] = {
	JF_ROW(facts_address, text, "text", JF_EXACT),
	JF_ROW(facts_address, ifname, "ifname", JF_EXACT),
	JF_ROW(facts_address, present, "present", JF_BOOL),
	JF_ROW(facts_address, link_up, "link_up", JF_BOOL),
	JF_ROW(facts_address, answered, "answered", JF_BOOL),
	JF_ROW(facts_address, answered_mac, "answered_mac", JF_EXACT),
};
static const struct jf_table address_table = JF_TABLE(address_rows);

#define F(member, kind) JF_ROW(facts, member, #member, kind)
static const struct jf facts_rows[] = {
	F(valid, JF_BOOL),
	F(collected_us, JF_I64),
	F(group, JF_NAME0),
	F(drbd_known, JF_BOOL),
	F(drbd_error, JF_TEXT),
	F(drbd_role, JF_EXACT),
	F(drbd_peer_role, JF_EXACT),
	F(drbd_cstate, JF_EXACT),
	F(drbd_disk, JF_EXACT),
	F(drbd_peer_disk, JF_EXACT),
	F(drbd_out_of_sync, JF_U64),
	F(drbd_suspended, JF_BOOL),
	F(mount_dir_exists, JF_BOOL),
	F(mounted, JF_BOOL),
	F(mount_dir_busy, JF_BOOL),
	F(device_mounted_elsewhere, JF_BOOL),
	F(fs_uuid, JF_EXACT),
	F(fs_readonly, JF_BOOL),
	F(dirty_bytes, JF_U64),
	JF_ROW_ENUM(facts, server, "server", server_word, SERVER_DOWN, SERVER_SERVING),
	F(server_pid, JF_INT),
	F(server_error, JF_TEXT),
	F(exports_present, JF_UINT),
	F(exports_wanted, JF_UINT),
	F(in_grace, JF_BOOL),
	F(clients, JF_UINT),
	F(connections, JF_UINT),
	JF_ROW_ARRAY(facts, addresses, n_addresses, "addresses", &address_table, GROUP_ADDRS_MAX),
	F(journal_ok, JF_BOOL),
	F(journal_error, JF_TEXT),
};
#undef F
const struct jf_table json_facts_table = JF_TABLE(facts_rows);

static const struct jf report_rows[] = {
	JF_ROW_ENUM(step_report, step, "name", step_word, STEP_NONE + 1, STEP_COUNT - 1),
	JF_ROW(step_report, node, "node", JF_NODE),
	JF_ROW(step_report, start_us, "start_us", JF_I64),
	JF_ROW(step_report, duration_us, "duration_us", JF_I64),
	JF_ROW_ENUM(step_report, outcome, "outcome", outcome_word, OUTCOME_DONE, OUTCOME_UNKNOWN),
	JF_ROW(step_report, skipped, "skipped", JF_BOOL),
	JF_ROW(step_report, message, "message", JF_TEXT),
};
const struct jf_table json_report_table = JF_TABLE(report_rows);

static const struct jf entry_rows[] = {
	JF_ROW_ENUM(client_entry, kind, "kind", kind_word, CLIENT_RECORD, CLIENT_CONNECTION),
	JF_ROW(client_entry, text, "text", JF_EXACT),
};
const struct jf_table json_entry_table = JF_TABLE(entry_rows);

bool json_entry_present(const void *member)
{
	return ((const struct client_entry *)member)->text[0] != '\0';
}

static const struct jf error_rows[] = {
	JF_ROW_ENUM(err, cls, "class", class_word, ERR_INPUT, ERR_INTERNAL),
	JF_ROW(err, errnum, "errno", JF_INT),
	JF_ROW(err, where, "where", JF_TEXT),
	JF_ROW(err, msg, "message", JF_TEXT),
	JF_ROW(err, remedy, "remedy", JF_TEXT),
};
const struct jf_table json_error_table = JF_TABLE(error_rows);

bool json_error_present(const void *member)
{
	return ((const struct err *)member)->cls != ERR_NONE;
}

/* ---- the public functions */

json_t *facts_to_json(const struct facts *f)
{
	return jf_write(&json_facts_table, f, NULL);
}

int facts_from_json(const json_t *obj, struct facts *f, struct err *err)
{
	memset(f, 0, sizeof(*f));
	return jf_read(&json_facts_table, obj, f, err);
}

json_t *step_report_to_json(const struct step_report *r, const char *const node_names[2])
{
	json_t *obj = jf_write(&json_report_table, r, NULL);

	if (obj && node_names &&
	    json_object_set_new(obj, "node", r->node < 0 ? json_null() : json_string(node_names[r->node]))) {
		json_decref(obj);
		return NULL;
	}
	return obj;
}

int step_report_from_json(const json_t *obj, const char *const node_names[2], struct step_report *r,
			  struct err *err)
{
	const json_t *node = json_object_get(obj, "node");
	const char *name = json_string_value(node);
	int index = NODE_NONE, ret;
	json_t *copy;

	memset(r, 0, sizeof(*r));
	if (!node_names || !node)
		return jf_read(&json_report_table, obj, r, err);
	if (name)
		index = !strcmp(name, node_names[0]) ? 0 : !strcmp(name, node_names[1]) ? 1 : NODE_NONE;
	if (!json_is_null(node) && index == NODE_NONE)
		return err_set(err, ERR_INPUT, EPROTO, "node", "not the name of a node");
	copy = json_copy((json_t *)obj);
	if (!copy || json_object_set_new(copy, "node", json_integer(index))) {
		json_decref(copy);
		return err_set(err, ERR_SYSTEM, ENOMEM, "node", "cannot copy a step report");
	}
	ret = jf_read(&json_report_table, copy, r, err);
	json_decref(copy);
	return ret;
}

json_t *client_entry_to_json(const struct client_entry *e)
{
	return jf_write(&json_entry_table, e, NULL);
}

int client_entry_from_json(const json_t *obj, struct client_entry *e, struct err *err)
{
	memset(e, 0, sizeof(*e));
	return jf_read(&json_entry_table, obj, e, err);
}

json_t *error_to_json(const struct err *e)
{
	return json_error_present(e) ? jf_write(&json_error_table, e, NULL) : json_null();
}

int error_from_json(const json_t *obj, struct err *e, struct err *err)
{
	memset(e, 0, sizeof(*e));
	return json_is_null(obj) ? 0 : jf_read(&json_error_table, obj, e, err);
}
