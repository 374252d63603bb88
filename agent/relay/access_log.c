/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See access_log.h: two buffers that change places, one filled by the workers, one written by a thread. */
#include "relay/access_log.h"

#include "base/mem.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

/* How long lines are gathered before they are written: a wake-up a line would cost more than the line. */
static const struct timespec gather = { .tv_nsec = 20 * 1000 * 1000 };

struct access_log {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	char *waiting, *writing;		/* ACCESS_LOG_MAX octets each */
	size_t n;
	bool ends, changed;
	struct fd next;				/* if changed: to be written to from now on */
	struct fd file;				/* the thread's; empty: standard error */
};

static void write_all(int fd, const char *at, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;			/* a full disk: the lines are lost, mail is not */
		at += done;
		n -= (size_t)done;
	}
}

/* What waits is to be written, to the file that was given last; under the lock. */
static size_t take(struct access_log *log)
{
	char *text = log->waiting;
	size_t n = log->n;

	log->waiting = log->writing;
	log->writing = text;
	log->n = 0;
	if (log->changed) {
		fd_drop(&log->file);
		log->file = fd_take(&log->next);
		log->changed = false;
	}
	return n;
}

static void *run(void *context)
{
	struct access_log *log = context;
	bool ends = false;

	while (!ends) {
		size_t n;

		pthread_mutex_lock(&log->lock);
		while (log->n == 0 && !log->ends && !log->changed)
			pthread_cond_wait(&log->more, &log->lock);
		if (!log->ends && !log->changed) {	/* more will come: one write for all of it */
			pthread_mutex_unlock(&log->lock);
			(void)nanosleep(&gather, NULL);
			pthread_mutex_lock(&log->lock);
		}
		n = take(log);
		ends = log->ends;
		pthread_mutex_unlock(&log->lock);
		write_all(log->file.n >= 0 ? log->file.n : STDERR_FILENO, log->writing, n);
	}
	return NULL;
}

static int open_file(const char *path, struct fd *ret)
{
	*ret = FD_NONE;
	if (!path)
		return 0;
	ret->n = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	return ret->n < 0 ? -errno : 0;
}

int access_log_new(const char *path, struct access_log **ret)
{
	AUTO(fd_drop) struct fd file = FD_NONE;
	struct access_log *log;
	int r = open_file(path, &file);

	if (r < 0)
		return r;
	log = mem_zero(1, sizeof *log);
	log->next = FD_NONE;
	log->file = fd_take(&file);
	log->waiting = mem_zero(1, ACCESS_LOG_MAX);
	log->writing = mem_zero(1, ACCESS_LOG_MAX);
	pthread_mutex_init(&log->lock, NULL);
	pthread_cond_init(&log->more, NULL);
	r = -pthread_create(&log->thread, NULL, run, log);
	if (r < 0)
		abort();			/* at start: no thread means no memory */
	*ret = log;
	return 0;
}

int access_log_reopen(struct access_log *log, const char *path)
{
	AUTO(fd_drop) struct fd file = FD_NONE;
	int r = open_file(path, &file);

	if (r < 0)
		return r;
	pthread_mutex_lock(&log->lock);
	fd_drop(&log->next);
	log->next = fd_take(&file);
	log->changed = true;
	pthread_cond_signal(&log->more);
	pthread_mutex_unlock(&log->lock);
	return 0;
}

void access_log_free(struct access_log *log)
{
	if (!log)
		return;
	pthread_mutex_lock(&log->lock);
	log->ends = true;
	pthread_cond_signal(&log->more);
	pthread_mutex_unlock(&log->lock);
	pthread_join(log->thread, NULL);
	fd_drop(&log->next);
	fd_drop(&log->file);
	free(log->waiting);
	free(log->writing);
	free(log);
}

bool access_log_put(struct access_log *log, const char *line, size_t len)
{
	bool room;

	pthread_mutex_lock(&log->lock);
	room = len <= ACCESS_LOG_MAX - log->n;
	if (room) {
		memcpy(log->waiting + log->n, line, len);
		if (log->n == 0)
			pthread_cond_signal(&log->more);
		log->n += len;
	}
	pthread_mutex_unlock(&log->lock);
	return room;
}
