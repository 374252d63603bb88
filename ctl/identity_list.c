/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See identity.h: whom the checks are about. A subject is one address of one binding. */
#include "identity.h"

#include "base/mem.h"
#include "host_port.h"
#include "nearest.h"
#include "number.h"

#include <string.h>

void identity_list_drop(struct identity_list *list)
{
	arena_drop(&list->arena);
	free(list->subjects.at);
	free(list->blocklists.at);
	free(list->domains.at);
	*list = (struct identity_list){ 0 };
}

/* The next address; false after the last. */
static bool step(struct ip *ip, const struct prefix *prefix)
{
	for (size_t i = ip->len; i-- > 0;)
		if (++ip->octet[i] != 0)
			break;
	return prefix_contains(prefix, ip);
}

void identity_list_add(struct identity_list *list, const struct identity_subject *like,
		       const struct prefix *prefix)
{
	struct identity_subject subject = *like;
	unsigned host_bits = prefix->ip.len * 8u - prefix->bits;

	if (host_bits >= 32 || 1u << host_bits > IDENTITY_EXPAND) {
		list->skipped++;
		return;
	}
	subject.ip = prefix->ip;
	do {
		PUSH(&list->subjects, subject);
	} while (step(&subject.ip, prefix));
}

static const char *keep(struct identity_list *list, const char *text)
{
	return text ? arena_text(&list->arena, text, strlen(text)) : NULL;
}

static void add_binding(struct identity_list *list, const struct model *model, uint32_t index)
{
	const struct binding *binding = &model->bindings.at[index];
	const struct sender_names *domains = binding->sender ? &binding->sender->domains : NULL;
	struct identity_subject subject = { .binding = keep(list, binding->name) };

	if (domains && domains->n > 0) {
		subject.domains = domains->at;
		subject.n_domains = domains->n;
	}
	for (uint32_t i = 0; i < binding->n_addresses; i++) {
		const struct address *address = &model->addresses.at[binding->first_address + i];
		const char *ehlo = binding->ehlo ? binding->ehlo : model->relay.hostname;

		if (ip_family(&address->ip) == FAMILY_IPV6 && binding->ehlo6)
			ehlo = binding->ehlo6;
		subject.ehlo = keep(list, ehlo);
		identity_list_add(list, &subject, &(struct prefix){ address->ip, address->bits });
	}
}

static int complain_unknown(struct ctl *ctl, const struct model *model, const char *name)
{
	struct nearest nearest = { .word = name };

	for (uint32_t i = 0; i < model->bindings.n; i++)
		if (model->bindings.at[i].name && !model->bindings.at[i].group)
			nearest_try(&nearest, model->bindings.at[i].name);
	ctl_complain(ctl, "there is no binding '%s'%s%s%s", name,
		     nearest.best ? "; did you mean '" : "", nearest.best ? nearest.best : "",
		     nearest.best ? "'?" : "");
	return CTL_USAGE;
}

/* The stanza's own lists; a binding without domains has those of it, which are still to be known. */
static void take_settings(const struct model *model, struct identity_list *list)
{
	const struct dns_settings *dns = &model->dns;

	list->resolver = dns->resolver.ip;
	list->port = dns->resolver.port;
	for (uint32_t i = 0; i < dns->blocklists.n; i++)
		PUSH(&list->blocklists, dns->blocklists.at[i]);
	for (uint32_t i = 0; i < dns->domains.n; i++)
		PUSH(&list->domains, dns->domains.at[i]);
}

int identity_list_model(struct ctl *ctl, const struct model *model, char **names, size_t n,
			struct identity_list *ret)
{
	take_settings(model, ret);
	for (uint32_t i = 0; n == 0 && i < model->bindings.n; i++)
		if (model->bindings.at[i].name && !model->bindings.at[i].group)
			add_binding(ret, model, i);
	for (size_t i = 0; i < n; i++) {
		uint32_t index = model_find(model, names[i]);

		if (index == NO_INDEX || model->bindings.at[index].group)
			return complain_unknown(ctl, model, names[i]);
		add_binding(ret, model, index);
	}
	return CTL_DONE;
}

static int complain_domain(struct ctl *ctl, const char *word)
{
	ctl_complain(ctl, "'%s' is no domain: expected one such as example.com", word);
	return CTL_USAGE;
}

int identity_list_domains(struct ctl *ctl, const char *text, struct identity_list *list)
{
	list->domains.n = 0;
	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");
		char folded[DNS_NAME];
		const char *word = arena_text(&list->arena, at, len);

		if (!dns_name_fold(word, folded) || !dns_name_valid(folded))
			return complain_domain(ctl, word);
		PUSH(&list->domains, keep(list, folded));
		at += len;
		if (!*at)
			break;
	}
	for (size_t i = 0; i < list->subjects.n; i++)
		list->subjects.at[i].n_domains = 0;	/* what is asked for counts for all */
	return CTL_DONE;
}

int identity_list_blocklists(struct ctl *ctl, const char *text, struct identity_list *list)
{
	struct identity_list words = { .arena = list->arena };
	int r = identity_list_domains(ctl, text, &words);

	list->arena = words.arena;
	free(list->blocklists.at);
	list->blocklists.at = words.domains.at;
	list->blocklists.n = words.domains.n;
	list->blocklists.room = words.domains.room;
	return r;
}

int identity_list_resolver(struct ctl *ctl, const char *text, struct identity_list *list)
{
	char address[IP_TEXT] = "";
	struct host_port at = { 0 };
	long long port = 0;

	if (host_port_split(text, &at) && at.len < sizeof address)
		(void)snprintf(address, sizeof address, "%.*s", (int)at.len, at.host);
	if (ip_parse(address, &list->resolver) < 0 ||
	    (at.port && !number_read(at.port, 1, UINT16_MAX, &port))) {
		ctl_complain(ctl, "'%s' is no resolver: expected an address such as 192.0.2.53, "
			     "192.0.2.53:5353 or [2001:db8::53]:53", text);
		return CTL_USAGE;
	}
	list->port = (uint16_t)port;
	return CTL_DONE;
}
