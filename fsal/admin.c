/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "admin.h"

#include <dbus/dbus.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "export_mgr.h"
#include "gsh_dbus.h"

/* The words of support/export_mgr.c:1127 when EXPORT_ADMIN_TRYLOCK fails. */
static const char busy_words[] = "another export admin operation";

static int fault_of(const char *name, DBusError *e, struct fault *fault)
{
	const char *why = dbus_error_is_set(e) && e->message ? e->message : "refused without a reason";
	int ret = fault_set(fault, strstr(why, busy_words) ? EBUSY : EIO, "%s: %s", name, why);

	dbus_error_free(e);
	return ret;
}

/* Calls a method; query (taken over) carries the arguments. *reply is to be
 * given back, also on failure unless NULL. */
static int call(const struct gsh_dbus_method *m, DBusMessage *query, DBusMessage **reply,
		struct fault *fault)
{
	DBusMessageIter args;
	DBusError e;
	bool ok = false;

	dbus_error_init(&e);
	dbus_message_set_serial(query, 1); /* a reply wants one */
	*reply = dbus_message_new_method_return(query);
	if (*reply)
		ok = m->method(dbus_message_iter_init(query, &args) ? &args : NULL, *reply, &e);
	dbus_message_unref(query);
	/* some set the error and answer true */
	return ok && !dbus_error_is_set(&e) ? 0 : fault_of(m->name, &e, fault);
}

static DBusMessage *new_query(struct fault *fault)
{
	DBusMessage *q = dbus_message_new_method_call("nasd.local", "/", "nasd.local", "Call");

	if (!q)
		fault_set(fault, ENOMEM, "out of memory");
	return q;
}

static int call_and_drop(const struct gsh_dbus_method *m, DBusMessage *query, struct fault *fault)
{
	DBusMessage *reply;
	int ret = call(m, query, &reply, fault);

	if (reply)
		dbus_message_unref(reply);
	return ret;
}

/* 0 or -ENOENT; what the method says is not taken for it. */
static int export_there(unsigned id)
{
	struct gsh_export *export = get_gsh_export((uint16_t)id);

	if (!export)
		return -ENOENT;
	put_gsh_export(export);
	return 0;
}

int admin_export_add(const struct private_parts *parts, const char *file, unsigned id,
		     struct fault *fault)
{
	DBusMessage *query;
	char expr[40];
	const char *words = expr;
	int ret;

	if (export_there(id) == 0)
		return fault_set(fault, EEXIST, "export %u is there", id);
	query = new_query(fault);
	if (!query)
		return -ENOMEM;
	snprintf(expr, sizeof(expr), "EXPORT(Export_Id=%u)", id);
	if (!dbus_message_append_args(query, DBUS_TYPE_STRING, &file, DBUS_TYPE_STRING, &words,
				      DBUS_TYPE_INVALID)) {
		dbus_message_unref(query);
		return fault_set(fault, EINVAL, "not a path that D-Bus takes");
	}
	ret = call_and_drop(parts->add_export, query, fault);
	if (ret == 0 && export_there(id) < 0)
		ret = fault_set(fault, EIO, "export %u is not there after it was added", id);
	return ret;
}

int admin_export_remove(const struct private_parts *parts, unsigned id, struct fault *fault)
{
	DBusMessage *query;
	dbus_uint16_t number = (dbus_uint16_t)id;
	int ret;

	/* the method leaks a reference when there is none (export_mgr.c:1330) */
	if (export_there(id) < 0)
		return fault_set(fault, ENOENT, "no export %u", id);
	query = new_query(fault);
	if (!query)
		return -ENOMEM;
	dbus_message_append_args(query, DBUS_TYPE_UINT16, &number, DBUS_TYPE_INVALID);
	ret = call_and_drop(parts->remove_export, query, fault);
	if (ret == 0 && export_there(id) == 0)
		ret = fault_set(fault, EIO, "export %u is still there after it was removed", id);
	return ret;
}

int admin_in_grace(const struct private_parts *parts, bool *in_grace, struct fault *fault)
{
	DBusMessage *query = new_query(fault), *reply;
	dbus_bool_t value = false;
	int ret;

	if (!query)
		return -ENOMEM;
	ret = call(parts->get_grace, query, &reply, fault);
	if (ret == 0 && !dbus_message_get_args(reply, NULL, DBUS_TYPE_BOOLEAN, &value, DBUS_TYPE_INVALID))
		ret = fault_set(fault, EPROTO, "get_grace: not the answer of version 4.3");
	if (reply)
		dbus_message_unref(reply);
	*in_grace = value;
	return ret;
}

int admin_grace_start(unsigned node_id, struct fault *fault)
{
	nfs_grace_start_t how = {.event = EVENT_TAKE_NODEID, .nodeid = (int)node_id};
	int ret = nfs_start_grace(&how);

	if (ret == -EAGAIN)
		return fault_set(fault, EAGAIN, "requests hold the state of grace: try again");
	return ret ? fault_set(fault, EIO, "nfs_start_grace: %d", ret) : 0;
}

void admin_grace_lift(void)
{
	nfs_wait_for_grace_enforcement();
}
