/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See alarm.h. */
#include "daemon/alarm.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/sources.h"

#include <inttypes.h>
#include <stdio.h>

enum { INTENDED_TEXT = 4 * PREFIX_TEXT };

/* May this be told now? Counts it as not told if not. */
static bool may_say(struct alarm *alarm, uint32_t mark, const struct ip *source)
{
	uint64_t now = agent_clock();

	if (now - alarm->window > ALARM_USEC) {
		alarm->window = now;
		alarm->in_window = 0;
	}
	for (size_t i = 0; i < ALARM_SAID; i++)
		if (alarm->said[i].when > 0 && now - alarm->said[i].when < ALARM_USEC &&
		    alarm->said[i].mark == mark && ip_equal(&alarm->said[i].source, source)) {
			alarm->unsaid++;
			return false;
		}
	if (alarm->in_window++ >= ALARMS_AT_ONCE) {
		alarm->unsaid++;
		return false;
	}
	alarm->said[alarm->next].mark = mark;
	alarm->said[alarm->next].source = *source;
	alarm->said[alarm->next].when = now;
	alarm->next = (alarm->next + 1) % ALARM_SAID;
	return true;
}

/* "198.51.100.11,198.51.100.12,...", or "-". */
static const char *print_intended(const struct plan *plan, struct fwmark mark, enum family family,
				  char out[static INTENDED_TEXT])
{
	struct prefix prefixes[3];
	size_t n = sources_intended(plan, mark, family, prefixes, ARRAY_LEN(prefixes)), len = 0;
	char text[PREFIX_TEXT];

	snprintf(out, INTENDED_TEXT, "-");
	for (size_t i = 0; i < n && i < ARRAY_LEN(prefixes); i++)
		len += (size_t)snprintf(out + len, INTENDED_TEXT - len, "%s%s", i > 0 ? "," : "",
					prefix_print(&prefixes[i], text));
	if (n > ARRAY_LEN(prefixes))
		snprintf(out + len, INTENDED_TEXT - len, ",...");
	return out;
}

static const char *name_of(struct agent *agent, struct fwmark mark)
{
	const char *name = sources_name(agent, mark);

	return name ? name : "-";
}

static struct alarm *of(struct agent *agent)
{
	if (!agent->alarm)
		agent->alarm = mem_zero(1, sizeof *agent->alarm);
	return agent->alarm;
}

void alarm_wrong(struct agent *agent, const struct connection *c)
{
	const struct plan *plan = &agent->now->plan;
	struct alarm *alarm = of(agent);
	char intended[INTENDED_TEXT], actual[IP_TEXT], from[IP_TEXT], to[IP_TEXT];

	if (alarm->told[c->id % ALARM_TOLD] == c->id)
		return;
	alarm->told[c->id % ALARM_TOLD] = c->id;
	alarm->wrong++;
	if (!may_say(alarm, c->mark.host & plan->mask.host, &c->source))
		return;
	log_event(EVENT_SOURCE_WRONG,
		  "binding=%s intended=%s actual=%s from=%s from_port=%u to=%s to_port=%u"
		  " protocol=%u unsaid=%" PRIu64,
		  name_of(agent, c->mark),
		  print_intended(plan, c->mark, ip_family(&c->source), intended),
		  ip_print(&c->source, actual), ip_print(&c->from, from), c->from_port,
		  ip_print(&c->to, to), c->to_port, c->protocol, alarm->unsaid);
	alarm->unsaid = 0;
}

static void say_refused(struct agent *agent, const struct stray *stray, uint64_t packets)
{
	struct alarm *alarm = of(agent);
	char intended[INTENDED_TEXT], actual[IP_TEXT];

	if (!may_say(alarm, stray->mark.host, &stray->source))
		return;
	log_event(EVENT_SOURCE_REFUSED,
		  "binding=%s intended=%s actual=%s packets=%" PRIu64 " unsaid=%" PRIu64
		  " next=\"dropped; somebody rewrites sources: nft list ruleset\"",
		  name_of(agent, stray->mark),
		  print_intended(&agent->now->plan, stray->mark, ip_family(&stray->source),
				 intended),
		  stray->source.len ? ip_print(&stray->source, actual) : "-", packets,
		  alarm->unsaid);
	alarm->unsaid = 0;
}

void alarm_look(struct agent *agent)
{
	struct alarm *alarm = of(agent);
	struct kernel_counters counters;
	struct strays strays = { 0 };
	uint64_t more;

	if (agent->kernel->read_counters(agent->kernel, &counters) < 0)
		return;				/* no table: the watch sees to it, and says so */
	if (counters.dropped_guard < alarm->dropped_guard)
		alarm->dropped_guard = 0;	/* a new table counts from 0 */
	more = counters.dropped_guard - alarm->dropped_guard;
	alarm->dropped_guard = counters.dropped_guard;
	if (!alarm->looked) {
		alarm->looked = true;		/* an earlier agent has told of those */
		return;
	}
	if (more == 0)
		return;
	alarm->refused += more;
	if (agent->kernel->read_strays(agent->kernel, &strays) < 0 || strays.n == 0)
		say_refused(agent, &(struct stray){ { 0 }, { .len = 0 } }, more);
	for (size_t i = 0; i < strays.n; i++)
		say_refused(agent, &strays.at[i], more);
	free(strays.at);
}
