/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bindings, groups and uplinks as canonical text, one setting a line, in one order; a value that is
 * the default is left out.
 */
#include "model/conf.h"

#include "model/conf_build.h"

#include <string.h>

static void print_allow(const struct allow *allow, FILE *out)
{
	switch (allow->kind) {
	case PEER_USER:
		fputs("    allow user ", out);
		conf_print_ids(&allow->ids, allow->text, out);
		break;
	case PEER_GROUP:
		fputs("    allow group ", out);
		conf_print_ids(&allow->ids, allow->text, out);
		break;
	case PEER_CGROUP:
		fputs("    allow cgroup ", out);
		conf_print_word(allow->path, out);
		break;
	}
	fputs(";\n", out);
}

static void print_setting(const char *key, const char *value, FILE *out)
{
	if (!value)
		return;
	fprintf(out, "    %s ", key);
	conf_print_word(value, out);
	fputs(";\n", out);
}

static void print_unusable(const struct model *model, const struct binding *binding, FILE *out)
{
	const char *other;

	if (binding->unusable != UNUSABLE_USE)
		return;
	other = model->bindings.at[binding->unusable_use].name;
	if (strcmp(other, DEFAULT_BINDING) == 0)
		fputs("    unusable default;\n", out);
	else
		print_setting("unusable use", other, out);
}

static void print_addresses(const struct model *model, const struct binding *binding, FILE *out)
{
	char text[PREFIX_TEXT];

	for (uint32_t i = 0; i < binding->n_addresses; i++) {
		const struct address *address = &model->addresses.at[binding->first_address + i];

		fprintf(out, "%s%s%s%s", i ? ", " : "    address ",
			prefix_print(&(struct prefix){ address->ip, address->bits }, text),
			address->routed ? " routed" : "",
			i + 1 == binding->n_addresses ? ";\n" : "");
	}
}

static void print_rate(const struct rate *rate, const char *per, FILE *out)
{
	if (!rate->n)
		return;
	fprintf(out, "    limit new %u/%s", rate->n, conf_period_name(rate->per));
	if (rate->burst != rate->n)
		fprintf(out, " burst %u", rate->burst);
	fprintf(out, "%s;\n", per);
}

static void print_limits(const struct limits *limits, FILE *out)
{
	if (!limits)
		return;
	if (limits->connections)
		fprintf(out, "    limit connections %u;\n", limits->connections);
	if (limits->connections_to)
		fprintf(out, "    limit connections %u per destination;\n", limits->connections_to);
	print_rate(&limits->new, "", out);
	print_rate(&limits->new_to, " per destination", out);
}

static void print_name(const struct model *model, const char *key, uint32_t binding, FILE *out)
{
	if (binding != NO_INDEX)
		print_setting(key, model->bindings.at[binding].name, out);
}

static void print_warmup(const struct model *model, const struct warmup *warmup, FILE *out)
{
	if (!warmup)
		return;
	fputs("    warmup {\n", out);
	for (uint32_t i = 0; i < warmup->n_days; i++)
		fprintf(out, "        day %u %u;\n", i + 1, warmup->days[i]);
	if (warmup->overflow != NO_INDEX)
		print_name(model, "    overflow", warmup->overflow, out);
	fputs("    }\n", out);
}

static void print_probe(const struct probe *probe, FILE *out)
{
	char text[IP_PORT_TEXT];

	if (!probe)
		return;
	switch (probe->kind) {
	case PROBE_TCP:
		fprintf(out, "    probe tcp %s", ip_print_port(&probe->to, probe->port, text));
		break;
	case PROBE_ICMP:
		fprintf(out, "    probe icmp %s", ip_print(&probe->to, text));
		break;
	}
	if (probe->every_ms % 1000)
		fprintf(out, " every %ums", probe->every_ms);
	else
		fprintf(out, " every %us", probe->every_ms / 1000);
	if (probe->down != PROBE_DOWN)
		fprintf(out, " down %u", probe->down);
	if (probe->up != PROBE_UP)
		fprintf(out, " up %u", probe->up);
	fputs(";\n", out);
}

const char *conf_pick_name(enum pick pick)
{
	static const char *const names[] = { [PICK_TO] = "sticky-destination",
					     [PICK_CLIENT] = "sticky-client",
					     [PICK_TURN] = "round-robin",
					     [PICK_RANDOM] = "random" };

	return names[pick];
}

static void print_group(const struct model *model, const struct binding_group *group, FILE *out)
{
	for (uint32_t i = 0; i < group->n_members; i++) {
		fputs("    member ", out);
		conf_print_word(model->bindings.at[group->members[i].binding].name, out);
		if (group->members[i].weight != 1)
			fprintf(out, " weight %u", group->members[i].weight);
		fputs(";\n", out);
	}
	if (group->pick != PICK_TO)
		fprintf(out, "    pick %s;\n", conf_pick_name(group->pick));
}

void conf_print_binding(const struct model *model, uint32_t index, FILE *out)
{
	const struct binding *binding = &model->bindings.at[index];

	fputs(binding->group ? "group " : "binding ", out);
	conf_print_word(binding->name, out);
	fputs(" {\n", out);
	if (binding->group)
		print_group(model, binding->group, out);
	print_addresses(model, binding, out);
	print_setting("ehlo", binding->ehlo, out);
	if (binding->ehlo6) {
		fputs("    ehlo ", out);
		conf_print_word(binding->ehlo6, out);
		fputs(" for ipv6;\n", out);
	}
	print_setting("interface", binding->interface, out);
	if (binding->uplink != NO_INDEX)
		print_setting("uplink", model->uplinks.at[binding->uplink].name, out);
	print_unusable(model, binding, out);
	print_limits(binding->limits, out);
	print_name(model, "overflow", binding->overflow, out);
	print_warmup(model, binding->warmup, out);
	print_probe(binding->probe, out);
	conf_sender_print(binding->sender, out);
	for (uint32_t i = 0; i < binding->n_allows; i++)
		print_allow(&binding->allows[i], out);
	fputs("}\n", out);
}

void conf_print_uplink(const struct model *model, uint32_t index, FILE *out)
{
	const struct uplink *uplink = &model->uplinks.at[index];
	const char *before = "    gateway ";
	char text[IP_TEXT];

	fputs("uplink ", out);
	conf_print_word(uplink->name, out);
	fputs(" {\n", out);
	print_setting("interface", uplink->interface, out);
	for (int family = 0; family < FAMILIES; family++) {
		if (!uplink->gateways[family].len)
			continue;
		fprintf(out, "%s%s", before, ip_print(&uplink->gateways[family], text));
		before = ", ";
	}
	if (*before == ',')
		fputs(";\n", out);
	if (uplink->table)
		fprintf(out, "    table %u;\n", uplink->table);
	print_probe(uplink->probe, out);
	fputs("}\n", out);
}
