/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See references.h. */
#include "daemon/references.h"

#include "base/mem.h"
#include "daemon/listing.h"
#include "model/conf.h"

#include <string.h>

enum { PLACE_ROOM = 512 };

void references_drop(struct references *references)
{
	for (size_t i = 0; i < references->n; i++) {
		free(references->at[i].name);
		free(references->at[i].place);
	}
	free(references->at);
	*references = (struct references){ 0 };
}

struct finding {
	const struct model *model;
	uint32_t binding;
	size_t max;
	struct references *out;
};

/* Takes @name over. */
static void found(struct finding *finding, const char *what, char *name, struct where where)
{
	char place[PLACE_ROOM];

	finding->out->n_all++;
	if (finding->out->n >= finding->max) {
		free(name);
		return;
	}
	model_place(finding->model, where, place, sizeof place);
	PUSH(finding->out, ((struct reference){ what, name, mem_copy(place) }));
}

static char *rule_name(const struct model *model, const struct rule *rule)
{
	AUTO(rule_words_drop) struct rule_words words = listing_words(model, rule);
	char *name = NULL;

	if (asprintf(&name, "%s%s%s", words.client, *words.to ? " " : "", words.to) < 0)
		abort();
	return name;
}

static void find_in_rules(struct finding *finding)
{
	const struct model *model = finding->model;

	for (size_t i = 0; i < model->rules.n; i++) {
		const struct rule *rule = &model->rules.at[i];

		if (rule->action == ACTION_USE && rule->binding == finding->binding)
			found(finding, "rule",
			      finding->out->n < finding->max ? rule_name(model, rule) : NULL,
			      rule->where);
	}
}

static void find_in_binding(struct finding *finding, const struct binding *from)
{
	const struct binding_group *group = from->group;
	uint32_t binding = finding->binding;
	size_t len = strlen(from->name);

	for (uint32_t i = 0; group && i < group->n_members; i++)
		if (group->members[i].binding == binding)
			found(finding, "group", mem_text(from->name, len), group->members[i].where);
	if (from->unusable == UNUSABLE_USE && from->unusable_use == binding)
		found(finding, "unusable", mem_text(from->name, len), from->where_unusable);
	if (from->overflow == binding)
		found(finding, "overflow", mem_text(from->name, len), from->where_overflow);
	if (from->warmup && from->warmup->overflow == binding)
		found(finding, "warmup", mem_text(from->name, len), from->warmup->where_overflow);
}

static char *relay_rule_name(const struct relay_rule *rule)
{
	char *name = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&name, &len);

	if (!out)
		abort();
	conf_print_relay_key(rule, out);
	if (fclose(out) != 0)
		abort();
	return name;
}

static void find_in_relay(struct finding *finding)
{
	const struct relay *relay = &finding->model->relay;
	const char *binding = finding->model->bindings.at[finding->binding].name;

	for (size_t i = 0; i < relay->rules.n; i++) {
		const struct relay_rule *rule = &relay->rules.at[i];

		if (rule->binding && strcmp(rule->binding, binding) == 0)
			found(finding, "relay",
			      finding->out->n < finding->max ? relay_rule_name(rule) : NULL,
			      rule->where);
	}
	for (size_t i = 0; i < relay->hops.n; i++)
		if (strcmp(relay->hops.at[i].binding, binding) == 0)
			found(finding, "relay", mem_copy("smarthost"),
			      relay->hops.at[i].where);
}

void references_find_relay(const struct model *model, uint32_t binding, size_t max,
			   struct references *ret)
{
	struct finding finding = { model, binding, max, ret };

	*ret = (struct references){ 0 };
	find_in_relay(&finding);
}

void references_find(const struct model *model, uint32_t binding, size_t max,
		     struct references *ret)
{
	struct finding finding = { model, binding, max, ret };
	const char *name = model->bindings.at[binding].name;

	*ret = (struct references){ 0 };
	find_in_rules(&finding);
	for (uint32_t i = 0; i < model->bindings.n; i++)
		if (i != binding && model->bindings.at[i].name)
			find_in_binding(&finding, &model->bindings.at[i]);
	find_in_relay(&finding);
	if (model->default_binding == DEFAULT_NORMAL && strcmp(name, DEFAULT_BINDING) == 0)
		found(&finding, "default-binding", mem_copy("normal"),
		      model->where_default);
}

static void move_rules(const struct model *model, uint32_t binding, uint32_t other, FILE *out)
{
	bool any = false;

	for (size_t i = 0; i < model->rules.n; i++) {
		struct rule rule = model->rules.at[i];

		if (rule.action != ACTION_USE || rule.binding != binding)
			continue;
		fputs(any ? "    " : "policy {\n    ", out);
		any = true;
		rule.binding = other;
		conf_print_rule(model, &rule, out);
		fputc('\n', out);
	}
	if (any)
		fputs("}\n", out);
}

/* @group with the weight of @binding given to @other, if that can be; members are malloc'd. */
static struct binding_group move_member(const struct model *model, uint32_t at, uint32_t binding,
					uint32_t other)
{
	const struct binding_group *from = model->bindings.at[at].group;
	bool stays = other != at && !model->bindings.at[other].group;
	struct member *members = mem_zero(from->n_members, sizeof *members);
	struct binding_group to = { .members = members, .pick = from->pick };
	uint32_t weight = 0;

	for (uint32_t i = 0; i < from->n_members; i++)
		if (from->members[i].binding == binding ||
		    (stays && from->members[i].binding == other))
			weight += from->members[i].weight;
	for (uint32_t i = 0; i < from->n_members; i++) {
		struct member member = from->members[i];
		bool merged = member.binding == binding || (stays && member.binding == other);

		if (merged && (!stays || weight == 0))
			continue;
		if (merged) {
			member.binding = other;
			member.weight = weight < MEMBER_WEIGHT_MAX ? weight : MEMBER_WEIGHT_MAX;
			weight = 0;
		}
		members[to.n_members++] = member;
	}
	return to;
}

static bool has_member(const struct binding_group *group, uint32_t binding)
{
	for (uint32_t i = 0; group && i < group->n_members; i++)
		if (group->members[i].binding == binding)
			return true;
	return false;
}

/* The binding at @at says @other wherever it says @binding: printed if that changes it. */
static void move_binding(struct model *model, uint32_t at, uint32_t binding, uint32_t other,
			 FILE *out)
{
	struct binding saved = model->bindings.at[at], *now = &model->bindings.at[at];
	struct binding_group group = { 0 };
	struct warmup warmup;
	bool member = has_member(saved.group, binding);
	bool stands_in = saved.unusable == UNUSABLE_USE && saved.unusable_use == binding;
	bool overflows = saved.overflow == binding;
	bool warms = saved.warmup && saved.warmup->overflow == binding;

	if (!member && !stands_in && !overflows && !warms)
		return;
	if (member) {
		group = move_member(model, at, binding, other);
		now->group = &group;
	}
	if (stands_in) {
		now->unusable = other == at ? UNUSABLE_REJECT : UNUSABLE_USE;
		now->unusable_use = other == at ? NO_INDEX : other;
	}
	if (overflows)
		now->overflow = other == at ? NO_INDEX : other;
	if (warms) {
		warmup = *saved.warmup;
		warmup.overflow = other == at ? NO_INDEX : other;
		now->warmup = &warmup;
	}
	conf_print_binding(model, at, out);
	*now = saved;				/* only printing needed it so */
	free((void *)(uintptr_t)group.members);
}

void references_move(struct model *model, uint32_t binding, uint32_t other, FILE *out)
{
	move_rules(model, binding, other, out);
	for (uint32_t i = 0; i < model->bindings.n; i++)
		if (i != binding && model->bindings.at[i].name)
			move_binding(model, i, binding, other, out);
}
