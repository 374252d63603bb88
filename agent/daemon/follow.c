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
	OWNERS_A_SECOND = 2000,			/* looked for */
};

struct kept_owner { uint32_t id; struct socket_owner owner; };

struct follow {
	struct agent *agent;
	sd_event *event;
	sd_event_source *on_news;
	struct flow_reader *reader;		/* NULL: nobody follows, or the kernel refused */
	struct fwmark mask;			/* that its filter goes by */
	unsigned followers;
	int said;				/* -errno of what was logged last; 0: it was mended */
	struct follow_event *ring;
	uint64_t next, lost;			/* lost: by readers that are closed */
	unsigned looks;				/* left in this second */
	uint64_t second;
	struct kept_owner *owners;		/* by id modulo OWNERS_KEPT */
};

/* False also if this second has no looks left. */
static bool find_owner(struct follow *follow, const struct connection *c, struct socket_owner *ret)
{
	struct kernel *kernel = follow->agent->kernel;
	bool found = false;

	if (agent_clock() - follow->second > SECOND_USEC) {
		follow->second = agent_clock();
		follow->looks = OWNERS_A_SECOND;
	}
	if (follow->looks == 0)
		return false;
	follow->looks--;
	return kernel->find_owner(kernel, c, &found, ret) == 0 && found;
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
	event->owned = find_owner(follow, &event->connection, &event->owner);
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

static void unsubscribe(struct follow *follow)
{
	follow->on_news = sd_event_source_disable_unref(follow->on_news);
	if (follow->reader) {
		follow->lost += follow->reader->lost;
		follow->reader->close(follow->reader);
	}
	follow->reader = NULL;
}

static void say_unread(struct follow *follow, int r)
{
	if (r != follow->said)
		log_event(EVENT_CONNECTIONS_UNREAD, "error=\"%s\" next=retry", strerror(-r));
	follow->said = r;
}

static int on_news(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct follow *follow = context;
	uint64_t before = follow->next, lost = follow_lost(follow->agent);
	int r = 1;

	(void)source;
	(void)fd;
	(void)revents;
	for (int i = 0; i < READS_AT_ONCE && r == 1; i++)
		r = follow->reader->read(follow->reader, EVENTS_AT_ONCE, take_event, follow);
	if (r < 0) {
		say_unread(follow, r);
		unsubscribe(follow);		/* until follow_check() */
	} else {
		follow->said = 0;
	}
	if (follow->next != before || follow_lost(follow->agent) != lost)
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
	if (r < 0)
		unsubscribe(follow);
	return r < 0 ? r : 0;
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
	if (ret_position)
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

	if (!follow || follow->followers == 0 ||
	    (follow->reader && follow->mask.host == agent->now->model.mask.host))
		return;
	unsubscribe(follow);
	r = subscribe(follow);
	if (r < 0)
		say_unread(follow, r);
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
