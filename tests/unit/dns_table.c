/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See dns_table.h. */
#include "dns_table.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct dns_table_answer {
	enum dns_type type;
	char name[DNS_NAME];
	struct dns_answer *answer;
};

static bool is_type(const char *word, size_t len, enum dns_type type)
{
	static const struct { const char *word; enum dns_type type; } types[] = {
		{ "A", DNS_A }, { "AAAA", DNS_AAAA }, { "MX", DNS_MX }, { "PTR", DNS_PTR },
		{ "TXT", DNS_TXT },
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].type == type)
			return strlen(types[i].word) == len &&
			       memcmp(types[i].word, word, len) == 0;
	return false;
}

static void add(struct dns_answer *answer, enum dns_type type, const char *text, size_t len)
{
	struct dns_record record = { 0 };
	char *copy = mem_text(text, len), name[DNS_NAME];

	if (type == DNS_A || type == DNS_AAAA) {
		if (ip_parse(copy, &record.ip) < 0)
			abort();
	} else if (type == DNS_TXT) {
		record.text = mem_text(copy, len);
		record.len = len;
	} else {
		const char *host = type == DNS_MX ? strchr(copy, ' ') + 1 : copy;

		dns_name_fold(host, name);
		record.text = mem_copy(name);
		record.len = strlen(name);
	}
	free(copy);
	answer->outcome = DNS_FOUND;
	PUSH(&answer->records, record);
}

static struct dns_answer *look_up(const char *text, enum dns_type type, const char *name)
{
	struct dns_answer *answer = mem_zero(1, sizeof *answer);

	answer->outcome = DNS_NOTHING;
	for (const char *line = text; *line; line += *line == '\n') {
		size_t len = strcspn(line, "\n"), owner = strcspn(line, " \n");
		const char *word = line + owner + 1;
		size_t kind = strcspn(word, " \n");

		if (owner < len && strlen(name) == owner && strncasecmp(name, line, owner) == 0) {
			if (kind == 4 && memcmp(word, "FAIL", 4) == 0) {
				answer->outcome = DNS_FAILED;
				answer->failure = "no answer in time";
			} else if (is_type(word, kind, type)) {
				add(answer, type, word + kind + 1, len - owner - kind - 2);
			}
		}
		line += len;
	}
	return answer;
}

const struct dns_answer *dns_table_ask(void *context, enum dns_type type, const char *name)
{
	struct dns_table *table = context;
	struct dns_table_answer fresh = { .type = type };

	if (!dns_name_fold(name, fresh.name))
		abort();
	for (size_t i = 0; i < table->answers.n; i++) {
		struct dns_table_answer *at = &table->answers.at[i];

		if (at->type == type && strcmp(at->name, fresh.name) == 0)
			return at->answer;
	}
	table->asked++;
	fresh.answer = look_up(table->text, type, fresh.name);
	PUSH(&table->answers, fresh);
	return table->patient ? NULL : fresh.answer;
}

void dns_table_drop(struct dns_table *table)
{
	for (size_t i = 0; i < table->answers.n; i++) {
		dns_answer_drop(table->answers.at[i].answer);
		free(table->answers.at[i].answer);
	}
	free(table->answers.at);
	table->answers.at = NULL;
	table->answers.n = table->answers.room = 0;
}
