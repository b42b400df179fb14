/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nasctl ready, role: what keeps a node from being one that serves or could, and how
 * much Pacemaker is to prefer it. */
#include "corpus.h"

#include <string.h>

#include "ready.h"

static const char standby[] =
	"{'state':'standby','local':{'valid':true,'drbd_known':true,'server':'warm','journal_ok':true,'drbd_disk':'UpToDate',"
	"'addresses':[{'link_up':true},{'link_up':true}]}}";

/* The group above with one text in the place of another. */
static json_t *group_with(const char *from, const char *to)
{
	char text[512], *at;
	json_t *group;

	strcpy(text, standby);
	at = from ? strstr(text, from) : NULL;
	ck_assert(!from || at);
	if (at) {
		char rest[512];

		strcpy(rest, at + strlen(from));
		strcpy(at, to);
		strcat(text, rest);
	}
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	group = json_loads(text, 0, NULL);
	ck_assert_ptr_nonnull(group);
	return group;
}

static const char *why_not(const char *from, const char *to, bool active)
{
	json_t *group = group_with(from, to);
	const char *why = ready_why_not(group, active);

	json_decref(group);
	return why ? why : "";
}

START_TEST(a_standby)
{
	ck_assert_str_eq(why_not(NULL, NULL, false), "");
	ck_assert_str_eq(why_not(NULL, NULL, true), "it is not active here");
}
END_TEST

START_TEST(an_active)
{
	ck_assert_str_eq(why_not("'standby','local':{'valid':true,'drbd_known':true,'server':'warm'",
				 "'active','local':{'valid':true,'drbd_known':true,'server':'serving'", false), "");
	ck_assert_str_eq(why_not("'standby'", "'active'", false), "ganesha does not serve");
	ck_assert_str_eq(why_not("'standby'", "'active'", true), "");
}
END_TEST

static const struct { const char *from, *to, *why; } reasons[] = {
	{ "'standby'", "'switching'", "neither active nor standby" },
	{ "'valid':true", "'valid':false", "the state of this node is not known" },
	{ "'server':'warm'", "'server':'none'", "ganesha is not warm" },
	{ "'journal_ok':true", "'journal_ok':false", "the journal cannot be written" },
	{ "UpToDate", "Outdated", "the data here is not up to date" },
	{ "true},{'link_up':true", "true},{'link_up':false", "the link of a floating address is down" },
	{ ",'local':{", ",'other':{", "the state of this node is not known" },
};

START_TEST(reason)
{
	ck_assert_str_eq(why_not(reasons[_i].from, reasons[_i].to, false), reasons[_i].why);
}
END_TEST

static const struct { const char *from, *to, *role; int score; } roles[] = {
	{ NULL, NULL, "standby", 500 },
	{ "'standby'", "'active'", "active", 1000 },
	{ "'standby'", "'switching'", "switching", 1000 },
	{ "'standby'", "'activating','detail':'mount'", "activating", 900 },
	{ "'standby'", "'activating','detail':'trying again after: mount: no'", "failing", 900 },
	{ "'standby'", "'standby','detail':'trying again after: mount: no'", "standby", 500 },
	{ "'warm'", "'starting'", "standby", 100 },
	{ "'standby'", "'standby','split_brain':true", "standby", -1 },
	{ "UpToDate", "Outdated", "standby", -1 },
	{ "'drbd_known':true", "'drbd_known':false", "standby", -1 },
	{ "'journal_ok':true", "'journal_ok':false", "standby", -1 },
	{ "'valid':true", "'mount_dir_busy':true", "standby", -1 },
	{ "'valid':true", "'device_mounted_elsewhere':true", "standby", -1 },
	{ "true},{'link_up':true", "true},{'link_up':false", "standby", -1 },
	{ ",'local':{", ",'other':{", "standby", -1 },
};

START_TEST(role)
{
	json_t *group = group_with(roles[_i].from, roles[_i].to);

	ck_assert_str_eq(ready_role(group), roles[_i].role);
	ck_assert_int_eq(ready_score(group), roles[_i].score);
	json_decref(group);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("ready");

	tcase_add_test(tc, a_standby);
	tcase_add_test(tc, an_active);
	tcase_add_loop_test(tc, reason, 0, sizeof(reasons) / sizeof(*reasons));
	tcase_add_loop_test(tc, role, 0, sizeof(roles) / sizeof(*roles));
	return corpus_run(tc, "ctl/ready");
}
