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
	F(drbd_fencing, JF_EXACT),
	F(drbd_changed_alone, JF_BOOL),
	F(drbd_alone_wall_us, JF_I64),
	F(mount_dir_exists, JF_BOOL),
	F(mounted, JF_BOOL),
	F(mount_dir_busy, JF_BOOL),
	F(device_mounted_elsewhere, JF_BOOL),
	F(fs_uuid, JF_EXACT),
	F(fs_readonly, JF_BOOL),
	F(fs_size_bytes, JF_U64),
	F(fs_free_bytes, JF_U64),
	F(dirty_bytes, JF_U64),
	JF_ROW_ENUM(facts, server, "server", server_word, SERVER_DOWN, SERVER_SERVING),
	F(server_pid, JF_INT),
	F(server_error, JF_TEXT),
	F(server_answers, JF_BOOL),
	F(server_unanswered_ms, JF_I64),
	F(server_silent_ms, JF_I64),
	F(exports_present, JF_UINT),
	F(exports_wanted, JF_UINT),
	F(in_grace, JF_BOOL),
	F(state_moves, JF_BOOL),
	F(state_reason, JF_TEXT),
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

json_t *error_to_json(const struct err *e)
{
	return json_error_present(e) ? jf_write(&json_error_table, e, NULL) : json_null();
}
