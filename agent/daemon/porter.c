/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See porter.h. A gate that ends, for whatever reason, takes its connections with it, is told of in the
 * log and started again; soon after the fifth time within ten seconds only once a second. One that says
 * what no gate says, does not take its orders, or does not answer is ended.
 *
 * The gate is this program, executed anew: an address space that was never the agent's, no environment,
 * no descriptor but the link. It ends when the link does, so also if the agent is killed.
 */
#include "daemon/porter.h"

#include "base/mem.h"
#include "confine/confine.h"
#include "daemon/log.h"
#include "gate/gate_run.h"
#include "gate/gate_sandbox.h"
#include "proto/pass_fd.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
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
	sd_event *event;
	const char *peers;
	struct fd link;
	int pid;				/* 0: not running */
	bool ready;
	sd_event_source *on_link, *on_exit, *on_tick, *on_retry;
	struct place places[GATE_CONNECTIONS_MAX];
	uint64_t serial, ended;
	unsigned silent;			/* ticks since it was heard */
	time_t period;				/* in which @starts is counted */
	unsigned starts;
	uint8_t bytes[GATE_MESSAGE_MAX];
};

static void end_gate(struct porter *porter)
{
	if (porter->pid > 0)
		(void)kill(porter->pid, SIGKILL);
}

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

	if (porter->link.n < 0)
		return -ESRCH;
	r = pass_fd_send(porter->link.n, &what, sizeof what, fd, MSG_DONTWAIT);
	if (r == 0 || r == -ETOOMANYREFS)
		return r;
	end_gate(porter);
	return -ESRCH;
}

static void log_nonsense(struct porter *porter, const char *what)
{
	log_event(EVENT_GATE_NONSENSE, "peers=%s pid=%d text=\"%s\" next=ended", porter->peers,
		  porter->pid, what);
	end_gate(porter);
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
	for (int i = 0; i < most && porter->link.n >= 0; i++) {
		struct gate_message message;
		ssize_t n = recv(porter->link.n, porter->bytes, sizeof porter->bytes, MSG_DONTWAIT);

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

static int spawn(int link, pid_t *ret)
{
	char *const arguments[] = { (char[]){ "outbindd" }, (char[]){ GATE_OPTION }, NULL };
	char *const nothing[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t blocked;
	int r;

	/* It ends with the link, not by signals that are meant for the agent's terminal or unit. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGHUP);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &blocked);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO);
	posix_spawn_file_actions_adddup2(&actions, link, CONFINE_LINK);
	posix_spawn_file_actions_addclosefrom_np(&actions, CONFINE_LINK + 1);
	r = posix_spawn(ret, "/proc/self/exe", &actions, &attributes, arguments, nothing);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return -r;
}

static int on_exit_of_gate(sd_event_source *source, const siginfo_t *how, void *context);

static int watch_gate(struct porter *porter)
{
	int size = LINK_BUFFER, r;

	(void)setsockopt(porter->link.n, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
	r = sd_event_add_child(porter->event, &porter->on_exit, porter->pid, WEXITED,
			       on_exit_of_gate, porter);
	if (r >= 0)
		r = sd_event_add_io(porter->event, &porter->on_link, porter->link.n, EPOLLIN,
				    on_link, porter);
	return r < 0 ? r : 0;
}

static int start(struct porter *porter)
{
	AUTO(fd_drop) struct fd theirs = FD_NONE;
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	porter->link.n = ends[0];
	theirs.n = ends[1];
	r = spawn(theirs.n, &porter->pid);
	if (r < 0) {
		porter->pid = 0;
		fd_drop(&porter->link);
		return r;
	}
	porter->ready = false;
	porter->silent = 0;
	return watch_gate(porter);
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

static void forget_gate(struct porter *porter)
{
	porter->pid = 0;
	porter->ready = false;
	porter->on_link = sd_event_source_disable_unref(porter->on_link);
	porter->on_exit = sd_event_source_disable_unref(porter->on_exit);
	fd_drop(&porter->link);
}

static int on_exit_of_gate(sd_event_source *source, const siginfo_t *how, void *context)
{
	struct porter *porter = context;
	const char *reason = how->si_code == CLD_EXITED ? gate_sandbox_reason(how->si_status)
							: strsignal(how->si_status);

	(void)source;
	log_event(EVENT_GATE_ENDED, "peers=%s pid=%d reason=\"%s\" next=restarted", porter->peers,
		  porter->pid, reason ? reason : "it exited");
	porter->ended++;
	forget_gate(porter);
	close_all(porter);
	start_soon(porter);
	return 0;
}

/* Once a second: is it there, and does it answer. */
static int on_tick(sd_event_source *source, uint64_t usec, void *context)
{
	struct porter *porter = context;

	(void)usec;
	read_link(porter, MESSAGES_AT_ONCE);	/* it may have answered, and we were busy */
	if (porter->pid == 0) {
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

	porter->event = sd_event_ref(event);
	porter->peers = peers;
	porter->link = FD_NONE;
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

	if (porter->pid == 0)
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
	return porter ? (struct porter_state){ porter->pid, porter->ended, porter->ready }
		      : (struct porter_state){ 0 };
}

void porter_close(struct porter *porter)
{
	int pid;

	if (!porter)
		return;
	pid = porter->pid;
	forget_gate(porter);
	if (pid > 0)
		(void)kill(pid, SIGKILL);	/* the process ends before it, or after: nobody waits */
	sd_event_source_disable_unref(porter->on_tick);
	sd_event_source_disable_unref(porter->on_retry);
	sd_event_unref(porter->event);
	free(porter);
}
