/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See pending.h. */
#include "relay/pending.h"

static void on_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct pending *pending = timer->data;
	ev_tstamp left;

	(void)revents;
	if (!pending->first)
		return;
	left = pending->first->asked + pending->wait - ev_now(loop);
	if (left <= 0.001) {
		pending->on_late(pending->context);
		return;
	}
	ev_timer_set(timer, left, 0);		/* one that came later gets the rest of its time */
	ev_timer_start(loop, timer);
}

/* Those that were lost up to now; what they lead to may be lost in its turn. */
static void tell(struct pending *pending)
{
	struct pending_item *item = pending->lost, *next;

	pending->lost = NULL;
	pending->last_lost = &pending->lost;
	for (; item; item = next) {
		next = item->next;
		pending->fail(item);
	}
}

static void on_soon(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	tell(timer->data);
}

void pending_init(struct pending *pending, struct ev_loop *loop, double wait,
		  void (*late)(void *context), void (*fail)(struct pending_item *item),
		  void *context)
{
	*pending = (struct pending){ .loop = loop, .wait = wait, .on_late = late, .fail = fail,
				     .context = context };
	pending->last = &pending->first;
	pending->last_lost = &pending->lost;
	ev_timer_init(&pending->late, on_late, wait, 0);
	ev_timer_init(&pending->soon, on_soon, 0, 0);
	pending->late.data = pending->soon.data = pending;
}

void pending_add(struct pending *pending, struct pending_item *item)
{
	item->asked = ev_now(pending->loop);
	item->next = NULL;
	*pending->last = item;
	pending->last = &item->next;
	pending->n++;
	if (ev_is_active(&pending->late))
		return;
	ev_timer_set(&pending->late, pending->wait, 0);
	ev_timer_start(pending->loop, &pending->late);
}

struct pending_item *pending_take(struct pending *pending)
{
	struct pending_item *item = pending->first;

	pending->first = item->next;
	pending->n--;
	if (!pending->first) {
		pending->last = &pending->first;
		ev_timer_stop(pending->loop, &pending->late);
	}
	return item;
}

void pending_refuse(struct pending *pending, struct pending_item *item, int error, const char *why)
{
	item->error = error;
	item->why = why;
	item->next = NULL;
	*pending->last_lost = item;
	pending->last_lost = &item->next;
	if (ev_is_active(&pending->soon))
		return;
	ev_timer_set(&pending->soon, 0, 0);
	ev_timer_start(pending->loop, &pending->soon);
}

void pending_lose(struct pending *pending, int error, const char *why)
{
	while (pending->first)
		pending_refuse(pending, pending_take(pending), error, why);
}

void pending_end(struct pending *pending, int error, const char *why)
{
	pending_lose(pending, error, why);
	ev_timer_stop(pending->loop, &pending->soon);
	tell(pending);
}
