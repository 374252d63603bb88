/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the view and what keys do to it. Pure: keys in, and what is to be asked of the agent
 * out; top_draw.h makes the picture of it.
 */
#pragma once

#include "top_expand.h"
#include "top_model.h"
#include "top_text.h"

enum { TOP_NAME_TEXT = 256, TOP_FILTER_TEXT = 64, TOP_MESSAGE = 256 };

/* Keys that are no characters; beyond Unicode. */
enum top_key {
	TOP_KEY_UP = 0x200000, TOP_KEY_DOWN, TOP_KEY_PAGE_UP, TOP_KEY_PAGE_DOWN, TOP_KEY_HOME,
	TOP_KEY_END, TOP_KEY_LEFT, TOP_KEY_RIGHT, TOP_KEY_ENTER, TOP_KEY_ESCAPE, TOP_KEY_ERASE,
	TOP_KEY_HELP,
};

enum top_question { TOP_NOTHING, TOP_SUSPEND, TOP_RESUME };

struct top_view {
	unsigned width, height;			/* of the terminal */
	bool ascii;
	double interval;			/* seconds, for display */
	enum top_column sort;
	bool reverse;
	char filter[TOP_FILTER_TEXT], filter_before[TOP_FILTER_TEXT];
	bool editing;				/* the filter; the other one is what it was */
	size_t top, at;				/* positions of the first row shown, of the chosen one */
	char chosen[TOP_NAME_TEXT];		/* its name, once a key has met it; "": what stands at @at */
	char expanded[TOP_NAME_TEXT];		/* "": none is */
	enum top_question question;		/* about @about */
	char about[TOP_NAME_TEXT];
	bool help, quit;
	char message[TOP_MESSAGE];		/* until the next key */
	bool failed;				/* the message says so */
	char trouble[TOP_MESSAGE];		/* why there are no answers; "": there are */
};

struct top_wish {				/* what a key asks of the agent */
	bool look;				/* rows, now: the query is another one */
	enum top_question call;			/* @about of the view, and it was confirmed */
};

void top_view_key(struct top_view *view, const struct top_model *model,
		  const struct top_expand *expand, uint32_t key, struct top_wish *ret);

/* The model or the terminal's size is another one: keep the choice on its name, and in sight. */
void top_view_settle(struct top_view *view, const struct top_model *model,
		     const struct top_expand *expand);

/* Rows to be asked for: those in sight and a page around them. */
void top_view_window(const struct top_view *view, size_t *ret_first, size_t *ret_limit);

/* Lines for rows, on this terminal. */
size_t top_view_page(const struct top_view *view);

/* Peers shown of each side of the expanded row, and the lines that it takes. */
size_t top_view_peers(const struct top_view *view, const struct top_expand *expand,
		      enum top_side side);
size_t top_view_details(const struct top_view *view, const struct top_expand *expand);

enum { TOP_LINES_ABOVE = 4, TOP_LINES_BELOW = 1 };	/* of the rows */
