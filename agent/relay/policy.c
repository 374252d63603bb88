/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See policy.h. A decision goes through the keys in the order of enum relay_key; the first that has a
 * rule ends it, so the order of the text means nothing. Nothing here allocates but policy_new(): one
 * policy serves any number of threads.
 *
 * Domains are compared in lower case (ASCII), local parts and logins as they are.
 */
#include "relay/policy.h"

#include "base/mem.h"
#include "relay/policy_index.h"

#include <string.h>

enum { TEXT_MAX = 512 };			/* longer than any rule's text */

size_t policy_listener_number(const struct policy *policy, const struct relay_listener *listener)
{
	const struct relay *relay = &policy->model->relay;
	size_t i = 0;

	if (listener >= relay->listeners.at && listener < relay->listeners.at + relay->listeners.n)
		return (size_t)(listener - relay->listeners.at);
	while (i < relay->listeners.n &&
	       strcmp(relay->listeners.at[i].name, listener->name) != 0)
		i++;
	return i;
}

struct policy *policy_new(const struct model *model)
{
	struct policy *policy = mem_zero(1, sizeof *policy);

	policy->model = model;
	policy->default_normal = model->default_binding == DEFAULT_NORMAL;
	policy->at = mem_zero(model->relay.listeners.n + 1, sizeof *policy->at);
	policy_index_fill(&policy->index, &model->relay);
	for (size_t i = 0; i < model->relay.rules.n; i++)
		policy_point_add(policy, &model->relay.rules.at[i]);
	return policy;
}

void policy_free(struct policy *policy)
{
	if (!policy)
		return;
	policy_index_drop(&policy->index);
	free(policy->at);
	free(policy);
}

size_t policy_memory(const struct policy *policy)
{
	return sizeof *policy + policy_index_memory(&policy->index) +
	       (policy->model->relay.listeners.n + 1) * sizeof *policy->at;
}

/* Lower case of @domain without a trailing dot; 0 if it is too long to be in any rule. */
static size_t fold(const char *domain, char out[static TEXT_MAX])
{
	size_t len = strlen(domain);

	if (len > 1 && domain[len - 1] == '.')
		len--;
	if (len >= TEXT_MAX)
		return 0;
	for (size_t i = 0; i < len; i++)
		out[i] = domain[i] >= 'A' && domain[i] <= 'Z' ? (char)(domain[i] | 0x20)
							      : domain[i];
	out[len] = '\0';
	return len;
}

/* The same of an address, whose local part stays; *@ret_domain is where its domain begins. */
static size_t fold_address(const char *address, char out[static TEXT_MAX], size_t *ret_domain)
{
	const char *at = strrchr(address, '@');
	size_t local = at ? (size_t)(at - address) + 1 : 0, len;

	*ret_domain = local;
	if (!at || local >= TEXT_MAX)
		return 0;
	len = fold(at + 1, out);
	if (len == 0 || local + len >= TEXT_MAX)
		return 0;
	memmove(out + local, out, len + 1);
	memcpy(out, address, local);
	return local + len;
}

static const struct relay_rule *by_sender(struct policy_look *look, const char *sender)
{
	const struct relay_rule *rule = NULL;
	char text[TEXT_MAX];
	size_t domain, len;

	if (!look->index->has[RELAY_KEY_SENDER])
		return NULL;
	if (*sender == '\0')
		return policy_index_exact(look, RELAY_KEY_SENDER, "", 0);
	len = fold_address(sender, text, &domain);
	if (len == 0)
		return NULL;
	if (look->index->has_address)
		rule = policy_index_exact(look, RELAY_KEY_SENDER, text, len);
	return rule ? rule : policy_index_domain(look, RELAY_KEY_SENDER, text + domain,
						 len - domain);
}

static const struct relay_rule *by_recipient(struct policy_look *look, const char *rcpt)
{
	char text[TEXT_MAX];
	size_t domain, len = fold_address(rcpt, text, &domain);

	return len ? policy_index_domain(look, RELAY_KEY_RECIPIENT, text + domain, len - domain)
		   : NULL;
}

static const struct relay_rule *by_helo(struct policy_look *look, const char *helo)
{
	char text[TEXT_MAX];
	size_t len = fold(helo, text);

	return len ? policy_index_domain(look, RELAY_KEY_HELO, text, len) : NULL;
}

/* ::ffff:192.0.2.1 is what an IPv6 socket calls 192.0.2.1: RFC 4291 section 2.5.5.2. */
static struct ip plain(const struct ip *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct ip out = { .len = 4 };

	if (ip->len != 16 || memcmp(ip->octet, mapped, sizeof mapped) != 0)
		return *ip;
	memcpy(out.octet, ip->octet + 12, 4);
	return out;
}

static const struct relay_rule *by_prefix(struct policy_look *look, enum relay_key key,
					  const struct ip *given)
{
	struct ip ip = plain(given);

	return ip.len ? policy_index_prefix(look, key, &ip) : NULL;
}

static const struct relay_rule *find(struct policy_look *look, enum relay_key key,
				     const struct policy_facts *facts)
{
	switch (key) {
	case RELAY_KEY_SENDER:
		return facts->sender ? by_sender(look, facts->sender) : NULL;
	case RELAY_KEY_RECIPIENT:
		return facts->rcpt ? by_recipient(look, facts->rcpt) : NULL;
	case RELAY_KEY_USER:
		return facts->user ? policy_index_exact(look, key, facts->user,
							strlen(facts->user)) : NULL;
	case RELAY_KEY_HELO:
		return facts->helo ? by_helo(look, facts->helo) : NULL;
	case RELAY_KEY_PEER_CGROUP:
		return facts->has_peer && facts->peer_cgroup
			       ? policy_index_path(look, facts->peer_cgroup) : NULL;
	case RELAY_KEY_PEER_USER:
		return facts->has_peer ? policy_index_uid(look, facts->peer_uid) : NULL;
	case RELAY_KEY_CLIENT:
		return by_prefix(look, key, &facts->client);
	case RELAY_KEY_DESTINATION:
		return by_prefix(look, key, &facts->destination);
	case RELAY_KEY_LISTENER:
		return look->listener ? policy_index_exact(look, key, look->listener,
							   strlen(look->listener)) : NULL;
	case RELAY_KEY_OTHERWISE:
		return policy_index_exact(look, key, "", 0);
	case RELAY_KEY_PARAMETER:
	case RELAY_KEY_HEADER:
	case RELAY_KEY_MAP:
	case RELAY_KEYS:
		break;
	}
	return NULL;
}

/* As the reader wants names of bindings: what is none need not be asked for. */
static bool is_name(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == ':' || text[i] == 0x7f)
			return false;
	return len > 0 && len <= NAME_MAX_BYTES;
}

/* A binding that the client or the map has named itself, or NULL. */
static const char *named(const struct policy *policy, const struct policy_facts *facts,
			 enum relay_key *ret_key)
{
	const struct relay_listener *listener = facts->listener;
	bool passes = listener->protocol == RELAY_SOCKS5 || listener->protocol == RELAY_PROXY;

	*ret_key = RELAY_KEY_PARAMETER;
	if (facts->parameter && *facts->parameter && (listener->trust_parameter || passes))
		return facts->parameter;
	*ret_key = RELAY_KEY_HEADER;
	if (facts->header && *facts->header && listener->trust_header)
		return facts->header;
	*ret_key = RELAY_KEY_MAP;
	return policy->model->relay.policy_map.name ? facts->map : NULL;
}

/* Where the client's own connection goes is not ours to change. */
static struct relay_host hop_of(const struct policy *policy, const struct policy_facts *facts,
				const struct policy_verdict *verdict)
{
	const struct relay_listener *listener = facts->listener;
	const struct relay_host *of_binding;

	if (listener->protocol != RELAY_SMTP && listener->protocol != RELAY_LMTP)
		return (struct relay_host){ 0 };
	if (verdict->rule && verdict->rule->smarthost.host)
		return verdict->rule->smarthost;
	of_binding = policy_index_hop(&policy->index, verdict->binding);
	if (of_binding)
		return *of_binding;
	return listener->smarthost.host ? listener->smarthost : policy->model->relay.smarthost;
}

/*
 * What a retry has in common with the first try: the sender, and where it goes, unless everything
 * goes there. While the sender is not known, the client stands for it.
 */
static uint32_t hash_facts(const struct policy_facts *facts, const struct relay_host *hop)
{
	const char *sender = facts->sender, *at = facts->rcpt ? strrchr(facts->rcpt, '@') : NULL;
	struct ip client = plain(&facts->client), to = plain(&facts->destination);
	char text[2 * TEXT_MAX + 1];
	size_t domain, n = 0;

	memset(text, 0, sizeof text);
	if (sender)
		n = fold_address(sender, text, &domain);
	if (sender && n == 0) {			/* null, or of no form that rules know */
		n = strnlen(sender, TEXT_MAX);
		memcpy(text, sender, n);
	} else if (!sender) {
		n = client.len;
		memcpy(text, client.octet, n);
	}
	text[n++] = '\0';
	if (!hop->host && at && fold(at + 1, text + n))
		n += strlen(text + n);
	else if (!sender && !at && to.len) {
		memcpy(text + n, to.octet, to.len);
		n += to.len;
	}
	return index_hash(text, n);
}

/*
 * The hash chooses a member of a group, an address of several, and among MX hosts of one preference. It is
 * reduced to as few values as that needs: each has upstreams of its own, and others shall use them again.
 */
static uint32_t coarse_hash(const struct model *model, const struct policy_facts *facts,
			    const struct policy_verdict *verdict)
{
	enum { OF_GROUP = 256, OF_ADDRESSES = 64, OF_MX = 16 };
	bool mx = verdict->hop.host ? verdict->hop.mx : facts->destination.len == 0;
	uint32_t index = model_find(model, verdict->binding), values = mx ? OF_MX : 1;

	if (index == NO_INDEX || model->bindings.at[index].group)
		values = OF_GROUP;		/* one that files do not have may be a group */
	else if (model->bindings.at[index].n_addresses > FAMILIES)
		values = OF_ADDRESSES;
	return hash_facts(facts, &verdict->hop) % values;
}

static void refuse(struct policy_verdict *verdict, const char *reason)
{
	verdict->binding = NULL;
	verdict->reason = reason;
}

static void apply(const struct relay_rule *rule, struct policy_verdict *verdict)
{
	verdict->rule = rule;
	verdict->binding = rule->binding;
	if (rule->binding)
		return;
	verdict->permanent = true;
	verdict->reason = rule->reject ? rule->reject : "refused by a relay rule";
}

static const char *bad_name(enum relay_key key)
{
	return key == RELAY_KEY_PARAMETER ? "XOUTBIND does not name a binding"
	       : key == RELAY_KEY_HEADER  ? "the header field does not name a binding"
					  : "the policy map did not answer with a binding";
}

static void by_rules(const struct policy *policy, const struct policy_facts *facts,
		     struct policy_verdict *verdict)
{
	const struct relay *relay = &policy->model->relay;
	size_t number = policy_listener_number(policy, facts->listener);
	struct policy_look look = { .index = &policy->index };

	if (number < relay->listeners.n)
		look.listener = relay->listeners.at[number].name;
	for (enum relay_key key = RELAY_KEY_SENDER; key < RELAY_KEYS && !verdict->rule; key++) {
		const struct relay_rule *rule = find(&look, key, facts);

		verdict->key = key;
		if (rule)
			apply(rule, verdict);
	}
	verdict->lookups = look.n;
	if (verdict->rule)
		return;
	verdict->key = RELAY_KEY_OTHERWISE;
	if (policy->default_normal)
		verdict->binding = DEFAULT_BINDING;
	else
		refuse(verdict, "no relay rule says where this message leaves from");
}

void policy_decide(const struct policy *policy, const struct policy_facts *facts,
		   struct policy_verdict *ret)
{
	const char *name;

	*ret = (struct policy_verdict){ 0 };
	name = named(policy, facts, &ret->key);
	if (!name && facts->listener->protocol == RELAY_PROXY)
		refuse(ret, "the header of a PROXY client names its binding");
	else if (!name)
		by_rules(policy, facts, ret);
	else if (is_name(name))
		ret->binding = name;
	else
		refuse(ret, bad_name(ret->key));
	if (!ret->binding)
		return;
	ret->hop = hop_of(policy, facts, ret);
	ret->hash = coarse_hash(policy->model, facts, ret);
}

enum relay_tls policy_tls(const struct policy *policy, const char *domain)
{
	const struct relay_tls_rule *rule = NULL;
	char text[TEXT_MAX];
	size_t len = fold(domain, text);

	if (len)
		rule = policy_index_tls(&policy->index, text, len);
	return rule ? rule->level : policy->model->relay.tls;
}
