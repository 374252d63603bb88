/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl binding list: every binding in one line. */
#include "answer.h"
#include "reply.h"
#include "verbs.h"

#include <string.h>

static const struct column columns[] = {
	{ "NAME", ALIGN_LEFT }, { "MARK", ALIGN_RIGHT }, { "STATE", ALIGN_LEFT },
	{ "RULES", ALIGN_RIGHT }, { "ADDRESSES", ALIGN_LEFT },
};

/* One word or two for both families; `binding show` has the reasons. */
static void add_state(struct table *table, const json_t *binding)
{
	const json_t *usable = reply_member(binding, "usable"),
		     *addresses = reply_member(binding, "addresses");
	bool ipv4 = reply_true(reply_member(usable, "ipv4"), "usable");
	bool ipv6 = reply_true(reply_member(usable, "ipv6"), "usable");
	bool wants4 = false, wants6 = false;

	for (size_t i = 0; i < json_array_size(addresses); i++) {
		const char *text = json_string_value(json_array_get(addresses, i));

		if (text && strchr(text, ':'))
			wants6 = true;
		else
			wants4 = true;
	}
	if (reply_true(binding, "suspended"))
		table_add(table, "suspended", TINT_BAD);
	else if (!ipv4 && !ipv6)
		table_add(table, "unusable", TINT_BAD);
	else if (wants4 && !ipv4)
		table_add(table, "IPv4 unusable", TINT_BAD);
	else if (wants6 && !ipv6)
		table_add(table, "IPv6 unusable", TINT_BAD);
	else
		table_add(table, "usable", TINT_GOOD);
}

/* "a, b, c" of texts, or of the names of objects; malloc'd. */
static char *join(const json_t *texts)
{
	char *AUTO(mem_drop) out = NULL, *taken;
	size_t size = 0;
	FILE *file = open_memstream(&out, &size);

	if (!file)
		abort();
	for (size_t i = 0; i < json_array_size(texts); i++) {
		const json_t *one = json_array_get(texts, i);
		const char *text =
			json_string_value(json_is_object(one) ? json_object_get(one, "name") : one);

		(void)fprintf(file, "%s%s", i > 0 ? ", " : "", text ? text : "?");
	}
	if (fclose(file) != 0)
		abort();
	taken = out;
	out = NULL;
	return taken;
}

static void add_binding(struct table *table, const json_t *binding)
{
	const json_t *members = reply_member(reply_member(binding, "group"), "members");
	char *AUTO(mem_drop) addresses = join(members ? members
						      : reply_member(binding, "addresses"));

	table_add(table, reply_text(binding, "name"), TINT_PLAIN);
	if (reply_number(binding, "mark") == 0)	/* the implicit default binding */
		table_add(table, "-", TINT_DIM);
	else
		table_add_format(table, "0x%llx",
				 (unsigned long long)reply_number(binding, "mark"));
	add_state(table, binding);
	table_add_format(table, "%lld", reply_number(binding, "rules"));
	table_add_format(table, "%s%s", members ? "group of " : "", addresses);
}

static int binding_list_run(struct ctl *ctl, const struct arguments *args)
{
	static const struct list bindings = {
		.method = "ListBindings",
		.key = "bindings",
		.none = "no bindings",
		.columns = columns,
		.n_columns = ARRAY_LEN(columns),
		.row = add_binding,
	};

	(void)args;
	return answer_list(ctl, &bindings);
}

const struct verb binding_list_verb = {
	.name = "binding list",
	.synopsis = "",
	.summary = "all bindings, their state and addresses",
	.run = binding_list_run,
};
