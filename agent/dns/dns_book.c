/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See dns_book.h. */
#include "dns/dns_book.h"

#include "base/mem.h"

#include <search.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
	const struct dns_page *a = left, *b = right;

	return a->type != b->type ? (int)a->type - (int)b->type : strcmp(a->name, b->name);
}

static struct dns_page *page_new(struct dns_book *book, enum dns_type type, const char *name)
{
	size_t size = strlen(name) + 1;
	struct dns_page *page = mem_zero(1, sizeof *page + size);

	*page = (struct dns_page){ .book = book, .type = type,
				   .name = memcpy(page + 1, name, size) };
	return page;
}

static void page_free(void *context)
{
	struct dns_page *page = context;

	dns_answer_drop(&page->answer);
	free(page->waiting.at);
	free(page);
}

static struct dns_page *find(struct dns_book *book, enum dns_type type, const char *name)
{
	struct dns_page key = { .type = type, .name = name };
	struct dns_page *const *found = tfind(&key, &book->pages, compare);

	return found ? *found : NULL;
}

/* A page for a question that has none, lined up to be asked. */
static struct dns_page *add(struct dns_book *book, enum dns_type type, const char *name)
{
	struct dns_page *page = page_new(book, type, name);

	if (!tsearch(page, &book->pages, compare))
		abort();			/* no memory */
	book->n++;
	if (book->last)
		book->last->next = page;
	else
		book->first = page;
	book->last = page;
	return page;
}

const struct dns_answer *dns_book_ask(void *context, enum dns_type type, const char *name)
{
	struct dns_book *book = context;
	char folded[DNS_NAME];
	struct dns_page *page;

	if (!dns_name_fold(name, folded) || !dns_name_valid(folded)) {
		book->nothing.outcome = DNS_NOTHING;
		return &book->nothing;
	}
	page = find(book, type, folded);
	if (page && page->answered)
		return &page->answer;
	if (book->closed)
		return &book->failure;
	if (!page)
		page = add(book, type, folded);
	if (page->waiting.n == 0 || page->waiting.at[page->waiting.n - 1] != book->reader)
		PUSH(&page->waiting, book->reader);
	return NULL;
}

struct dns_page *dns_book_take(struct dns_book *book)
{
	struct dns_page *page = book->first;

	if (!page)
		return NULL;
	book->first = page->next;
	if (!book->first)
		book->last = NULL;
	page->next = NULL;
	return page;
}

void dns_book_close(struct dns_book *book, const char *why)
{
	book->closed = why;
	book->failure = (struct dns_answer){ .outcome = DNS_FAILED, .failure = why };
}

void dns_book_drop(struct dns_book *book)
{
	tdestroy(book->pages, page_free);
	*book = (struct dns_book){ 0 };
}
