/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl top: bindings and groups with what they do, live. This file is the loop between terminal
 * (top_screen.h), agent (top_feed.h) and the view (top_view.h, top_draw.h), which is pure.
 */
#include "agent.h"
#include "base/mem.h"
#include "number.h"
#include "top_batch.h"
#include "top_draw.h"
#include "top_feed.h"
#include "top_screen.h"
#include "verbs.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { OPTION_BATCH, OPTION_INTERVAL, OPTION_SORT, OPTION_FILTER };
enum { SNAPSHOTS_MAX = 1000000000, CLOCK_MS = 1000 };

static const struct option options[] = {
	[OPTION_BATCH] = { "batch", NULL,
			   "print N snapshots (1; 0: without end), no terminal needed",
			   COMPLETE_NONE },
	[OPTION_INTERVAL] = { "interval", "SECONDS", "between two looks, from 0.5 (2)",
			      COMPLETE_NONE },
	[OPTION_SORT] = { "sort", "COLUMN",
			  "name, connections, new, bytes, refused, health or ports; -COLUMN: the other way",
			  COMPLETE_COLUMN },
	[OPTION_FILTER] = { "filter", "TEXT", "only names that have this text", COMPLETE_NONE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

struct top {
	struct top_view view;
	struct top_model model;
	struct top_expand *expand;
	struct top_feed *feed;
	struct top_line *lines;			/* TOP_HEIGHT_MAX */
};

static volatile sig_atomic_t ended;

static void end(int signal_number)
{
	(void)signal_number;
	ended = 1;
}

/* A signal ends the loop, which gives the terminal back. */
static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = end };

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)sigaction(signals[i], &action, NULL);
}

static void ask(struct top *top, bool now)
{
	struct top_query query = { .sort = top->view.sort, .reverse = top->view.reverse };

	(void)strcpy(query.filter, top->view.filter);
	(void)strcpy(query.expanded, top->view.expanded);
	top_view_window(&top->view, &query.first, &query.limit);
	top_feed_ask(top->feed, &query, now);
}

static void draw(struct top *top)
{
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	top_draw(&top->view, &top->model, top->expand,
		 (unsigned)(tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec), top->lines);
	top_screen_show(top->lines, top->view.height);
}

static void take_news(struct top *top)
{
	AUTO(top_news_drop) struct top_news news = { 0 };
	struct top_view *view = &top->view;

	top_feed_take(top->feed, &news);
	(void)strcpy(view->trouble, news.trouble);
	if (news.reply)
		top_model_take(&top->model, news.reply, news.first, news.usec, news.tick);
	if (news.expand) {
		top_expand_free(top->expand);
		top->expand = news.expand;
		news.expand = NULL;
	}
	if (news.answered) {
		(void)strcpy(view->message, news.said);
		view->failed = news.failed;
	}
	top_view_settle(view, &top->model, top->expand);
}

static void take_keys(struct top *top)
{
	uint32_t key;

	while (!top->view.quit && (key = top_screen_key()) != 0) {
		struct top_wish wish;

		top_view_key(&top->view, &top->model, top->expand, key, &wish);
		if (wish.look)
			ask(top, true);
		if (wish.call != TOP_NOTHING &&
		    !top_feed_call(top->feed, wish.call, top->view.about)) {
			(void)strcpy(top->view.message, "the change before is not answered yet");
			top->view.failed = true;
		}
	}
}

static void take_size(struct top *top)
{
	unsigned width = top->view.width, height = top->view.height;

	top_screen_size(&top->view.width, &top->view.height);
	if (width == top->view.width && height == top->view.height)
		return;
	top_view_settle(&top->view, &top->model, top->expand);
	ask(top, true);
}

static void loop(struct top *top)
{
	struct pollfd ready[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				  { .fd = top_feed_fd(top->feed), .events = POLLIN } };

	while (!ended && !top->view.quit) {
		take_size(top);
		draw(top);
		if (poll(ready, ARRAY_LEN(ready), CLOCK_MS) < 0 && errno != EINTR)
			break;
		if (ready[0].revents & (POLLHUP | POLLERR | POLLNVAL))
			break;			/* the terminal is gone */
		if (ready[1].revents)
			take_news(top);
		take_keys(top);			/* also without input: a new size comes this way */
	}
}

static int refuse_terminal(struct ctl *ctl)
{
	const char *term = getenv("TERM");

	if (isatty(STDIN_FILENO) && ctl->width > 0)
		ctl_complain(ctl,
			     "top needs a terminal whose cursor can be moved, and TERM is '%s'; "
			     "`outbindctl top --batch` prints snapshots",
			     term ? term : "");
	else
		ctl_complain(ctl,
			     "top needs a terminal; `outbindctl top --batch` prints snapshots");
	return CTL_USAGE;
}

static int show(struct ctl *ctl, const struct top_query *query, double interval)
{
	struct top top = { .view = { .ascii = !ctl->utf8, .interval = interval,
				     .sort = query->sort, .reverse = query->reverse } };
	int r = CTL_DONE;

	(void)strcpy(top.view.filter, query->filter);
	if (!top_screen_open(ctl))
		return refuse_terminal(ctl);
	catch_signals();
	r = top_feed_open(ctl, interval, &top.feed);
	if (r == CTL_DONE) {
		top.lines = mem_zero(TOP_HEIGHT_MAX, sizeof *top.lines);
		loop(&top);
	}
	top_screen_close();
	if (r == CTL_DONE)
		top_feed_close(top.feed);
	top_model_drop(&top.model);
	top_expand_free(top.expand);
	free(top.lines);
	return r;
}

static bool read_interval(struct ctl *ctl, const char *text, double *ret)
{
	char *rest;

	*ret = strtod(text, &rest);
	if (*text >= '0' && *text <= '9' && !*rest && *ret >= 0.5 && *ret <= 3600)
		return true;
	ctl_complain(ctl, "--interval: expected seconds from 0.5 to 3600, got '%s'", text);
	return false;
}

static bool read_snapshots(struct ctl *ctl, const char *text, long long *ret)
{
	if (number_read(text, 0, SNAPSHOTS_MAX, ret))
		return true;
	ctl_complain(ctl, "--batch: expected a number of snapshots, got '%s'", text);
	return false;
}

static bool read_filter(struct ctl *ctl, const char *text, char ret[static TOP_FILTER_TEXT])
{
	AUTO(json_drop) json_t *valid = json_string(text);

	if (valid && strlen(text) < TOP_FILTER_TEXT) {
		(void)strcpy(ret, text);
		return true;
	}
	ctl_complain(ctl, "--filter: expected at most %d bytes of UTF-8", TOP_FILTER_TEXT - 1);
	return false;
}

static bool read_query(struct ctl *ctl, const struct arguments *args, struct top_query *query)
{
	const char *sort = args->value[OPTION_SORT], *filter = args->value[OPTION_FILTER];

	*query = (struct top_query){ .sort = TOP_CONNECTIONS, .limit = TOP_REACH };
	if (sort) {
		query->reverse = sort[0] == '-';
		query->sort = top_column(sort + query->reverse);
	}
	if (query->sort == TOP_COLUMNS) {
		ctl_complain(ctl,
			     "--sort: expected name, connections, new, bytes, refused, health or "
			     "ports, got '%s'",
			     sort);
		return false;
	}
	return !filter || read_filter(ctl, filter, query->filter);
}

static int top_run(struct ctl *ctl, const struct arguments *args)
{
	const char *interval = args->value[OPTION_INTERVAL];
	bool batch = args->value[OPTION_BATCH] || ctl->json;
	struct top_query query;
	long long n = 1;
	double seconds = 2;

	if (!batch && args->n_rest > 0) {
		ctl_complain(ctl, "'%s': a number of snapshots needs --batch", args->rest[0]);
		return CTL_USAGE;
	}
	if ((interval && !read_interval(ctl, interval, &seconds)) ||
	    (args->n_rest > 0 && !read_snapshots(ctl, args->rest[0], &n)) ||
	    !read_query(ctl, args, &query))
		return CTL_USAGE;
	return batch ? top_batch(ctl, &query, seconds, (unsigned long)n)
		     : show(ctl, &query, seconds);
}

const struct verb top_verb = {
	.name = "top",
	.synopsis = "[--batch [N]]",
	.summary = "what bindings and groups do now, live in a terminal",
	.text = "Connections, new ones, bytes and refusals a second, health, and ports used to the busiest\n"
		"destination. Keys sort, filter, expand a row to its clients and destinations, and suspend\n"
		"and resume it; `?` lists them. Works in 80x24 and without colour (NO_COLOR, --color never).\n"
		"With --json, and --batch or without it, an object a snapshot.\n",
	.options = options,
	.least = 0,
	.most = 1,
	.complete = COMPLETE_NONE,
	.run = top_run,
};
