/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of json_model.c, for messages that contain these structs. Private. */
#ifndef NASD_WIRE_JSON_TABLES_H
#define NASD_WIRE_JSON_TABLES_H

#include "json_field.h"

extern const struct jf_table json_facts_table, json_report_table, json_error_table;

bool json_error_present(const void *member); /* struct err: its class is not ERR_NONE */

#endif
