/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See top_feed.h. One connection is held for all calls, and made anew when it is lost; closing it from
 * outside is what ends a call that waits. What agent.h complains of becomes a line of the view. A list of
 * connections rests ten times as long as it took, so that a binding with very many does not keep
 * the agent busy.
 */
#include "top_feed.h"

#include "agent.h"
#include "duration.h"
#include "base/mem.h"
#include "owner.h"

#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>

enum { SECOND_USEC = 1000000, PATIENCE_MS = 10 * 1000, LIST_SHARE = 10 };

struct top_feed {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	int ready;				/* eventfd */
	uint64_t interval;			/* usec */

	/* Under the lock. */
	struct top_query query;
	bool asked, stop;			/* @query is to be asked at once; the end */
	enum top_question call;			/* TOP_NOTHING: none is waiting */
	bool calling;				/* it waits, or is on its way */
	char about[TOP_NAME_TEXT];
	struct top_news news;
	int line_n;				/* of @line, while it may be shut down from outside; or -1 */

	/* The thread's own. */
	struct ctl ctl;
	struct fd line;
	struct top_expand *before;		/* of the last list, what rates need */
	uint64_t list_due;
};

json_t *top_feed_parameters(const struct top_query *query)
{
	json_t *parameters = json_pack("{s:s, s:b, s:I, s:I}", "sort", top_columns[query->sort],
				       "reverse", query->reverse, "first",
				       (json_int_t)query->first, "limit", (json_int_t)query->limit);

	if (query->filter[0])
		(void)json_object_set_new(parameters, "filter", json_string(query->filter));
	return parameters;
}

static void set_line(struct top_feed *feed, int n)
{
	pthread_mutex_lock(&feed->lock);
	feed->line_n = n;
	if (feed->stop && n >= 0)
		(void)shutdown(n, SHUT_RDWR);
	pthread_mutex_unlock(&feed->lock);
}

static void drop_line(struct top_feed *feed)
{
	set_line(feed, -1);
	feed->ctl.line = NULL;
	fd_drop(&feed->line);
}

/* The first line of what was complained of, without the program's name. */
static void first_line(const char *text, char ret[static TOP_MESSAGE])
{
	const char *colon = strstr(text, ": ");

	if (strncmp(text, "outbindctl", 10) == 0 && colon)
		text = colon + 2;
	(void)snprintf(ret, TOP_MESSAGE, "%.*s", (int)strcspn(text, "\n"), text);
}

/* A call over the held line. If that was lost since the last call, a new one is made, for a call that
 * may be made twice. @ret_said: "" if it was done. */
static int converse(struct top_feed *feed, const char *method, bool twice, json_t *parameters,
		    agent_reply *each, void *context, char ret_said[static TOP_MESSAGE])
{
	int r = CTL_UNREACHABLE, tries = feed->ctl.line && twice ? 2 : 1;

	for (int i = 0; i < tries && r == CTL_UNREACHABLE; i++) {
		char *AUTO(mem_drop) said = NULL;
		size_t size = 0;
		FILE *err = open_memstream(&said, &size);

		if (!err)
			abort();
		feed->ctl.err = err;
		r = feed->ctl.line ? CTL_DONE : agent_hold(&feed->ctl, &feed->line);
		if (r == CTL_DONE) {
			set_line(feed, feed->line.n);
			r = agent_call(&feed->ctl, method, json_incref(parameters), each, context);
		}
		if (r == CTL_UNREACHABLE || r == CTL_DENIED)
			drop_line(feed);
		(void)fclose(err);
		first_line(said ? said : "", ret_said);
	}
	json_decref(parameters);
	return r;
}

static void tell(struct top_feed *feed)
{
	uint64_t one = 1;

	(void)!write(feed->ready, &one, sizeof one);
}

static void look(struct top_feed *feed, const struct top_query *query)
{
	AUTO(json_drop) json_t *reply = NULL;
	char said[TOP_MESSAGE];
	int r = converse(feed, "RankBindings", true, top_feed_parameters(query), agent_keep, &reply,
			 said);

	pthread_mutex_lock(&feed->lock);
	if (r == CTL_DONE && reply) {
		json_decref(feed->news.reply);
		feed->news.reply = json_incref(reply);
		feed->news.first = query->first;
		feed->news.usec = duration_clock();
		feed->news.tick = feed->news.usec / feed->interval;
		said[0] = '\0';
	}
	(void)strcpy(feed->news.trouble, said);
	pthread_mutex_unlock(&feed->lock);
	tell(feed);
}

/* What the view says until the next key. */
static void answer(struct top_feed *feed, const char *said, bool failed)
{
	pthread_mutex_lock(&feed->lock);
	feed->news.answered = true;
	feed->news.failed = failed;
	(void)snprintf(feed->news.said, sizeof feed->news.said, "%s", said);
	pthread_mutex_unlock(&feed->lock);
	tell(feed);
}

struct listing {
	struct top_feed *feed;
	struct top_expand *expand;
	struct owners owners;
};

static void take_flows(void *context, json_t *reply)
{
	struct listing *listing = context;
	const json_t *flows = json_object_get(reply, "flows");
	size_t n = json_array_size(flows);

	for (size_t i = 0; i < n; i++) {
		json_t *flow = json_array_get(flows, i);

		owners_add(&listing->owners, flow);
		top_expand_add(listing->expand, listing->feed->before, flow);
	}
}

/* What the next list's rates need of this one. */
static struct top_expand *remember(const struct top_expand *expand)
{
	struct top_expand *copy = mem_zero(1, sizeof *copy);

	copy->name = mem_copy(expand->name);
	copy->usec = expand->usec;
	copy->n = expand->n;
	for (size_t i = 0; i < expand->known.n; i++)
		PUSH(&copy->known, expand->known.at[i]);
	return copy;
}

static void hand_over(struct top_feed *feed, struct top_expand *expand)
{
	top_expand_free(feed->before);
	feed->before = remember(expand);
	pthread_mutex_lock(&feed->lock);
	top_expand_free(feed->news.expand);
	feed->news.expand = expand;
	pthread_mutex_unlock(&feed->lock);
	tell(feed);
}

static void list(struct top_feed *feed, const char *name)
{
	struct listing listing = { .feed = feed };
	uint64_t begun = duration_clock();
	char said[TOP_MESSAGE];

	if (feed->before && strcmp(feed->before->name, name) != 0) {
		top_expand_free(feed->before);
		feed->before = NULL;
	}
	listing.expand = mem_zero(1, sizeof *listing.expand);
	listing.expand->name = mem_copy(name);
	owners_read(&listing.owners);
	if (converse(feed, "ListFlows", false, json_pack("{s:s}", "binding", name), take_flows,
		     &listing, said) == CTL_DONE) {
		listing.expand->usec = duration_clock();
		top_expand_end(listing.expand, feed->before);
		hand_over(feed, listing.expand);
	} else {
		top_expand_free(listing.expand);
		answer(feed, said, true);
	}
	owners_drop(&listing.owners);
	feed->list_due = duration_clock() + LIST_SHARE * (duration_clock() - begun);
}

static void ignore_reply(void *context, json_t *reply)
{
	(void)context;
	(void)reply;
}

static void call(struct top_feed *feed, enum top_question what, const char *name)
{
	char said[TOP_MESSAGE];
	int r = converse(feed, what == TOP_SUSPEND ? "SuspendBinding" : "ResumeBinding", true,
			 json_pack("{s:s}", "name", name), ignore_reply, NULL, said);

	if (r == CTL_DONE)
		(void)snprintf(said, sizeof said, "%.64s: %s", name,
			       what == TOP_SUSPEND ? "suspended" : "resumed");
	pthread_mutex_lock(&feed->lock);
	feed->calling = false;
	pthread_mutex_unlock(&feed->lock);
	answer(feed, said, r != CTL_DONE);
}

/* Until there is something to do; false at the end. What it is, taken out. */
static bool wait(struct top_feed *feed, uint64_t due, struct top_query *ret_query,
		 enum top_question *ret_call, char ret_about[static TOP_NAME_TEXT])
{
	struct timespec until = { .tv_sec = (time_t)(due / SECOND_USEC),
				  .tv_nsec = (long)(due % SECOND_USEC) * 1000 };
	bool goes_on;
	int r = 0;

	pthread_mutex_lock(&feed->lock);
	while (!feed->stop && !feed->asked && feed->call == TOP_NOTHING && r == 0)
		r = pthread_cond_timedwait(&feed->wake, &feed->lock, &until);
	goes_on = !feed->stop;
	*ret_query = feed->query;
	*ret_call = feed->call;
	(void)strcpy(ret_about, feed->about);
	feed->asked = false;
	feed->call = TOP_NOTHING;
	pthread_mutex_unlock(&feed->lock);
	return goes_on;
}

/* At once for another name; else with the regular looks, as far as its rest allows. */
static bool is_list_due(const struct top_feed *feed, const char *name, bool regular)
{
	bool same = feed->before && strcmp(feed->before->name, name) == 0;

	return !same || (regular && duration_clock() >= feed->list_due);
}

/* Looks fall into intervals that are counted from the clock's beginning, one into each. */
static void *work(void *context)
{
	struct top_feed *feed = context;
	struct top_query query;
	enum top_question what;
	char about[TOP_NAME_TEXT];
	uint64_t due = duration_clock();

	while (wait(feed, due, &query, &what, about)) {
		bool regular = duration_clock() >= due;

		if (what != TOP_NOTHING)
			call(feed, what, about);
		if (query.limit > 0)
			look(feed, &query);
		if (query.expanded[0] && is_list_due(feed, query.expanded, regular))
			list(feed, query.expanded);
		due = (duration_clock() / feed->interval + 1) * feed->interval;
	}
	return NULL;
}

int top_feed_open(const struct ctl *ctl, double interval, struct top_feed **ret)
{
	struct top_feed *feed = mem_zero(1, sizeof *feed);
	pthread_condattr_t monotonic;
	int r;

	feed->ctl = *ctl;
	feed->ctl.json = feed->ctl.progress = false;
	feed->ctl.patience_ms = PATIENCE_MS;
	feed->interval = (uint64_t)(interval * SECOND_USEC);
	feed->line = FD_NONE;
	feed->line_n = -1;
	feed->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&feed->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&feed->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = feed->ready < 0 ? errno : pthread_create(&feed->thread, NULL, work, feed);
	if (r == 0) {
		*ret = feed;
		return CTL_DONE;
	}
	ctl_complain(ctl, "cannot start a thread: %s", strerror(r));
	if (feed->ready >= 0)
		(void)close(feed->ready);
	free(feed);
	return CTL_REFUSED;
}

void top_feed_close(struct top_feed *feed)
{
	pthread_mutex_lock(&feed->lock);
	feed->stop = true;
	if (feed->line_n >= 0)
		(void)shutdown(feed->line_n, SHUT_RDWR);
	pthread_cond_signal(&feed->wake);
	pthread_mutex_unlock(&feed->lock);
	(void)pthread_join(feed->thread, NULL);
	fd_drop(&feed->line);
	top_expand_free(feed->before);
	top_news_drop(&feed->news);
	(void)close(feed->ready);
	pthread_cond_destroy(&feed->wake);
	pthread_mutex_destroy(&feed->lock);
	free(feed);
}

int top_feed_fd(const struct top_feed *feed)
{
	return feed->ready;
}

void top_feed_ask(struct top_feed *feed, const struct top_query *query, bool now)
{
	pthread_mutex_lock(&feed->lock);
	feed->query = *query;
	feed->asked |= now;
	pthread_cond_signal(&feed->wake);
	pthread_mutex_unlock(&feed->lock);
}

bool top_feed_call(struct top_feed *feed, enum top_question what, const char *name)
{
	bool free_now;

	pthread_mutex_lock(&feed->lock);
	free_now = !feed->calling;
	if (free_now) {
		feed->calling = true;
		feed->call = what;
		(void)snprintf(feed->about, sizeof feed->about, "%s", name);
	}
	pthread_cond_signal(&feed->wake);
	pthread_mutex_unlock(&feed->lock);
	return free_now;
}

void top_feed_take(struct top_feed *feed, struct top_news *ret)
{
	uint64_t n;

	(void)!read(feed->ready, &n, sizeof n);
	pthread_mutex_lock(&feed->lock);
	*ret = feed->news;
	feed->news.reply = NULL;
	feed->news.expand = NULL;
	feed->news.answered = false;
	pthread_mutex_unlock(&feed->lock);
}

void top_news_drop(struct top_news *news)
{
	json_decref(news->reply);
	top_expand_free(news->expand);
	*news = (struct top_news){ 0 };
}
