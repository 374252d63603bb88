/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer of `outbindctl verify`, as a table or as JSON. */
#include "answer.h"
#include "verify_parts.h"

#include <string.h>

static const struct column columns[] = {
	{ "RESULT", ALIGN_LEFT }, { "BINDING", ALIGN_LEFT }, { "FAMILY", ALIGN_LEFT },
	{ "WHAT WAS SEEN", ALIGN_LEFT },
};

static json_t *json_seen(const struct seen *seen)
{
	char from[IP_TEXT], mac[WIRE_MAC_TEXT], next[WIRE_MAC_TEXT];
	const struct wire_packet *packet = &seen->packet;

	return json_pack("{s:s, s:i, s:s, s:s?, s:s?}", "source", ip_print(&packet->from, from),
			 "port", (int)packet->from_port, "link", seen->link,
			 "mac", packet->has_macs ? wire_mac(packet->from_mac, mac) : NULL,
			 "next_hop", packet->has_macs ? wire_mac(packet->to_mac, next) : NULL);
}

static json_t *json_expected(const struct probe *probe)
{
	const struct prefixes *expected = &probe->evidence.expected;
	json_t *list = json_array();
	char text[PREFIX_TEXT];

	for (size_t i = 0; i < expected->n; i++) {
		const struct prefix *prefix = &expected->at[i];

		if (ip_family(&prefix->ip) == probe->family)
			json_array_append_new(list, json_string(
				prefix->bits == prefix->ip.len * 8 ? ip_print(&prefix->ip, text)
								   : prefix_print(prefix, text)));
	}
	return list;
}

static json_t *json_probe(const struct probe *probe)
{
	const struct evidence *evidence = &probe->evidence;
	const struct seen *seen = verify_seen(evidence);
	json_t *links = json_array();

	for (size_t i = 0; i < evidence->n_seen; i++)
		json_array_append_new(links, json_string(evidence->seen[i].link));
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:o}", "binding", probe->binding,
			 "family", ip_family_name(probe->family), "result",
			 verify_outcome_name(probe->outcome), "text", probe->text, "expected",
			 json_expected(probe), "seen", seen ? json_seen(seen) : json_null(),
			 "links", links, "reply", verify_reply_name(evidence->reply), "reply_us",
			 evidence->reply == REPLY_NONE
				 ? json_null() : json_integer((json_int_t)evidence->reply_us));
}

static size_t count(const struct verify *verify, enum outcome outcome)
{
	size_t n = 0;

	for (size_t i = 0; i < verify->probes.n; i++)
		n += verify->probes.at[i].outcome == outcome;
	return n;
}

static void print_json(const struct verify *verify, const char *to)
{
	json_t *results = json_array(), *all;

	for (size_t i = 0; i < verify->probes.n; i++)
		json_array_append_new(results, json_probe(&verify->probes.at[i]));
	all = json_pack("{s:s, s:o, s:I, s:I, s:I, s:I}", "to", to, "results", results, "passed",
			(json_int_t)count(verify, OUTCOME_PASS), "failed",
			(json_int_t)count(verify, OUTCOME_FAIL), "refused",
			(json_int_t)count(verify, OUTCOME_REFUSED), "lost",
			(json_int_t)verify->around.lost);
	answer_json(verify->ctl, all);
	json_decref(all);
}

void verify_print(const struct verify *verify, const char *to)
{
	static const enum tint tints[] = { [OUTCOME_FAIL] = TINT_BAD, [OUTCOME_PASS] = TINT_GOOD,
					   [OUTCOME_REFUSED] = TINT_BAD };
	const struct ctl *ctl = verify->ctl;
	struct table table = { .columns = columns, .n_columns = ARRAY_LEN(columns) };

	if (ctl->json) {
		print_json(verify, to);
		return;
	}
	for (size_t i = 0; i < verify->probes.n; i++) {
		const struct probe *probe = &verify->probes.at[i];

		table_add(&table, verify_outcome_name(probe->outcome), tints[probe->outcome]);
		table_add(&table, probe->binding, TINT_PLAIN);
		table_add(&table, ip_family_name(probe->family), TINT_PLAIN);
		table_add(&table, probe->text, TINT_PLAIN);
	}
	table_print(&table, ctl->out, 0, ctl->color);
	table_drop(&table);
	(void)fprintf(ctl->out, "%zu passed, %zu failed, %zu refused\n",
		      count(verify, OUTCOME_PASS), count(verify, OUTCOME_FAIL),
		      count(verify, OUTCOME_REFUSED));
}
