/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Thousands of transactions with faults at random places on either side, in the order of a seed.
 * What must hold, whatever happens: an acknowledged recipient's destination took exactly this
 * message once; one that was not acknowledged has it only if the destination's verdict was lost
 * on the way, and then the log says so.
 */
#include "smtp_pair.h"

#include "base/mem.h"
#include "roll.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { TRANSACTIONS = 40000, SEED = 20 };

static const char *const actions[] = { "550 5.0.0 no", "451 4.0.0 no", "421 4.3.2 going", "eof", "nonsense", "250 ok",
				       "354 ok", "stall" };
static const char *const verbs[] = { "GREETING", "EHLO", "MAIL", "RCPT", "DATA", "BODY", "DOT" };

struct attempt {
	struct pair pair;
	bool lmtp, header, gone;
	char behaviour[120], name[32];
	unsigned n_acked, n_accepted;
};

static void choose(struct attempt *attempt, unsigned number)
{
	struct session_kind *kind = &attempt->pair.kind;
	unsigned which = roll(6);

	kind->point = which == 0 ? POINT_ACCEPT : which == 1 ? POINT_HELLO : which == 2 ? POINT_MAIL
		      : which == 3 ? POINT_RCPT : which == 4 ? POINT_RCPT : POINT_HEADER;
	kind->front = which >= 4	      ? FRONT_LMTP
		      : which == 0 && roll(2) ? FRONT_INTERCEPT
					      : FRONT_SMTP;
	kind->header = which == 5 ? "X-Binding" : NULL;
	kind->received = roll(2);
	kind->intercept_tls = INTERCEPT_STRIP;
	attempt->lmtp = kind->front == FRONT_LMTP;
	attempt->pair.upstream_cut = roll(4);
	attempt->pair.pool = roll(2);
	for (unsigned i = roll(3); i > 0; i--) {
		const char *verb = verbs[roll((uint32_t)ARRAY_LEN(verbs))];
		const char *action = actions[roll((uint32_t)ARRAY_LEN(actions))];

		/* One that says 250 and has taken nothing cannot be told from one that has. */
		if (strcmp(verb, "BODY") == 0 && action[0] == '2')
			continue;
		snprintf(attempt->behaviour + strlen(attempt->behaviour),
			 sizeof attempt->behaviour - strlen(attempt->behaviour), "%s%s:%s",
			 attempt->behaviour[0] ? ";" : "", verb, action);
	}
	attempt->pair.behaviour = attempt->behaviour;
	snprintf(attempt->name, sizeof attempt->name, "m%u", number);
}

static unsigned count_codes(const struct attempt *attempt, int from, char codes[static 600])
{
	unsigned n = 0;

	pair_codes(&attempt->pair, codes, 600);
	for (char *at = codes; *at; at++)
		n += at == codes || at[-1] == ' ';
	return n > (unsigned)from ? n - (unsigned)from : 0;
}

/* Say a line, let time pass if nothing comes of it; the last reply's code, 0 if it is over. */
static int say(struct attempt *attempt, const char *line, size_t n, unsigned want)
{
	char codes[600];
	unsigned before = count_codes(attempt, 0, codes);

	if (attempt->pair.closed)
		return 0;
	pair_client(&attempt->pair, line, n);
	for (int i = 0;
	     i < 8 && count_codes(attempt, (int)before, codes) < want && !attempt->pair.closed; i++)
		pair_wait(&attempt->pair, 200);
	count_codes(attempt, 0, codes);
	return codes[0] && strlen(codes) >= 3 && !attempt->pair.closed
		       ? atoi(strrchr(codes, ' ') ? strrchr(codes, ' ') + 1 : codes)
		       : 0;
}

static int say_text(struct attempt *attempt, const char *line, unsigned want)
{
	return say(attempt, line, strlen(line), want);
}

/* Recipients of which the last @n replies say that they were taken. */
static void count_acked(struct attempt *attempt, unsigned n)
{
	char codes[600], *at;

	pair_codes(&attempt->pair, codes, sizeof codes);
	at = strstr(codes, " closed");
	if (at)
		*at = '\0';
	for (; n > 0 && (at = strrchr(codes, ' ')); n--) {
		attempt->n_acked += at[1] == '2';
		*at = '\0';
	}
}

static void converse(struct attempt *attempt)
{
	char line[200], body[300];
	size_t cut;

	if (say_text(attempt, attempt->lmtp ? "LHLO c\r\n" : "EHLO c\r\n", 1) / 100 != 2)
		return;
	snprintf(line, sizeof line, "MAIL FROM:<%s@one.example>\r\n", attempt->name);
	if (say_text(attempt, line, 1) / 100 != 2)
		return;
	for (unsigned i = 0; i < (attempt->lmtp ? 2 : 1); i++) {
		snprintf(line, sizeof line, "RCPT TO:<r%u@%s.example>\r\n", i, i ? "two" : "one");
		attempt->n_accepted += say_text(attempt, line, 1) / 100 == 2;
	}
	if (say_text(attempt, "DATA\r\n", 1) != 354)
		return;
	snprintf(body, sizeof body, "%sSubject: %s\r\n\r\n..%s\r\n.\r\n",
		 attempt->pair.kind.header ? "X-Binding: two\r\n" : "", attempt->name, attempt->name);
	cut = roll(4) == 0 ? roll((uint32_t)strlen(body)) : strlen(body);
	(void)say(attempt, body, cut, cut == strlen(body) ? attempt->n_accepted : 0);
	if (cut < strlen(body))
		return;
	count_acked(attempt, attempt->lmtp ? attempt->n_accepted : 1);
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
		n++;
	return n;
}

static void judge(const struct attempt *attempt, unsigned number)
{
	struct pair *pair = (struct pair *)(uintptr_t)&attempt->pair;
	const char *taken, *records;
	unsigned rcpts, lost;
	char text[100];

	buffer_put(&pair->taken, "", 1);
	buffer_put(&pair->records, "", 1);
	taken = (const char *)buffer_bytes(&pair->taken);
	records = (const char *)buffer_bytes(&pair->records);
	rcpts = count(taken, ">r0@") + count(taken, ">r1@") + count(taken, ",r1@");
	lost = count(records, "lost ") + count(records, "ack-lost");
	snprintf(text, sizeof text, "Subject: %s||.%s|;", attempt->name, attempt->name);
	if (count(taken, "|;") != count(taken, text) || rcpts < attempt->n_acked ||
	    (rcpts > attempt->n_acked && lost == 0))
		fail_msg(
			"transaction %u (%s, front %d, point %d): %u acknowledged, taken '%s', log '%s'",
			number, attempt->behaviour, (int)pair->kind.front, (int)pair->kind.point,
			attempt->n_acked, taken, records);
}

static void test_chaos(void **state)
{
	unsigned acked = 0;

	(void)state;
	roll_state = SEED;
	for (unsigned i = 0; i < TRANSACTIONS; i++) {
		struct attempt *attempt = mem_zero(1, sizeof *attempt);

		choose(attempt, i);
		pair_open(&attempt->pair);
		converse(attempt);
		if (!attempt->pair.closed)
			pair_gone(&attempt->pair, roll(2));
		for (int j = 0; j < 8 && !attempt->pair.closed; j++)
			pair_wait(&attempt->pair, 200);
		if (!attempt->pair.closed)
			fail_msg("transaction %u (%s) never ends", i, attempt->behaviour);
		judge(attempt, i);
		acked += attempt->n_acked;
		pair_close(&attempt->pair);
		free(attempt);
	}
	assert_true(acked > TRANSACTIONS / 3);	/* else it would prove little */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_chaos) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
