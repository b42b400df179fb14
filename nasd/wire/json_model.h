/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model's values as JSON, for the peer link and for what nasctl prints.
 * The objects have the structs' field names (step reports and errors those of
 * control.h). New references; NULL when out of memory or when a value cannot be
 * represented. peer_msg.c reads them back.
 */
#ifndef NASD_WIRE_JSON_MODEL_H
#define NASD_WIRE_JSON_MODEL_H

#include <jansson.h>

#include "model.h"

json_t *facts_to_json(const struct facts *f);

/*
 * {"name","node","start_us","duration_us","outcome","skipped","message"}.
 * With node_names "node" is the name of the node or null for NODE_NONE; with
 * NULL it is the index, as between the nasd. Callers may add "stage".
 */
json_t *step_report_to_json(const struct step_report *r, const char *const node_names[2]);

/* {"class","errno","where","message","remedy"}; an empty error is null. */
json_t *error_to_json(const struct err *e);

#endif
