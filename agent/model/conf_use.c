/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names that a statement uses are kept until everything is read, since what they stand for may be
 * defined later. Rules, bindings, members and warm-ups get the index then.
 */
#include "model/conf_build.h"

#include "base/mem.h"

#include <string.h>

struct conf_use *conf_use_name(struct conf *conf, enum use_kind kind, const struct word *word,
			       struct where where, uint32_t owner)
{
	struct conf_use use = { .kind = kind, .where = where, .owner = owner };

	if (kind != USE_RULE && conf->open.hidden)
		return &conf->no_use;
	use.name = arena_text(&conf->scratch, word->at, word->len);
	PUSH(&conf->uses, use);
	return &conf->uses.at[conf->uses.n - 1];
}

void conf_use_unknown(struct conf *conf, enum use_kind kind, const char *name, struct where where)
{
	bool is_uplink = kind == USE_UPLINK;
	const char *what = is_uplink ? "uplink" : "binding", *near;

	if (!is_uplink && strcmp(name, DEFAULT_BINDING) == 0) {
		diag_error(conf->diag, where,
			   "binding 'default' is not configured: expected "
			   "'binding default { address ...; }'");
		return;
	}
	near = is_uplink ? conf_near_uplink(conf, name) : conf_near_binding(conf, name);
	if (near)
		diag_error(conf->diag, where, "unknown %s %s: did you mean %s?", what,
			   SHOW_TEXT(name), SHOW_TEXT(near));
	else
		diag_error(conf->diag, where, "unknown %s %s: expected one that is defined", what,
			   SHOW_TEXT(name));
}

void conf_use_missing(struct conf *conf, enum use_kind kind, const char *name, struct where where)
{
	bool is_uplink = kind == USE_UPLINK;
	char tag = is_uplink ? CONF_TAG_UPLINK : CONF_TAG_NAME;
	const struct conf_said *removal = conf_layer_removal(conf, tag, name);

	if (removal)
		diag_error(conf->diag, where,
			   "%s %s is used here, but removed at %s: expected "
			   "something else to be used first",
			   is_uplink ? "uplink" : "binding", SHOW_TEXT(name),
			   PLACE(conf, removal->where));
	else
		conf_use_unknown(conf, kind, name, where);
}

/* A group where a binding must be. */
static bool is_misplaced(struct conf *conf, const struct conf_use *use, uint32_t found)
{
	if (!conf->model->bindings.at[found].group ||
	    (use->kind != USE_UNUSABLE && use->kind != USE_MEMBER))
		return false;
	diag_error(conf->diag, use->where, "%s is a group: expected a binding%s",
		   SHOW_TEXT(use->name),
		   use->kind == USE_MEMBER ? ", since a group cannot be a member of a group"
					   : " to stand in for this one");
	return true;
}

static void assign(struct model *model, const struct conf_use *use, uint32_t found)
{
	bool owned = use->owner < model->bindings.n;

	switch (use->kind) {
	case USE_RULE:
		if (use->owner < model->rules.n)
			model->rules.at[use->owner].binding = found;
		break;
	case USE_UNUSABLE:
		if (owned)
			model->bindings.at[use->owner].unusable_use = found;
		break;
	case USE_OVERFLOW:
		if (owned)
			model->bindings.at[use->owner].overflow = found;
		break;
	case USE_UPLINK:
		if (owned)
			model->bindings.at[use->owner].uplink = found;
		break;
	case USE_WARMUP:
	case USE_MEMBER:
		if (use->slot)
			*use->slot = found;
		break;
	}
}

/* What says nothing that could be printed or compared. */
static void leave(struct model *model, const struct conf_use *use)
{
	if (use->kind == USE_RULE && use->owner < model->rules.n)
		model->rules.at[use->owner].binding = NO_INDEX;
	else if (use->kind != USE_RULE && use->owner < model->bindings.n)
		model->bindings.at[use->owner].dangling = true;
}

void conf_use_resolve(struct conf *conf)
{
	for (size_t i = 0; i < conf->uses.n; i++) {
		const struct conf_use *use = &conf->uses.at[i];
		bool is_uplink = use->kind == USE_UPLINK;
		uint32_t found = is_uplink ? conf_uplink_find(conf, use->name)
					   : model_find(conf->model, use->name);

		if (found == NO_INDEX)
			conf_use_missing(conf, use->kind, use->name, use->where);
		if (found != NO_INDEX && (is_uplink || !is_misplaced(conf, use, found)))
			assign(conf->model, use, found);
		else
			leave(conf->model, use);
	}
}
