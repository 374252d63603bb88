/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event sources in, agent_refresh() and agent_heal() out. A notice says only what to read again, so
 * notices that come together are answered once: the first after some quiet is answered at once, those
 * after it wait a few milliseconds, longer when the last answer was expensive. A table that was
 * changed by others is looked at at once. Lost notices mean that everything may have changed. The
 * audit looks at all of it every half minute whatever was told, and tries again what failed.
 *
 * Subscribed before the agent starts, so nothing falls between the first reading and the first
 * notice.
 */
#include "daemon/watch.h"
#include "daemon/warmup.h"

#include "base/mem.h"
#include "daemon/identity.h"
#include "daemon/log.h"
#include "daemon/plumb.h"
#include "daemon/warn.h"
#include "kernel/notices.h"

#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

enum {
	QUIET_USEC = 20000,
	DEBOUNCE_USEC = 2000,
	DEBOUNCE_MAX_USEC = 2000000,
	AUDIT_USEC = 30 * 1000000,
	HEAL_GATHER_USEC = 1000,
	HEAL_PAUSE_USEC = 100000,
	HEALS_AT_ONCE = 10
};

struct watch {
	struct agent *agent;
	sd_event *event;
	struct notices *notices;
	sd_event_source *on_notice[2], *on_cgroup, *on_refresh, *on_audit, *on_heal, *on_warmup;
	unsigned kinds;				/* of facts to read when the timer fires */
	bool rules_noticed;
	uint64_t refresh_took, refreshed;	/* usec: the last one, and when it ended */
	uint64_t heal_window;			/* usec: when heals_in_window began to count */
	unsigned heals_in_window;
	bool foreign;				/* a change by others is not answered yet */
	uint64_t rewritten;			/* usec: when lost notices last led to a rewrite */
};

static void arm(sd_event_source *timer, uint64_t delay_usec)
{
	int enabled = SD_EVENT_OFF;

	if (sd_event_source_get_enabled(timer, &enabled) >= 0 && enabled != SD_EVENT_OFF)
		return;				/* is coming anyway, and not later */
	(void)sd_event_source_set_time(timer, agent_clock() + delay_usec);
	(void)sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

/* Only gateways of uplinks matter, and they come and go with the configuration. */
static void follow_gateways(struct watch *watch)
{
	uint32_t links[NOTICE_LINKS_MAX];
	size_t n = plumb_gateways(watch->agent, links, ARRAY_LEN(links));
	int r = notices_neighbours(watch->notices, links, n);

	if (r < 0)
		log_event(EVENT_NOTICES_FAILED, "error=\"%s\" next=\"the audit sees changes\"",
			  strerror(-r));
}

static void refresh(struct watch *watch)
{
	uint64_t begun = agent_clock();
	unsigned kinds = watch->kinds;

	watch->kinds = 0;
	if (!watch->agent->now)
		return;
	(void)agent_refresh(watch->agent, kinds);	/* logs; stale makes the audit try again */
	follow_gateways(watch);
	if (watch->rules_noticed)
		warn_overlaps(watch->agent);
	watch->rules_noticed = false;
	watch->refreshed = agent_clock();
	watch->refresh_took = watch->refreshed - begun;
}

static void want(struct watch *watch, unsigned kinds)
{
	uint64_t delay = DEBOUNCE_USEC + watch->refresh_took / 2;

	watch->kinds |= kinds;
	if (agent_clock() - watch->refreshed > QUIET_USEC + watch->refresh_took)
		refresh(watch);
	else
		arm(watch->on_refresh, delay < DEBOUNCE_MAX_USEC ? delay : DEBOUNCE_MAX_USEC);
}

/* Two programs that write the same table over and over must not starve everything else. */
static void heal(struct watch *watch, const char *why)
{
	uint64_t now = agent_clock();

	if (now - watch->heal_window > 1000000) {
		watch->heal_window = now;
		watch->heals_in_window = 0;
	}
	if (watch->heals_in_window++ >= HEALS_AT_ONCE) {
		arm(watch->on_heal, HEAL_PAUSE_USEC);
		return;
	}
	if (agent_heal(watch->agent, why, watch->foreign) == 0)
		watch->foreign = false;
	else					/* logged; traffic may be without a table */
		arm(watch->on_heal, HEAL_GATHER_USEC);
}

static void lost(struct watch *watch)
{
	uint64_t now = agent_clock();

	/* Lost ones may have been about our elements. Our own large transactions can make the socket
	 * overflow too, so that a rewrite must not lead to the next one. */
	if (!agent_owns_table(watch->agent) && now - watch->rewritten > AUDIT_USEC) {
		watch->foreign = true;
		watch->rewritten = now;
	}
	watch->agent->notices_lost++;
	log_event(EVENT_NOTICES_LOST, "next=\"everything is read again\"");
	heal(watch, "notices-lost");
	want(watch, FACTS_KERNEL | FACTS_CGROUPS);
}

static int on_notice(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct watch *watch = context;
	int bits = notices_read(watch->notices, watch->agent->kernel->port);

	(void)fd;
	(void)revents;
	if (bits < 0) {
		log_event(EVENT_NOTICES_FAILED, "error=\"%s\" next=\"the audit sees changes\"",
			  strerror(-bits));
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
		return 0;
	}
	if (!watch->agent->now)
		return 0;
	if (bits & NOTICE_LOST) {
		lost(watch);
		return 0;
	}
	if (bits & NOTICE_TABLE) {
		/* The notices of one transaction come in several parts: gather the rest. */
		arm(watch->on_heal, HEAL_GATHER_USEC);
		watch->foreign = true;
	}
	watch->rules_noticed |= (bits & NOTICE_RULES) != 0;
	if (bits & (NOTICE_ADDRESSES | NOTICE_RULES | NOTICE_NEIGHBOURS))
		want(watch, FACTS_KERNEL);
	return 0;
}

static int on_cgroup(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct watch *watch = context;
	bool changed = false;
	int r = cgroups_read(watch->agent->cgroups, &changed);

	(void)source;
	(void)fd;
	(void)revents;
	if (r < 0)
		log_event(EVENT_CGROUPS_FAILED, "error=\"%s\" next=retry", strerror(-r));
	if (changed || r < 0)
		want(watch, FACTS_CGROUPS);
	return 0;
}

static int on_refresh(sd_event_source *source, uint64_t usec, void *context)
{
	(void)source;
	(void)usec;
	refresh(context);
	return 0;
}

static int on_heal(sd_event_source *source, uint64_t usec, void *context)
{
	struct watch *watch = context;

	(void)source;
	(void)usec;
	if (watch->agent->now)
		heal(watch, "notice");
	return 0;
}

static int on_audit(sd_event_source *source, uint64_t usec, void *context)
{
	struct watch *watch = context;
	bool changed = false;

	(void)usec;
	if (watch->agent->now) {
		heal(watch, "audit");
		identity_facts(watch->agent, &watch->agent->now->model);
		if (watch->agent->cgroups && cgroups_read(watch->agent->cgroups, &changed) < 0)
			changed = true;
		(void)agent_refresh(watch->agent, FACTS_KERNEL | FACTS_CGROUPS);
		follow_gateways(watch);
	}
	(void)sd_event_source_set_time(source, agent_clock() + AUDIT_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_warmup(sd_event_source *source, uint64_t usec, void *context)
{
	struct watch *watch = context;

	(void)usec;
	if (watch->agent->now)
		warmup_tick(watch->agent);
	(void)sd_event_source_set_time(source, agent_clock() + WARMUP_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int add_timer(struct watch *watch, sd_event_time_handler_t run, sd_event_source **ret)
{
	int r = sd_event_add_time(watch->event, ret, CLOCK_MONOTONIC,
				  agent_clock() + AUDIT_USEC, 1000,
				  run, watch);

	return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int add_notices(struct watch *watch)
{
	const struct agent *agent = watch->agent;
	int fds[2];
	int r = notices_open(agent_owns_table(agent) ? NULL : agent->options->kernel.table,
			     &watch->notices);

	if (r < 0)
		return r;
	notices_fds(watch->notices, fds);
	for (int i = 0; i < 2 && r >= 0; i++)
		if (fds[i] >= 0)
			r = sd_event_add_io(watch->event, &watch->on_notice[i], fds[i], EPOLLIN,
					    on_notice, watch);
	return r;
}

static int add_all(struct watch *watch)
{
	int r = add_notices(watch);

	if (r >= 0 && watch->agent->cgroups)
		r = sd_event_add_io(watch->event, &watch->on_cgroup,
				    cgroups_fd(watch->agent->cgroups), EPOLLIN, on_cgroup, watch);
	if (r >= 0)
		r = add_timer(watch, on_refresh, &watch->on_refresh);
	if (r >= 0)
		r = add_timer(watch, on_heal, &watch->on_heal);
	if (r >= 0)
		r = add_timer(watch, on_audit, &watch->on_audit);
	if (r >= 0)
		arm(watch->on_audit, AUDIT_USEC);
	if (r >= 0)
		r = add_timer(watch, on_warmup, &watch->on_warmup);
	if (r >= 0)
		arm(watch->on_warmup, WARMUP_USEC);
	return r;
}

int watch_open(struct sd_event *event, struct agent *agent, struct watch **ret)
{
	struct watch *watch = mem_zero(1, sizeof *watch);
	int r;

	watch->agent = agent;
	watch->event = sd_event_ref(event);
	r = add_all(watch);
	if (r < 0) {
		watch_close(watch);
		return r;
	}
	*ret = watch;
	return 0;
}

void watch_close(struct watch *watch)
{
	if (!watch)
		return;
	for (int i = 0; i < 2; i++)
		sd_event_source_disable_unref(watch->on_notice[i]);
	sd_event_source_disable_unref(watch->on_cgroup);
	sd_event_source_disable_unref(watch->on_refresh);
	sd_event_source_disable_unref(watch->on_audit);
	sd_event_source_disable_unref(watch->on_heal);
	sd_event_source_disable_unref(watch->on_warmup);
	notices_close(watch->notices);
	sd_event_unref(watch->event);
	free(watch);
}
