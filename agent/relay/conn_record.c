/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line in the access log for each delivery or refusal, and its figures. Keys are in outbind-relay(8). */
#include "relay/conn.h"
#include "relay/report.h"

#include <inttypes.h>
#include <string.h>

static const char *const outcomes[] = {
	[OUTCOME_DELIVERED] = "delivered", [OUTCOME_REFUSED] = "refused", [OUTCOME_LOST] = "lost",
	[OUTCOME_SPARED] = "spared",	   [OUTCOME_ABORTED] = "aborted",
	[OUTCOME_UNACKED] = "unacknowledged",
};

static void count(struct metrics *metrics, const struct record *record)
{
	_Atomic(uint64_t) *const counters[] = {
		[OUTCOME_DELIVERED] = &metrics->delivered, [OUTCOME_REFUSED] = &metrics->refused,
		[OUTCOME_LOST] = &metrics->lost,	   [OUTCOME_SPARED] = &metrics->spared,
		[OUTCOME_ABORTED] = &metrics->aborted,	   [OUTCOME_UNACKED] = &metrics->ack_lost,
	};

	METRIC_ADD(counters[record->outcome], 1);
	if (record->ack_lost && record->outcome != OUTCOME_UNACKED)
		METRIC_ADD(&metrics->ack_lost, 1);
	METRIC_ADD(&metrics->octets, record->size);
	METRIC_ADD(&metrics->microseconds, record->ended - record->began);
}

static void print_upstream(struct buffer *line, const struct upstream *upstream)
{
	char ip[IP_TEXT];

	report_field(line, "member", upstream->binding);
	report_field(line, "source", upstream->source);
	report_field(line, "host", upstream->host);
	buffer_print(line, " to=[%s]:%u reused=%s tls=", ip_print(&upstream->peer, ip),
		     upstream->port, upstream->n_used > 1 ? "yes" : "no");
	if (upstream->tls)
		buffer_print(line, "\"%s\"", tls_describe(upstream->tls));
	else
		buffer_text(line, "no");
}

static void print_record(struct buffer *line, struct conn *conn, const struct record *record)
{
	const struct conn_leg *leg = record->leg >= 0 ? conn_leg(conn, record->leg) : NULL;
	const struct route *route =
		record->leg >= 0 ? session_leg_route(conn->session, record->leg) : NULL;
	char ip[IP_TEXT] = "local";

	report_time(line);
	if (conn->client.len > 0)
		ip_print(&conn->client, ip);
	buffer_print(line, "relay.delivery id=%s outcome=%s client=%s", conn->id,
		outcomes[record->outcome], ip);
	report_field(line, "listener", conn->front->conf->name);
	report_field(line, "helo", record->helo);
	report_field(line, "user", record->user);
	report_field(line, "from", record->sender);
	report_field(line, "rcpt", record->first_rcpt);
	buffer_print(line, " accepted=%u refused=%u size=%" PRIu64 " nul=%" PRIu64,
		     record->n_accepted, record->n_refused, record->size, record->n_nul);
	if (route) {
		report_field(line, "binding", route->binding);
		report_field(line, "rule", route->place);
	}
	if (leg && leg->upstream)
		print_upstream(line, leg->upstream);
	buffer_print(line, " code=%d", record->code);
	report_field(line, "reply", record->reply);
	buffer_print(line, " ms=%" PRIu64 " ack=%s\n", (record->ended - record->began) / 1000,
		record->ack_lost ? "lost" : "given");
}

void conn_record(void *context, const struct record *record)
{
	struct conn *conn = context;
	struct buffer *line = &conn->worker->line;

	count(&conn->worker->metrics, record);
	print_record(line, conn, record);
	worker_log_line(conn->worker);
}
