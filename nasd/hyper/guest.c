/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hyper.h"

#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "ask.h"
#include "printable.h"
#include "table.h"

const char *guest_state_name(const struct guest *g)
{
	if (postcopy_state(g->state, g->reason))
		return "post-copy";
	switch (g->state) {
	case VIR_DOMAIN_RUNNING: return "running";
	case VIR_DOMAIN_BLOCKED: return "blocked";
	case VIR_DOMAIN_PAUSED: return "paused";
	case VIR_DOMAIN_SHUTDOWN: return "shutting down";
	case VIR_DOMAIN_SHUTOFF: return "off";
	case VIR_DOMAIN_CRASHED: return "crashed";
	case VIR_DOMAIN_PMSUSPENDED: return "asleep";
	default: return "unknown";
	}
}

/* ---- the domain's XML */

/* The string that expr gives at node, cut to the room there is. */
static void take(xmlXPathContextPtr x, xmlNodePtr node, const char *expr, char *out, size_t size)
{
	xmlXPathObjectPtr r;

	x->node = node;
	r = xmlXPathEvalExpression((const xmlChar *)expr, x);
	snprintf(out, size, "%s", r && r->stringval ? (const char *)r->stringval : "");
	xmlXPathFreeObject(r);
}

/* Is path below the mount point? */
static bool is_below(const char *path, const char *mount)
{
	size_t n = strlen(mount);

	return !strncmp(path, mount, n) && path[n] == '/';
}

static void place(struct guest_disk *d, const struct host *h, const struct conf *c)
{
	for (size_t m = 0; m < h->conf->n_mounts; m++) {
		if (!is_below(d->path, h->conf->mounts[m].value))
			continue;
		for (size_t g = 0; g < c->n_groups; g++)
			for (size_t e = 0; e < c->groups[g].n_exports; e++)
				if (!strcmp(c->groups[g].exports[e].name, h->conf->mounts[m].key)) {
					d->group = &c->groups[g];
					d->export = &c->groups[g].exports[e];
				}
	}
}

static void take_disk(struct guest *g, xmlXPathContextPtr x, xmlNodePtr node, const struct host *h, const struct conf *c)
{
	struct guest_disk *d = &g->disks[g->n_disks];
	char shareable[8];

	memset(d, 0, sizeof(*d));
	take(x, node, "string(target/@dev)", d->target, sizeof(d->target));
	take(x, node, "string(source/@file)", d->path, sizeof(d->path));
	take(x, node, "string(driver/@cache)", d->cache, sizeof(d->cache));
	take(x, node, "string(driver/@error_policy)", d->error_policy, sizeof(d->error_policy));
	take(x, node, "string(boolean(shareable))", shareable, sizeof(shareable));
	d->shareable = !strcmp(shareable, "true");
	place(d, h, c);
	if (!g->group)
		g->group = d->group;
	g->n_disks++;
}

static void take_nic(struct guest *g, xmlXPathContextPtr x, xmlNodePtr node)
{
	struct guest_nic *n = &g->nics[g->n_nics++];

	take(x, node, "string(source/@network)", n->network, sizeof(n->network));
	take(x, node, "string(source/@bridge)", n->bridge, sizeof(n->bridge));
}

static void take_all(struct guest *g, xmlXPathContextPtr x, xmlNodePtr root, const struct host *h, const struct conf *c)
{
	xmlXPathObjectPtr disks, nics;

	take(x, root, "string(/domain/@type)", g->type, sizeof(g->type));
	take(x, root, "string(/domain/cpu/@mode)", g->cpu_mode, sizeof(g->cpu_mode));
	take(x, root, "string(/domain/memoryBacking/source/@type)", g->memory_source, sizeof(g->memory_source));
	x->node = root;
	disks = xmlXPathEvalExpression((const xmlChar *)"/domain/devices/disk[@device!='cdrom' and @device!='floppy' or source]", x);
	nics = xmlXPathEvalExpression((const xmlChar *)"/domain/devices/interface", x);
	for (int i = 0; disks && disks->nodesetval && i < disks->nodesetval->nodeNr; i++) {
		if (g->n_disks < GUEST_DISKS_MAX)
			take_disk(g, x, disks->nodesetval->nodeTab[i], h, c);
		else
			g->more++;
	}
	for (int i = 0; nics && nics->nodesetval && i < nics->nodesetval->nodeNr; i++) {
		if (g->n_nics < GUEST_NICS_MAX)
			take_nic(g, x, nics->nodesetval->nodeTab[i]);
		else
			g->more++;
	}
	xmlXPathFreeObject(disks);
	xmlXPathFreeObject(nics);
}

int guest_read(struct guest *g, virDomainPtr dom, const struct host *h, const struct conf *c, struct err *err)
{
	xmlXPathContextPtr x = NULL;
	xmlDocPtr doc = NULL;
	char *text = virDomainGetXMLDesc(dom, 0);
	virDomainInfo info;
	int r = -1;

	memset(g, 0, sizeof(*g));
	snprintf(g->name, sizeof(g->name), "%s", virDomainGetName(dom));
	if (text && virDomainGetInfo(dom, &info) == 0 && virDomainGetState(dom, &g->state, &g->reason, 0) == 0 &&
	    virDomainGetUUIDString(dom, g->uuid) == 0)
		r = 0;
	if (r == 0) {
		g->memory_kib = info.maxMem;
		g->persistent = virDomainIsPersistent(dom) == 1;
		doc = xmlReadMemory(text, (int)strlen(text), "domain", NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
		x = doc ? xmlXPathNewContext(doc) : NULL;
	}
	if (x)
		take_all(g, x, xmlDocGetRootElement(doc), h, c);
	xmlXPathFreeContext(x);
	xmlFreeDoc(doc);
	free(text);
	return x ? 0 : host_error(err, h->conf->name, "a guest cannot be asked for");
}

char *guest_xml_text(const char *text)
{
	xmlChar *x = xmlEncodeSpecialChars(NULL, (const xmlChar *)text);
	char *out = x ? strdup((const char *)x) : NULL;

	xmlFree(x);
	return out;
}

char *guest_cpu_xml(virDomainPtr dom)
{
	char *text = virDomainGetXMLDesc(dom, VIR_DOMAIN_XML_MIGRATABLE | VIR_DOMAIN_XML_UPDATE_CPU), *out = NULL;
	xmlDocPtr doc = text ? xmlReadMemory(text, (int)strlen(text), "domain", NULL, XML_PARSE_NONET) : NULL;
	xmlNodePtr node = doc ? xmlDocGetRootElement(doc)->children : NULL;
	xmlBufferPtr buf = xmlBufferCreate();

	while (node && xmlStrcmp(node->name, (const xmlChar *)"cpu"))
		node = node->next;
	if (node && buf && xmlNodeDump(buf, doc, node, 0, 0) > 0)
		out = strdup((const char *)xmlBufferContent(buf));
	xmlBufferFree(buf);
	xmlFreeDoc(doc);
	free(text);
	return out;
}

/* ---- nasctl guests */

static void add_guest(json_t *list, const struct guest *g, const char *host)
{
	json_t *disks = json_array();

	for (size_t i = 0; i < g->n_disks; i++)
		json_array_append_new(disks, json_pack("{s:s, s:s, s:s, s:s, s:b, s:s*}", "target", g->disks[i].target, "path",
						       g->disks[i].path, "cache", g->disks[i].cache, "error_policy",
						       g->disks[i].error_policy, "shareable", (int)g->disks[i].shareable, "export",
						       g->disks[i].export ? g->disks[i].export->name : NULL));
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "name", g->name, "hypervisor", host,
					      "state", guest_state_name(g), "group", g->group->name, "memory_kib",
					      (json_int_t)g->memory_kib, "disks", disks));
}

static void list_host(const struct host *h, const struct conf *c, const char *group, json_t *list, struct err *err)
{
	virDomainPtr *doms = NULL;
	int n = virConnectListAllDomains(h->conn, &doms, 0);

	if (n < 0)
		host_error(err, h->conf->name, "its guests cannot be listed");
	for (int i = 0; i < n; i++) {
		struct guest g;
		struct err one;

		if (guest_read(&g, doms[i], h, c, &one) == 0 && g.group && (!group || !strcmp(group, g.group->name)))
			add_guest(list, &g, h->conf->name); /* else it has just gone */
		virDomainFree(doms[i]);
	}
	free(doms);
}

static void show(const struct hyper_options *o, const json_t *list)
{
	struct table t = { 0 };
	char size[VIEW_VALUE_MAX];

	table_add(&t, "%sGUEST\tON\tSTATE\tMEMORY\tGROUP\tDISKS%s", view_on(&o->cli.view, TONE_STRONG),
		  view_off(&o->cli.view));
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *g = json_array_get(list, i), *disks = json_object_get(g, "disks");

		for (size_t d = 0; d < json_array_size(disks); d++)
			table_add(&t, "%s\t%s\t%s\t%s\t%s\t%s %s", d ? "" : js_text(g, "name"),
				  d ? "" : js_text(g, "hypervisor"), d ? "" : js_text(g, "state"),
				  d ? "" : view_bytes(js_int(g, "memory_kib") * 1024, size), d ? "" : js_text(g, "group"),
				  js_text(json_array_get(disks, d), "target"), js_text(json_array_get(disks, d), "path"));
	}
	table_print(&t, stdout, "");
}

enum cli_exit hyper_guests(const struct hyper_options *o, const struct conf *c)
{
	json_t *list = json_array(), *out;
	enum cli_exit code = CLI_DONE;

	for (size_t i = 0; i < c->n_hypervisors; i++) {
		struct host h;

		if (host_open(&h, &c->hypervisors[i]) == 0)
			list_host(&h, c, o->cli.group, list, &h.err);
		if (h.err.cls != ERR_NONE) {
			struct cli plain = o->cli;

			plain.json = false; /* beside the list */
			code = complain(&plain, CLI_UNREACHABLE, &h.err);
		}
		host_close(&h);
	}
	out = o->cli.json ? json_pack("{s:O}", "guests", list) : json_printable(list);
	if (o->cli.json)
		print_json(out);
	else
		show(o, out);
	json_decref(out);
	json_decref(list);
	return code;
}
