/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each move is a process of this program: what ends one ends that move only, and what
 * ends this program ends none of them; they finish, and the record has them.
 */
#include "evacuate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGS_MAX = 24, SAID_MAX = 1 << 22, LOOK_MS = 500 }; /* a signal may come just before the poll */

extern char **environ;

static void fail_to_begin(struct evacuee *e, int errnum)
{
	e->code = CLI_FAILED;
	e->result = json_pack("{s:{s:s, s:s+}}", "error", "message", "the move could not be begun: ", strerror(errnum));
	if (!e->result)
		e->result = json_object();
}

/* ---- one move */

struct words {
	char *v[ARGS_MAX];
	size_t n;
	char numbers[4][16];
	size_t n_numbers;
};

static void word(struct words *w, const char *text)
{
	w->v[w->n++] = (char *)(uintptr_t)text;
}

static void number(struct words *w, const char *option, unsigned value)
{
	char *text = w->numbers[w->n_numbers];

	if (!value)
		return;
	w->n_numbers++;
	snprintf(text, sizeof(w->numbers[0]), "%u", value);
	word(w, option);
	word(w, text);
}

static void take_words(struct words *w, const struct hyper_options *o, const struct evacuee *e)
{
	memset(w, 0, sizeof(*w));
	word(w, "nasctl");
	word(w, "migrate");
	word(w, "--json");
	word(w, "--config");
	word(w, o->config);
	word(w, "--socket");
	word(w, o->cli.socket);
	word(w, "--to");
	word(w, e->to->conf->name);
	if (o->auto_converge)
		word(w, "--auto-converge");
	number(w, "--bandwidth", o->bandwidth);
	number(w, "--downtime", o->downtime_ms);
	number(w, "--force-after", o->force_after_s);
	number(w, "--timeout", o->timeout_s);
	word(w, "--");
	word(w, e->g.name);
}

/* A terminal's ^C is for us to pass on: in a process group of its own. */
static void begin(const struct hyper_options *o, struct evacuee *e)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	struct words w;
	int pipes[2], r;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return fail_to_begin(e, errno);
	take_words(&w, o, e);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, pipes[1], STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
	r = posix_spawn(&e->pid, "/proc/self/exe", &files, &attr, w.v, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	close(pipes[1]);
	if (r) {
		close(pipes[0]);
		e->pid = 0;
		return fail_to_begin(e, r);
	}
	e->begun = true;
	e->out = pipes[0];
}

/* Its pipe has come to an end, and so has it. */
static void end(struct evacuee *e)
{
	int status = 0;
	pid_t r;

	close(e->out);
	e->out = -1;
	do
		r = waitpid(e->pid, &status, 0);
	while (r < 0 && errno == EINTR);
	e->pid = 0;
	e->code = r > 0 && WIFEXITED(status) ? (enum cli_exit)WEXITSTATUS(status) : CLI_UNKNOWN;
	e->result = e->said ? json_loadb(e->said, e->said_len, 0, NULL) : NULL;
	if (r > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM && !e->result) {
		e->code = CLI_ROLLED_BACK; /* a move that has begun catches it */
		e->result = json_pack("{s:s, s:s}", "cancelled", "it was interrupted before it began", "runs_on",
				      e->from->conf->name);
	}
	free(e->said);
	e->said = NULL;
}

/* False: there is no more. */
static bool take_text(struct evacuee *e)
{
	char buf[4096], *more;
	ssize_t n = read(e->out, buf, sizeof(buf));

	if (n <= 0)
		return n < 0 && errno == EINTR;
	if (e->said_len + (size_t)n > SAID_MAX)
		return true; /* it is none of ours, and shall end all the same */
	more = realloc(e->said, e->said_len + (size_t)n);
	if (!more)
		return true;
	memcpy(more + e->said_len, buf, (size_t)n);
	e->said = more;
	e->said_len += (size_t)n;
	return true;
}

/* ---- all */

static size_t running(const struct evacuation *ev)
{
	size_t k = 0;

	for (size_t i = 0; i < ev->n; i++)
		k += ev->list[i].pid > 0;
	return k;
}

static void begin_some(struct evacuation *ev, size_t *next, void (*began)(struct evacuation *, struct evacuee *),
		       void (*ended)(struct evacuation *, struct evacuee *))
{
	for (; *next < ev->n && running(ev) < ev->o->jobs && !hyper_interrupted(); ++*next) {
		struct evacuee *e = &ev->list[*next];

		if (!e->to || json_array_size(e->findings))
			continue;
		begin(ev->o, e);
		if (e->begun)
			began(ev, e);
		else
			ended(ev, e);
	}
}

static void call_off(const struct evacuation *ev)
{
	for (size_t i = 0; i < ev->n; i++)
		if (ev->list[i].pid > 0)
			kill(ev->list[i].pid, SIGTERM);
}

void evacuate_run(struct evacuation *ev, void (*began)(struct evacuation *, struct evacuee *),
		  void (*ended)(struct evacuation *, struct evacuee *))
{
	struct pollfd *fds = calloc(ev->n ? ev->n : 1, sizeof(*fds));
	bool called_off = false;
	size_t next = 0;

	if (!fds)
		return;
	hyper_catch_signals();
	for (begin_some(ev, &next, began, ended); running(ev); begin_some(ev, &next, began, ended)) {
		for (size_t i = 0; i < ev->n; i++)
			fds[i] = (struct pollfd){ .fd = ev->list[i].pid > 0 ? ev->list[i].out : -1, .events = POLLIN };
		if (poll(fds, ev->n, LOOK_MS) < 0 && errno != EINTR)
			break;
		if (hyper_interrupted() && !called_off) {
			called_off = true;
			call_off(ev);
			continue;
		}
		for (size_t i = 0; i < ev->n; i++)
			if (fds[i].fd >= 0 && fds[i].revents && !take_text(&ev->list[i])) {
				end(&ev->list[i]);
				ended(ev, &ev->list[i]);
			}
	}
	free(fds);
}
