/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_render(): the ruleset as nft text, for people and for `nft -f`. The elements are written
 * from the same rows that netlink.c sends, so that loading this text makes the same table; only
 * ownership, which nft 1.0.6 cannot write, is not in it.
 */
#include "kernel/kernel.h"

#include "base/mem.h"
#include "kernel/batch.h"
#include "kernel/epoch.h"
#include "kernel/table.h"
#include "kernel/template.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct rendering {
	FILE *out;
	const char *table;
	const char *(*cgroup_path)(void *context, uint64_t id);
	void *context;
};

enum { FIELD_TEXT = 4200 };			/* a cgroup path is the longest */

static size_t field_size(enum field_kind kind)
{
	switch (kind) {
	case FIELD_NONE: return 0;
	case FIELD_HOST16: return 2;
	case FIELD_HOST32: return 4;
	case FIELD_CGROUP: return 8;
	case FIELD_IPV4: return 4;
	case FIELD_IPV6: return 16;
	case FIELD_PROTOCOL: return 4;		/* padded: it is never alone */
	case FIELD_PORT: return 4;
	case FIELD_COUNT_OVER:
	case FIELD_QUOTA_OVER:
	case FIELD_RATE_OVER: break;		/* never in a key */
	case FIELD_INTERFACE: return 16;
	case FIELD_RANGE4: return 8;
	case FIELD_RANGE6: return 32;
	}
	return 0;
}

static uint32_t read32(const uint8_t *at, bool network_order)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return network_order ? ntohl(value) : value;
}

static const char *unit_name(uint32_t seconds)
{
	static const struct { uint32_t seconds; const char *name; } units[] = {
		{ 1, "second" }, { 60, "minute" }, { 3600, "hour" }, { 86400, "day" },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (units[i].seconds == seconds)
			return units[i].name;
	return "week";
}

/* "first-last", or as a prefix if it is one address: nft takes that for nothing else. */
static void print_range(const uint8_t *at, uint8_t len, char *out)
{
	struct ip first = { .len = len }, last = { .len = len };
	char text[IP_TEXT], end[IP_TEXT];

	memcpy(first.octet, at, len);
	memcpy(last.octet, at + len, len);
	if (ip_equal(&first, &last))
		snprintf(out, FIELD_TEXT, "%s/%u", ip_print(&first, text), len * 8u);
	else
		snprintf(out, FIELD_TEXT, "%s-%s", ip_print(&first, text), ip_print(&last, end));
}

/* One field of a key or a value; false for a cgroup that has no path now. */
static bool print_field(const struct rendering *r, enum field_kind kind, const uint8_t *at,
			bool network_order, char out[static FIELD_TEXT])
{
	struct ip ip = { .len = kind == FIELD_IPV6 ? 16 : 4 };
	uint16_t zone;
	const char *path;
	uint64_t id;

	switch (kind) {
	case FIELD_NONE:
		out[0] = '\0';
		return true;
	case FIELD_HOST16:
		memcpy(&zone, at, sizeof zone);
		snprintf(out, FIELD_TEXT, "%u", zone);
		return true;
	case FIELD_HOST32:
		snprintf(out, FIELD_TEXT, "%#x", read32(at, network_order));
		return true;
	case FIELD_CGROUP:
		memcpy(&id, at, sizeof id);
		if (network_order)
			id = be64toh(id);
		path = r->cgroup_path ? r->cgroup_path(r->context, id) : NULL;
		snprintf(out, FIELD_TEXT, "\"%s\"", path ? path + (path[0] == '/') : "?");
		return path != NULL;
	case FIELD_IPV4:
	case FIELD_IPV6:
		memcpy(ip.octet, at, ip.len);
		ip_print(&ip, out);
		return true;
	case FIELD_PROTOCOL:
		snprintf(out, FIELD_TEXT, "%u", at[0]);
		return true;
	case FIELD_PORT:
		snprintf(out, FIELD_TEXT, "%u", at[0] << 8 | at[1]);
		return true;
	case FIELD_COUNT_OVER:
		snprintf(out, FIELD_TEXT, "ct count over %u", read32(at, false));
		return true;
	case FIELD_QUOTA_OVER:
		snprintf(out, FIELD_TEXT,
			 "counter packets 0 bytes 0 limit rate over 1/%s burst %u packets",
			 unit_name(batch_quota_unit(read32(at, false))), read32(at, false));
		return true;
	case FIELD_RATE_OVER:
		snprintf(out, FIELD_TEXT, "limit rate over %u/%s burst %u packets",
			 read32(at, false), unit_name(read32(at + 4, false)),
			 read32(at + 8, false));
		return true;
	case FIELD_INTERFACE:
		snprintf(out, FIELD_TEXT, "\"%.16s\"", (const char *)at);
		return true;
	case FIELD_RANGE4:
	case FIELD_RANGE6:
		print_range(at, kind == FIELD_RANGE6 ? 16 : 4, out);
		return true;
	}
	return false;
}

/* The key of @row as "a . b-c . d"; false if it cannot be written. */
static bool print_key(const struct rendering *r, const struct set_shape *shape, const uint8_t *row,
		      FILE *out)
{
	char first[FIELD_TEXT], last[FIELD_TEXT];
	const uint8_t *end = row_end(shape, row);
	bool known = true;
	size_t at = 0;

	for (size_t i = 0; i < FIELDS_MAX && shape->key[i] != FIELD_NONE; i++) {
		known = print_field(r, shape->key[i], row + at, shape->interval, first) && known;
		fprintf(out, "%s%s", i ? " . " : "", first);
		if (end && print_field(r, shape->key[i], end + at, shape->interval, last) &&
		    strcmp(first, last) != 0)
			fprintf(out, "-%s", last);
		at += field_size(shape->key[i]);
	}
	return known;
}

/* @row as an element into @list; as a comment into the text if nft has no word for its cgroup. */
static void print_row(const struct rendering *r, const struct set_shape *shape, const uint8_t *row,
		      FILE *list, size_t *n)
{
	char *AUTO(mem_drop) key = NULL;
	char value[FIELD_TEXT];
	size_t len;
	FILE *out = open_memstream(&key, &len);
	bool known;

	if (!out)
		abort();
	known = print_key(r, shape, row, out);
	if (shape->value != FIELD_NONE) {
		print_field(r, shape->value, row_value(shape, row), false, value);
		fprintf(out, "%s %s", plan_is_statement(shape->value) ? "" : " :", value);
	}
	fclose(out);
	if (known)
		fprintf(list, "%s\n\t%s", (*n)++ ? "," : "", key);
	else
		fprintf(r->out, "# %s %s: its cgroup has no path now\n", shape->name, key);
}

static void print_set(const struct rendering *r, const struct set_shape *shape,
		      const struct rows *rows)
{
	char *AUTO(mem_drop) text = NULL;
	size_t len, n = 0;
	FILE *list = open_memstream(&text, &len);

	if (!list)
		abort();
	for (size_t i = 0; i < rows->n; i++)
		print_row(r, shape, rows->at + i * shape->row_len, list, &n);
	fclose(list);
	if (n)
		fprintf(r->out, "add element inet %s %s {%s\n}\n", r->table, shape->name, text);
}

static void count_objects(const char *text, struct table_size *ret)
{
	size_t chains = 0, rules = 0;
	bool in_chain = false;

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		line += strspn(line, "\t");
		if (strncmp(line, "chain ", 6) == 0) {
			chains++;
			in_chain = true;
		} else if (*line == '}') {
			in_chain = false;
		} else if (in_chain && *line != '#' && *line != '\n' && *line &&
			   strncmp(line, "type ", 5) != 0) {
			rules++;
		}
	}
	*ret = (struct table_size){ chains, rules };
}

int kernel_render(const struct kernel_options *options, const struct plan *plan,
		  const char *(*cgroup_path)(void *context, uint64_t id), void *context,
		  char **ret_text, struct kernel_error *reterr)
{
	struct rendering rendering = { .table = options->table, .cgroup_path = cgroup_path,
				       .context = context };
	char *AUTO(mem_drop) source = NULL, *AUTO(mem_drop) rules = NULL;
	char *AUTO(mem_drop) all = NULL;
	char template[DIGEST_TEXT], digest[DIGEST_TEXT], about[TABLE_COMMENT];
	struct epoch_row epoch[EPOCH_ROWS];
	struct table_size size;
	size_t len;
	int r;

	*reterr = (struct kernel_error){ 0 };
	r = template_load(options->template_path, &source);
	if (r == 0)
		r = template_expand(source, options->table, "", plan, &rules, reterr);
	if (r < 0)
		return r;
	template_digest(source, template);
	plan_digest(plan, digest);
	count_objects(rules, &size);
	table_print_about(about, template, digest, size, 1);
	epoch_rows(1, epoch);
	rendering.out = open_memstream(&all, &len);
	if (!rendering.out)
		abort();
	fputs(rules, rendering.out);
	fprintf(rendering.out, "add element inet %s about { 0x0 comment \"%s\" }\n",
		options->table, about);
	for (size_t set = 0; set < SETS; set++)
		print_set(&rendering, &plan_shapes[set], &plan->sets[set]);
	for (size_t i = 0; i < EPOCH_ROWS; i++)
		print_set(&rendering, epoch[i].shape, &(struct rows){ epoch[i].row, 1, 1 });
	fclose(rendering.out);
	*ret_text = all;
	all = NULL;
	return 0;
}
