/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See raw_record.h. */
#include "relay/raw_record.h"

#include "relay/report.h"
#include "relay/route.h"

#include <inttypes.h>

void raw_record_upstream(struct raw_record *record, const struct upstream *upstream)
{
	char ip[IP_TEXT];

	report_field(&record->left_from, "member", upstream->binding);
	report_field(&record->left_from, "source", upstream->source);
	buffer_print(&record->left_from, " to=[%s]:%u", ip_print(&upstream->peer, ip),
		     upstream->port);
}

void raw_record_end(struct worker *worker, struct raw_record *record, const char *refusal)
{
	struct buffer *line = &worker->line;
	char ip[IP_TEXT] = "local";

	if (record->client.len > 0)
		ip_print(&record->client, ip);
	report_time(line);
	buffer_print(line, "relay.connection outcome=%s client=%s",
		     refusal ? "refused" : "ended", ip);
	report_field(line, "listener", record->front->conf->name);
	if (record->route) {
		report_field(line, "binding", record->route->binding);
		report_field(line, "rule", record->route->place[0] ? record->route->place : NULL);
		report_field(line, "host", record->route->host);
	}
	buffer_put(line, buffer_bytes(&record->left_from), buffer_len(&record->left_from));
	if (refusal)
		report_field(line, "reason", refusal);
	else
		buffer_print(line, " up=%" PRIu64 " down=%" PRIu64, record->up, record->down);
	buffer_print(line, " ms=%" PRIu64 "\n", (worker_now(worker) - record->began) / 1000);
	worker_log_line(worker);
	buffer_drop(&record->left_from);
}
