/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model's values as JSON, for the peer link and for what nasctl prints.
 * The objects have the structs' field names (step reports and errors those of
 * control.h); a reader refuses unknown or missing fields and wrong types.
 *
 * Writers return a new reference, NULL when out of memory or when a value
 * cannot be represented. Readers return 0, or -EPROTO with err filled (where:
 * the field); what they fill is then not to be used.
 */
#ifndef NASD_WIRE_JSON_MODEL_H
#define NASD_WIRE_JSON_MODEL_H

#include <jansson.h>

#include "model.h"

json_t *facts_to_json(const struct facts *f);
int facts_from_json(const json_t *obj, struct facts *f, struct err *err);

/*
 * {"name","node","start_us","duration_us","outcome","skipped","message"}.
 * With node_names "node" is the name of the node or null for NODE_NONE; with
 * NULL it is the index, as between the nasd. Callers may add "stage".
 */
json_t *step_report_to_json(const struct step_report *r, const char *const node_names[2]);
int step_report_from_json(const json_t *obj, const char *const node_names[2], struct step_report *r,
			  struct err *err);

/* {"kind":"record"|"connection","text"} */
json_t *client_entry_to_json(const struct client_entry *e);
int client_entry_from_json(const json_t *obj, struct client_entry *e, struct err *err);

/* {"class","errno","where","message","remedy"}; an empty error is null. */
json_t *error_to_json(const struct err *e);
int error_from_json(const json_t *obj, struct err *e, struct err *err);

#endif
