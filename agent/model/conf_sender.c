/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What DNS should say about senders: settings of bindings, and the dns stanza, which is in files
 * only, since whoever asks DNS need not be told of changes at run time.
 */
#include "model/conf_actions.h"

#include "base/mem.h"

#include <string.h>

enum { KEEP_MIN = 3600, KEEP_MAX = 30 * 86400 };

/* One more name of a list that may have @most; false, reported, if it has it already. */
static void add_name(struct conf *conf, struct conf_names *list, const char *what, size_t most,
		     const struct word *word, struct where where)
{
	const char *name;

	if (word->len > 0 && word->at[0] == '.') {
		diag_error(conf->diag, where, "%s begins with a dot: expected a domain such as "
			   "example.com", SHOW(word));
		return;
	}
	if (!conf_form_domain(conf, word, where, &name))
		return;
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->at[i], name) == 0) {
			diag_error(conf->diag, where, "%s %s is given twice: expected it once",
				   what, SHOW(word));
			return;
		}
	if (list->n == most)
		diag_error(conf->diag, where, "more than %zu %ss: expected at most %zu", most, what,
			   most);
	PUSH(list, name);
}

/* The list into the arena; it is empty again. */
static struct sender_names take_names(struct conf *conf, struct conf_names *list)
{
	struct sender_names names = { .n = (uint32_t)list->n };
	size_t size = list->n * sizeof *list->at;

	if (size)
		names.at = memcpy(arena_alloc(&conf->model->arena, size), list->at, size);
	list->n = 0;
	return names;
}

void conf_binding_domain(struct conf *conf, const struct word *word, struct where where)
{
	add_name(conf, &conf->open.domains, "sender-domain", SENDER_DOMAINS_MAX, word, where);
}

void conf_binding_require(struct conf *conf, bool reject, struct where key)
{
	if (!conf_given_twice(conf, "require fcrdns", key, &conf->open.where_fcrdns))
		conf->open.fcrdns = reject ? REQUIRE_REJECT : REQUIRE_WARN;
}

const struct sender *conf_sender_take(struct conf *conf)
{
	struct sender *sender;

	if (conf->open.domains.n == 0 && conf->open.fcrdns == REQUIRE_NOTHING)
		return NULL;
	if (conf->open.fcrdns != REQUIRE_NOTHING && conf->open.routed.line)
		diag_error(conf->diag, conf->open.where_fcrdns,
			   "'require fcrdns' in a binding with a routed prefix (%s): expected "
			   "addresses, since a prefix has no name",
			   PLACE(conf, conf->open.routed));
	sender = arena_alloc(&conf->model->arena, sizeof *sender);
	*sender = (struct sender){ .domains = take_names(conf, &conf->open.domains),
				   .fcrdns = conf->open.fcrdns,
				   .where_fcrdns = conf->open.where_fcrdns };
	return sender;
}

void conf_dns_open(struct conf *conf, struct where key)
{
	struct dns_settings *dns = &conf->model->dns;

	memset(conf->dns.seen, 0, sizeof conf->dns.seen);
	if (conf_may_set(conf, "dns", "", key, &dns->where))
		dns->given = true;
}

void conf_dns_close(struct conf *conf)
{
	conf->model->dns.domains = take_names(conf, &conf->dns.domains);
	conf->model->dns.blocklists = take_names(conf, &conf->dns.blocklists);
}

void conf_dns_resolver(struct conf *conf, const struct word *word, struct where key,
		       struct where where)
{
	if (!conf_given_twice(conf, "resolver", key, &conf->dns.seen[DNS_RESOLVER]))
		(void)conf_form_endpoint(conf, ENDPOINT_RESOLVER, word, where,
					 &conf->model->dns.resolver);
}

void conf_dns_domain(struct conf *conf, const struct word *word, struct where where)
{
	add_name(conf, &conf->dns.domains, "sender-domain", SENDER_DOMAINS_MAX, word, where);
}

void conf_dns_blocklist(struct conf *conf, const struct word *word, struct where where)
{
	add_name(conf, &conf->dns.blocklists, "blocklist", BLOCKLISTS_MAX, word, where);
}

/* "12h" or "3d" */
void conf_dns_keep(struct conf *conf, const struct word *word, struct where key,
		   struct where where)
{
	char unit = word->len > 1 ? word->at[word->len - 1] : '\0';
	struct word number = { .at = word->at, .len = word->len ? word->len - 1 : 0 };
	uint64_t n = 0;

	if (conf_given_twice(conf, "keep", key, &conf->dns.seen[DNS_KEEPS]))
		return;
	if ((unit == 'h' || unit == 'd') && conf_word_number(&number, KEEP_MAX, &n) == 0)
		n *= unit == 'h' ? 3600 : 86400;
	if (n < KEEP_MIN || n > KEEP_MAX)
		diag_error(conf->diag, where, "%s is not a time to keep answers: expected one from "
			   "1h to 30d", SHOW(word));
	else
		conf->model->dns.keep_s = (uint32_t)n;
}

static void print_names(const char *key, const struct sender_names *names, FILE *out)
{
	for (uint32_t i = 0; i < names->n; i++) {
		if (i == 0)
			fprintf(out, "    %s ", key);
		else
			fputs(", ", out);
		conf_print_word(names->at[i], out);
	}
	if (names->n > 0)
		fputs(";\n", out);
}

void conf_sender_print(const struct sender *sender, FILE *out)
{
	if (!sender)
		return;
	print_names("sender-domain", &sender->domains, out);
	if (sender->fcrdns != REQUIRE_NOTHING)
		fprintf(out, "    require fcrdns%s;\n",
			sender->fcrdns == REQUIRE_WARN ? " warn" : "");
}

void conf_print_dns(const struct model *model, FILE *out)
{
	const struct dns_settings *dns = &model->dns;
	char place[ENDPOINT_TEXT];

	if (!dns->given)
		return;
	fputs("dns {\n", out);
	if (dns->resolver.ip.len > 0)
		fprintf(out, "    resolver %s;\n",
			conf_relay_endpoint(&dns->resolver, place, sizeof place));
	print_names("sender-domain", &dns->domains, out);
	print_names("blocklist", &dns->blocklists, out);
	if (dns->keep_s)
		fprintf(out, dns->keep_s % 86400 ? "    keep %uh;\n" : "    keep %ud;\n",
			dns->keep_s % 86400 ? dns->keep_s / 3600 : dns->keep_s / 86400);
	fputs("}\n", out);
}
