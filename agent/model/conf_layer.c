/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layers: run-time texts that are read before the files, each winning over what comes after it.
 * What a layer has said something about is a thing, known by a key (a tag and what the thing is
 * called); a later layer or the files may say what they like about it, it does not count. The
 * files are the last to be read, so what they say is looked up only and never kept here.
 */
#include "model/conf_actions.h"

#include "base/mem.h"

#include <string.h>

void conf_layers_drop(struct conf_layers *layers)
{
	free(layers->said.at);
	free(layers->suspends.at);
	index_drop(&layers->index);
}

bool conf_layer_only(struct conf *conf, struct where where)
{
	if (conf->layers.now < conf->layers.n)
		return true;
	diag_error(conf->diag, where,
		   "'remove', 'suspend' and 'resume' may be said only in a run-time "
		   "change: expected a file to leave out what shall not be there");
	return false;
}

static struct conf_said *find_said(const struct conf *conf, const void *key, size_t len)
{
	const struct conf_layers *layers = &conf->layers;
	uint32_t hash = index_hash(key, len), item;

	for (size_t step = 0; (item = index_next(&layers->index, hash, &step)) != NO_INDEX;) {
		struct conf_said *said = &layers->said.at[item];

		if (said->len == len && memcmp(said->key, key, len) == 0)
			return said;
	}
	return NULL;
}

static void add_said(struct conf *conf, const void *key, size_t len, struct where where,
		     bool removes)
{
	struct conf_layers *layers = &conf->layers;
	struct conf_said said = { .len = len, .where = where, .layer = layers->now,
				  .removes = removes, .below_layer = NO_INDEX };

	said.key = memcpy(arena_alloc(&conf->scratch, len), key, len);
	index_add(&layers->index, index_hash(key, len), (uint32_t)layers->said.n);
	PUSH(&layers->said, said);
}

static enum conf_claim claim(struct conf *conf, const void *key, size_t len, struct where where,
			     bool removes)
{
	struct conf_layers *layers = &conf->layers;
	struct conf_said *said = layers->n ? find_said(conf, key, len) : NULL;

	if (!said) {
		if (layers->now < layers->n)
			add_said(conf, key, len, where, removes);
		return CLAIM_COUNTS;
	}
	if (said->layer == layers->now) {
		if (said->removes != removes)
			diag_error(conf->diag, where,
				   "the opposite is said at %s: expected one of them "
				   "in one change",
				   PLACE(conf, said->where));
		/* whoever adds a definition finds it there twice; a suspension counts once */
		return removes || said->removes || said->key[0] == CONF_TAG_SUSPEND ? CLAIM_HIDDEN
										    : CLAIM_COUNTS;
	}
	layers->hides = true;
	if (said->below_layer == layers->now) {
		conf->layers.before = said->below;
		return CLAIM_REPEATED;
	}
	if (said->below_layer == NO_INDEX)
		said->there = !removes;
	said->below_layer = layers->now;
	said->below = where;
	return CLAIM_HIDDEN;
}

/* A tag and a name as a key. The tags: name, uplink, bypass, suspension; rules have their own. */
static size_t name_key(char tag, const struct word *word, char out[static CONF_KEY])
{
	size_t len = word->len < CONF_KEY - 1 ? word->len : CONF_KEY - 1;

	out[0] = tag;
	if (len)
		memcpy(out + 1, word->at, len);
	return len + 1;
}

enum conf_claim conf_layer_name(struct conf *conf, char tag, const struct word *word,
				struct where where, bool removes)
{
	char key[CONF_KEY];

	return claim(conf, key, name_key(tag, word, key), where, removes);
}

const struct conf_said *conf_layer_removal(const struct conf *conf, char tag, const char *name)
{
	const struct word word = { .at = name, .len = strlen(name) };
	const struct conf_said *said;
	char key[CONF_KEY];

	if (conf->layers.n == 0)
		return NULL;
	said = find_said(conf, key, name_key(tag, &word, key));
	return said && said->removes ? said : NULL;
}

/* The same for rules: client and destination, both as they were interned. */
enum conf_claim conf_layer_rule(struct conf *conf, const struct rule *rule, bool removes)
{
	struct { char tag; struct conf_rule_key rule; } key;

	if (conf->layers.n == 0)
		return CLAIM_COUNTS;
	memset(&key, 0, sizeof key);
	key.tag = CONF_TAG_RULE;
	key.rule = conf_rule_key(rule);
	return claim(conf, &key, sizeof key, rule->where, removes);
}

/* Lists of what is removed: the whole block is refused at once, its content not once more. */
void conf_layer_block(struct conf *conf, struct where key)
{
	conf->ignored = !conf_layer_only(conf, key);
}

void conf_layer_remove(struct conf *conf, enum item_kind kind, const struct word *word,
		       struct where key, struct where where)
{
	char tag = kind == ITEM_UPLINK ? CONF_TAG_UPLINK : CONF_TAG_NAME;

	if (!conf_layer_only(conf, key))
		return;
	(void)conf_layer_name(conf, tag, word, where, true);
	conf_split_note(conf, kind, true, word, where);
}

void conf_layer_remove_default(struct conf *conf, struct where key)
{
	if (!conf_layer_only(conf, key))
		return;
	(void)conf_layer_name(conf, CONF_TAG_DEFAULT, &(struct word){ 0 }, key, true);
	conf_split_note(conf, ITEM_DEFAULT, true, &conf_default_key, key);
}

void conf_layer_suspend(struct conf *conf, const struct word *word, bool resume, struct where key,
			struct where where)
{
	struct conf_suspend suspend = { .where = where, .layer = conf->layers.now };
	bool known;

	if (!conf_layer_only(conf, key) || word->len == 0)
		return;
	known = conf_layer_name(conf, CONF_TAG_SUSPEND, word, where, resume) != CLAIM_COUNTS;
	conf_split_note(conf, ITEM_SUSPEND, resume, word, where);
	if (known || resume)
		return;
	suspend.name = conf_word_keep(conf, word);
	PUSH(&conf->layers.suspends, suspend);
}

/* What a removal says that removes nothing; the key tells what it was about. */
static void report_nothing(struct conf *conf, const struct conf_said *said)
{
	char name[CONF_KEY] = "";

	if (said->key[0] != CONF_TAG_RULE)
		memcpy(name, said->key + 1, said->len - 1);
	switch (said->key[0]) {
	case CONF_TAG_NAME:
		conf_use_unknown(conf, USE_RULE, name, said->where);
		break;
	case CONF_TAG_UPLINK:
		conf_use_unknown(conf, USE_UPLINK, name, said->where);
		break;
	case CONF_TAG_BYPASS:
		diag_error(conf->diag, said->where,
			   "%s is not in the bypass list: expected one that "
			   "is, to remove it",
			   SHOW_TEXT(name));
		break;
	case CONF_TAG_DEFAULT:
		diag_error(conf->diag, said->where, "'default-binding' is not said: expected it "
			   "somewhere, to remove it");
		break;
	case CONF_TAG_RULE:
		diag_error(conf->diag, said->where, "no rule has this client and this destination: "
			   "expected those of a rule that there is, to remove it");
		break;
	}
}

/* Twice what was said about a name in one layer counts once; what is not defined is not kept. */
static void add_suspensions(struct conf *conf)
{
	for (size_t i = 0; i < conf->layers.suspends.n; i++) {
		const struct conf_suspend *suspend = &conf->layers.suspends.at[i];

		if (model_find(conf->model, suspend->name) != NO_INDEX)
			PUSH(&conf->model->suspended, suspend->name);
		else if (suspend->layer == 0)
			conf_use_unknown(conf, USE_RULE, suspend->name, suspend->where);
	}
}

static void each_relay_cgroup(struct model *model,
			      void (*call)(uint32_t *cgroup, uint32_t *moved), uint32_t *moved)
{
	for (size_t i = 0; i < model->relay.listeners.n; i++) {
		struct relay_intercept *intercept = &model->relay.listeners.at[i].intercept;

		for (uint32_t k = 0; k < intercept->n_clients; k++)
			if (intercept->clients[k].kind == RELAY_BY_CGROUP)
				call(&intercept->clients[k].cgroup, moved);
	}
}

static void mark_cgroup(uint32_t *cgroup, uint32_t *moved)
{
	moved[*cgroup] = 1;
}

static void move_cgroup(uint32_t *cgroup, uint32_t *moved)
{
	*cgroup = moved[*cgroup];
}

/* Only rules that count keep their cgroups: what no rule speaks of need not be watched. */
static void drop_cgroups(struct model *model)
{
	uint32_t *AUTO(mem_drop) moved = mem_zero(model->cgroups.n, sizeof *moved);
	uint32_t n = 0;

	for (size_t i = 0; i < model->rules.n; i++)
		if (model->rules.at[i].client.kind == CLIENT_CGROUP)
			moved[model->rules.at[i].client.cgroup] = 1;
	each_relay_cgroup(model, mark_cgroup, moved);
	for (uint32_t i = 0; i < model->cgroups.n; i++) {
		if (!moved[i])
			continue;
		moved[i] = n;
		model->cgroups.at[n++] = model->cgroups.at[i];
	}
	model->cgroups.n = n;
	for (size_t i = 0; i < model->rules.n; i++)
		if (model->rules.at[i].client.kind == CLIENT_CGROUP)
			model->rules.at[i].client.cgroup = moved[model->rules.at[i].client.cgroup];
	each_relay_cgroup(model, move_cgroup, moved);
}

void conf_layers_check(struct conf *conf)
{
	for (size_t i = 0; i < conf->layers.said.n; i++) {
		const struct conf_said *said = &conf->layers.said.at[i];

		if (said->removes && said->layer == 0 && !said->there)
			report_nothing(conf, said);
	}
	add_suspensions(conf);
	if (conf->layers.n)
		drop_cgroups(conf->model);
}
