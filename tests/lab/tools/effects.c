/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the effects of single steps by hand on a real node; for the lab, not
 * installed.
 *
 *     effects CONF NODE [clients FILE] WORD...
 *
 * WORD: a step's name (runs it), "verify:NAME" (looks whether it is in place),
 * "verify" (all), "facts", "probe" (facts with duplicate probes), "safe",
 * "release" and "activate" (the steps of the two halves of a switchover). One
 * line per word with outcome, time and detail; stops at the first step that is
 * not done. FILE: a client entry per line: "client port floating port" or the
 * name of a record ("ip-(len:owner)").
 * Exit status: 0 all done, 1 a step was not, 2 usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clients.h"
#include "conf.h"
#include "effects.h"
#include "model.h"

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int run_step(struct effects *fx, enum step_id step, enum step_op op)
{
	char detail[EFFECTS_DETAIL_MAX], text[1024] = "";
	struct err e = { 0 };
	double start = now_ms(), took;
	enum outcome o = effects_run(fx, step, op, detail, &e);

	took = now_ms() - start;
	printf("%-6s %-14s %-8s %8.2f ms  %s%s\n", op == OP_RUN ? "run" : "verify", step_name(step),
	       outcome_name(o), took, detail, o == OUTCOME_DONE ? "" : err_format(&e, text, sizeof(text)));
	fflush(stdout);
	return o == OUTCOME_DONE ? 0 : 1;
}

static int run_steps(struct effects *fx, const enum step_id *steps, size_t n)
{
	double start = now_ms();

	for (size_t i = 0; i < n; i++)
		if (run_step(fx, steps[i], OP_RUN))
			return 1;
	printf("%-6s %-14s %-8s %8.2f ms\n", "all", "", "", now_ms() - start);
	return 0;
}

static int release(struct effects *fx)
{
	static const enum step_id steps[] = { STEP_ADDRESS_DEL, STEP_SERVER_STOP, STEP_UNMOUNT,
					      STEP_DRBD_SECONDARY };

	return run_steps(fx, steps, 4);
}

static int activate(struct effects *fx)
{
	static const enum step_id steps[] = { STEP_DRBD_PRIMARY, STEP_MOUNT, STEP_EXPORT,
					      STEP_ADDRESS_ADD, STEP_ANNOUNCE, STEP_CONFIRM };

	return run_steps(fx, steps, 6);
}

static int show_facts(struct effects *fx, bool probe)
{
	struct facts f;
	double start = now_ms();

	effects_facts(fx, probe, &f);
	printf("facts  %.2f ms\n", now_ms() - start);
	printf("  drbd %s/%s %s %s/%s oos %llu%s %s\n", f.drbd_role, f.drbd_peer_role, f.drbd_cstate,
	       f.drbd_disk, f.drbd_peer_disk, (unsigned long long)f.drbd_out_of_sync,
	       f.drbd_suspended ? " SUSPENDED" : "", f.drbd_error);
	printf("  fs dir %d mounted %d busy %d elsewhere %d uuid %s ro %d dirty %llu\n",
	       f.mount_dir_exists, f.mounted, f.mount_dir_busy, f.device_mounted_elsewhere, f.fs_uuid,
	       f.fs_readonly, (unsigned long long)f.dirty_bytes);
	printf("  server %s pid %d exports %u/%u grace %d connections %u %s\n",
	       server_state_name(f.server), f.server_pid, f.exports_present, f.exports_wanted, f.in_grace,
	       f.connections, f.server_error);
	for (unsigned i = 0; i < f.n_addresses; i++)
		printf("  %s %s present %d link %d answered %d %s\n", f.addresses[i].text,
		       f.addresses[i].ifname, f.addresses[i].present, f.addresses[i].link_up,
		       f.addresses[i].answered, f.addresses[i].answered_mac);
	return 0;
}

static int show_safe(struct effects *fx)
{
	char detail[EFFECTS_DETAIL_MAX];
	double start = now_ms();
	enum outcome o = effects_standby_safe(fx, detail, NULL);

	printf("safe   %-14s %-8s %8.2f ms  %s\n", "", outcome_name(o), now_ms() - start, detail);
	return o == OUTCOME_DONE ? 0 : 1;
}

static int verify_all(struct effects *fx)
{
	for (int s = STEP_WARM; s < STEP_COUNT; s++)
		if (s != STEP_RESERVE && s != STEP_HOLD && s != STEP_CLIENTS && s != STEP_COMMIT)
			run_step(fx, (enum step_id)s, OP_VERIFY);
	return 0;
}

static int run_word(struct effects *fx, const char *word)
{
	bool verify = strncmp(word, "verify:", 7) == 0;
	enum step_id step = step_by_name(verify ? word + 7 : word);

	if (step != STEP_NONE)
		return run_step(fx, step, verify ? OP_VERIFY : OP_RUN);
	if (strcmp(word, "verify") == 0)
		return verify_all(fx);
	if (strcmp(word, "facts") == 0 || strcmp(word, "probe") == 0)
		return show_facts(fx, word[0] == 'p');
	if (strcmp(word, "safe") == 0)
		return show_safe(fx);
	if (strcmp(word, "release") == 0)
		return release(fx);
	if (strcmp(word, "activate") == 0)
		return activate(fx);
	fprintf(stderr, "effects: no step is called %s\n", word);
	return 2;
}

static int hand_in_clients(struct effects *fx, const char *path)
{
	FILE *f = fopen(path, "re");
	struct client_set set = { 0 };
	struct client_entry entry = { 0 };
	int r = f ? 0 : -1;

	while (f && fgets(entry.text, sizeof(entry.text), f)) {
		entry.text[strcspn(entry.text, "\n")] = '\0';
		entry.kind = strstr(entry.text, "-(") ? CLIENT_RECORD : CLIENT_CONNECTION;
		client_set_add(&set, &entry);
	}
	if (f)
		fclose(f);
	if (r == 0)
		r = effects_set_clients(fx, &set, NULL);
	client_set_free(&set);
	return r;
}

int main(int argc, char **argv)
{
	struct effects *fx;
	struct err e = { 0 };
	struct conf *conf;
	char text[1024];
	int at = 3, r = 0;

	if (argc < 4) {
		fprintf(stderr, "usage: effects CONF NODE [clients FILE] WORD...\n");
		return 2;
	}
	if (conf_load_file(argv[1], &conf, &e) < 0 ||
	    !(fx = effects_new(conf, 0, conf_node_index(conf, argv[2]), NULL, &e))) {
		fprintf(stderr, "effects: %s\n", err_format(&e, text, sizeof(text)));
		return 2;
	}
	if (strcmp(argv[at], "clients") == 0 && at + 1 < argc) {
		r = hand_in_clients(fx, argv[at + 1]);
		at += 2;
	}
	while (r == 0 && at < argc)
		r = run_word(fx, argv[at++]);
	effects_free(fx);
	conf_free(conf);
	return r < 0 ? 2 : r;
}
