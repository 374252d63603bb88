/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindd: start, run, stop. Everything that can refuse a start does so before the kernel is
 * touched; the data path that an earlier agent left works on meanwhile.
 *
 * Exit status: 0 stopped on request, 1 failure, 2 the configuration is not valid, 4 another agent
 * serves this table, 5 table or state are of a newer version.
 */
#include "daemon/agent.h"

#include "base/mem.h"
#include "daemon/control.h"
#include "daemon/flow_log.h"
#include "daemon/keep.h"
#include "daemon/follow.h"
#include "daemon/diagnosis.h"
#include "daemon/exporter.h"
#include "daemon/lock.h"
#include "daemon/remove.h"
#include "daemon/log.h"
#include "daemon/plumb.h"
#include "daemon/plumb_events.h"
#include "daemon/monitor.h"
#include "daemon/peer.h"
#include "daemon/porter.h"
#include "daemon/privilege.h"
#include "daemon/probe.h"
#include "daemon/service.h"
#include "daemon/survey.h"
#include "daemon/tagger.h"
#include "daemon/warmup.h"
#include "daemon/watch.h"
#include "gate/gate_run.h"
#include "kernel/meter.h"

#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>

enum { EXIT_INVALID = 2, EXIT_TAKEN = 4, EXIT_NEWER = 5 };

struct daemon {
	struct options options;
	struct state state;
	struct fd lock, runtime_lock;
	struct agent agent;
	sd_event *event;
	struct watch *watch;
	struct plumb_events *plumbing;
	struct porter *strangers, *relays;
	struct control *control;
	struct tagger *tagger;
	struct probes *probes;
};

static void daemon_drop(struct daemon *d)
{
	exporter_close(d->agent.exporter);
	d->agent.exporter = NULL;
	control_close(d->control);
	d->control = NULL;			/* events go on until the end */
	survey_close(&d->agent);
	meter_close(d->agent.meter);
	d->agent.meter = NULL;
	flow_log_close(&d->agent);
	follow_close(&d->agent);
	diagnosis_close(&d->agent);
	tagger_close(d->tagger);
	porter_close(d->strangers);
	porter_close(d->relays);
	d->agent.gates.strangers = d->agent.gates.relay = NULL;
	probe_close(d->probes);
	plumb_events_close(d->plumbing);
	watch_close(d->watch);
	plumb_close(&d->agent);
	remover_close(&d->agent);
	agent_drop(&d->agent);
	log_listen(NULL, NULL);
	monitor_free(d->agent.monitor);
	cgroups_close(d->agent.cgroups);
	if (d->agent.kernel)
		d->agent.kernel->close(d->agent.kernel);
	sd_event_unref(d->event);
	state_drop(&d->state);
	fd_drop(&d->lock);
	fd_drop(&d->runtime_lock);
}

static int fail(const char *what, int r)
{
	log_event(EVENT_AGENT_FAILED, "text=\"%s: %s\"", what, strerror(-r));
	return EXIT_FAILURE;
}

static int check(const struct options *options)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	int r = generation_check(options->config, &conf_system, NULL, 0, &out);

	problems_print(&out.problems);
	return r < 0 ? EXIT_INVALID : EXIT_SUCCESS;
}

/* The first cgroup2 mount. */
static int find_cgroup_root(char **ret)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *mount;

	if (!mounts)
		return -errno;
	while ((mount = getmntent(mounts)) && strcmp(mount->mnt_type, "cgroup2") != 0)
		;
	if (mount)
		*ret = mem_copy(mount->mnt_dir);
	endmntent(mounts);
	return mount ? 0 : -ENOENT;
}

static void open_cgroups(struct daemon *d)
{
	AUTO(mem_drop) char *found = NULL;
	const char *root = d->options.cgroup_root;
	int r = 0;

	if (!root) {
		r = find_cgroup_root(&found);
		root = found;
	}
	if (r == 0)
		r = cgroups_open(root, &d->agent.cgroups);
	if (r < 0)
		log_event(EVENT_CGROUPS_UNAVAILABLE,
			  "root=%s error=\"%s\" next=\"rules for units and "
			  "cgroups match nothing\"",
			  root ? root : "-", strerror(-r));
}

static int take_locks(struct daemon *d)
{
	uint32_t uid;
	int pid;
	int r = lock_take(d->options.kernel.table, &d->lock, &pid, &uid);

	if (r == -EBUSY) {
		log_event(EVENT_AGENT_FAILED,
			  "text=\"another outbindd (pid %d) serves table inet %s in "
			  "this network namespace\"",
			  pid, d->options.kernel.table);
		return EXIT_TAKEN;
	}
	if (r < 0)
		return fail("cannot take the lock of the table", r);
	if (d->lock.n < 0)
		log_event(EVENT_AGENT_SQUATTED,
			  "pid=%d uid=%u text=\"somebody who is not root holds our "
			  "lock name\" next=ignored",
			  pid, uid);
	r = state_lock(d->options.runtime_dir, "lock", &d->runtime_lock);
	if (r < 0)
		return fail(d->options.runtime_dir, r);
	r = state_open(d->options.state_dir, &d->state);
	return r < 0 ? fail(d->options.state_dir, r) : 0;
}

static int open_world(struct daemon *d)
{
	struct kernel_error error = { 0 };
	int r;

	d->options.kernel.socket = keep_take();
	r = kernel_open(&d->options.kernel, &d->agent.kernel, &error);

	if (r < 0) {
		log_event(EVENT_AGENT_FAILED, "text=\"cannot open nf_tables: %s\"",
			  error.text[0] ? error.text : strerror(-r));
		return EXIT_FAILURE;
	}
	open_cgroups(d);
	d->agent.options = &d->options;
	d->agent.world = &conf_system;
	d->agent.state = &d->state;
	d->agent.render = kernel_render;
	plumb_open(&d->agent);
	d->agent.monitor = monitor_new();
	log_listen(monitor_hear, d->agent.monitor);
	return 0;
}

static int start_agent(struct daemon *d)
{
	AUTO(outcome_drop) struct outcome out = { 0 };
	char quoted[LOG_TEXT];
	int r = agent_start(&d->agent, &out);

	problems_print(&out.problems);
	if (r == 0)
		return 0;
	if (!out.text[0])
		outcome_say(&out, "the configuration %s is not valid; the table stays as it is",
			    d->options.config);
	log_event(EVENT_AGENT_FAILED, "place=%s text=%s", out.place[0] ? out.place : "-",
		  log_quote(out.text, quoted));
	switch (r) {
	case -EINVAL:
	case -E2BIG:
		return EXIT_INVALID;
	case -EBUSY:
		return EXIT_TAKEN;
	case -EPROTONOSUPPORT:
		return EXIT_NEWER;
	default:
		return EXIT_FAILURE;
	}
}

static int on_lock(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	(void)source;
	(void)revents;
	(void)context;
	lock_answer(fd);
	return 0;
}

static int open_events(struct daemon *d)
{
	int r = sd_event_default(&d->event);

	if (r >= 0)
		r = service_listen(d->event, &d->agent);
	if (r >= 0 && d->lock.n >= 0)
		r = sd_event_add_io(d->event, NULL, d->lock.n, EPOLLIN, on_lock, NULL);
	if (r >= 0)
		r = watch_open(d->event, &d->agent, &d->watch);
	if (r >= 0)
		r = plumb_events_open(d->event, &d->agent, &d->plumbing);
	return r < 0 ? fail("cannot watch the kernel", r) : 0;
}

static void wake(void *context)
{
	const struct daemon *d = context;

	control_wake(d->control);
}

/* Strangers' gate, and the relay's where there is a user of that name. */
static int open_gates(struct daemon *d)
{
	uid_t relay;
	int r = porter_open(d->event, "strangers", &d->strangers);

	if (r == 0 && peer_user_id("outbind-relay", &relay) == 0)
		r = porter_open(d->event, "relay", &d->relays);
	d->agent.gates.strangers = d->strangers;
	d->agent.gates.relay = d->relays;
	return r < 0 ? fail("cannot start what reads the sockets", r) : 0;
}

static int open_sockets(struct daemon *d)
{
	int r = remover_open(d->event, &d->agent);

	if (r < 0)
		return fail("cannot make a timer", r);
	follow_open(d->event, &d->agent);
	d->agent.meter_table = d->options.kernel.table;
	r = survey_open(d->event, &d->agent);
	if (r < 0)
		return fail("cannot make a timer", r);
	r = open_gates(d);
	if (r != 0)
		return r;
	r = control_open(d->event, &d->agent, d->options.runtime_dir, d->strangers, &d->control);
	if (r < 0)
		return fail("cannot listen on the control socket", r);
	monitor_on_event(d->agent.monitor, wake, d);
	r = diagnosis_open(d->event, &d->agent);
	if (r < 0)
		return fail("cannot wait for a thread", r);
	r = tagger_open(d->event, &d->agent, d->options.runtime_dir, d->strangers, d->relays,
			&d->tagger);
	if (r < 0)
		return fail("cannot listen on the tag socket", r);
	r = probe_open(d->event, &d->agent, &d->probes);
	if (r < 0)
		return fail("cannot send probes", r);
	r = exporter_open(d->event, &d->agent, &d->agent.exporter);
	if (r < 0)
		return fail("cannot export figures", r);
	return 0;
}

/* Capabilities are a thread's own: none may have been started that goes on. */
static int give_up_rights(struct daemon *d)
{
	int r = privilege_reduce();

	if (r < 0)
		return fail("cannot give up capabilities", r);
	flow_log_use(&d->agent, d->agent.now->model.flow_log);
	return 0;
}

static int run(struct daemon *d)
{
	int r;

	if (agent_owns_table(&d->agent))
		keep_store(d->agent.kernel->table_fd);
	r = service_run(d->event, &d->agent);
	warmup_keep(&d->agent);
	if (d->options.remove_on_stop) {
		int removed = d->agent.kernel->remove_table(d->agent.kernel);

		if (removed < 0)
			return fail("cannot remove the table", removed);
		log_event(EVENT_TABLE_REMOVED, "table=%s", d->options.kernel.table);
		plumb_remove(&d->agent);
	}
	log_event(EVENT_AGENT_STOPPED, "table=%s", d->options.remove_on_stop ? "removed" : "kept");
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Every peer is a descriptor; and nobody whose user has more of them on their way between processes than
 * this limit may pass one on (unix(7), ETOOMANYREFS), which as root counts those of all others of root's. */
static void raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);	/* it works with fewer */
}

static int check_privilege(void)
{
	privilege_keep();
	if (privilege_sufficient())
		return 0;
	log_event(EVENT_AGENT_FAILED,
		  "text=\"outbindd needs CAP_NET_ADMIN, for nf_tables, routes and marks of sockets, and "
		  "does not have it: start it as root, or by its unit\"");
	return EXIT_FAILURE;
}

static int serve(int argc, char **argv)
{
	AUTO(daemon_drop) struct daemon d = { .lock = FD_NONE, .runtime_lock = FD_NONE,
					      .state = { .lock = FD_NONE } };
	int status = options_read(argc, argv, &d.options);

	log_open();
	if (status >= 0)
		return status;
	if (d.options.check)
		return check(&d.options);
	service_block_signals();
	raise_limits();
	status = check_privilege();
	if (status == 0)
		status = take_locks(&d);
	if (status == 0)
		status = open_world(&d);
	if (status == 0)
		status = open_events(&d);
	if (status == 0)
		status = start_agent(&d);
	if (status == 0)
		status = open_sockets(&d);
	if (status == 0)
		status = give_up_rights(&d);
	return status == 0 ? run(&d) : status;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], GATE_OPTION) == 0)
		return gate_run();
	return serve(argc, argv);
}
