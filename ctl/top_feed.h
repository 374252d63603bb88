/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What `outbindctl top` gets from the agent: a thread of its own asks once an interval and at once when
 * it is told to, so that keys are answered also while an agent is slow or gone.
 */
#pragma once

#include "ctl.h"
#include "top_view.h"

#include <jansson.h>

struct top_feed;

struct top_query {				/* what the view shows */
	enum top_column sort;
	bool reverse;
	char filter[TOP_FILTER_TEXT];
	char expanded[TOP_NAME_TEXT];		/* whose connections are to be listed; "": nobody's */
	size_t first, limit;
};

struct top_news {				/* what has come since it was last taken; all may be empty */
	json_t *reply;				/* of RankBindings; owned */
	size_t first;				/* as it was asked for */
	uint64_t usec, tick;			/* see top_model_take() */
	struct top_expand *expand;		/* owned */
	bool answered;				/* a call is answered, in @said */
	bool failed;
	char said[TOP_MESSAGE];
	char trouble[TOP_MESSAGE];		/* why there is no reply; "": there was one */
};

/* The parameters of RankBindings. */
json_t *top_feed_parameters(const struct top_query *query);

/*
 * top_feed_open - start asking
 * @ctl:      as the verb got it; borrowed
 * @interval: seconds between two looks
 * CTL_DONE, or CTL_REFUSED with a complaint. Ended by top_feed_close().
 */
MUST_CHECK int top_feed_open(const struct ctl *ctl, double interval, struct top_feed **ret);
void top_feed_close(struct top_feed *feed);

/* Readable when there are news. */
int top_feed_fd(const struct top_feed *feed);

/* Ask this from now on; @now: at once. */
void top_feed_ask(struct top_feed *feed, const struct top_query *query, bool now);

/* Have a binding suspended or resumed; the answer comes as news. One at a time: false if one is on its
 * way still. */
bool top_feed_call(struct top_feed *feed, enum top_question call, const char *name);

/* Replaces *ret, which must be empty or dropped. */
void top_feed_take(struct top_feed *feed, struct top_news *ret);
void top_news_drop(struct top_news *news);
