/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See metrics.h: one list is fields, names and help at once. */
#include "relay/metrics.h"

#include <inttypes.h>

void metrics_add(struct metrics *sum, const struct metrics *metrics)
{
#define METRIC(field, name, label, help) sum->field += metrics->field;
	METRICS(METRIC)
#undef METRIC
	sum->upstreams += metrics->upstreams;
	sum->idle += metrics->idle;
}

static void print_counter(const char *name, const char *label, const char *help, uint64_t value,
			  FILE *out)
{
	if (help[0])				/* the first of its name */
		fprintf(out, "# HELP outbind_relay_%s %s\n# TYPE outbind_relay_%s counter\n", name,
			help, name);
	if (label[0])
		fprintf(out, "outbind_relay_%s{%s} %" PRIu64 "\n", name, label, value);
	else
		fprintf(out, "outbind_relay_%s %" PRIu64 "\n", name, value);
}

static void print_gauge(const char *name, const char *help, int64_t value, FILE *out)
{
	fprintf(out, "# HELP outbind_relay_%s %s\n# TYPE outbind_relay_%s gauge\n"
		"outbind_relay_%s %" PRId64 "\n", name, help, name, name, value);
}

void metrics_print(const struct metrics *metrics, unsigned sessions_now, FILE *out)
{
#define METRIC(field, name, label, help) print_counter(name, label, help, metrics->field, out);
	METRICS(METRIC)
#undef METRIC
	print_gauge("sessions", "Clients connected now.", sessions_now, out);
	print_gauge("upstreams", "Connections to destinations now.", metrics->upstreams, out);
	print_gauge("upstreams_idle", "Those of them that wait to be used again.", metrics->idle,
		    out);
}
