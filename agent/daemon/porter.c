/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See porter.h. A gate that ends, for whatever reason, takes its connections with it, is told of in the
 * log and started again; soon after the fifth time within ten seconds only once a second. One that says
 * what no gate says, does not take its orders, or does not answer is ended.
 *
 * The gate is this program, executed anew: an address space that was never the agent's (child.h).
 */
#include "daemon/porter.h"

#include "base/mem.h"
#include "daemon/child.h"
#include "daemon/log.h"
#include "gate/gate_run.h"
#include "gate/gate_sandbox.h"
#include "proto/pass_fd.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum { MESSAGES_AT_ONCE = 8, QUICK_STARTS = 5, STARTS_PERIOD_SEC = 10,
       TICK_USEC = 1000 * 1000,
       RETRY_USEC = 20 * 1000, SILENT_TICKS = 10, LINK_BUFFER = 4 * 1024 * 1024 };

struct place {
	uint64_t id;				/* 0: free */
	porter_hear *hear;
	void *owner;
	enum gate_word word;
	int fd;					/* the owner's */
	bool unsent;				/* its descriptor was one too many on the way */
};

struct porter {
	const char *peers;
	struct child gate;
	bool ready;
	sd_event_source *on_tick, *on_retry;
	struct place places[GATE_CONNECTIONS_MAX];
	uint64_t serial, ended;
	unsigned silent;			/* ticks since it was heard */
	time_t period;				/* in which @starts is counted */
	unsigned starts;
	uint8_t bytes[GATE_MESSAGE_MAX];
};

static struct place *find(struct porter *porter, uint64_t id)
{
	struct place *place = &porter->places[id % GATE_CONNECTIONS_MAX];

	return id != 0 && place->id == id ? place : NULL;
}

/*
 * Send an order, with a descriptor if @fd is one. A gate whose queue is full has stopped to work.
 * -ETOOMANYREFS: our user has too many descriptors under way (unix(7)), which is not the gate's fault.
 */
static int order(struct porter *porter, enum gate_word word, uint64_t id, int fd)
{
	struct gate_order what = { .word = word, .id = id };
	int r;

	if (porter->gate.link.n < 0)
		return -ESRCH;
	r = pass_fd_send(porter->gate.link.n, &what, sizeof what, fd, MSG_DONTWAIT);
	if (r == 0 || r == -ETOOMANYREFS)
		return r;
	child_kill(&porter->gate);
	return -ESRCH;
}

static void log_nonsense(struct porter *porter, const char *what)
{
	log_event(EVENT_GATE_NONSENSE, "peers=%s pid=%d text=\"%s\" next=ended", porter->peers,
		  porter->gate.pid, what);
	child_kill(&porter->gate);
}

static void hear(struct porter *porter, const struct gate_message *message)
{
	struct place *place = find(porter, message->id);

	porter->silent = 0;
	porter->ready |= message->word == GATE_READY;
	if (place)				/* else it was closed meanwhile */
		place->hear(place->owner, message);
}

/* What the gate has said by now, at most @most of it. */
static void read_link(struct porter *porter, int most)
{
	for (int i = 0; i < most && porter->gate.link.n >= 0; i++) {
		struct gate_message message;
		ssize_t n = recv(porter->gate.link.n, porter->bytes, sizeof porter->bytes,
				 MSG_DONTWAIT);

		if (n <= 0)
			return;			/* its end is heard of by its exit */
		if (gate_message_read(porter->bytes, (size_t)n, &message) < 0) {
			log_nonsense(porter, "a message that is none");
			return;
		}
		hear(porter, &message);
	}
}

static int on_link(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct porter *porter = context;

	(void)fd;
	if (revents & EPOLLIN)
		read_link(porter, MESSAGES_AT_ONCE);
	else
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

static int start(struct porter *porter)
{
	char *const arguments[] = { (char[]){ "outbindd" }, (char[]){ GATE_OPTION }, NULL };
	const struct child_program self = { .path = "/proc/self/exe", .arguments = arguments };
	int size = LINK_BUFFER, r;

	porter->ready = false;
	porter->silent = 0;
	r = child_start(&porter->gate, &self);
	if (r == 0)
		(void)setsockopt(porter->gate.link.n, SOL_SOCKET, SO_SNDBUFFORCE, &size,
				 sizeof size);
	return r;
}

static void start_soon(struct porter *porter)
{
	time_t now = time(NULL);
	int r;

	if (now - porter->period >= STARTS_PERIOD_SEC || now < porter->period) {
		porter->period = now;
		porter->starts = 0;
	}
	if (porter->starts++ >= QUICK_STARTS)
		return;				/* the next tick tries */
	r = start(porter);
	if (r < 0)
		log_event(EVENT_GATE_FAILED, "peers=%s error=\"%s\" next=retry", porter->peers,
			  strerror(-r));
}

/* Everybody whose connection it read is told. */
static void close_all(struct porter *porter)
{
	for (size_t i = 0; i < GATE_CONNECTIONS_MAX; i++) {
		struct gate_message closed = { .word = GATE_CLOSED, .id = porter->places[i].id };

		if (closed.id != 0)
			porter->places[i].hear(porter->places[i].owner, &closed);
	}
}

static void on_end(void *context, const siginfo_t *how)
{
	struct porter *porter = context;
	const char *reason = how->si_code == CLD_EXITED ? gate_sandbox_reason(how->si_status)
							: strsignal(how->si_status);

	log_event(EVENT_GATE_ENDED, "peers=%s pid=%d reason=\"%s\" next=restarted", porter->peers,
		  how->si_pid, reason ? reason : "it exited");
	porter->ready = false;
	porter->ended++;
	close_all(porter);
	start_soon(porter);
}

/* Once a second: is it there, and does it answer. */
static int on_tick(sd_event_source *source, uint64_t usec, void *context)
{
	struct porter *porter = context;

	(void)usec;
	read_link(porter, MESSAGES_AT_ONCE);	/* it may have answered, and we were busy */
	if (porter->gate.pid == 0) {
		porter->starts = QUICK_STARTS - 1;
		start_soon(porter);
	} else if (porter->silent++ >= SILENT_TICKS) {
		log_nonsense(porter, "it does not answer");
		porter->silent = 0;
	} else {
		(void)order(porter, GATE_PING, 0, -1);
	}
	(void)sd_event_source_set_time_relative(source, TICK_USEC);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* Hand over the connection in @place, now or as soon as our user has fewer descriptors on their way. */
static int send_open(struct porter *porter, struct place *place)
{
	int r = order(porter, place->word, place->id, place->fd);

	place->unsent = r == -ETOOMANYREFS;
	if (!place->unsent)
		return r;
	r = sd_event_source_set_time_relative(porter->on_retry, RETRY_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(porter->on_retry, SD_EVENT_ONESHOT);
	return r < 0 ? r : 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *context)
{
	struct porter *porter = context;

	(void)source;
	(void)usec;
	for (size_t i = 0; i < GATE_CONNECTIONS_MAX; i++)
		if (porter->places[i].id != 0 && porter->places[i].unsent &&
		    send_open(porter, &porter->places[i]) < 0)
			return 0;		/* the gate is being ended, and they with it */
	return 0;
}

int porter_open(struct sd_event *event, const char *peers, struct porter **ret)
{
	struct porter *porter = mem_zero(1, sizeof *porter);
	int r;

	porter->peers = peers;
	porter->gate = (struct child){ .event = sd_event_ref(event), .hear = on_link,
				       .ended = on_end, .owner = porter, .link = FD_NONE };
	r = sd_event_add_time_relative(event, &porter->on_tick, CLOCK_MONOTONIC, TICK_USEC, 0,
				       on_tick, porter);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &porter->on_retry, CLOCK_MONOTONIC, 0, 0,
					       on_retry, porter);
	if (r >= 0)
		r = start(porter);
	if (r < 0) {
		porter_close(porter);
		return r;
	}
	*ret = porter;
	return 0;
}

int porter_admit(struct porter *porter, enum gate_word word, int fd, porter_hear *hears,
		 void *owner, uint64_t *ret)
{
	int r;

	if (porter->gate.pid == 0)
		return -ESRCH;
	for (size_t i = 0; i < GATE_CONNECTIONS_MAX; i++) {
		uint64_t id = ++porter->serial;
		struct place *place = &porter->places[id % GATE_CONNECTIONS_MAX];

		if (id == 0 || place->id != 0)
			continue;
		*place = (struct place){ .id = id, .hear = hears, .owner = owner,
					 .word = word, .fd = fd };
		r = send_open(porter, place);
		if (r < 0)
			*place = (struct place){ 0 };
		else
			*ret = id;
		return r;
	}
	return -EBUSY;
}

void porter_next(struct porter *porter, uint64_t id)
{
	(void)order(porter, GATE_NEXT, id, -1);
}

void porter_leave(struct porter *porter, uint64_t id)
{
	struct place *place = find(porter, id);

	if (!place)
		return;
	*place = (struct place){ 0 };
	(void)order(porter, GATE_CLOSE, id, -1);
}

struct porter_state porter_state(const struct porter *porter)
{
	return porter ? (struct porter_state){ porter->gate.pid, porter->ended, porter->ready }
		      : (struct porter_state){ 0 };
}

void porter_close(struct porter *porter)
{
	if (!porter)
		return;
	child_drop(&porter->gate);		/* what it was passed may keep it: nobody waits */
	sd_event_source_disable_unref(porter->on_tick);
	sd_event_source_disable_unref(porter->on_retry);
	sd_event_unref(porter->gate.event);
	free(porter);
}
