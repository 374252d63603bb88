/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See listing.h. Pure: model in, order and words out. */
#include "daemon/listing.h"

#include "base/mem.h"
#include "model/conf.h"

#include <stdio.h>
#include <string.h>

const char *listing_name(const struct model *model, uint32_t binding)
{
	return binding == NO_INDEX ? DEFAULT_BINDING : model->bindings.at[binding].name;
}

static int by_name(const void *left, const void *right, void *model)
{
	return strcmp(listing_name(model, *(const uint32_t *)left),
		      listing_name(model, *(const uint32_t *)right));
}

/* Wider clients weigh more: they are looked at later. */
static uint64_t client_weight(const struct model *model, const struct client *client)
{
	uint64_t weight = 0;
	const char *name;

	switch (client->kind) {
	case CLIENT_CGROUP:		/* deepest first; a unit's depth is not in the text */
		name = model->cgroups.at[client->cgroup].name;
		for (weight = 255; *name; name++)
			weight -= *name == '/' && weight > 0;
		if (model->cgroups.at[client->cgroup].is_unit)
			weight = 0;
		break;
	case CLIENT_USER:
	case CLIENT_GROUP:
		weight = (uint64_t)client->ids.last - client->ids.first;
		break;
	case CLIENT_SOURCE:
		weight = (uint64_t)(128 - client->source.bits);
		break;
	case CLIENT_OTHERWISE:
		break;
	}
	return (uint64_t)client->kind << 40 | weight;
}

static int by_weight(const void *left, const void *right, void *context)
{
	const struct model *model = context;
	uint32_t l = *(const uint32_t *)left, r = *(const uint32_t *)right;
	const struct rule *a = &model->rules.at[l], *b = &model->rules.at[r];
	uint64_t x = client_weight(model, &a->client), y = client_weight(model, &b->client);

	if (x != y)
		return x < y ? -1 : 1;
	if (!a->to != !b->to)
		return a->to ? -1 : 1;
	return l < r ? -1 : l > r;
}

struct listing *listing_new(const struct model *model)
{
	struct listing *listing = mem_zero(1, sizeof *listing);
	bool implicit = model_find(model, DEFAULT_BINDING) == NO_INDEX;
	size_t n = 0;

	listing->n_bindings = model->bindings.n + implicit;
	listing->by_name = mem_zero(listing->n_bindings, sizeof *listing->by_name);
	listing->by_weight = mem_zero(model->rules.n, sizeof *listing->by_weight);
	listing->rule_counts = mem_zero(model->bindings.n, sizeof *listing->rule_counts);
	for (uint32_t i = 0; i < listing->n_bindings; i++)
		if (i >= model->bindings.n || model->bindings.at[i].name)
			listing->by_name[n++] = i < model->bindings.n ? i : NO_INDEX;
	listing->n_bindings = n;
	for (uint32_t i = 0; i < model->rules.n; i++) {
		const struct rule *rule = &model->rules.at[i];

		listing->by_weight[i] = i;
		if (rule->action == ACTION_USE && rule->binding < model->bindings.n)
			listing->rule_counts[rule->binding]++;
	}
	qsort_r(listing->by_name, listing->n_bindings, sizeof *listing->by_name, by_name,
		(void *)(uintptr_t)model);
	qsort_r(listing->by_weight, model->rules.n, sizeof *listing->by_weight, by_weight,
		(void *)(uintptr_t)model);
	return listing;
}

void listing_free(struct listing *listing)
{
	if (!listing)
		return;
	free(listing->by_name);
	free(listing->by_weight);
	free(listing->rule_counts);
	free(listing);
}

size_t listing_after(const struct listing *listing, const struct model *model, const char *name)
{
	size_t first = 0, last = listing->n_bindings;

	while (name && first < last) {
		size_t middle = first + (last - first) / 2;

		if (strcmp(listing_name(model, listing->by_name[middle]), name) <= 0)
			first = middle + 1;
		else
			last = middle;
	}
	return first;
}

/* Edits between two names (Levenshtein), or @limit + 1 when it is more. */
static unsigned distance(const char *a, const char *b, unsigned limit)
{
	unsigned row[NAME_MAX_BYTES + 1], n = (unsigned)strlen(b), m = (unsigned)strlen(a);

	if (n > NAME_MAX_BYTES || m > n + limit || n > m + limit)
		return limit + 1;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; i <= m; i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			unsigned swap = corner + (a[i - 1] != b[j - 1]);
			unsigned drop = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			corner = row[j];
			row[j] = swap < drop ? swap : drop;
		}
	}
	return row[n];
}

const char *listing_nearest(const struct model *model, const char *name)
{
	unsigned best = strlen(name) < 4 ? 1 : 2;
	const char *nearest = NULL;

	for (size_t i = 0; i < model->bindings.n; i++) {
		const char *other = model->bindings.at[i].name;
		unsigned d = other ? distance(name, other, best) : best + 1;

		if (d <= best && (!nearest || d < best)) {
			nearest = model->bindings.at[i].name;
			best = d;
		}
	}
	return nearest;
}

static char *print_rule(const struct model *model, struct rule rule)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	conf_print_rule(model, &rule, out);
	if (fclose(out) != 0)
		abort();
	return text;
}

/* A rule prints as "CLIENT [DESTINATION] ACTION;": printed without one part, the rest shows where
 * that part is, so these words cannot drift from the configuration's. */
struct rule_words listing_words(const struct model *model, const struct rule *rule)
{
	static const char pass[] = " pass;", otherwise[] = "otherwise ";
	AUTO(mem_drop) char *whole = print_rule(model, *rule);
	AUTO(mem_drop) char *head = print_rule(model, (struct rule){ .client = rule->client,
								   .action = ACTION_PASS });
	AUTO(mem_drop) char *tail = print_rule(model, (struct rule){
		.client = { .kind = CLIENT_OTHERWISE }, .action = rule->action,
		.binding = rule->binding });
	size_t client = strlen(head) - strlen(pass);
	const char *action = tail + strlen(otherwise);
	size_t action_len = strlen(action) - 1;
	size_t middle = strlen(whole) - client - action_len - 2; /* a blank and the semicolon */

	return (struct rule_words){
		.client = mem_text(whole, client),
		.to = mem_text(whole + client + (middle > 0), middle > 0 ? middle - 1 : 0),
		.action = mem_text(action, action_len),
	};
}

void rule_words_drop(struct rule_words *words)
{
	free(words->client);
	free(words->to);
	free(words->action);
	*words = (struct rule_words){ 0 };
}
