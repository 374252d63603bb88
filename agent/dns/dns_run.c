/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See dns_run.h. A subject is judged again whenever an answer is there that it waited for. Subjects
 * are taken in batches with a book of their own, so that answers of a million do not pile up; within
 * a batch each question is asked once.
 *
 * First comes a question whose answer is known: a name below "invalid." does not exist (RFC 6761
 * section 6.4). Who is silent then is dead, and who has an address for it makes answers up.
 */
#include "dns/dns_run.h"

#include "base/mem.h"
#include "dns/dns_book.h"

#include <ev.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { BATCH = 2000, OPEN_MAX = 128, SILENT_MAX = 64, CANARY_ROOM = 40 };

struct asked { struct running *running; struct dns_page *page; struct dns_question *question; };

struct running {
	const struct dns_run *run;
	struct dns_summary *summary;
	struct ev_loop *loop;
	struct dns_resolver *resolver;
	ev_timer timer;
	struct dns_book book;
	struct dns_source source;
	struct asked *asked[OPEN_MAX];		/* questions that are open */
	size_t n_open, n_done;
	size_t next, end;			/* subjects of the batch: to be begun; behind the last */
	struct { size_t *at; size_t n, room; } ready;	/* have got an answer */
	bool *done;				/* by subject */
	unsigned silent;			/* questions in a row that nobody answered */
	bool pumping;
	struct identity_result result;		/* too large for the stack of each judgement */
};

static void judge(struct running *running, size_t subject)
{
	const struct dns_run *run = running->run;

	if (running->done[subject])
		return;
	running->book.reader = subject;
	if (!dns_identity(&run->subjects[subject], run->blocklists, run->n_blocklists,
			  &running->source, &running->result))
		return;
	running->done[subject] = true;
	running->n_done++;
	run->done(run->context, subject, &running->result);
	if (run->progress)
		run->progress(run->context, running->n_done);
}

static void PRINTF(3, 4) give_up(struct running *running, const char *why, const char *format, ...)
{
	va_list list;

	if (running->book.closed)
		return;
	va_start(list, format);
	(void)vsnprintf(running->summary->problem, sizeof running->summary->problem, format, list);
	va_end(list);
	dns_book_close(&running->book, why);
}

static void pump(struct running *running);

static void forget(struct running *running, struct asked *asked)
{
	for (size_t i = 0; i < running->n_open; i++)
		if (running->asked[i] == asked) {
			running->asked[i] = running->asked[--running->n_open];
			break;
		}
	free(asked);
}

static void wake(struct running *running, struct dns_page *page)
{
	for (size_t i = 0; i < page->waiting.n; i++)
		PUSH(&running->ready, page->waiting.at[i]);
	page->waiting.n = 0;
}

static void on_reply(void *context, const struct dns_reply *reply)
{
	struct asked *asked = context;
	struct running *running = asked->running;
	struct dns_page *page = asked->page;

	running->silent = reply->silence ? running->silent + 1 : 0;
	dns_message_read(reply->octets, (size_t)reply->len, page->type, reply->failure,
			 &page->answer);
	page->answered = true;
	wake(running, page);
	forget(running, asked);
	if (running->silent >= SILENT_MAX)
		give_up(running, "the resolver stopped answering",
			"resolver %s stopped answering: what was not told is unknown",
			running->summary->servers);
	pump(running);
}

static void ask(struct running *running, struct dns_page *page)
{
	struct asked *asked = mem_zero(1, sizeof *asked);

	*asked = (struct asked){ running, page, NULL };
	asked->question = dns_resolver_ask(running->resolver, page->name, page->type, on_reply,
					   asked);
	running->summary->questions++;
	if (asked->question) {
		running->asked[running->n_open++] = asked;
		return;
	}
	free(asked);				/* no name for c-ares: it does not exist */
	page->answer.outcome = DNS_NOTHING;
	page->answered = true;
	wake(running, page);
}

/* One step; false if there is nothing to do until an answer comes. */
static bool step(struct running *running)
{
	struct dns_page *page = NULL;

	if (running->ready.n > 0)
		judge(running, running->ready.at[--running->ready.n]);
	else if (running->book.closed)
		return false;
	else if (running->n_open < OPEN_MAX && (page = dns_book_take(&running->book)))
		ask(running, page);
	else if (running->n_open < OPEN_MAX && running->next < running->end)
		judge(running, running->next++);
	else
		return false;
	return true;
}

static void pump(struct running *running)
{
	if (running->pumping)
		return;
	running->pumping = true;
	while (step(running))
		;
	running->pumping = false;
	if (running->n_open == 0 || running->book.closed)
		ev_break(running->loop, EVBREAK_ALL);
}

static void on_time(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct running *running = timer->data;

	(void)revents;
	give_up(running, "no time was left",
		"after %.0f s not all was told: what is missing is unknown (--timeout gives more)",
		running->run->seconds);
	ev_break(loop, EVBREAK_ALL);
}

/* Everything that is not done, from a book that says why. */
static void finish(struct running *running)
{
	for (size_t i = 0; i < running->run->n_subjects; i++)
		judge(running, i);
}

static void drop_batch(struct running *running)
{
	while (running->n_open > 0) {
		struct asked *asked = running->asked[--running->n_open];

		dns_resolver_give_up(asked->question);
		free(asked);
	}
	dns_book_drop(&running->book);
	running->ready.n = 0;
}

static void run_batches(struct running *running)
{
	const struct dns_run *run = running->run;

	while (running->next < run->n_subjects && !running->book.closed) {
		running->end = running->next + BATCH < run->n_subjects ? running->next + BATCH
								       : run->n_subjects;
		pump(running);
		if (running->n_open > 0 && !running->book.closed)
			ev_run(running->loop, 0);
		if (!running->book.closed)
			drop_batch(running);
	}
	if (running->book.closed)
		finish(running);
}

struct canary {
	struct running *running;
	char name[CANARY_ROOM];
	bool answered;
};

static void on_canary(void *context, const struct dns_reply *reply)
{
	struct canary *canary = context;
	struct running *running = canary->running;
	const char *servers = running->summary->servers;
	struct dns_answer answer;

	canary->answered = true;
	dns_message_read(reply->octets, (size_t)reply->len, DNS_A, reply->failure, &answer);
	if (reply->silence)
		give_up(running, "the resolver does not answer", "resolver %s does not answer: %s",
			servers, reply->failure);
	else if (reply->rcode == -1 || answer.outcome == DNS_FAILED)
		give_up(running, "the resolver is of no use",
			"resolver %s is of no use, asked for %s: %s", servers, canary->name,
			answer.failure);
	else if (answer.outcome == DNS_FOUND)
		give_up(running, "the resolver makes answers up",
			"resolver %s makes answers up: it has an address for %s, which cannot "
			"exist", servers, canary->name);
	dns_answer_drop(&answer);
	ev_break(running->loop, EVBREAK_ALL);
}

static void ask_canary(struct running *running)
{
	struct canary canary = { .running = running };
	struct dns_question *question;
	uint64_t chance = 0;

	if (getrandom(&chance, sizeof chance, 0) < 0)
		chance = (uint64_t)ev_now(running->loop);
	(void)snprintf(canary.name, sizeof canary.name, "outbind-%016" PRIx64 ".invalid", chance);
	question = dns_resolver_ask(running->resolver, canary.name, DNS_A, on_canary, &canary);
	running->summary->questions++;
	ev_run(running->loop, 0);
	if (question && !canary.answered)
		dns_resolver_give_up(question);
}

static void run_all(struct running *running)
{
	ev_timer_init(&running->timer, on_time, running->run->seconds, 0);
	running->timer.data = running;
	ev_timer_start(running->loop, &running->timer);
	ask_canary(running);
	if (running->book.closed)
		finish(running);
	else
		run_batches(running);
	ev_timer_stop(running->loop, &running->timer);
}

int dns_run(const struct dns_run *run, struct dns_summary *ret_summary)
{
	struct running *running;
	double begun;
	int r;

	*ret_summary = (struct dns_summary){ 0 };
	running = mem_zero(1, sizeof *running);
	running->run = run;
	running->summary = ret_summary;
	running->source = (struct dns_source){ dns_book_ask, &running->book };
	running->done = mem_zero(run->n_subjects, sizeof *running->done);
	running->loop = ev_loop_new(EVFLAG_AUTO);
	r = running->loop ? dns_resolver_new(running->loop, &run->how, &running->resolver)
			  : -ENOMEM;
	if (r == 0) {
		dns_resolver_servers(running->resolver, ret_summary->servers);
		begun = ev_time();
		run_all(running);
		ret_summary->took = ev_time() - begun;
		drop_batch(running);
	}
	dns_resolver_free(running->resolver);
	if (running->loop)
		ev_loop_destroy(running->loop);
	free(running->ready.at);
	free(running->done);
	free(running);
	return r;
}
