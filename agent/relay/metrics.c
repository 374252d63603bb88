/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See metrics.h: one list is fields, names and help at once. */
#include "relay/metrics.h"

#include "base/openmetrics.h"

void metrics_add(struct metrics *sum, const struct metrics *metrics)
{
#define METRIC(field, name, label, help) sum->field += metrics->field;
	METRICS(METRIC)
#undef METRIC
	sum->upstreams += metrics->upstreams;
	sum->idle += metrics->idle;
}

static void print_counter(struct openmetrics *text, const char *name, const char *labels,
			  const char *help, uint64_t value)
{
	if (help[0])				/* the first of its name */
		openmetrics_family(text, name, OPENMETRICS_COUNTER, help);
	openmetrics_sample(text);
	openmetrics_labels(text, labels);
	openmetrics_count(text, value);
}

static void print_gauge(struct openmetrics *text, const char *name, const char *help, int64_t value)
{
	openmetrics_one(text, name, OPENMETRICS_GAUGE, help, value > 0 ? (uint64_t)value : 0);
}

void metrics_print(const struct metrics *metrics, unsigned sessions_now, FILE *out)
{
	AUTO(openmetrics_drop) struct openmetrics text;

	openmetrics_open(&text, OPENMETRICS_PROMETHEUS, -1);
#define METRIC(field, name, label, help)                                                           \
	print_counter(&text, "outbind_relay_" name, label, help, metrics->field);
	METRICS(METRIC)
#undef METRIC
	print_gauge(&text, "outbind_relay_sessions", "Clients connected now.", sessions_now);
	print_gauge(&text, "outbind_relay_upstreams", "Connections to destinations now.",
		    metrics->upstreams);
	print_gauge(&text, "outbind_relay_upstreams_idle",
		    "Those of them that wait to be used again.", metrics->idle);
	(void)!openmetrics_end(&text);
	fwrite(text.at, 1, text.len, out);
}
