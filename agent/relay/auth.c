/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Credentials. A hash is meant to be slow, so it is computed by one thread for all workers, in
 * turn; too many waiting are told to come again. A SASL server is asked in auth_sasl.c. An
 * unknown name costs as much as a known one, so that time does not tell which names there are.
 */
#include "relay/auth.h"

#include "relay/auth_parts.h"

#include "base/mem.h"

#include <crypt.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* A hash that no password has, in the scheme of crypt(5) that is usual. */
static const char nobody[] = "$6$outbindoutbind$"
			     "0000000000000000000000000000000000000000000000000000000000000000000000"
			     "0000000000000000";

struct job {
	struct job *next;
	struct auth_query *query;		/* NULL: cancelled; under the lock */
	char *file, *user, *password;
	int verdict;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct job *first, **last = &first;
static unsigned n_jobs;
static bool running;

static void job_free(struct job *job)
{
	explicit_bzero(job->password, strlen(job->password));
	free(job->file);
	free(job->user);
	free(job->password);
	free(job);
}

/* The hash of @user in a file of "name:hash" lines, into @ret. 0, -ENOENT (no such name) or -EAGAIN. */
static int find_hash(const char *path, const char *user, char *ret, size_t room)
{
	size_t len = strlen(user);
	FILE *file = fopen(path, "re");
	char line[1024];
	int r = -ENOENT;

	if (!file)
		return -EAGAIN;
	while (r == -ENOENT && fgets(line, sizeof line, file)) {
		line[strcspn(line, "\r\n")] = '\0';
		if (strncmp(line, user, len) != 0 || line[len] != ':' ||
		    strlen(line + len + 1) >= room)
			continue;
		strcpy(ret, line + len + 1);
		r = 0;
	}
	if (ferror(file))
		r = -EAGAIN;
	(void)fclose(file);
	return r;
}

/* Compare without telling by time where the first difference is. */
static bool same(const char *a, const char *b)
{
	size_t len = strlen(a);
	unsigned char differs = 0;

	if (len != strlen(b))
		return false;
	for (size_t i = 0; i < len; i++)
		differs |= (unsigned char)(a[i] ^ b[i]);
	return differs == 0;
}

static int check(const struct job *job)
{
	struct crypt_data *space = mem_zero(1, sizeof *space);
	char hash[512];
	int r = find_hash(job->file, job->user, hash, sizeof hash);
	const char *got;
	bool good;

	if (r == -ENOENT)
		strcpy(hash, nobody);
	got = r == -EAGAIN ? NULL : crypt_r(job->password, hash, space);
	good = r == 0 && got && got[0] != '*' && same(got, hash);
	explicit_bzero(space, sizeof *space);
	free(space);
	return r == -EAGAIN ? -EAGAIN : good ? 0 : -EACCES;
}

static void *run(void *context)
{
	for (;;) {
		struct job *job;

		pthread_mutex_lock(&lock);
		while (!first)
			pthread_cond_wait(&more, &lock);
		job = first;
		first = job->next;
		if (!first)
			last = &first;
		pthread_mutex_unlock(&lock);
		job->verdict = check(job);
		pthread_mutex_lock(&lock);
		n_jobs--;
		if (job->query)
			auth_tell(job->query, job->verdict);
		pthread_mutex_unlock(&lock);
		job_free(job);
	}
	return context;
}

static bool start_thread(void)
{
	pthread_t thread;

	if (!running && pthread_create(&thread, NULL, run, NULL) == 0) {
		(void)pthread_detach(thread);
		running = true;
	}
	return running;
}

static void ask_file(struct auth_query *query, const char *file, const char *user,
		     const char *password)
{
	struct job *job = mem_zero(1, sizeof *job);

	*job = (struct job){ .query = query, .file = mem_copy(file),
			     .user = mem_copy(user),
			     .password = mem_copy(password) };
	pthread_mutex_lock(&lock);
	if (n_jobs >= AUTH_QUEUE_MAX || !start_thread()) {
		pthread_mutex_unlock(&lock);
		job_free(job);
		auth_tell(query, -EAGAIN);
		return;
	}
	query->job = job;
	n_jobs++;
	*last = job;
	last = &job->next;
	pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
}

static void query_free(struct auth_query *query)
{
	ev_async_stop(query->loop, &query->told);
	auth_sasl_drop(query);
	free(query);
}

static void on_told(struct ev_loop *loop, ev_async *told, int revents)
{
	struct auth_query *query = told->data;
	auth_done *done = query->done;
	void *context = query->context;
	int verdict = query->verdict;

	(void)loop;
	(void)revents;
	query_free(query);
	done(context, verdict);
}

void auth_tell(struct auth_query *query, int verdict)
{
	query->job = NULL;
	query->verdict = verdict;
	ev_async_send(query->loop, &query->told);
}

struct auth_query *auth_check(struct ev_loop *loop, const struct relay_listener *listener,
			      const char *user, const char *password, auth_done *done,
			      void *context)
{
	struct auth_query *query = mem_zero(1, sizeof *query);

	*query = (struct auth_query){
		.loop = loop, .done = done, .context = context, .fd = FD_NONE
	};
	ev_async_init(&query->told, on_told);
	query->told.data = query;
	ev_async_start(loop, &query->told);
	if (listener->auth_file)
		ask_file(query, listener->auth_file, user, password);
	else
		auth_sasl_ask(query, listener->auth_socket, user, password);
	return query;
}

void auth_cancel(struct auth_query *query)
{
	pthread_mutex_lock(&lock);
	if (query->job)
		query->job->query = NULL;
	pthread_mutex_unlock(&lock);
	query_free(query);
}
