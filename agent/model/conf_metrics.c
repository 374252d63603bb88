/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metrics stanza: one, in files only, as what it says decides the rules of the table and which
 * sockets there are. What a stanza leaves out is as if there were none.
 */
#include "model/conf_actions.h"

#include <string.h>

enum { BUSIEST_MAX = 1000 * 1000 };

static bool seen(struct conf *conf, enum metrics_setting which, const char *name, struct where key)
{
	return conf_given_twice(conf, name, key, &conf->metrics_seen[which]);
}

void conf_metrics_open(struct conf *conf, struct where key)
{
	struct metrics_settings *metrics = &conf->model->metrics;

	if (conf_may_set(conf, "metrics", "", key, &metrics->where))
		metrics->given = true;
}

void conf_metrics_close(struct conf *conf)
{
	memset(conf->metrics_seen, 0, sizeof conf->metrics_seen);
}

void conf_metrics_listen(struct conf *conf, const struct word *word, struct where key,
			 struct where where)
{
	if (!seen(conf, METRICS_LISTEN, "listen", key))
		(void)conf_form_endpoint(conf, ENDPOINT_TCP, word, where,
					 &conf->model->metrics.listen);
}

/* "on" or "off", into *@ret; false with the problem said, or what was said before stands. */
static bool read_switch(struct conf *conf, enum metrics_setting which, const char *name,
			const struct word *word, struct where key, struct where where, bool *ret)
{
	static const char *const switches[] = { "on", "off" };
	unsigned choice;

	if (seen(conf, which, name, key) ||
	    !conf_form_choice(conf, "'on' or 'off'", word, where, switches, ARRAY_LEN(switches),
			      &choice))
		return false;
	*ret = choice == 0;
	return true;
}

void conf_metrics_socket(struct conf *conf, const struct word *word, struct where key,
			 struct where where)
{
	bool on;

	if (read_switch(conf, METRICS_SOCKET, "socket", word, key, where, &on))
		conf->model->metrics.no_socket = !on;
}

void conf_metrics_traffic(struct conf *conf, const struct word *word, struct where key,
			  struct where where)
{
	(void)read_switch(conf, METRICS_TRAFFIC, "traffic", word, key, where,
			  &conf->model->metrics.traffic);
}

void conf_metrics_bindings(struct conf *conf, const struct word *word, struct where key,
			   struct where where)
{
	struct metrics_settings *metrics = &conf->model->metrics;

	if (seen(conf, METRICS_BINDINGS, "bindings", key))
		return;
	if (conf_word_is(word, "all"))
		metrics->bindings = METRICS_ALL;
	else if (conf_word_is(word, "none"))
		metrics->bindings = METRICS_NONE;
	else
		(void)conf_form_count(conf, "bindings", word, where, 1, BUSIEST_MAX,
				      &metrics->busiest);
}

void conf_print_metrics(const struct model *model, FILE *out)
{
	const struct metrics_settings *metrics = &model->metrics;
	char place[ENDPOINT_TEXT];

	if (!metrics->given)
		return;
	fputs("\nmetrics {\n", out);
	if (metrics->listen.port)
		fprintf(out, "    listen %s;\n",
			conf_relay_endpoint(&metrics->listen, place, sizeof place));
	if (metrics->no_socket)
		fputs("    socket off;\n", out);
	if (metrics->traffic)
		fputs("    traffic on;\n", out);
	if (metrics->bindings == METRICS_ALL)
		fputs("    bindings all;\n", out);
	else if (metrics->bindings == METRICS_NONE)
		fputs("    bindings none;\n", out);
	else if (metrics->busiest)
		fprintf(out, "    bindings %u;\n", metrics->busiest);
	fputs("}\n", out);
}
