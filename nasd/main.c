/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nasd: options, directories, signals, and the wiring. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <jansson.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "conf.h"
#include "engine.h"
#include "log.h"
#include "logqueue.h"
#include "realtime.h"

struct options {
	const char *config, *node, *state_dir, *run_dir, *log_dir;
	bool check, injection, debug;
};

static const char help_text[] =
	"usage: nasd [options]\n"
	"  -c, --config FILE      configuration (default /etc/nasd/nasd.conf)\n"
	"  -n, --node NAME        which node this is (default: the host name)\n"
	"  -t, --test-config      check the configuration and exit\n"
	"  -d, --debug            log more\n"
	"      --state-dir DIR    journal, history, client records (default /var/lib/nasd)\n"
	"      --run-dir DIR      sockets, pid files (default /run/nasd)\n"
	"      --log-dir DIR      logs of ganesha (default /var/log/nasd)\n"
	"      --allow-injection  for tests: 'nasctl inject' makes steps fail\n"
	"  -V, --version\n"
	"  -h, --help\n"
	"See nasd(8) and nasd.conf(5).\n";

enum { LOG_END_US = 1000000 };
enum { OPT_STATE = 256, OPT_RUN, OPT_LOG, OPT_INJECT };

/* 0: go on; otherwise the exit status plus one. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },   { "node", required_argument, NULL, 'n' },
		{ "test-config", no_argument, NULL, 't' },    { "debug", no_argument, NULL, 'd' },
		{ "state-dir", required_argument, NULL, OPT_STATE }, { "run-dir", required_argument, NULL, OPT_RUN },
		{ "log-dir", required_argument, NULL, OPT_LOG }, { "allow-injection", no_argument, NULL, OPT_INJECT },
		{ "version", no_argument, NULL, 'V' },        { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:n:tdVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c': o->config = optarg; break;
		case 'n': o->node = optarg; break;
		case 't': o->check = true; break;
		case 'd': o->debug = true; break;
		case OPT_STATE: o->state_dir = optarg; break;
		case OPT_RUN: o->run_dir = optarg; break;
		case OPT_LOG: o->log_dir = optarg; break;
		case OPT_INJECT: o->injection = true; break;
		case 'V': printf("nasd %s\n", NASD_VERSION); return 1;
		case 'h': fputs(help_text, stdout); return 1;
		default: fputs("nasd: see 'nasd --help'\n", stderr); return 3;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "nasd: '%s' is not an option; see 'nasd --help'\n", argv[optind]);
		return 3;
	}
	return 0;
}

static int make_dir(const char *path, mode_t mode, struct err *err)
{
	/* what nasd starts does not run in its directory */
	if (path[0] != '/')
		return err_set(err, ERR_INPUT, EINVAL, path, "must be an absolute path");
	if (mkdir(path, mode) < 0 && errno != EEXIST) {
		int ret = err_set(err, ERR_SYSTEM, errno, path, "cannot be made");

		err_remedy(err, "make it, or run nasd as root");
		return ret;
	}
	return 0;
}

static int find_self(const struct conf *conf, const char *name, struct err *err)
{
	struct utsname u;
	int self;

	if (!name) {
		uname(&u);
		name = u.nodename;
	}
	self = conf_node_index(conf, name);
	if (self < 0) {
		err_set(err, ERR_REFUSED, ENOENT, "node", "'%s' is neither of the two nodes of the configuration", name);
		err_remedy(err, "name the nodes in nasd.conf as the hosts are named, or use --node");
	}
	return self;
}

/* What is installed beside this program: PREFIX/sbin/nasd, PREFIX/lib/nasd/ganesha. */
static void find_module(char *buf, size_t size)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	buf[0] = '\0';
	if (n <= 0)
		return;
	exe[n] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(exe, '/');
		if (!slash)
			return;
		*slash = '\0';
	}
	if (snprintf(buf, size, "%s/lib/nasd/ganesha", exe) >= (int)size)
		buf[0] = '\0';
}

static int told_to_end(sd_event_source *s, const struct signalfd_siginfo *info, void *engine)
{
	(void)s;
	(void)info;
	engine_end(engine);
	return 0;
}

static int serve(const struct options *o, const struct conf *conf, int self, struct err *err)
{
	char module_dir[PATH_MAX];
	struct engine_spec spec = { .conf = conf, .self = self, .state_dir = o->state_dir, .run_dir = o->run_dir,
				    .log_dir = o->log_dir, .module_dir = module_dir,
				    .allow_injection = o->injection };
	sd_event *event = NULL;
	struct engine *engine;
	sigset_t set;
	int ret;

	if (make_dir(o->state_dir, 0700, err) < 0 || make_dir(o->run_dir, 0755, err) < 0 ||
	    make_dir(o->log_dir, 0755, err) < 0)
		return -1;
	find_module(module_dir, sizeof(module_dir));
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	ret = sd_event_default(&event);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, "sd-event", "no event loop");
	realtime_begin();
	engine = engine_new(event, &spec, err);
	if (!engine) {
		sd_event_unref(event);
		return -1;
	}
	sd_event_add_signal(event, NULL, SIGTERM, told_to_end, engine);
	sd_event_add_signal(event, NULL, SIGINT, told_to_end, engine);
	sd_event_set_watchdog(event, true);
	sd_notify(0, "READY=1\nSTATUS=running");
	log_notice("nasd %s on %s, configuration %.12s", NASD_VERSION, conf->nodes[self].name, conf->hash);
	ret = sd_event_loop(event);
	sd_notify(0, "STOPPING=1");
	log_notice("nasd ends; the service is left as it is");
	if (engine_free(engine) < 0) {
		log_warn("a worker hangs in the kernel (a disk that does not answer?) and is left behind");
		_exit(ret < 0 ? 1 : 0); /* its thread still uses all there is */
	}
	sd_event_unref(event);
	return ret < 0 ? err_set(err, ERR_SYSTEM, -ret, "sd-event", "the event loop failed") : 0;
}

int main(int argc, char **argv)
{
	struct options o = { .config = NASD_SYSCONFDIR "/nasd.conf", .state_dir = "/var/lib/nasd",
			     .run_dir = "/run/nasd", .log_dir = "/var/log/nasd" };
	struct conf *conf = NULL;
	static struct logsink sink; /* the log's thread may outlive main's frame */
	struct logqueue *queue = NULL;
	struct err err;
	char text[1024];
	int ret = parse(argc, argv, &o), self = -1;

	if (ret)
		return ret - 1;
	err_clear(&err);
	json_object_seed(0);
	ret = conf_load_file(o.config, &conf, &err);
	if (ret == 0)
		self = find_self(conf, o.node, &err);
	if (self >= 0)
		ret = conf_check_host(conf, self, o.config, &err);
	if (self >= 0 && ret == 0 && o.check) {
		printf("%s: good, hash %s\n", o.config, conf->hash);
	} else if (self >= 0 && ret == 0) {
		logsink_init(&sink, conf->nodes[self].name, o.debug ? LOGP_DEBUG : LOGP_INFO);
		ret = logqueue_begin(&sink, &queue, &err);
		if (ret == 0) {
			log_set_sink(logqueue_write, queue);
			ret = serve(&o, conf, self, &err);
			log_set_sink(NULL, NULL);
			logqueue_end(queue, LOG_END_US);
		}
	}
	conf_free(conf);
	if (ret == 0 && self >= 0)
		return 0;
	fprintf(stderr, "nasd: %s\n", err_format(&err, text, sizeof(text)));
	return 1;
}
