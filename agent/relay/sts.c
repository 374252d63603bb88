/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MTA-STS by look-up. What the map does not know has no policy; what it says and we do not
 * understand is a failure, as is no answer: a policy that cannot be read is not a policy that is
 * not there (RFC 8461 section 5).
 */
#include "relay/sts.h"

#include "base/mem.h"
#include "relay/socketmap.h"

#include <stdio.h>
#include <string.h>

struct sts { struct socketmap *map; };

struct sts_query {
	struct socketmap_query *map;
	char *dotted;				/* the domain, with a dot in front */
	sts_done *done;
	void *context;
};

struct sts *sts_new(struct socketmap *map)
{
	struct sts *sts = mem_zero(1, sizeof *sts);

	sts->map = map;
	return sts;
}

void sts_free(struct sts *sts)
{
	if (!sts)
		return;
	socketmap_free(sts->map);
	free(sts);
}

static bool read_level(const char *word, enum relay_tls *ret)
{
	static const struct { const char *name; enum relay_tls level; } levels[] = {
		{ "none", RELAY_UPSTREAM_NONE },      { "may", RELAY_UPSTREAM_MAY },
		{ "encrypt", RELAY_UPSTREAM_ENCRYPT }, { "verify", RELAY_UPSTREAM_VERIFY },
		{ "secure", RELAY_UPSTREAM_VERIFY },  { "dane", RELAY_UPSTREAM_DANE },
		{ "dane-only", RELAY_UPSTREAM_DANE },
	};

	for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
		if (strcmp(word, levels[i].name) == 0) {
			*ret = levels[i].level;
			return true;
		}
	}
	return false;
}

/* What a word of Postfix's means, or the name itself. */
static const char *name_of(const char *word, const char *dotted)
{
	if (strcmp(word, "nexthop") == 0)
		return dotted + 1;
	return strcmp(word, "dot-nexthop") == 0 ? dotted : word;
}

/* "A:.B:hostname": the names that a certificate may have. */
static bool take_names(char *value, const char *dotted, struct sts_policy *ret)
{
	size_t n = 0;

	while (n < STS_NAMES_MAX && ret->names[n])
		n++;
	for (char *name; (name = strsep(&value, ":"));) {
		if (strcmp(name, "hostname") == 0)
			ret->match_host = true;
		else if (name[0] == '\0' || n == STS_NAMES_MAX)
			return false;
		else
			ret->names[n++] = name_of(name, dotted);
	}
	return true;
}

bool sts_parse(char *value, const char *dotted, struct sts_policy *ret)
{
	char *word = strsep(&value, " ");
	bool secure;

	*ret = (struct sts_policy){ 0 };
	if (!word || !read_level(word, &ret->level))
		return false;
	secure = strcmp(word, "secure") == 0;
	ret->needs_records = strcmp(word, "dane-only") == 0;
	while ((word = strsep(&value, " "))) {
		if (strncmp(word, "match=", 6) == 0) {
			if (!take_names(word + 6, dotted, ret))
				return false;
		} else if (word[0] != '\0' && strncmp(word, "servername=", 11) != 0 &&
			   !strchr(word, '=')) {
			return false;		/* a word that might say something we must heed */
		}
	}
	if (secure && !ret->names[0] && !ret->match_host) {
		ret->names[0] = dotted + 1;
		ret->names[1] = dotted;
	}
	return true;
}

static void on_answer(void *context, enum socketmap_result result, const char *text)
{
	struct sts_query *query = context;
	struct sts_policy policy = { 0 };
	char *value = mem_copy(text);

	if (result == SOCKETMAP_OK && !sts_parse(value, query->dotted, &policy))
		policy.failed = true;
	else if (result == SOCKETMAP_TEMPORARY || result == SOCKETMAP_PERMANENT)
		policy.failed = true;
	query->done(query->context, &policy);
	free(value);
	free(query->dotted);
	free(query);
}

struct sts_query *sts_ask(struct sts *sts, const char *domain, sts_done *done, void *context)
{
	struct sts_query *query = mem_zero(1, sizeof *query);

	if (asprintf(&query->dotted, ".%s", domain) < 0)
		abort();
	query->done = done;
	query->context = context;
	query->map = socketmap_ask(sts->map, domain, on_answer, query);
	return query;
}

void sts_cancel(struct sts_query *query)
{
	socketmap_cancel(query->map);
	free(query->dotted);
	free(query);
}
