/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every question that was asked, once, with its answer and with who waits for it. Pure: somebody
 * else takes questions out of it, asks them, and writes the answers in.
 */
#pragma once

#include "dns/dns_source.h"

struct dns_page {				/* one question; owned by the book */
	struct dns_page *next;			/* of those that are still to be asked */
	struct dns_book *book;
	enum dns_type type;
	bool answered;
	struct dns_answer answer;
	struct { size_t *at; size_t n, room; } waiting;
	const char *name;			/* folded; behind the page, in the same memory */
};

struct dns_book {				/* zeroed: empty */
	void *pages;				/* tsearch(3) */
	struct dns_page *first, *last;		/* to be asked */
	size_t n;				/* questions */
	size_t reader;				/* who asks now: goes to the page's waiting */
	const char *closed;			/* not NULL: why nothing more is asked */
	struct dns_answer nothing, failure;	/* of names that cannot be; of a closed book */
};

/* What a struct dns_source asks; @context is the book. */
const struct dns_answer *dns_book_ask(void *context, enum dns_type type, const char *name);

/* The question that was asked for first and not taken yet, or NULL. */
struct dns_page *dns_book_take(struct dns_book *book);

/* What is not answered from now on has failed with @why (static words), and gets no page. */
void dns_book_close(struct dns_book *book, const char *why);

void dns_book_drop(struct dns_book *book);
