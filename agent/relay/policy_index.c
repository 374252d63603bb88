/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One hash index over all rules, by key and value. What a rule says is not copied: the index has eight
 * octets a slot. A text is looked up once (twice where some rule of its key has `on`); of a domain's
 * parents only those with as many labels as some rule's ".domain" has, so that a client cannot make
 * it ask a hundred times; prefixes once for each length that occurs. Ranges of users are nested or
 * have nothing in common (the reader sees to it), so a binary search and a walk outwards find the
 * narrowest.
 */
#include "relay/policy_index.h"

#include "base/mem.h"

#include <string.h>

enum { LABELS_TOP = 63 };			/* as many, or more */

static uint32_t hash_of(enum relay_key key, const char *listener, const void *value, size_t len)
{
	uint32_t on = listener ? index_hash(&listener, sizeof listener) : 0;

	return index_hash(value, len) + (uint32_t)key * 0x9e3779b1u + on;
}

static unsigned count_labels(const char *domain, size_t len)
{
	unsigned n = 1;

	for (size_t i = 1; i < len && n < LABELS_TOP; i++)
		n += domain[i] == '.';
	return n;
}

/* @ip as a prefix of @bits: what is not compared is zero, so that it can be hashed. */
static struct prefix cut(const struct ip *ip, unsigned bits)
{
	struct prefix prefix;

	memset(&prefix, 0, sizeof prefix);
	prefix.bits = (uint8_t)bits;
	prefix.ip.len = ip->len;
	memcpy(prefix.ip.octet, ip->octet, bits / 8);
	if (bits % 8)
		prefix.ip.octet[bits / 8] =
			ip->octet[bits / 8] & (uint8_t)(0xff00u >> bits % 8);
	return prefix;
}

static void add_prefix(struct policy_index *index, const struct relay_rule *rule, uint32_t number)
{
	struct policy_lengths *lengths = rule->key == RELAY_KEY_CLIENT ? index->client
								       : index->destination;
	struct prefix prefix = cut(&rule->prefix.ip, rule->prefix.bits);
	unsigned i = 0;

	lengths += ip_family(&prefix.ip);
	index_add(&index->rules, hash_of(rule->key, rule->listener, &prefix, sizeof prefix),
		  number);
	while (i < lengths->n && lengths->at[i] > prefix.bits)
		i++;
	if (i < lengths->n && lengths->at[i] == prefix.bits)
		return;
	memmove(&lengths->at[i + 1], &lengths->at[i], lengths->n - i);
	lengths->at[i] = prefix.bits;
	lengths->n++;
}

static void add_text(struct policy_index *index, const struct relay_rule *rule, uint32_t number)
{
	size_t len = strlen(rule->text);

	index_add(&index->rules, hash_of(rule->key, rule->listener, rule->text, len), number);
	if (rule->text[0] == '.')
		index->below[rule->key] |= UINT64_C(1) << count_labels(rule->text, len);
	if (rule->key == RELAY_KEY_SENDER && strchr(rule->text, '@'))
		index->has_address = true;
}

static void add_rule(struct policy_index *index, uint32_t number)
{
	const struct relay_rule *rule = &index->relay->rules.at[number];

	index->has[rule->key] = true;
	index->has_on[rule->key] |= rule->listener != NULL;
	switch (rule->key) {
	case RELAY_KEY_CLIENT:
	case RELAY_KEY_DESTINATION:
		add_prefix(index, rule, number);
		break;
	case RELAY_KEY_PEER_USER:
		PUSH(&index->ranges, ((struct policy_range){ rule->ids, UINT32_MAX, rule }));
		break;
	case RELAY_KEY_SENDER:
	case RELAY_KEY_RECIPIENT:
	case RELAY_KEY_USER:
	case RELAY_KEY_HELO:
	case RELAY_KEY_PEER_CGROUP:
	case RELAY_KEY_LISTENER:
	case RELAY_KEY_OTHERWISE:
		add_text(index, rule, number);
		break;
	case RELAY_KEY_PARAMETER:
	case RELAY_KEY_HEADER:
	case RELAY_KEY_MAP:
	case RELAY_KEYS:
		break;
	}
}

/* Wider ranges first, and of equal ones that for everywhere, so that `on` is the inner one. */
static int compare_ranges(const void *left, const void *right)
{
	const struct policy_range *a = left, *b = right;

	if (a->ids.first != b->ids.first)
		return a->ids.first < b->ids.first ? -1 : 1;
	if (a->ids.last != b->ids.last)
		return a->ids.last > b->ids.last ? -1 : 1;
	return (a->rule->listener != NULL) - (b->rule->listener != NULL);
}

static void nest_ranges(struct policy_index *index)
{
	struct policy_range *at = index->ranges.at;
	uint32_t open = UINT32_MAX;

	if (index->ranges.n)
		qsort(at, index->ranges.n, sizeof *at, compare_ranges);
	for (uint32_t i = 0; i < index->ranges.n; i++) {
		while (open != UINT32_MAX && at[open].ids.last < at[i].ids.first)
			open = at[open].parent;
		at[i].parent = open;
		open = i;
	}
}

void policy_index_fill(struct policy_index *index, const struct relay *relay)
{
	*index = (struct policy_index){ .relay = relay };
	for (uint32_t i = 0; i < relay->rules.n; i++)
		add_rule(index, i);
	nest_ranges(index);
	for (uint32_t i = 0; i < relay->tls_rules.n; i++) {
		const char *domain = relay->tls_rules.at[i].domain;

		index_add(&index->tls, index_hash(domain, strlen(domain)), i);
		if (domain[0] == '.')
			index->below_tls |= UINT64_C(1) << count_labels(domain, strlen(domain));
	}
	for (uint32_t i = 0; i < relay->hops.n; i++)
		index_add(&index->hops, index_hash(relay->hops.at[i].binding,
						   strlen(relay->hops.at[i].binding)), i);
}

void policy_index_drop(struct policy_index *index)
{
	index_drop(&index->rules);
	index_drop(&index->tls);
	index_drop(&index->hops);
	free(index->ranges.at);
	*index = (struct policy_index){ 0 };
}

size_t policy_index_memory(const struct policy_index *index)
{
	return (index->rules.room + index->tls.room + index->hops.room) *
		       sizeof(struct index_slot) +
	       index->ranges.room * sizeof *index->ranges.at;
}

/* @prefix: NULL for texts. */
static const struct relay_rule *ask(struct policy_look *look, enum relay_key key,
				    const char *listener, const char *text, size_t len,
				    const struct prefix *prefix)
{
	const struct relay_rule *at = look->index->relay->rules.at;
	uint32_t hash = prefix ? hash_of(key, listener, prefix, sizeof *prefix)
			       : hash_of(key, listener, text, len), item;

	look->n++;
	for (size_t step = 0;
	     (item = index_next(&look->index->rules, hash, &step)) != UINT32_MAX;) {
		const struct relay_rule *rule = &at[item];

		if (rule->key != key || rule->listener != listener)
			continue;
		if (prefix ? rule->prefix.bits == prefix->bits &&
				     ip_equal(&rule->prefix.ip, &prefix->ip)
			   : strncmp(rule->text, text, len) == 0 && !rule->text[len])
			return rule;
	}
	return NULL;
}

static const struct relay_rule *ask_both(struct policy_look *look, enum relay_key key,
					 const char *text, size_t len, const struct prefix *prefix)
{
	const struct relay_rule *rule = NULL;

	if (look->listener && look->index->has_on[key])
		rule = ask(look, key, look->listener, text, len, prefix);
	return rule ? rule : ask(look, key, NULL, text, len, prefix);
}

const struct relay_rule *policy_index_exact(struct policy_look *look, enum relay_key key,
					    const char *text, size_t len)
{
	return look->index->has[key] ? ask_both(look, key, text, len, NULL) : NULL;
}

const struct relay_rule *policy_index_domain(struct policy_look *look, enum relay_key key,
					     const char *domain, size_t len)
{
	const struct relay_rule *rule = policy_index_exact(look, key, domain, len);
	uint64_t below = look->index->below[key];

	for (size_t i = 1; !rule && below && i < len; i++)
		if (domain[i] == '.' &&
		    below >> count_labels(domain + i, len - i) & 1)
			rule = ask_both(look, key, domain + i, len - i, NULL);
	return rule;
}

const struct relay_rule *policy_index_path(struct policy_look *look, const char *path)
{
	const struct relay_rule *rule = NULL;
	size_t len = strlen(path);

	while (!rule && len > 1 && look->index->has[RELAY_KEY_PEER_CGROUP]) {
		rule = ask_both(look, RELAY_KEY_PEER_CGROUP, path, len, NULL);
		while (len > 0 && path[--len] != '/')
			;
	}
	return rule;
}

const struct relay_rule *policy_index_prefix(struct policy_look *look, enum relay_key key,
					     const struct ip *ip)
{
	const struct policy_lengths *lengths = key == RELAY_KEY_CLIENT ? look->index->client
								       : look->index->destination;
	const struct relay_rule *rule = NULL;

	lengths += ip_family(ip);
	for (unsigned i = 0; !rule && i < lengths->n; i++) {
		struct prefix prefix = cut(ip, lengths->at[i]);

		rule = ask_both(look, key, NULL, 0, &prefix);
	}
	return rule;
}

const struct relay_rule *policy_index_uid(struct policy_look *look, uint32_t uid)
{
	const struct policy_range *at = look->index->ranges.at;
	size_t low = 0, high = look->index->ranges.n;
	uint32_t i;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (at[middle].ids.first <= uid)
			low = middle + 1;
		else
			high = middle;
	}
	look->n += look->index->ranges.n > 0;
	for (i = low ? (uint32_t)low - 1 : UINT32_MAX; i != UINT32_MAX; i = at[i].parent)
		if (uid <= at[i].ids.last &&
		    (!at[i].rule->listener || at[i].rule->listener == look->listener))
			return at[i].rule;
	return NULL;
}

static const struct relay_tls_rule *ask_tls(const struct policy_index *index, const char *domain,
					    size_t len)
{
	const struct relay_tls_rule *at = index->relay->tls_rules.at;
	uint32_t hash = index_hash(domain, len), item;

	for (size_t step = 0; (item = index_next(&index->tls, hash, &step)) != UINT32_MAX;)
		if (strncmp(at[item].domain, domain, len) == 0 && !at[item].domain[len])
			return &at[item];
	return NULL;
}

const struct relay_tls_rule *policy_index_tls(const struct policy_index *index, const char *domain,
					      size_t len)
{
	const struct relay_tls_rule *rule = ask_tls(index, domain, len);

	for (size_t i = 1; !rule && index->below_tls && i < len; i++)
		if (domain[i] == '.' &&
		    index->below_tls >> count_labels(domain + i, len - i) & 1)
			rule = ask_tls(index, domain + i, len - i);
	return rule;
}

const struct relay_host *policy_index_hop(const struct policy_index *index, const char *binding)
{
	const struct relay_binding_hop *at = index->relay->hops.at;
	uint32_t hash = index_hash(binding, strlen(binding)), item;

	for (size_t step = 0; (item = index_next(&index->hops, hash, &step)) != UINT32_MAX;)
		if (strcmp(at[item].binding, binding) == 0)
			return &at[item].host;
	return NULL;
}
