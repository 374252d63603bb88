/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session whose client and destinations say whatever the input says, with the driver of the
 * unit tests. The input is a header (front, point, how destinations behave) and pieces of the
 * client's octets; what must hold is what holds always: no crash, no 2xx to a final dot that no
 * destination has given, and an end.
 */
#include "../unit/smtp_pair.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *const behaviours[] = {
	NULL, "MAIL:550 no*", "RCPT:451 no", "DATA:eof", "BODY:552 no", "BODY:eof", "DOT:taken-eof", "DOT:451 no",
	"CAPS:STARTTLS;OTHER:220 go", "CAPS:SIZE 10", "GREETING:eof*", "EHLO:502 no", "MAIL:421 bye", "DOT:stall",
	"two.example/RCPT:550 no*", "RCPT:354 odd",
};

static unsigned count(const struct buffer *text, const char *what)
{
	const uint8_t *at = buffer_bytes(text), *end = at + buffer_len(text);
	unsigned n = 0;

	while (at < end && (at = memmem(at, (size_t)(end - at), what, strlen(what)))) {
		n++;
		at++;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *octets, size_t n)
{
	struct pair pair = { 0 };
	unsigned acked, taken;

	if (n < 4)
		return 0;
	pair.kind.front = (enum front)(octets[0] % 3);
	pair.kind.point = (enum point)(octets[0] / 3 % POINTS);
	if (pair.kind.front == FRONT_LMTP && pair.kind.point < POINT_RCPT)
		pair.kind.point = POINT_RCPT;
	pair.kind.header = pair.kind.point == POINT_HEADER ? "X-Binding" : NULL;
	pair.kind.intercept_tls = (enum intercept_tls)(octets[1] % 3);
	pair.kind.tls = octets[1] & 4 ? FRONT_TLS_OFFERED : FRONT_TLS_NONE;
	pair.kind.auth = pair.kind.auth_plain_text = octets[1] & 8;
	pair.kind.normalise = octets[1] & 16;
	pair.kind.received = octets[1] & 32;
	pair.kind.parameter = octets[1] & 64;
	pair.pool = octets[1] & 128;
	pair.behaviour = behaviours[octets[2] % ARRAY_LEN(behaviours)];
	pair.upstream_cut = octets[3] % 8;
	octets += 4;
	n -= 4;
	pair_open(&pair);
	while (n > 0) {
		size_t len = octets[0] % 32 + 1;

		octets++;
		n--;
		len = len < n ? len : n;
		if (len == 0)
			break;
		pair_client(&pair, (const char *)octets, len);
		octets += len;
		n -= len;
	}
	acked = count(&pair.client, "2.0.0 taken");
	taken = count(&pair.taken, ";");
	if (pair.kind.front == FRONT_LMTP ? acked > 0 && taken == 0 : acked > taken)
		abort();		/* LMTP says it once a recipient */
	if (!pair.closed)
		pair_gone(&pair, true);
	for (int i = 0; i < 8 && !pair.closed && !pair.pipes && !pair.wants_tls; i++)
		pair_wait(&pair, 300);
	if (!pair.closed && !pair.pipes && !pair.wants_tls)
		abort();
	pair_close(&pair);
	return 0;
}
