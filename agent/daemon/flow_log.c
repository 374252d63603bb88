/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See flow_log.h. Two buffers: the loop fills one while the thread writes the other, and they are
 * exchanged when the thread has nothing more. The lock is held for a copy of one line, or for the
 * exchange. The thread touches nothing of the agent, so it logs nothing: flow_log_look() does.
 */
#include "daemon/flow_log.h"

#include "base/mem.h"
#include "daemon/flow_record.h"
#include "daemon/log.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

enum { CLOSE_SECONDS = 2, GATHER_USEC = 20000, SAID_USEC = 60 * 1000000 };

struct buffer { char *at; size_t len, records; };

struct flow_log {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wanted;			/* there are lines, or something else to do */

	/* Under the lock. */
	struct buffer filling;
	char *path;
	bool reopen, stop;
	struct flow_log_state state;

	struct buffer writing;			/* the thread's */
	struct fd file;
	char *opened;				/* path of @file, or of what could not be opened */
	bool torn;				/* the last write ended within a line */

	/* The loop's. */
	int unjoined;				/* -errno of follow_join(); 0: it follows */
	uint64_t missed;			/* since the last record that was taken */
	uint64_t lost;				/* of follow_lost(), as seen last */
	struct flow_log_state said;
	uint64_t when;				/* usec: when dropped ones were told last */
};

/* A regular file only: nobody is waited for at the other end of a pipe. A new one is for who may look,
 * whatever the umask: its group is the process's own, as that of the sockets. */
static int open_file(const char *path, struct fd *ret)
{
	int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	AUTO(fd_drop) struct fd fd = { open(path, flags | O_CREAT | O_EXCL, 0600) };
	struct stat about;

	if (fd.n >= 0 && fchmod(fd.n, 0640) < 0)
		return -errno;
	if (fd.n < 0 && errno == EEXIST)
		fd.n = open(path, flags);
	if (fd.n < 0 || fstat(fd.n, &about) < 0)
		return -errno;
	if (!S_ISREG(about.st_mode))
		return -EINVAL;
	*ret = fd_take(&fd);
	return 0;
}

static int write_all(int fd, const char *at, size_t len, size_t *ret_done)
{
	*ret_done = 0;
	while (*ret_done < len) {
		ssize_t n = write(fd, at + *ret_done, len - *ret_done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		*ret_done += (size_t)n;
	}
	return 0;
}

static size_t count_lines(const char *at, size_t len)
{
	size_t n = 0;

	for (const char *end = at + len; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		n++;
	return n;
}

static int reopen(struct flow_log *log)
{
	fd_drop(&log->file);
	log->torn = false;
	return open_file(log->opened, &log->file);
}

/* Write what is in the thread's buffer; what cannot be written is lost. */
static struct flow_log_state write_buffer(struct flow_log *log)
{
	struct flow_log_state done = { 0 };
	size_t len = 0, head;

	if (log->file.n < 0)
		done.error = reopen(log);
	if (done.error == 0 && log->torn)
		done.error = write_all(log->file.n, "\n", 1, &head);
	if (done.error == 0) {
		done.error = write_all(log->file.n, log->writing.at, log->writing.len, &len);
		log->torn = len > 0 ? log->writing.at[len - 1] != '\n' : false;
	}
	done.written = count_lines(log->writing.at, len);
	done.dropped = log->writing.records - done.written;
	return done;
}

/* Wait for something to do; lines that come together are written together. */
static void wait_wanted(struct flow_log *log)
{
	while (!log->stop && !log->reopen && log->filling.len == 0)
		(void)pthread_cond_wait(&log->wanted, &log->lock);
	if (log->stop || log->reopen || log->filling.len > FLOW_LOG_BYTES / 4)
		return;
	(void)pthread_mutex_unlock(&log->lock);
	(void)usleep(GATHER_USEC);
	(void)pthread_mutex_lock(&log->lock);
}

static void take_state(struct flow_log *log, const struct flow_log_state *done)
{
	log->state.written += done->written;
	log->state.dropped += done->dropped;
	log->state.error = done->error;
}

/* One round, with the lock held at both ends; false: it is over. */
static bool work(struct flow_log *log)
{
	char *AUTO(mem_drop) path = NULL;
	struct flow_log_state done = { 0 };
	struct buffer full;
	bool stop;

	wait_wanted(log);
	full = log->filling;
	log->filling = log->writing;
	log->writing = full;
	log->filling.len = log->filling.records = 0;
	stop = log->stop;
	if (log->reopen)
		path = mem_copy(log->path);
	log->reopen = false;
	(void)pthread_mutex_unlock(&log->lock);
	if (log->writing.len > 0 && log->opened)	/* of before the file was renamed */
		done = write_buffer(log);
	if (path) {
		free(log->opened);
		log->opened = path;
		path = NULL;
		done.error = reopen(log);
	}
	(void)pthread_mutex_lock(&log->lock);
	take_state(log, &done);
	return !stop;
}

static void *run(void *context)
{
	struct flow_log *log = context;

	(void)pthread_mutex_lock(&log->lock);
	while (work(log))
		;
	(void)pthread_mutex_unlock(&log->lock);
	return NULL;
}

static void free_log(struct flow_log *log)
{
	fd_drop(&log->file);
	free(log->filling.at);
	free(log->writing.at);
	free(log->path);
	free(log->opened);
	(void)pthread_cond_destroy(&log->wanted);
	(void)pthread_mutex_destroy(&log->lock);
	free(log);
}

static struct flow_log *start(const char *path)
{
	struct flow_log *log = mem_zero(1, sizeof *log);

	log->file = FD_NONE;
	log->path = mem_copy(path);
	log->reopen = true;
	log->filling.at = mem_zero(FLOW_LOG_BYTES, 1);
	log->writing.at = mem_zero(FLOW_LOG_BYTES, 1);
	(void)pthread_mutex_init(&log->lock, NULL);
	(void)pthread_cond_init(&log->wanted, NULL);
	if (pthread_create(&log->thread, NULL, run, log) == 0)
		return log;
	free_log(log);
	return NULL;
}

/* The disk may hang: then the thread is left to the end of the process, and its memory with it. */
static void stop(struct flow_log *log)
{
	struct timespec until;

	(void)pthread_mutex_lock(&log->lock);
	log->stop = true;
	(void)pthread_cond_signal(&log->wanted);
	(void)pthread_mutex_unlock(&log->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CLOSE_SECONDS;
	if (pthread_timedjoin_np(log->thread, NULL, &until) == 0)
		free_log(log);
	else
		(void)pthread_detach(log->thread);
}

void flow_log_close(struct agent *agent)
{
	struct flow_log *log = agent->flow_log;

	if (!log)
		return;
	agent->flow_log = NULL;
	if (log->unjoined == 0)
		follow_leave(agent);
	stop(log);
}

static void say_failed(const char *path, int r)
{
	log_event(EVENT_FLOW_LOG_FAILED, "file=\"%s\" error=\"%s\" next=\"%s\"", path,
		  strerror(-r), "records are dropped; it is tried again");
}

/* Another path, or the same one after it was renamed. */
static void use_again(struct flow_log *log, const char *path)
{
	(void)pthread_mutex_lock(&log->lock);
	free(log->path);
	log->path = mem_copy(path);
	log->reopen = true;
	(void)pthread_cond_signal(&log->wanted);
	(void)pthread_mutex_unlock(&log->lock);
}

void flow_log_use(struct agent *agent, const char *path)
{
	if (!path || !agent->follow) {
		flow_log_close(agent);
		return;
	}
	if (agent->flow_log) {
		use_again(agent->flow_log, path);
		return;
	}
	agent->flow_log = start(path);
	if (!agent->flow_log) {
		say_failed(path, -EAGAIN);
		return;
	}
	agent->flow_log->lost = follow_lost(agent);
	agent->flow_log->unjoined = follow_join(agent, NULL);
}

void flow_log_add(struct agent *agent, const struct follow_event *event)
{
	struct flow_log *log = agent->flow_log;
	uint64_t lost = follow_lost(agent);
	char line[FLOW_RECORD];
	struct timespec now;
	bool wake = false;
	size_t len;

	if (!log)
		return;
	log->missed += lost - log->lost;
	log->lost = lost;
	clock_gettime(CLOCK_REALTIME, &now);
	len = flow_record_print(event, sources_name(agent, event->connection.mark),
				event->owner.mark.host & agent->now->model.mask.host, log->missed,
				&now, line);
	(void)pthread_mutex_lock(&log->lock);
	if (log->filling.len + len <= FLOW_LOG_BYTES) {
		wake = log->filling.len == 0;
		memcpy(log->filling.at + log->filling.len, line, len);
		log->filling.len += len;
		log->filling.records++;
		log->missed = 0;
	} else {
		log->state.dropped++;
		log->missed++;
	}
	if (wake)
		(void)pthread_cond_signal(&log->wanted);
	(void)pthread_mutex_unlock(&log->lock);
}

bool flow_log_read(struct agent *agent, struct flow_log_state *ret)
{
	struct flow_log *log = agent->flow_log;

	if (!log)
		return false;
	(void)pthread_mutex_lock(&log->lock);
	*ret = log->state;
	(void)pthread_mutex_unlock(&log->lock);
	if (ret->error == 0)
		ret->error = log->unjoined;
	return true;
}

void flow_log_look(struct agent *agent)
{
	struct flow_log *log = agent->flow_log;
	struct flow_log_state now;

	if (log && log->unjoined < 0)
		log->unjoined = follow_join(agent, NULL);
	if (!flow_log_read(agent, &now))
		return;
	if (now.error != log->said.error && now.error < 0)
		say_failed(log->path, now.error);
	else if (now.error != log->said.error)
		log_event(EVENT_FLOW_LOG_MENDED, "file=\"%s\" dropped=%" PRIu64, log->path,
			  now.dropped);
	log->said.error = now.error;
	if (now.dropped == log->said.dropped || agent_clock() - log->when < SAID_USEC)
		return;
	log_event(EVENT_FLOW_LOG_DROPPED, "file=\"%s\" records=%" PRIu64, log->path,
		  now.dropped - log->said.dropped);
	log->said.dropped = now.dropped;
	log->when = agent_clock();
}
