/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See things.h. What a rule is known by, and what it says, are parts of its one printed form, so
 * these words cannot drift from the configuration's.
 */
#include "daemon/things.h"

#include "base/mem.h"
#include "daemon/listing.h"

#include <stdio.h>
#include <string.h>

enum { DIFFERENCES_MAX = 1000, DIFFERENCES_BYTES_MAX = 512 * 1024 };

struct wanted {					/* which things; items NULL: all */
	const struct items *items;
	struct index index;			/* of items, by kind and key */
	bool kinds[ITEM_METRICS + 1];
};

void things_drop(struct things *things)
{
	for (size_t i = 0; i < things->n; i++) {
		free(things->at[i].key);
		free(things->at[i].text);
		free(things->at[i].name);
	}
	free(things->at);
	*things = (struct things){ 0 };
}

static uint32_t hash_of(enum item_kind kind, const char *key)
{
	return index_hash(key, strlen(key)) + (uint32_t)kind;
}

static bool is_wanted(const struct wanted *wanted, enum item_kind kind, const char *key)
{
	uint32_t hash, found;

	if (!wanted->items)
		return true;
	hash = hash_of(kind, key);
	for (size_t step = 0; (found = index_next(&wanted->index, hash, &step)) != NO_INDEX;)
		if (wanted->items->at[found].kind == kind &&
		    strcmp(wanted->items->at[found].key, key) == 0)
			return true;
	return false;
}

/* Takes @text. */
static void add(struct things *things, enum item_kind kind, const char *key, char *text)
{
	struct thing thing = { kind, mem_copy(key), text, NULL };

	PUSH(things, thing);
}

static char *printed(const struct model *model, uint32_t index,
		     void (*print)(const struct model *, uint32_t, FILE *))
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	print(model, index, out);
	if (fclose(out) != 0)
		abort();
	return text;
}

static void print_relay_settings(const struct model *model, uint32_t unused, FILE *out)
{
	(void)unused;
	conf_print_relay_settings(model, out);
}

static void print_relay_key(const struct model *model, uint32_t rule, FILE *out)
{
	conf_print_relay_key(&model->relay.rules.at[rule], out);
}

static void print_relay_rule(const struct model *model, uint32_t rule, FILE *out)
{
	conf_print_relay_rule(&model->relay.rules.at[rule], out);
}

static void add_binding(const struct model *model, uint32_t index, struct things *things)
{
	const struct binding *binding = &model->bindings.at[index];
	char *text = binding->dangling ? mem_text("", 0)
				       : printed(model, index, conf_print_binding);

	add(things, binding->group ? ITEM_GROUP : ITEM_BINDING, binding->name, text);
}

static void add_bindings(const struct model *model, const struct wanted *wanted,
			 struct things *things)
{
	const struct items *items = wanted->items;

	for (uint32_t i = 0; !items && i < model->bindings.n; i++)
		if (model->bindings.at[i].name && !model->bindings.at[i].implied)
			add_binding(model, i, things);
	for (size_t i = 0; items && i < items->n; i++) {
		enum item_kind kind = items->at[i].kind;
		uint32_t found;

		if (kind != ITEM_BINDING && kind != ITEM_GROUP)
			continue;
		found = model_find(model, items->at[i].key);
		if (found != NO_INDEX && !model->bindings.at[found].implied)
			add_binding(model, found, things);
	}
}

static void add_uplinks(const struct model *model, const struct wanted *wanted,
			struct things *things)
{
	for (uint32_t i = 0; i < model->uplinks.n; i++) {
		const char *name = model->uplinks.at[i].name;

		if (is_wanted(wanted, ITEM_UPLINK, name))
			add(things, ITEM_UPLINK, name, printed(model, i, conf_print_uplink));
	}
}

/* Users and groups by number, as change texts are split by it: they may be written either way. */
static char *rule_key(const struct model *model, const struct rule *rule)
{
	char *key = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&key, &len);

	if (!out)
		abort();
	conf_print_key(model, rule, out);
	if (fclose(out) != 0)
		abort();
	return key;
}

static void add_rule(const struct model *model, const struct rule *rule, const char *key,
		     struct things *things)
{
	bool dangling = rule->action == ACTION_USE && rule->binding == NO_INDEX;
	AUTO(rule_words_drop) struct rule_words words = { 0 };
	char *name;

	if (dangling) {
		add(things, ITEM_RULE, key, mem_text("", 0));
		return;
	}
	words = listing_words(model, rule);
	if (asprintf(&name, "%s%s%s", words.client, words.to[0] ? " " : "", words.to) < 0)
		abort();
	add(things, ITEM_RULE, key, words.action);
	words.action = NULL;
	things->at[things->n - 1].name = name;
}

static void add_rules(const struct model *model, const struct wanted *wanted,
		      struct things *things)
{
	if (wanted->items && !wanted->kinds[ITEM_RULE])
		return;
	for (size_t i = 0; i < model->rules.n; i++) {
		AUTO(mem_drop) char *key = rule_key(model, &model->rules.at[i]);

		if (is_wanted(wanted, ITEM_RULE, key))
			add_rule(model, &model->rules.at[i], key, things);
	}
}

static void add_bypass(const struct wanted *wanted, const char *key, struct things *things)
{
	if (is_wanted(wanted, ITEM_BYPASS, key))
		add(things, ITEM_BYPASS, key, mem_text("", 0));
}

static void add_bypasses(const struct model *model, const struct wanted *wanted,
			 struct things *things)
{
	char text[PREFIX_TEXT];

	if (model->bypass_connected)
		add_bypass(wanted, "connected", things);
	if (model->bypass_private)
		add_bypass(wanted, "private", things);
	for (size_t i = 0; i < model->bypasses.n; i++)
		add_bypass(wanted, prefix_print(&model->bypasses.at[i].prefix, text), things);
}

static void add_default(const struct model *model, const struct wanted *wanted,
			struct things *things)
{
	static const char *const words[] = {
		[DEFAULT_UNSAID] = NULL, [DEFAULT_NORMAL] = "normal",
		[DEFAULT_SUSPENDED] = "suspended", [DEFAULT_REJECT] = "reject",
	};
	const char *word = words[model->default_binding];

	if (word && is_wanted(wanted, ITEM_DEFAULT, DEFAULT_KEY))
		add(things, ITEM_DEFAULT, DEFAULT_KEY, mem_copy(word));
}

static void print_metrics(const struct model *model, uint32_t index, FILE *out)
{
	(void)index;
	conf_print_metrics(model, out);
}

static void add_metrics(const struct model *model, const struct wanted *wanted,
			struct things *things)
{
	if (model->metrics.given && !wanted->items)
		add(things, ITEM_METRICS, "settings", printed(model, 0, print_metrics));
}

/* Settings, each listener and each rule by themselves: a difference names what is different. */
static void add_relay(const struct model *model, const struct wanted *wanted,
		      struct things *things)
{
	const struct relay *relay = &model->relay;

	if (!relay->given || wanted->items)
		return;
	add(things, ITEM_RELAY, "settings", printed(model, 0, print_relay_settings));
	for (uint32_t i = 0; i < relay->listeners.n; i++) {
		bool intercepts = relay->listeners.at[i].protocol == RELAY_INTERCEPT;
		AUTO(mem_drop) char *key = NULL;

		if (asprintf(&key, "%s %s", intercepts ? "intercept" : "listen",
			     relay->listeners.at[i].name) < 0)
			abort();
		add(things, ITEM_RELAY, key, printed(model, i, conf_print_relay_listener));
	}
	for (uint32_t i = 0; i < relay->rules.n; i++) {
		AUTO(mem_drop) char *key = printed(model, i, print_relay_key);

		add(things, ITEM_RELAY, key, printed(model, i, print_relay_rule));
	}
}

static void print_dns(const struct model *model, uint32_t unused, FILE *out)
{
	(void)unused;
	conf_print_dns(model, out);
}

static int compare(const struct thing *a, const struct thing *b)
{
	int x = (int)item_space(a->kind), y = (int)item_space(b->kind);

	return x != y ? x - y : strcmp(a->key, b->key);
}

static int by_key(const void *left, const void *right)
{
	return compare(left, right);
}

static void collect(const struct model *model, const struct wanted *wanted, struct things *things)
{
	add_bypasses(model, wanted, things);
	add_default(model, wanted, things);
	add_uplinks(model, wanted, things);
	add_bindings(model, wanted, things);
	add_rules(model, wanted, things);
	add_metrics(model, wanted, things);
	add_relay(model, wanted, things);
	if (model->dns.given && !wanted->items)
		add(things, ITEM_DNS, "settings", printed(model, 0, print_dns));
	if (things->n > 0)
		qsort(things->at, things->n, sizeof *things->at, by_key);
}

void things_all(const struct model *model, struct things *ret)
{
	collect(model, &(struct wanted){ 0 }, ret);
}

void things_some(const struct model *model, const struct items *items, struct things *ret)
{
	struct wanted wanted = { .items = items };

	for (size_t i = 0; i < items->n; i++) {
		index_add(&wanted.index, hash_of(items->at[i].kind, items->at[i].key),
			  (uint32_t)i);
		wanted.kinds[items->at[i].kind] = true;
	}
	collect(model, &wanted, ret);
	index_drop(&wanted.index);
}

const struct thing *things_find(const struct things *things, enum item_kind kind, const char *key)
{
	struct thing wanted = { .kind = kind, .key = (char *)(uintptr_t)key };

	if (things->n == 0)
		return NULL;
	return bsearch(&wanted, things->at, things->n, sizeof *things->at, by_key);
}

void things_differences_drop(struct differences *differences)
{
	for (size_t i = 0; i < differences->n; i++) {
		free(differences->at[i].key);
		free(differences->at[i].name);
		free(differences->at[i].before);
		free(differences->at[i].after);
	}
	free(differences->at);
	*differences = (struct differences){ 0 };
}

static void push(struct differences *differences, const char *what, const struct thing *thing,
		 const char *before, const char *after)
{
	struct difference one = { .what = what, .thing = thing->kind,
				  .kind = item_kind_name(thing->kind) };
	const char *name = thing->name ? thing->name : thing->key;

	differences->bytes += strlen(name) + (before ? strlen(before) : 0) +
			      (after ? strlen(after) : 0);
	if (differences->n >= DIFFERENCES_MAX || differences->bytes > DIFFERENCES_BYTES_MAX) {
		differences->left_out++;
		return;
	}
	one.key = mem_copy(thing->key);
	one.name = mem_copy(name);
	one.before = before ? mem_copy(before) : NULL;
	one.after = after ? mem_copy(after) : NULL;
	PUSH(differences, one);
}

void things_difference_add(struct differences *differences, const char *what, enum item_kind kind,
			   const char *key, const char *before, const char *after)
{
	push(differences, what,
	     &(struct thing){ .kind = kind, .key = (char *)(uintptr_t)key }, before, after);
}

void things_compare(const struct things *before, const struct things *after,
		    struct differences *ret)
{
	size_t b = 0, a = 0;

	while (b < before->n || a < after->n) {
		const struct thing *old = before->at + b, *fresh = after->at + a;

		if (b == before->n || (a < after->n && compare(fresh, old) < 0)) {
			push(ret, "added", fresh, NULL, fresh->text);
			a++;
		} else if (a == after->n || compare(old, fresh) < 0) {
			push(ret, "removed", old, old->text, NULL);
			b++;
		} else {
			if (strcmp(fresh->text, old->text) != 0)
				push(ret, "changed", fresh, old->text, fresh->text);
			a++, b++;
		}
	}
}
