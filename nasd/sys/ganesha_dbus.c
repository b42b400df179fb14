/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ganesha_dbus.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "clocks.h"

struct method {
	const char *path, *interface, *name;
};

#define NFSD "/org/ganesha/nfsd/"
static const struct method GRACE = {NFSD "admin", "org.ganesha.nfsd.admin", "grace"};
static const struct method GET_GRACE = {NFSD "admin", "org.ganesha.nfsd.admin", "get_grace"};
static const struct method ADD_EXPORT = {NFSD "ExportMgr", "org.ganesha.nfsd.exportmgr", "AddExport"};
static const struct method SHOW_EXPORTS = {NFSD "ExportMgr", "org.ganesha.nfsd.exportmgr",
					   "ShowExports"};
static const struct method SHOW_CLIENTS = {NFSD "ClientMgr", "org.ganesha.nfsd.clientmgr",
					   "ShowClients"};

static const char *where = "ganesha over D-Bus";

static void drop_message(sd_bus_message **m)
{
	sd_bus_message_unref(*m);
}
#define AUTO_MESSAGE __attribute__((cleanup(drop_message))) sd_bus_message

void ganesha_dbus_close(struct sd_bus **bus)
{
	*bus = sd_bus_close_unref(*bus);
}

static int start(struct sd_bus **bus, const char *socket_path)
{
	char address[PATH_MAX];
	int ret = sd_bus_new(bus);

	snprintf(address, sizeof(address), "unix:path=%s", socket_path);
	if (ret >= 0)
		ret = sd_bus_set_address(*bus, address);
	if (ret >= 0)
		ret = sd_bus_set_bus_client(*bus, 1);
	return ret < 0 ? ret : sd_bus_start(*bus);
}

/* sd_bus_call would do this by itself, and wait 90 s for a bus that hangs. */
static int greet(struct sd_bus *bus, int64_t until)
{
	int ret;

	while ((ret = sd_bus_is_ready(bus)) == 0) {
		int64_t left = until - monotonic_us();

		ret = sd_bus_process(bus, NULL);
		if (ret == 0 && left <= 0)
			return -ETIMEDOUT;
		if (ret == 0)
			ret = sd_bus_wait(bus, (uint64_t)left);
		if (ret < 0 && ret != -EINTR)
			return ret;
	}
	return ret;
}

int ganesha_dbus_open(struct sd_bus **bus, const char *socket_path, int64_t timeout_us,
		      struct err *err)
{
	int64_t until = monotonic_us() + timeout_us;
	int ret;

	if (*bus && sd_bus_is_ready(*bus) > 0)
		return 0;
	ganesha_dbus_close(bus);
	ret = start(bus, socket_path);
	if (ret >= 0)
		ret = greet(*bus, until);
	if (ret >= 0)
		return 0;
	ganesha_dbus_close(bus);
	return err_set(err, ret == -ETIMEDOUT ? ERR_TIMEOUT : ERR_SYSTEM, -ret, where,
		       ret == -ETIMEDOUT ? "no answer from the bus %s" : "cannot reach the bus %s", socket_path);
}

static enum outcome call_failed(const struct method *m, int ret, sd_bus_error *e, struct err *err)
{
	bool lost = ret == -ETIMEDOUT || ret == -ECONNRESET || ret == -ENOTCONN || ret == -EPIPE ||
		    sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) ||
		    sd_bus_error_has_name(e, SD_BUS_ERROR_DISCONNECTED);

	if (lost)
		err_set(err, ERR_TIMEOUT, -ret, where, "no answer to %s: %s", m->name,
			e->message ? e->message : strerror(-ret));
	else
		err_set(err, ERR_REFUSED, -ret, where, "%s: %.250s", m->name,
			e->message ? e->message : strerror(-ret));
	sd_bus_error_free(e);
	return lost ? OUTCOME_UNKNOWN : OUTCOME_FAILED;
}

/* Sends a method call with up to two strings. */
static enum outcome call(sd_bus *bus, const struct method *m, const char *a, const char *b,
			 int64_t timeout_us, sd_bus_message **reply, struct err *err)
{
	AUTO_MESSAGE *msg = NULL;
	sd_bus_error e = SD_BUS_ERROR_NULL;
	int ret;

	if (timeout_us <= 0) {
		err_set(err, ERR_TIMEOUT, ETIMEDOUT, where, "no time left for %s", m->name);
		return OUTCOME_FAILED;
	}
	ret = sd_bus_message_new_method_call(bus, &msg, "org.ganesha.nfsd", m->path, m->interface,
					     m->name);
	if (ret >= 0)
		ret = sd_bus_message_set_auto_start(msg, 0);
	if (ret >= 0 && a)
		ret = sd_bus_message_append(msg, "s", a);
	if (ret >= 0 && b)
		ret = sd_bus_message_append(msg, "s", b);
	if (ret >= 0)
		ret = sd_bus_call(bus, msg, (uint64_t)timeout_us, &e, reply);
	return ret < 0 ? call_failed(m, ret, &e, err) : OUTCOME_DONE;
}

static enum outcome garbled(const struct method *m, int ret, struct err *err)
{
	err_set(err, ERR_INPUT, -ret, where, "%s: an answer that is not version 4.3's", m->name);
	return OUTCOME_UNKNOWN;
}

enum outcome ganesha_dbus_grace(struct sd_bus *bus, const char *what, int64_t timeout_us,
				struct err *err)
{
	AUTO_MESSAGE *reply = NULL;
	enum outcome o = call(bus, &GRACE, what, NULL, timeout_us, &reply, err);
	const char *text = "";
	int ok = 0, ret;

	if (o != OUTCOME_DONE)
		return o;
	ret = sd_bus_message_read(reply, "bs", &ok, &text);
	if (ret < 0)
		return garbled(&GRACE, ret, err);
	if (ok)
		return OUTCOME_DONE;
	err_set(err, ERR_REFUSED, EIO, where, "grace: %.200s", text);
	return OUTCOME_FAILED;
}

enum outcome ganesha_dbus_get_grace(struct sd_bus *bus, bool *active, int64_t timeout_us,
				    struct err *err)
{
	AUTO_MESSAGE *reply = NULL;
	enum outcome o = call(bus, &GET_GRACE, NULL, NULL, timeout_us, &reply, err);
	int on = 0, ret;

	if (o != OUTCOME_DONE)
		return o;
	ret = sd_bus_message_read(reply, "b", &on);
	if (ret < 0)
		return garbled(&GET_GRACE, ret, err);
	*active = on;
	return OUTCOME_DONE;
}

enum outcome ganesha_dbus_add_export(struct sd_bus *bus, const char *file, unsigned id, bool *busy,
				     int64_t timeout_us, struct err *err)
{
	AUTO_MESSAGE *reply = NULL;
	struct err why = {0};
	char expr[40];
	enum outcome o;

	snprintf(expr, sizeof(expr), "EXPORT(Export_Id=%u)", id);
	o = call(bus, &ADD_EXPORT, file, expr, timeout_us, &reply, &why);
	*busy = strstr(why.msg, "another export admin operation") != NULL;
	if (o != OUTCOME_DONE && err)
		*err = why;
	return o;
}

/* Enters the array of an answer "(tt)a(...)"; its elements begin with what. */
static int enter_list(sd_bus_message *m)
{
	const char *contents;
	char type;
	int ret = sd_bus_message_skip(m, "(tt)");

	if (ret >= 0)
		ret = sd_bus_message_peek_type(m, &type, &contents);
	if (ret >= 0)
		ret = type == 'a' ? sd_bus_message_enter_container(m, 'a', contents) : -EBADMSG;
	return ret;
}

/* Enters the next element; 0 at the end. */
static int enter_element(sd_bus_message *m)
{
	const char *contents;
	char type;
	int ret = sd_bus_message_peek_type(m, &type, &contents);

	if (ret <= 0)
		return ret;
	return type == 'r' ? sd_bus_message_enter_container(m, 'r', contents) : -EBADMSG;
}

/* Skips what is left of an element and leaves it. */
static int leave_element(sd_bus_message *m)
{
	int ret = 0;

	while (ret >= 0 && !sd_bus_message_at_end(m, 0))
		ret = sd_bus_message_skip(m, NULL);
	return ret < 0 ? ret : sd_bus_message_exit_container(m);
}

enum outcome ganesha_dbus_exports(struct sd_bus *bus, uint16_t *ids, size_t max, size_t *n,
				  int64_t timeout_us, struct err *err)
{
	AUTO_MESSAGE *reply = NULL;
	enum outcome o = call(bus, &SHOW_EXPORTS, NULL, NULL, timeout_us, &reply, err);
	int ret;

	if (o != OUTCOME_DONE)
		return o;
	*n = 0;
	ret = enter_list(reply);
	while (ret >= 0 && (ret = enter_element(reply)) > 0) {
		uint16_t id;

		ret = sd_bus_message_read(reply, "q", &id);
		if (ret >= 0 && *n < max)
			ids[(*n)++] = id;
		if (ret >= 0)
			ret = leave_element(reply);
	}
	return ret < 0 ? garbled(&SHOW_EXPORTS, ret, err) : OUTCOME_DONE;
}

enum outcome ganesha_dbus_clients(struct sd_bus *bus, unsigned *n, int64_t timeout_us,
				  struct err *err)
{
	AUTO_MESSAGE *reply = NULL;
	enum outcome o = call(bus, &SHOW_CLIENTS, NULL, NULL, timeout_us, &reply, err);
	int ret;

	if (o != OUTCOME_DONE)
		return o;
	*n = 0;
	ret = enter_list(reply);
	while (ret >= 0 && (ret = enter_element(reply)) > 0) {
		(*n)++;
		ret = leave_element(reply);
	}
	return ret < 0 ? garbled(&SHOW_CLIENTS, ret, err) : OUTCOME_DONE;
}
