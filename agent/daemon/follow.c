/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See follow.h. One subscription serves all who follow; it is there only while somebody does, because
 * the kernel makes a message of each connection for it. A turn of the event loop reads at most
 * READS_AT_ONCE times EVENTS_AT_ONCE of them. The ring exists as long.
 */
#include "daemon/follow.h"

#include "base/mem.h"
#include "daemon/alarm.h"
#include "daemon/control.h"
#include "daemon/flow_log.h"
#include "daemon/log.h"

#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

enum {
	SECOND_USEC = 1000000,
	EVENTS_AT_ONCE = 32, READS_AT_ONCE = 4,
	PRIORITY = 50,				/* after the control socket, before what is idle */
	OWNERS_KEPT = 16384,
};

struct kept_owner { uint32_t id; struct socket_owner owner; };

struct follow {
	struct agent *agent;
	sd_event *event;
	sd_event_source *on_news;
	struct flow_reader *reader;		/* NULL: nobody follows */
	struct fwmark mask;			/* that its filter goes by */
	unsigned followers;
	struct follow_event *ring;
	uint64_t next, lost;			/* lost: by readers that are closed */
	unsigned looks;				/* left in this second */
	uint64_t second;
	struct kept_owner *owners;		/* by id modulo OWNERS_KEPT */
};

bool follow_owner(struct agent *agent, const struct connection *c, struct socket_owner *ret)
{
	struct follow *follow = agent->follow;
	bool found = false;

	if (follow && agent_clock() - follow->second > SECOND_USEC) {
		follow->second = agent_clock();
		follow->looks = FOLLOW_OWNERS;
	}
	if (!follow || follow->looks == 0)
		return false;
	follow->looks--;
	return agent->kernel->find_owner(agent->kernel, c, &found, ret) == 0 && found;
}

/* The socket is there when a connection begins, and as a rule gone when its entry is: kept by id. */
static void add_owner(struct follow *follow, struct follow_event *event)
{
	struct kept_owner *kept = &follow->owners[event->connection.id % OWNERS_KEPT];

	if (event->news == FLOW_ENDS) {
		event->owned = kept->id == event->connection.id;
		if (event->owned)
			event->owner = kept->owner;
		return;
	}
	event->owned = follow_owner(follow->agent, &event->connection, &event->owner);
	if (event->owned)
		*kept = (struct kept_owner){ event->connection.id, event->owner };
}

static void take_event(void *context, enum flow_news news, const struct connection *c)
{
	struct follow *follow = context;
	struct follow_event event = { .news = news, .connection = *c };

	event.verdict = sources_judge(follow->agent, c);
	if (event.verdict == SOURCE_UNBOUND)
		return;				/* of a probe, or turned to the relay */
	if (event.verdict == SOURCE_WRONG)
		alarm_wrong(follow->agent, c);
	add_owner(follow, &event);
	if (news == FLOW_ENDS)
		flow_log_add(follow->agent, &event);
	follow->ring[follow->next++ % FOLLOW_EVENTS] = event;
}

static int on_news(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct follow *follow = context;
	uint64_t before = follow->next, lost = follow->reader->lost;
	int r = 1;

	(void)fd;
	(void)revents;
	for (int i = 0; i < READS_AT_ONCE && r == 1; i++)
		r = follow->reader->read(follow->reader, EVENTS_AT_ONCE, take_event, follow);
	if (r < 0) {
		log_event(EVENT_CONNECTIONS_UNREAD, "error=\"%s\" next=\"none are followed\"",
			  strerror(-r));
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	if (follow->next != before || follow->reader->lost != lost)
		control_wake(follow->agent->control);
	return 0;
}

static int subscribe(struct follow *follow)
{
	struct agent *agent = follow->agent;
	int r;

	follow->mask = agent->now->model.mask;
	r = agent->kernel->follow_flows(agent->kernel, follow->mask, &follow->reader);
	if (r < 0)
		return r;
	r = sd_event_add_io(follow->event, &follow->on_news, follow->reader->fd, EPOLLIN,
			    on_news, follow);
	if (r >= 0)
		r = sd_event_source_set_priority(follow->on_news, PRIORITY);
	return r;
}

static void unsubscribe(struct follow *follow)
{
	follow->on_news = sd_event_source_disable_unref(follow->on_news);
	if (follow->reader) {
		follow->lost += follow->reader->lost;
		follow->reader->close(follow->reader);
	}
	follow->reader = NULL;
}

static void stop_following(struct follow *follow)
{
	unsubscribe(follow);
	free(follow->ring);
	free(follow->owners);
	follow->ring = NULL;
	follow->owners = NULL;
}

static int start_following(struct follow *follow)
{
	follow->ring = mem_zero(FOLLOW_EVENTS, sizeof *follow->ring);
	follow->owners = mem_zero(OWNERS_KEPT, sizeof *follow->owners);
	return subscribe(follow);
}

int follow_join(struct agent *agent, uint64_t *ret_position)
{
	struct follow *follow = agent->follow;
	int r = follow ? 0 : -EOPNOTSUPP;

	if (r == 0 && follow->followers == 0)
		r = start_following(follow);
	if (r < 0) {
		if (follow && follow->followers == 0)
			stop_following(follow);
		return r;
	}
	follow->followers++;
	*ret_position = follow->next;
	return 0;
}

void follow_leave(struct agent *agent)
{
	if (agent->follow && --agent->follow->followers == 0)
		stop_following(agent->follow);
}

const struct follow_event *follow_next(const struct agent *agent, uint64_t *position,
				       uint64_t *ret_lost)
{
	const struct follow *follow = agent->follow;
	uint64_t oldest = follow->next > FOLLOW_EVENTS ? follow->next - FOLLOW_EVENTS : 0;

	*ret_lost = 0;
	if (*position < oldest) {
		*ret_lost = oldest - *position;
		*position = oldest;
	}
	return *position < follow->next ? &follow->ring[(*position)++ % FOLLOW_EVENTS] : NULL;
}

uint64_t follow_lost(const struct agent *agent)
{
	const struct follow *follow = agent->follow;

	return follow ? follow->lost + (follow->reader ? follow->reader->lost : 0) : 0;
}

void follow_check(struct agent *agent)
{
	struct follow *follow = agent->follow;
	int r;

	if (!follow || !follow->reader || follow->mask.host == follow->agent->now->model.mask.host)
		return;
	unsubscribe(follow);
	r = subscribe(follow);
	if (r < 0)
		log_event(EVENT_CONNECTIONS_UNREAD, "error=\"%s\" next=\"none are followed\"",
			  strerror(-r));
}

void follow_open(struct sd_event *event, struct agent *agent)
{
	struct follow *follow = mem_zero(1, sizeof *follow);

	follow->agent = agent;
	follow->event = sd_event_ref(event);
	agent->follow = follow;
}

void follow_close(struct agent *agent)
{
	struct follow *follow = agent->follow;

	if (!follow)
		return;
	agent->follow = NULL;
	stop_following(follow);
	sd_event_unref(follow->event);
	free(follow);
}
