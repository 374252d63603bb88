/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model as canonical text. One meaning has one text: what the reader put into one form (see
 * destination.c) is printed as it is, order that means nothing is replaced by sorting, and words
 * are quoted only where the scanner would not take them bare. So two configurations can be compared
 * with diff(1), and reading what was printed gives it again.
 */
#include "model/conf.h"

#include "base/mem.h"
#include "model/conf_build.h"

#include <string.h>

void conf_print_word(const char *word, FILE *out)
{
	bool bare = *word != '\0';

	for (const char *c = word; *c && bare; c++)
		bare = (unsigned char)*c > ' ' && *c != 0x7f && !strchr("{};,\"#", *c);
	if (bare) {
		fputs(word, out);
		return;
	}
	fputc('"', out);
	for (const char *c = word; *c; c++) {
		if (*c == '"' || *c == '\\')
			fputc('\\', out);
		fputc(*c, out);
	}
	fputc('"', out);
}

void conf_print_ids(const struct id_range *ids, const char *text, FILE *out)
{
	if (text)
		conf_print_word(text, out);
	else if (ids->first == ids->last)
		fprintf(out, "%u", ids->first);
	else
		fprintf(out, "%u-%u", ids->first, ids->last);
}

/* @by_number: users and groups, also where the text has names. */
static void print_client(const struct model *model, const struct client *client, bool by_number,
			 FILE *out)
{
	const char *name = by_number ? NULL : client->text;
	char text[PREFIX_TEXT];

	switch (client->kind) {
	case CLIENT_CGROUP:
		fputs(model->cgroups.at[client->cgroup].is_unit ? "unit " : "cgroup ", out);
		conf_print_word(model->cgroups.at[client->cgroup].name, out);
		break;
	case CLIENT_USER:
		fputs("user ", out);
		conf_print_ids(&client->ids, name, out);
		break;
	case CLIENT_GROUP:
		fputs("group ", out);
		conf_print_ids(&client->ids, name, out);
		break;
	case CLIENT_SOURCE:
		fprintf(out, "source %s", prefix_print(&client->source, text));
		break;
	case CLIENT_OTHERWISE:
		fputs("otherwise", out);
		break;
	}
}

static void print_protocols(const struct destination *to, FILE *out)
{
	/* `icmp` is both protocols of that name; one alone goes by its number or as icmpv6 */
	bool both = to->n_protocols && memchr(to->protocols, PROTOCOL_ICMP, to->n_protocols) &&
		    memchr(to->protocols, PROTOCOL_ICMPV6, to->n_protocols);
	const char *before = " protocol ";

	for (uint32_t i = 0; i < to->n_protocols; i++) {
		uint8_t protocol = to->protocols[i];

		if (both && protocol == PROTOCOL_ICMPV6)
			continue;
		fputs(before, out);
		before = ",";
		if (conf_protocol_names[protocol] && (both || protocol != PROTOCOL_ICMP))
			fputs(conf_protocol_names[protocol], out);
		else
			fprintf(out, "%u", protocol);
	}
}

static void print_destination(const struct destination *to, FILE *out)
{
	char text[PREFIX_TEXT];

	for (uint32_t i = 0; i < to->n_prefixes; i++)
		fprintf(out, "%s%s", i ? "," : " to ", prefix_print(&to->prefixes[i], text));
	for (uint32_t i = 0; i < to->n_ports; i++) {
		fprintf(out, "%s%u", i ? "," : " port ", to->ports[i].first);
		if (to->ports[i].last != to->ports[i].first)
			fprintf(out, "-%u", to->ports[i].last);
	}
	print_protocols(to, out);
}

void conf_print_key(const struct model *model, const struct rule *rule, FILE *out)
{
	print_client(model, &rule->client, true, out);
	if (rule->to)
		print_destination(rule->to, out);
}

void conf_print_rule(const struct model *model, const struct rule *rule, FILE *out)
{
	print_client(model, &rule->client, false, out);
	if (rule->to)
		print_destination(rule->to, out);
	switch (rule->action) {
	case ACTION_USE:
		fputs(" use ", out);
		conf_print_word(model->bindings.at[rule->binding].name, out);
		break;
	case ACTION_PASS:
		fputs(" pass", out);
		break;
	case ACTION_REJECT:
		fputs(" reject", out);
		break;
	}
	fputc(';', out);
}

static int compare_prefixes(const struct prefix *a, const struct prefix *b)
{
	int order = ip_compare(&a->ip, &b->ip);

	return order ? order : (int)a->bits - (int)b->bits;
}

static int compare_bypasses(const void *left, const void *right)
{
	const struct bypass *a = left, *b = right;

	return compare_prefixes(&a->prefix, &b->prefix);
}

static void print_bypass(const struct model *model, FILE *out)
{
	size_t n = model->bypasses.n, size = n * sizeof *model->bypasses.at;
	struct bypass *AUTO(mem_drop) sorted = mem_zero(n, sizeof *sorted);
	char text[PREFIX_TEXT];

	if (n == 0 && !model->bypass_connected && !model->bypass_private)
		return;
	if (n) {
		memcpy(sorted, model->bypasses.at, size);
		qsort(sorted, n, sizeof *sorted, compare_bypasses);
	}
	fprintf(out, "\nbypass {\n%s%s", model->bypass_connected ? "    connected;\n" : "",
		model->bypass_private ? "    private;\n" : "");
	for (size_t i = 0; i < n; i++)
		if (i == 0 || compare_bypasses(&sorted[i - 1], &sorted[i]) != 0)
			fprintf(out, "    %s;\n", prefix_print(&sorted[i].prefix, text));
	fputs("}\n", out);
}

static int compare_clients(const struct model *model, const struct client *a,
			   const struct client *b)
{
	const struct cgroup_client *x, *y;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	switch (a->kind) {
	case CLIENT_CGROUP:
		x = &model->cgroups.at[a->cgroup];
		y = &model->cgroups.at[b->cgroup];
		return x->is_unit != y->is_unit ? y->is_unit - x->is_unit
						: strcmp(x->name, y->name);
	case CLIENT_USER:
	case CLIENT_GROUP:
		if (a->ids.first != b->ids.first)
			return a->ids.first < b->ids.first ? -1 : 1;
		return a->ids.last < b->ids.last ? -1 : a->ids.last > b->ids.last;
	case CLIENT_SOURCE:
		return compare_prefixes(&a->source, &b->source);
	case CLIENT_OTHERWISE:
		break;
	}
	return 0;
}

static int compare_rules(const void *left, const void *right, void *context)
{
	const struct model *model = context;
	const struct rule *a = &model->rules.at[*(const uint32_t *)left];
	const struct rule *b = &model->rules.at[*(const uint32_t *)right];
	int order = compare_clients(model, &a->client, &b->client);

	return order ? order : destination_compare(a->to, b->to);
}

static void print_default(const struct model *model, FILE *out)
{
	switch (model->default_binding) {
	case DEFAULT_UNSAID:
		break;
	case DEFAULT_NORMAL:
		fputs("\ndefault-binding normal;\n", out);
		break;
	case DEFAULT_SUSPENDED:
		fputs("\ndefault-binding suspended;\n", out);
		break;
	case DEFAULT_REJECT:
		fputs("\ndefault-binding reject;\n", out);
		break;
	}
}

static void print_policy(const struct model *model, FILE *out)
{
	uint32_t *AUTO(mem_drop) order = mem_zero(model->rules.n, sizeof *order);
	struct model view = *model; /* for qsort_r, which knows no const */

	if (model->rules.n == 0)
		return;
	for (uint32_t i = 0; i < model->rules.n; i++)
		order[i] = i;
	qsort_r(order, model->rules.n, sizeof *order, compare_rules, &view);
	fputs("\npolicy {\n", out);
	for (size_t i = 0; i < model->rules.n; i++) {
		fputs("    ", out);
		conf_print_rule(model, &model->rules.at[order[i]], out);
		fputc('\n', out);
	}
	fputs("}\n", out);
}

static void print_watching(const struct model *model, FILE *out)
{
	if (model->flow_log) {
		fputs("flow-log ", out);
		conf_print_word(model->flow_log, out);
		fputs(";\n", out);
	}
	if (model->port_warning == 0)
		fputs("port-warning off;\n", out);
	else if (model->port_warning != DEFAULT_PORT_WARNING)
		fprintf(out, "port-warning %u%%;\n", model->port_warning);
}

void conf_print(const struct model *model, FILE *out)
{
	fprintf(out, "mark-mask 0x%x;\n", model->mask.host);
	print_watching(model, out);
	print_bypass(model, out);
	print_default(model, out);
	for (uint32_t i = 0; i < model->uplinks.n; i++) {
		fputc('\n', out);
		conf_print_uplink(model, i, out);
	}
	for (uint32_t i = 0; i < model->bindings.n; i++) {
		if (!model->bindings.at[i].name || model->bindings.at[i].implied)
			continue;
		fputc('\n', out);
		conf_print_binding(model, i, out);
	}
	print_policy(model, out);
	conf_print_metrics(model, out);
	conf_print_relay(model, out);
	if (model->dns.given)
		fputc('\n', out);
	conf_print_dns(model, out);
}
