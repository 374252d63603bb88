/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See survey.h. Nothing here takes longer than a millisecond or so at a time: a census is read in
 * pieces, when the event loop has nothing more urgent to do, and rests a hundred times as long as it
 * worked. Walking conntrack's empty buckets is one such piece, some 10 ms with 262,144 of them.
 *
 * Memory: two finished censuses and one in the making, each bounded.
 */
#include "daemon/survey.h"

#include "base/mem.h"
#include "daemon/alarm.h"
#include "daemon/capacity.h"
#include "daemon/control.h"
#include "daemon/flow_log.h"
#include "daemon/follow.h"
#include "daemon/log.h"
#include "daemon/ranking.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <systemd/sd-event.h>
#include <time.h>

enum {
	SECOND_USEC = 1000000,
	PIECES_AT_ONCE = 2,			/* of a dump: some hundred connections each */
};

struct survey {
	struct agent *agent;
	sd_event *event;
	sd_event_source *on_second, *on_dump;
	struct flow_reader *dump;		/* of the census in the making; NULL: there is none */
	struct census making, last, before;
	uint64_t serial, due;
	bool again;				/* somebody waits for the next one */
	struct { uint32_t *at; size_t n, room; } unexplained;	/* of the first census; see sources_know() */

};

/* Processor time of this thread in usec: on a busy host a piece waits longer than it works. */
static uint64_t worked(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void judge(struct survey *survey, const struct connection *c)
{
	if (sources_judge(survey->agent, c) != SOURCE_WRONG)
		return;
	if (survey->last.serial > 0)
		alarm_wrong(survey->agent, c);
	else if (survey->unexplained.n < SOURCES_KNOWN_MAX)
		PUSH(&survey->unexplained, c->id);
}

static void count_one(void *context, enum flow_news news, const struct connection *c)
{
	struct survey *survey = context;
	struct fwmark mask = survey->agent->now->model.mask;

	(void)news;
	census_add(&survey->making, c, mask);
	if (c->mark.host & mask.host)
		judge(survey, c);
}

static void stop_dump(struct survey *survey)
{
	survey->on_dump = sd_event_source_disable_unref(survey->on_dump);
	if (survey->dump)
		survey->dump->close(survey->dump);
	survey->dump = NULL;
}

static void finish_census(struct survey *survey)
{
	uint64_t rest = survey->making.took * SURVEY_CENSUS_SHARE;
	bool first = survey->last.serial == 0;

	stop_dump(survey);
	survey->making.when = agent_clock();
	survey->due = survey->making.when + (rest > SURVEY_CENSUS_USEC ? rest : SURVEY_CENSUS_USEC);
	if (survey->making.when - survey->last.when > SURVEY_RATE_USEC) {
		census_drop(&survey->before);
		survey->before = survey->last;
	} else {				/* too near for rates: it takes the place of the last one */
		census_drop(&survey->last);
	}
	survey->last = survey->making;
	survey->making = (struct census){ 0 };
	if (first && survey->unexplained.n > 0)
		sources_know(survey->agent, survey->unexplained.at, survey->unexplained.n);
	capacity_watch(survey->agent);
	if (survey->again)
		survey->due = 0;		/* within a second: on_second() */
	control_wake(survey->agent->control);
}

static void give_up_census(struct survey *survey, int r)
{
	log_event(EVENT_CONNECTIONS_UNREAD, "error=\"%s\" next=retry", strerror(-r));
	stop_dump(survey);
	census_drop(&survey->making);
	survey->due = agent_clock() + SURVEY_CENSUS_USEC;
	control_wake(survey->agent->control);
}

static int on_dump(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct survey *survey = context;
	uint64_t begun = worked();
	int r = survey->dump->read(survey->dump, PIECES_AT_ONCE, count_one, survey);

	(void)source;
	(void)fd;
	(void)revents;
	survey->making.took += worked() - begun;
	if (r == 0)
		finish_census(survey);
	else if (r < 0)
		give_up_census(survey, r);
	return 0;
}

static int start_dump(struct survey *survey)
{
	struct agent *agent = survey->agent;
	int r = agent->kernel->dump_flows(agent->kernel, agent->now->model.mask, NULL,
					  &survey->dump);

	if (r == 0)
		r = sd_event_add_io(survey->event, &survey->on_dump, survey->dump->fd, EPOLLIN,
				    on_dump, survey);
	if (r >= 0)
		r = sd_event_source_set_priority(survey->on_dump, SD_EVENT_PRIORITY_IDLE);
	return r;
}

/* Where conntrack is empty there is nothing to walk. */
static void start_census(struct survey *survey)
{
	struct agent *agent = survey->agent;
	uint32_t entries = 1;
	uint64_t begun;
	int r = 0;

	begun = worked();
	survey->again = false;
	survey->making = (struct census){ .serial = ++survey->serial };
	(void)!getrandom(&survey->making.salt, sizeof survey->making.salt, GRND_NONBLOCK);
	if (agent->kernel->count_entries(agent->kernel, &entries) < 0 || entries > 0)
		r = start_dump(survey);
	survey->making.took = worked() - begun;
	if (r < 0)
		give_up_census(survey, r);
	else if (entries == 0)
		finish_census(survey);
}

static int on_second(sd_event_source *source, uint64_t usec, void *context)
{
	struct survey *survey = context;
	struct agent *agent = survey->agent;

	(void)usec;
	if (agent->now) {
		alarm_look(agent);
		follow_check(agent);
		ranking_rest(agent);
		flow_log_look(agent);
		if (!survey->dump && agent_clock() >= survey->due &&
		    agent->now->model.bindings.n > 0)
			start_census(survey);
	}
	(void)sd_event_source_set_time(source, agent_clock() + SECOND_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int survey_open(struct sd_event *event, struct agent *agent)
{
	struct survey *survey = mem_zero(1, sizeof *survey);
	int r = sd_event_add_time(event, &survey->on_second, CLOCK_MONOTONIC, agent_clock(), 1000,
				  on_second, survey);

	if (r < 0) {
		free(survey);
		return r;
	}
	survey->agent = agent;
	survey->event = sd_event_ref(event);
	agent->survey = survey;
	return 0;
}

void survey_close(struct agent *agent)
{
	struct survey *survey = agent->survey;

	if (!survey)
		return;
	agent->survey = NULL;
	stop_dump(survey);
	sd_event_source_disable_unref(survey->on_second);
	census_drop(&survey->making);
	census_drop(&survey->last);
	census_drop(&survey->before);
	free(survey->unexplained.at);
	sd_event_unref(survey->event);
	free(survey);
}

const struct census *survey_census(const struct agent *agent)
{
	return agent->survey && agent->survey->last.serial ? &agent->survey->last : NULL;
}

const struct census *survey_census_before(const struct agent *agent)
{
	return agent->survey && agent->survey->before.serial ? &agent->survey->before : NULL;
}

bool survey_is_counting(const struct agent *agent)
{
	return agent->survey && (agent->survey->dump || agent->survey->again);
}

uint64_t survey_ask_census(struct agent *agent)
{
	struct survey *survey = agent->survey;

	if (!survey)
		return 0;
	if (survey->dump) {			/* may have passed by what the caller asks about */
		survey->again = true;
		return survey->serial + 1;
	}
	start_census(survey);
	return survey->dump || survey->last.serial == survey->serial ? survey->serial : 0;
}
