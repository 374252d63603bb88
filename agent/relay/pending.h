/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to another program that answers in order: those that wait for an answer, and those that
 * get none and are to be told. Nobody is told from within the call that asks: only answers that were
 * read, and the loop, lead to callbacks.
 */
#pragma once

#include "base/own.h"

#include <ev.h>
#include <stddef.h>

struct pending_item {				/* first member of a question */
	struct pending_item *next;
	ev_tstamp asked;
	int error;				/* why it got no answer, for `fail` */
	const char *why;			/* static words */
};

struct pending {
	struct ev_loop *loop;
	struct pending_item *first, **last;	/* wait for an answer */
	struct pending_item *lost, **last_lost;	/* got none */
	size_t n;				/* that wait for one */
	double wait;				/* seconds */
	ev_timer late, soon;
	void (*on_late)(void *context);		/* the oldest has waited too long: pending_lose() */
	void (*fail)(struct pending_item *item);	/* tells who has asked, and frees it */
	void *context;
};

/* @wait: seconds for an answer. */
void pending_init(struct pending *pending, struct ev_loop *loop, double wait,
		  void (*on_late)(void *context), void (*fail)(struct pending_item *item),
		  void *context);
void pending_add(struct pending *pending, struct pending_item *item);
/* The oldest, whose answer was read; the caller's from now on. There must be one. */
struct pending_item *pending_take(struct pending *pending);
/* This one was never added, and gets no answer: told from the loop. */
void pending_refuse(struct pending *pending, struct pending_item *item, int error, const char *why);
/* None that waits gets an answer: told from the loop. */
void pending_lose(struct pending *pending, int error, const char *why);
/* The end: all that are left are told now, from within. */
void pending_end(struct pending *pending, int error, const char *why);
