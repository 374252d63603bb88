/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole dialogues, each front at each point of decision. A row is what the client says and how
 * the destination behaves; wanted are the codes that the client sees, what the destination took,
 * and the log. Each row is run with the client's octets whole, cut in two at every place and one
 * by one, and with the destination's whole and one by one.
 */
#include "smtp_pair.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct row {
	const char *what;
	struct session_kind kind;
	const char *behaviour, *client, *codes, *taken, *records;
};

#define AT_MAIL		.kind = { .point = POINT_MAIL }
#define INTERCEPTED	\
	.kind = { .front = FRONT_INTERCEPT, .point = POINT_ACCEPT, \
		  .intercept_tls = INTERCEPT_STRIP }
#define HELLO		"EHLO c\r\n"
#define ENVELOPE	"MAIL FROM:<a@one.example>\r\nRCPT TO:<b@x.example>\r\n"
#define MESSAGE		ENVELOPE "DATA\r\nS: x\r\n\r\nhi\r\n.\r\n"
#define TAKEN		"a@one.example>b@x.example:S: x||hi|;"
#define REFUSED(code)	"refused " #code ";"

static const struct row rows[] = {
	{ "a plain delivery", AT_MAIL, NULL, HELLO MESSAGE "QUIT\r\n", "220 250 250 250 354 250 221 closed", TAKEN,
	  "delivered 250;" },
	{ "two of them", AT_MAIL, NULL, HELLO MESSAGE MESSAGE, "220 250 250 250 354 250 250 250 354 250", TAKEN TAKEN,
	  "delivered 250;delivered 250;" },
	{ "HELO", AT_MAIL, NULL, "HELO c\r\n" MESSAGE, "220 250 250 250 354 250", TAKEN, "delivered 250;" },
	{ "no PIPELINING there", AT_MAIL, "CAPS:SIZE", HELLO MESSAGE, "220 250 250 250 354 250", TAKEN,
	  "delivered 250;" },
	{ "stuffed dots", AT_MAIL, NULL, HELLO ENVELOPE "DATA\r\n\r\n..x\r\n..\r\n.\r\n", "220 250 250 250 354 250",
	  "a@one.example>b@x.example:|.x|.|;", "delivered 250;" },
	{ "two recipients, one refused", AT_MAIL, "RCPT:550 5.1.1 no",
	  HELLO "MAIL FROM:<a@one.example>\r\nRCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\nDATA\r\n\r\nhi\r\n.\r\n",
	  "220 250 250 550 250 354 250", "a@one.example>c@x:|hi|;", "delivered 250;" },
	{ "all recipients refused", AT_MAIL, "RCPT:550 5.1.1 no*", HELLO ENVELOPE "DATA\r\nRSET\r\n",
	  "220 250 250 550 554 250", "", REFUSED(550) },
	{ "a refusal of MAIL is the recipient's", AT_MAIL, "MAIL:550 5.1.8 no", HELLO ENVELOPE "DATA\r\n",
	  "220 250 250 550 554", "", REFUSED(550) },
	{ "MAIL refused, then a good one", AT_MAIL, "MAIL:451 4.1.8 later", HELLO ENVELOPE "RSET\r\n" MESSAGE,
	  "220 250 250 451 250 250 250 354 250", TAKEN, REFUSED(451) "delivered 250;" },
	{ "MAIL without a recipient is nothing to the destination", AT_MAIL, "MAIL:451 4.1.8 later",
	  HELLO "MAIL FROM:<a@one.example>\r\nRSET\r\nMAIL FROM:<a@one.example>\r\nNOOP\r\n", "220 250 250 250 250 250", "",
	  "aborted 0;aborted 0;" },
	{ "a refusal of DATA answers the dot", AT_MAIL, "DATA:452 4.3.1 full", HELLO MESSAGE "NOOP\r\n",
	  "220 250 250 250 354 452 250", "", REFUSED(452) },
	{ "the text refused", AT_MAIL, "DOT:554 5.6.0 no", HELLO MESSAGE "NOOP\r\n", "220 250 250 250 354 554 250", "",
	  REFUSED(554) },
	{ "refused within the text", AT_MAIL, "BODY:552 5.3.4 big", HELLO MESSAGE "NOOP\r\n",
	  "220 250 250 250 354 552 250", "", REFUSED(552) },
	{ "lost at MAIL", AT_MAIL, "MAIL:eof", HELLO ENVELOPE "NOOP\r\n", "220 250 250 451 250", "", REFUSED(451) },
	{ "lost at RCPT", AT_MAIL, "RCPT:eof", HELLO ENVELOPE "NOOP\r\n", "220 250 250 451 250", "", REFUSED(451) },
	{ "lost at DATA", AT_MAIL, "DATA:eof", HELLO MESSAGE "NOOP\r\n", "220 250 250 250 354 451 250", "", REFUSED(451) },
	{ "lost within the text", AT_MAIL, "BODY:eof", HELLO MESSAGE "NOOP\r\n", "220 250 250 250 354 451 250", "",
	  NULL },
	{ "lost after the dot is not acknowledged, though it was taken", AT_MAIL, "DOT:taken-eof", HELLO MESSAGE,
	  "220 250 250 250 354 451", TAKEN, "lost 451;" },
	{ "421 to MAIL", AT_MAIL, "MAIL:421 4.3.2 going", HELLO ENVELOPE "NOOP\r\n", "220 250 250 451 250", "",
	  REFUSED(451) },
	{ "an answer that is none", AT_MAIL, "DOT:hello", HELLO MESSAGE, "220 250 250 250 354 451", "", "lost 451;" },
	{ "2xx to DATA is no invitation", AT_MAIL, "DATA:250 ok", HELLO MESSAGE "NOOP\r\n",
	  "220 250 250 250 354 451 250", "", REFUSED(451) },
	{ "policy refuses", AT_MAIL, NULL, HELLO "MAIL FROM:<a@no.example>\r\n" MESSAGE, "220 250 451 250 250 354 250", TAKEN,
	  REFUSED(451) "delivered 250;" },
	{ "nobody answers", AT_MAIL, NULL, HELLO "MAIL FROM:<a@down.example>\r\n" MESSAGE, "220 250 451 250 250 354 250",
	  TAKEN, REFUSED(451) "delivered 250;" },
	{ "commands out of order", AT_MAIL, NULL, "MAIL FROM:<a@b>\r\nEHLO c\r\nRCPT TO:<a@b>\r\nDATA\r\nEHLO c\r\n",
	  "220 503 250 503 503 250", "", "" },
	{ "a bare LF in a command", AT_MAIL, NULL, "NOOP\nNOOP\r\nEHLO c\r\n", "220 500 250", "", "" },
	{ "BDAT", AT_MAIL, NULL, HELLO "BDAT 3 LAST\r\nNOOP\r\n", "220 250 502 250", "", "" },
	{ "EHLO within a transaction ends it", AT_MAIL, NULL, HELLO ENVELOPE "EHLO d\r\nDATA\r\n", "220 250 250 250 250 503",
	  "", "aborted 0;" },
	{ "a bare LF in the text", AT_MAIL, NULL, HELLO ENVELOPE "DATA\r\n\r\nx\n.\r\ny\r\n.\r\nNOOP\r\n",
	  "220 250 250 250 354 550 250", "", REFUSED(550) },
	{ "a bare CR in the header", AT_MAIL, NULL, HELLO ENVELOPE "DATA\r\nA: b\rc\r\n\r\n.\r\nNOOP\r\n",
	  "220 250 250 250 354 550 250", "", REFUSED(550) },
	{ "mended where the listener says so", .kind = { .point = POINT_MAIL, .normalise = true }, NULL,
	  HELLO ENVELOPE "DATA\r\n\nx\ny\r\n.\r\n", "220 250 250 250 354 250", "a@one.example>b@x.example:|x|y|;",
	  "delivered 250;" },
	{ "too large as declared", AT_MAIL, NULL, HELLO "MAIL FROM:<a@b> SIZE=1001\r\n", "220 250 552", "", "" },
	{ "too large for the destination", AT_MAIL, "CAPS:SIZE 10", HELLO "MAIL FROM:<a@one.example> SIZE=11\r\n",
	  "220 250 552", "", REFUSED(552) },
	{ "too large in truth", .kind = { .point = POINT_MAIL, .size_max = 5 }, NULL, HELLO MESSAGE "NOOP\r\n",
	  "220 250 250 250 354 552 250", "", REFUSED(552) },
	{ "8BITMIME that the destination lacks", AT_MAIL, "CAPS:PIPELINING", HELLO "MAIL FROM:<a@one.example> BODY=8BITMIME\r\n",
	  "220 250 554", "", REFUSED(554) },
	{ "8BITMIME sent all the same", .kind = { .point = POINT_MAIL, .ignore_8bit = true }, "CAPS:PIPELINING",
	  HELLO "MAIL FROM:<a@one.example> BODY=8BITMIME\r\n", "220 250 250", "", "aborted 0;" },
	{ "SMTPUTF8 that the destination lacks", AT_MAIL, "CAPS:PIPELINING", HELLO "MAIL FROM:<a@one.example> SMTPUTF8\r\n",
	  "220 250 553", "", REFUSED(553) },
	{ "an address beyond ASCII without SMTPUTF8", AT_MAIL, NULL, HELLO "MAIL FROM:<\xc3\xa4@b>\r\n", "220 250 553", "", "" },
	{ "DSN is not offered before it is known", AT_MAIL, "CAPS:DSN", HELLO "MAIL FROM:<a@b> RET=HDRS\r\n", "220 250 555", "",
	  "" },
	{ "XOUTBIND where it is not trusted", AT_MAIL, NULL, HELLO "MAIL FROM:<a@b> XOUTBIND=two\r\n", "220 250 555", "", "" },
	{ "XOUTBIND where it is", .kind = { .point = POINT_MAIL, .parameter = true }, "two/DOT:250 two*",
	  HELLO "MAIL FROM:<a@one.example> XOUTBIND=two\r\nRCPT TO:<b@x>\r\nDATA\r\n\r\n.\r\n", "220 250 250 250 354 250",
	  "a@one.example>b@x:|;", "delivered 250;" },

	{ "at RCPT: MAIL is ours to answer", .kind = { .point = POINT_RCPT }, NULL,
	  HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<b@one.example>\r\nDATA\r\n\r\n.\r\n", "220 250 250 250 354 250",
	  "a@b>b@one.example:|;", "delivered 250;" },
	{ "at RCPT: a refusal of MAIL is the recipient's", .kind = { .point = POINT_RCPT }, "MAIL:553 5.1.8 no",
	  HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<b@one.example>\r\nDATA\r\n", "220 250 250 553 554", "",
	  REFUSED(553) },
	{ "at RCPT: another destination needs a transaction of its own", .kind = { .point = POINT_RCPT }, NULL,
	  HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<b@one.example>\r\nRCPT TO:<c@two.example>\r\nDATA\r\n\r\n.\r\n",
	  "220 250 250 250 452 354 250", "a@b>b@one.example:|;", "delivered 250;" },
	{ "at RCPT: one that policy refuses does not spoil the next", .kind = { .point = POINT_RCPT }, NULL,
	  HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<b@no.example>\r\nRCPT TO:<c@two.example>\r\nDATA\r\n\r\n.\r\n",
	  "220 250 250 451 250 354 250", "a@b>c@two.example:|;",
	  "delivered 250;" REFUSED(451) },

	{ "by the header", .kind = { .point = POINT_HEADER, .header = "X-Binding" }, NULL,
	  HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<b@c>\r\nDATA\r\nA: b\r\nX-Binding: two\r\n\r\nhi\r\n.\r\n",
	  "220 250 250 250 354 250", "a@b>b@c:A: b||hi|;", "delivered 250;" },
	{ "by the header: one recipient", .kind = { .point = POINT_HEADER, .header = "X-Binding" }, NULL,
	  HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<b@c>\r\nRCPT TO:<d@c>\r\n", "220 250 250 250 452", "", "aborted 0;" },
	{ "by the header: its recipient refused", .kind = { .point = POINT_HEADER, .header = "X-Binding" }, "RCPT:550 5.1.1 no",
	  HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<b@c>\r\nDATA\r\nX-Binding: two\r\n\r\nhi\r\n.\r\nNOOP\r\n",
	  "220 250 250 250 354 550 250", "", REFUSED(550) },
	{ "by the header: DATA is refused, and asked once", .kind = { .point = POINT_HEADER, .header = "X-Binding" },
	  "DATA:452 4.3.1 full*", HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<b@c>\r\nDATA\r\nX-Binding: two\r\n\r\nhi\r\n.\r\nNOOP\r\n",
	  "220 250 250 250 354 452 250", "", REFUSED(452) },
	{ "by the header: policy refuses", .kind = { .point = POINT_HEADER, .header = "X-Binding" }, NULL,
	  HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<b@c>\r\nDATA\r\nX-Binding: none\r\n\r\nhi\r\n.\r\nNOOP\r\n",
	  "220 250 250 250 354 451 250", "", REFUSED(451) },
	{ "by the header: it is there twice", .kind = { .point = POINT_HEADER, .header = "X-Binding" }, NULL,
	  HELLO "MAIL FROM:<a@b>\r\nRCPT TO:<b@c>\r\nDATA\r\nX-Binding: a\r\nX-Binding: b\r\n\r\n.\r\nNOOP\r\n",
	  "220 250 250 250 354 550 250", "", REFUSED(550) },

	{ "before the banner", .kind = { .point = POINT_ACCEPT }, NULL, HELLO MESSAGE, "220 250 250 250 354 250", TAKEN,
	  "delivered 250;" },
	{ "at EHLO: nobody answers", .kind = { .point = POINT_HELLO }, "GREETING:eof*", HELLO "MAIL FROM:<a@b>\r\n",
	  "220 250 451", "", REFUSED(451) },
	{ "at EHLO", .kind = { .point = POINT_HELLO }, NULL, HELLO MESSAGE MESSAGE, "220 250 250 250 354 250 250 250 354 250",
	  TAKEN TAKEN, "delivered 250;delivered 250;" },

	{ "intercepted", INTERCEPTED, NULL, HELLO MESSAGE "QUIT\r\n", "220 250 250 250 354 250 221 closed", TAKEN, "delivered 250;" },
	{ "intercepted: no connection, so the next host", .kind = { .front = FRONT_INTERCEPT, .point = POINT_ACCEPT },
	  "GREETING:eof*", "", " reset", "", "" },
	{ "intercepted: refused greeting", .kind = { .front = FRONT_INTERCEPT, .point = POINT_ACCEPT },
	  "GREETING:554 5.3.2 no*", "", " reset", "", "" },
	{ "intercepted: STARTTLS goes through blind", .kind = { .front = FRONT_INTERCEPT, .point = POINT_ACCEPT },
	  "CAPS:STARTTLS;OTHER:220 go", HELLO "STARTTLS\r\n", "220 250 220", "", "" },
	{ "intercepted: MAIL is answered by the destination", INTERCEPTED, "MAIL:550 5.1.8 no", HELLO ENVELOPE "DATA\r\n",
	  "220 250 550 503 503", "", REFUSED(550) },
	{ "intercepted: DATA is answered by the destination", INTERCEPTED, "DATA:452 4.3.1 full",
	  HELLO ENVELOPE "DATA\r\nNOOP\r\n", "220 250 250 250 452 250", "", REFUSED(452) },
	{ "intercepted: the destination goes", .kind = { .front = FRONT_INTERCEPT, .point = POINT_ACCEPT },
	  "MAIL:421 4.3.2 going", HELLO "MAIL FROM:<a@one.example>\r\n", "220 250 421 closed", "", REFUSED(421) },

	{ "LMTP", .kind = { .front = FRONT_LMTP, .point = POINT_RCPT }, NULL,
	  "LHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<b@one.example>\r\nRCPT TO:<c@one.example>\r\nDATA\r\n\r\nhi\r\n.\r\n",
	  "220 250 250 250 250 354 250 250", "a@b>b@one.example,c@one.example:|hi|;", "delivered 250;" },
	{ "LMTP to two destinations, one refuses the text", .kind = { .front = FRONT_LMTP, .point = POINT_RCPT },
	  "two.example/DOT:550 5.6.0 no",
	  "LHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<b@one.example>\r\nRCPT TO:<c@two.example>\r\nRCPT TO:<d@one.example>\r\n"
	  "DATA\r\n\r\nhi\r\n.\r\nNOOP\r\n", "220 250 250 250 250 250 354 250 550 250 250",
	  "a@b>b@one.example,d@one.example:|hi|;", "delivered 250;refused 550;" },
	{ "LMTP: one destination cannot be reached, one refuses DATA", .kind = { .front = FRONT_LMTP, .point = POINT_RCPT },
	  "two.example/DATA:451 4.3.0 no",
	  "LHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<b@one.example>\r\nRCPT TO:<c@two.example>\r\nRCPT TO:<d@down.example>\r\n"
	  "DATA\r\n\r\nhi\r\n.\r\nNOOP\r\n", "220 250 250 250 250 451 354 250 451 250",
	  "a@b>b@one.example:|hi|;", "refused 451;delivered 250;refused 451;" },
	{ "LMTP: one destination is lost within the text", .kind = { .front = FRONT_LMTP, .point = POINT_RCPT },
	  "one.example/BODY:eof",
	  "LHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<b@one.example>\r\nRCPT TO:<c@two.example>\r\n"
	  "DATA\r\n\r\nhi\r\n.\r\nNOOP\r\n", "220 250 250 250 250 354 451 250 250",
	  "a@b>c@two.example:|hi|;", NULL },
	{ "LMTP by the header, each recipient for itself", .kind = { .front = FRONT_LMTP, .point = POINT_HEADER,
	  .header = "X-Binding" }, "RCPT:550 5.1.1 no",
	  "LHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<b@c>\r\nRCPT TO:<d@c>\r\nDATA\r\nX-Binding: two\r\n\r\nhi\r\n.\r\nNOOP\r\n",
	  "220 250 250 250 250 354 550 250 250", "a@b>d@c:|hi|;", "delivered 250;" },
	{ "LMTP: two destinations cannot be reached, a third recipient has no rule: a line each",
	  .kind = { .front = FRONT_LMTP, .point = POINT_RCPT }, NULL,
	  "LHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<b@down1.example>\r\nRCPT TO:<c@down1.example>\r\n"
	  "RCPT TO:<c@down2.example>\r\nRCPT TO:<d@no.example>\r\nDATA\r\n",
	  "220 250 250 451 451 451 451 503", "", REFUSED(451) REFUSED(451) REFUSED(451) "" },
	{ "LMTP without recipients", .kind = { .front = FRONT_LMTP, .point = POINT_RCPT }, NULL,
	  "LHLO c\r\nMAIL FROM:<a@b>\r\nDATA\r\n", "220 250 250 503", "", "aborted 0;" },
	{ "EHLO is no LMTP", .kind = { .front = FRONT_LMTP, .point = POINT_RCPT }, NULL, "EHLO c\r\n", "220 500", "", "" },

	{ "AUTH PLAIN", .kind = { .point = POINT_MAIL, .auth = true, .auth_plain_text = true, .auth_required = true }, NULL,
	  HELLO "MAIL FROM:<a@one.example>\r\nAUTH PLAIN AGJvYgBzZWNyZXQ=\r\n" MESSAGE, "220 250 530 235 250 250 354 250",
	  TAKEN, "delivered 250;" },
	{ "AUTH LOGIN, wrong and right", .kind = { .point = POINT_MAIL, .auth = true, .auth_plain_text = true }, NULL,
	  HELLO "AUTH LOGIN\r\nYm9i\r\nbm8=\r\nAUTH LOGIN Ym9i\r\nc2VjcmV0\r\nNOOP\r\n",
	  "220 250 334 334 535 334 235 250", "", "" },
	{ "AUTH given up", .kind = { .point = POINT_MAIL, .auth = true, .auth_plain_text = true }, NULL,
	  HELLO "AUTH PLAIN\r\n*\r\nNOOP\r\n", "220 250 334 501 250", "", "" },
	{ "AUTH without TLS", .kind = { .point = POINT_MAIL, .auth = true }, NULL, HELLO "AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n",
	  "220 250 538", "", "" },
	{ "three wrong passwords", .kind = { .point = POINT_MAIL, .auth = true, .auth_plain_text = true }, NULL,
	  HELLO "AUTH PLAIN AGEAYg==\r\nAUTH PLAIN AGEAYg==\r\nAUTH PLAIN AGEAYg==\r\nNOOP\r\n",
	  "220 250 535 535 535 421 closed", "", "" },
	{ "STARTTLS swallows what came with it", .kind = { .point = POINT_MAIL, .tls = FRONT_TLS_OFFERED }, NULL,
	  HELLO "STARTTLS\r\nMAIL FROM:<evil@one.example>\r\n", "220 250 220", "", "" },
	{ "TLS required", .kind = { .point = POINT_MAIL, .tls = FRONT_TLS_REQUIRED }, NULL, HELLO "MAIL FROM:<a@b>\r\n",
	  "220 250 530", "", "" },
	{ "a loop by hops", .kind = { .point = POINT_MAIL, .hops_max = 2 }, NULL,
	  HELLO ENVELOPE "DATA\r\nReceived: a\r\nReceived: b\r\n\r\n.\r\nNOOP\r\n", "220 250 250 250 354 554 250", "",
	  REFUSED(554) },
	{ "too many errors", AT_MAIL, NULL, "X\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\nX\r\n"
	  "X\r\nX\r\nX\r\nX\r\nX\r\n", "220 500 500 500 500 500 500 500 500 500 500 500 500 500 500 500 500 500 500 500 500 "
	  "421 closed", "", "" },
};

static void compare(const struct row *row, const char *how, const char *what, const char *got,
		    const char *want)
{
	if (strcmp(got, want) != 0)
		fail_msg("%s, %s: %s: got '%s', want '%s'", row->what, how, what, got, want);
}

static void run_row(const struct row *row, size_t cut, bool single, size_t upstream_cut)
{
	struct pair pair = { .kind = row->kind,
			     .behaviour = row->behaviour,
			     .upstream_cut = upstream_cut };
	size_t n = strlen(row->client);
	char codes[512], how[80];

	snprintf(how, sizeof how, single ? "octet by octet" : "cut at %zu", cut);
	pair_open(&pair);
	for (size_t i = 0; single && i < n; i++)
		pair_client(&pair, row->client + i, 1);
	if (!single) {
		pair_client(&pair, row->client, cut);
		pair_client(&pair, row->client + cut, n - cut);
	}
	pair_codes(&pair, codes, sizeof codes);
	compare(row, how, "codes", codes, row->codes);
	buffer_put(&pair.taken, "", 1);
	compare(row, how, "taken", (const char *)buffer_bytes(&pair.taken), row->taken);
	if (!pair.closed)
		pair_gone(&pair, false);
	buffer_put(&pair.records, "", 1);
	if (row->records)			/* NULL: refused or lost, as it happens to fall */
		compare(row, how, "records", (const char *)buffer_bytes(&pair.records), row->records);
	pair_close(&pair);
}

static void test_dialogues(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run_row(&rows[i], 0, false, 0);
		for (size_t cut = 1; cut < strlen(rows[i].client); cut++)
			run_row(&rows[i], cut, false, cut % 2);
		run_row(&rows[i], 0, true, 0);
		run_row(&rows[i], 0, true, 1);
	}
}

static void test_client_gone_before_the_dot(void **state)
{
	static const char whole[] = HELLO MESSAGE;

	(void)state;
	for (size_t n = 0; n < sizeof whole - 1; n++) {
		struct pair pair = { AT_MAIL };

		pair_open(&pair);
		pair_client(&pair, whole, n);
		pair_gone(&pair, true);
		assert_true(pair.closed);
		assert_int_equal(buffer_len(&pair.taken), 0);
		assert_int_equal(pair.n_remembered, 0);
		pair_close(&pair);
	}
}

/* The verdict comes when the client has gone: it is logged, and the message remembered. */
static void test_lost_acknowledgement(void **state)
{
	struct pair pair = { AT_MAIL, .behaviour = "DOT:stall" };

	(void)state;
	pair_open(&pair);
	pair_client(&pair, HELLO MESSAGE, strlen(HELLO MESSAGE));
	pair_gone(&pair, true);
	assert_false(pair.closed);
	pair_wait(&pair, BACK_WAIT_END + 1);
	assert_true(pair.closed);
	buffer_put(&pair.records, "", 1);
	assert_string_equal((const char *)buffer_bytes(&pair.records), "lost 451;");
	assert_int_equal(pair.n_remembered, 0);
	pair_close(&pair);
}

/* A client that closes its half behind the dot, as Exim does, is answered all the same. */
static void test_half_closed(void **state)
{
	struct pair pair = { AT_MAIL, .behaviour = "DOT:stall" };
	char codes[100];

	(void)state;
	pair_open(&pair);
	pair_client(&pair, HELLO MESSAGE "QUIT\r\n", strlen(HELLO MESSAGE "QUIT\r\n"));
	pair_end(&pair);
	assert_false(pair.closed);
	pair_wait(&pair, BACK_WAIT_END + 1);
	pair_codes(&pair, codes, sizeof codes);
	assert_string_equal(codes, "220 250 250 250 354 451 221 closed");
	pair_close(&pair);
}

static void test_half_closed_in_the_text(void **state)
{
	struct pair pair = { AT_MAIL };

	(void)state;
	pair_open(&pair);
	pair_client(&pair, HELLO ENVELOPE "DATA\r\n\r\nhi\r\n.", strlen(HELLO ENVELOPE "DATA\r\n\r\nhi\r\n."));
	pair_end(&pair);
	assert_true(pair.closed);
	assert_int_equal(buffer_len(&pair.taken), 0);
	pair_close(&pair);
}

/* A client that broke off right after its 250, and one that comes again with the same. */
static void test_duplicate_spared(void **state)
{
	struct pair pair = { AT_MAIL };

	(void)state;
	pair_open(&pair);
	pair_client(&pair, HELLO MESSAGE, strlen(HELLO MESSAGE));
	pair_gone(&pair, true);
	assert_int_equal(pair.n_remembered, 1);
	session_free(pair.session);
	pair.closed = false;
	pair_open(&pair);
	pair_client(&pair, HELLO MESSAGE, strlen(HELLO MESSAGE));
	buffer_put(&pair.records, "", 1);
	buffer_put(&pair.taken, "", 1);
	assert_string_equal((const char *)buffer_bytes(&pair.records), "delivered 250;unacked 0 ack-lost;spared 250;");
	assert_string_equal((const char *)buffer_bytes(&pair.taken), TAKEN);
	pair_close(&pair);
}

/* A client that has said something after its 250 has read it. */
static void test_read_acknowledgement(void **state)
{
	struct pair pair = { AT_MAIL };

	(void)state;
	pair_open(&pair);
	pair_client(&pair, HELLO MESSAGE, strlen(HELLO MESSAGE));
	pair_client(&pair, "NOOP\r\n", strlen("NOOP\r\n"));
	pair_gone(&pair, true);
	assert_int_equal(pair.n_remembered, 0);
	pair_close(&pair);
}

static void test_stalls_end(void **state)
{
	static const struct { const char *verb, *codes; unsigned seconds; } stalls[] = {
		{ "MAIL:stall", "220 250 250 451", BACK_WAIT_MAIL }, { "RCPT:stall", "220 250 250 451", BACK_WAIT_RCPT },
		{ "DATA:stall", "220 250 250 250 354 451", BACK_WAIT_DATA },
		{ "DOT:stall", "220 250 250 250 354 451", BACK_WAIT_END },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stalls); i++) {
		struct pair pair = { AT_MAIL, .behaviour = stalls[i].verb };
		static const char *const lines[] = { HELLO, "MAIL FROM:<a@one.example>\r\n", "RCPT TO:<b@x>\r\n", "DATA\r\n",
						     "\r\nhi\r\n.\r\n" };
		char codes[100];

		pair_open(&pair);
		for (size_t j = 0; j < ARRAY_LEN(lines) && j < (i < 2 ? 3u : 5u); j++)
			pair_client(&pair, lines[j], strlen(lines[j]));
		pair_wait(&pair, stalls[i].seconds - 1);
		pair_wait(&pair, 2);
		pair_codes(&pair, codes, sizeof codes);
		assert_string_equal(codes, stalls[i].codes);
		pair_close(&pair);
	}
}

static void test_idle_client(void **state)
{
	struct pair pair = { AT_MAIL };
	char codes[100];

	(void)state;
	pair_open(&pair);
	pair_client(&pair, HELLO "NO", strlen(HELLO) + 2);
	pair_wait(&pair, 200);
	pair_client(&pair, "O", 1);		/* an octet is no progress */
	pair_wait(&pair, 101);
	pair_codes(&pair, codes, sizeof codes);
	assert_string_equal(codes, "220 250 421 closed");
	pair_close(&pair);
}

static void test_stop(void **state)
{
	struct pair pair = { AT_MAIL };
	char codes[100];

	(void)state;
	pair_open(&pair);
	pair_client(&pair, HELLO ENVELOPE "DATA\r\n", strlen(HELLO ENVELOPE "DATA\r\n"));
	session_stop(pair.session, pair.now);
	pair_client(&pair, "\r\nhi\r\n.\r\n", strlen("\r\nhi\r\n.\r\n"));
	pair_codes(&pair, codes, sizeof codes);
	assert_string_equal(codes, "220 250 250 250 354 250 421 closed");
	pair_close(&pair);
}

/* An idle upstream that died is dialled again, once, and nobody knows. */
static void test_reuse_and_redial(void **state)
{
	struct pair pair = { AT_MAIL, .pool = true };

	(void)state;
	pair_open(&pair);
	pair_client(&pair, HELLO MESSAGE MESSAGE, strlen(HELLO MESSAGE MESSAGE));
	assert_int_equal(pair.n_dials, 1);
	pair.behaviour = "MAIL:eof";
	pair_client(&pair, MESSAGE, strlen(MESSAGE));
	assert_int_equal(pair.n_dials, 2);
	buffer_put(&pair.records, "", 1);
	assert_string_equal((const char *)buffer_bytes(&pair.records), "delivered 250;delivered 250;delivered 250;");
	pair_close(&pair);
}

/* The same between our answer to MAIL and the first recipient: the destination has not heard of it. */
static void test_redial_before_the_recipient(void **state)
{
	struct pair pair = { AT_MAIL, .pool = true };
	static const char mail[] = "MAIL FROM:<a@one.example>\r\n";
	static const char rest[] = "RCPT TO:<b@x.example>\r\nDATA\r\n\r\nhi\r\n.\r\n";

	(void)state;
	pair_open(&pair);
	pair_client(&pair, HELLO MESSAGE, strlen(HELLO MESSAGE));
	pair_client(&pair, mail, strlen(mail));
	pair_kill(&pair, 0);
	assert_int_equal(pair.n_dials, 2);
	pair_client(&pair, rest, strlen(rest));
	buffer_put(&pair.records, "", 1);
	assert_string_equal((const char *)buffer_bytes(&pair.records), "delivered 250;delivered 250;");
	pair_close(&pair);
}

/* A new one that dies there is not dialled again, and each recipient is told why. */
static void test_lost_before_the_recipient(void **state)
{
	struct pair pair = { AT_MAIL };
	static const char mail[] = HELLO "MAIL FROM:<a@one.example>\r\n";
	static const char rcpts[] = "RCPT TO:<b@x>\r\nRCPT TO:<c@x>\r\n";
	static const char reason[] = "451 4.4.2 the destination: it closed the connection "
				     "while waiting for a command\r\n";
	const char *end;
	char codes[100];

	(void)state;
	pair_open(&pair);
	pair_client(&pair, mail, strlen(mail));
	pair_kill(&pair, 0);
	pair_client(&pair, rcpts, strlen(rcpts));
	pair_codes(&pair, codes, sizeof codes);
	assert_string_equal(codes, "220 250 250 451 451");
	buffer_put(&pair.client, "", 1);
	end = (const char *)buffer_bytes(&pair.client) + buffer_len(&pair.client);
	assert_string_equal(end - sizeof reason, reason);
	pair_close(&pair);
}

/* What a client sends behind our 354 is kept until the destination has said its own. */
static void test_text_before_the_354(void **state)
{
	struct pair pair = { AT_MAIL, .behaviour = "DATA:stall" };
	char codes[100];

	(void)state;
	pair_open(&pair);
	pair_client(&pair, HELLO ENVELOPE "DATA\r\n", strlen(HELLO ENVELOPE "DATA\r\n"));
	pair_codes(&pair, codes, sizeof codes);
	assert_string_equal(codes, "220 250 250 250 354");
	assert_true(session_wants_client(pair.session));
	pair_client(&pair, "S: x\r\n\r\nhi\r\n.\r\n", strlen("S: x\r\n\r\nhi\r\n.\r\n"));
	assert_false(session_wants_client(pair.session));
	pair_unstall(&pair, 0, "354 go on");
	pair_codes(&pair, codes, sizeof codes);
	assert_string_equal(codes, "220 250 250 250 354 250");
	buffer_put(&pair.taken, "", 1);
	assert_string_equal((const char *)buffer_bytes(&pair.taken), TAKEN);
	pair_close(&pair);
}

static void test_idle_session_is_small(void **state)
{
	struct pair pair = { AT_MAIL };

	(void)state;
	pair_open(&pair);
	pair_client(&pair, HELLO MESSAGE, strlen(HELLO MESSAGE));
	assert_true(session_memory(pair.session) < 6000);
	pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogues),
		cmocka_unit_test(test_client_gone_before_the_dot),
		cmocka_unit_test(test_lost_acknowledgement),
		cmocka_unit_test(test_duplicate_spared),
		cmocka_unit_test(test_half_closed),
		cmocka_unit_test(test_half_closed_in_the_text),
		cmocka_unit_test(test_read_acknowledgement),
		cmocka_unit_test(test_stalls_end),
		cmocka_unit_test(test_idle_client),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_reuse_and_redial),
		cmocka_unit_test(test_redial_before_the_recipient),
		cmocka_unit_test(test_lost_before_the_recipient),
		cmocka_unit_test(test_text_before_the_354),
		cmocka_unit_test(test_idle_session_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
