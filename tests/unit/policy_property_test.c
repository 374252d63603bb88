/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index of relay rules against the plain reading of the manual: of all rules that match, the first
 * key, then the narrowest value, then the rule with `on`. Random rules from a small world, so that they
 * meet often.
 */
#include "conf_rows.h"
#include "relay/policy.h"
#include "roll.h"

enum { ROUNDS = 2000, RULES = 14, ASKED = 60 };

static const char *const domains[] = { "a.x.example", "b.a.x.example", "x.example", "example", "y.test",
				       "a.y.test", "test", "A.x.Example", "c.b.a.x.example" };
static const char *const locals[] = { "u", "U", "v", "\"p q\"" };
static const char *const listeners[] = { "one", "two" };
static const char *const cgroups[] = { "/m", "/m/x", "/m/x/y", "/n", "/m/xy" };
static const char *const addresses[] = { "10.1.2.3", "10.1.2.4", "10.9.0.1", "192.0.2.1", "2001:db8::1",
					 "2001:db8:8000::1" };

static const char *pick(const char *const *from, size_t n)
{
	return from[roll((uint32_t)n)];
}
#define PICK(list)	pick(list, ARRAY_LEN(list))

static void print_prefix(FILE *out)
{
	struct prefix prefix = { 0 };
	char text[PREFIX_TEXT];
	static const uint8_t lengths[] = { 0, 8, 15, 16, 24, 31, 32 };

	assert_int_equal(ip_parse(PICK(addresses), &prefix.ip), 0);
	prefix.bits = lengths[roll(ARRAY_LEN(lengths))];
	if (prefix.ip.len == 16)
		prefix.bits *= 2;
	for (unsigned bit = prefix.bits; bit < prefix.ip.len * 8u; bit++)
		prefix.ip.octet[bit / 8] &= (uint8_t)~(0x80u >> bit % 8);
	fprintf(out, "%s", prefix_print(&prefix, text));
}

static void print_key(FILE *out, uint32_t key)
{
	static const char *const words[] = { "sender", "recipient", "auth", "ehlo", "peer cgroup", "peer user",
					     "client", "destination", "otherwise" };
	uint32_t first = roll(5), width = roll(3);

	fprintf(out, "%s ", words[key]);
	if (key == 0 && roll(4) == 0)
		fprintf(out, "\"\"");
	else if (key == 0 && roll(2) == 0)
		fprintf(out, "\"%s@%s\"", locals[roll(3)], PICK(domains));
	else if (key == 0 || key == 1 || key == 3)
		fprintf(out, "%s%s", roll(2) ? "." : "", PICK(domains));
	else if (key == 2)
		fprintf(out, "%s", locals[roll(3)]);
	else if (key == 4)
		fprintf(out, "%s", PICK(cgroups));
	else if (key == 5)		/* nested: 0-7 within 0-15, and so on */
		fprintf(out, "%u-%u", first << width, ((first + 1) << width) - 1);
	else if (key == 6 || key == 7)
		print_prefix(out);
}

/* The listeners know every key, so that no rule is an error. */
static char *print_conf(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		abort();
	fprintf(out, "binding a { address 192.0.2.1; }\nrelay {\n"
		"listen /one { name one; auth socket /s; auth plain-text; }\n"
		"listen /two { name two; auth socket /s; auth plain-text; }\n");
	for (uint32_t i = 0, n = 1 + roll(RULES); i < n; i++) {
		uint32_t key = roll(9);

		print_key(out, key);
		if (roll(3) == 0 && key != 6 && key != 7)
			fprintf(out, " on %s", PICK(listeners));
		fprintf(out, " use a;\n");
	}
	fprintf(out, "}\n");
	if (fclose(out) != 0)
		abort();
	return text;
}

static bool same_folded(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

/* How narrow @rule is about @domain; 0: it is not about it. */
static long domain_score(const char *rule, const char *domain)
{
	size_t len = strlen(rule), n = strlen(domain);

	if (rule[0] != '.')
		return same_folded(rule, domain) ? 1000 : 0;
	return n > len && same_folded(domain + n - len, rule) ? (long)len : 0;
}

static long sender_score(const char *rule, const char *sender)
{
	const char *at = strrchr(sender, '@'), *mine = strrchr(rule, '@');

	if (!*sender || !*rule)
		return !*sender && !*rule ? 3000 : 0;
	if (mine)
		return mine - rule == at - sender && same_folded(mine, at) &&
			       memcmp(rule, sender, (size_t)(at - sender)) == 0 ? 2000 : 0;
	return domain_score(rule, at + 1);
}

static long path_score(const char *rule, const char *path)
{
	size_t len = strlen(rule);

	return strncmp(rule, path, len) == 0 && (!path[len] || path[len] == '/') ? (long)len : 0;
}

static long prefix_score(const struct prefix *prefix, const struct ip *ip)
{
	return prefix_contains(prefix, ip) ? 1 + prefix->bits : 0;
}

static long score(const struct relay_rule *rule, const struct policy_facts *facts)
{
	switch (rule->key) {
	case RELAY_KEY_SENDER:
		return sender_score(rule->text, facts->sender);
	case RELAY_KEY_RECIPIENT:
		return domain_score(rule->text, strrchr(facts->rcpt, '@') + 1);
	case RELAY_KEY_USER:
		return strcmp(rule->text, facts->user) == 0;
	case RELAY_KEY_HELO:
		return domain_score(rule->text, facts->helo);
	case RELAY_KEY_PEER_CGROUP:
		return path_score(rule->text, facts->peer_cgroup);
	case RELAY_KEY_PEER_USER:
		return rule->ids.first <= facts->peer_uid && facts->peer_uid <= rule->ids.last
			       ? 1000 - (long)(rule->ids.last - rule->ids.first) : 0;
	case RELAY_KEY_CLIENT:
		return prefix_score(&rule->prefix, &facts->client);
	case RELAY_KEY_DESTINATION:
		return prefix_score(&rule->prefix, &facts->destination);
	case RELAY_KEY_OTHERWISE:
	case RELAY_KEY_LISTENER:
	case RELAY_KEY_PARAMETER:
	case RELAY_KEY_HEADER:
	case RELAY_KEY_MAP:
	case RELAY_KEYS:
		break;
	}
	return 1;
}

/* By the manual, rule by rule. */
static const struct relay_rule *expected(const struct relay *relay,
					 const struct policy_facts *facts)
{
	const struct relay_rule *best = NULL;
	long best_score = 0;

	for (size_t i = 0; i < relay->rules.n; i++) {
		const struct relay_rule *rule = &relay->rules.at[i];
		long now = 2 * score(rule, facts);

		if (now == 0 || (rule->listener && rule->listener != facts->listener->name))
			continue;
		now += rule->listener != NULL;
		if (best && (rule->key > best->key ||
			     (rule->key == best->key && now <= best_score)))
			continue;
		best = rule;
		best_score = now;
	}
	return best;
}

static void check_one(const struct model *model, const struct policy *policy, const char *conf)
{
	char sender[64] = "", rcpt[64];
	struct policy_facts facts = {
		.listener = &model->relay.listeners.at[roll(2)], .sender = sender, .rcpt = rcpt,
		.user = locals[roll(3)], .helo = PICK(domains), .has_peer = true,
		.peer_uid = roll(20), .peer_cgroup = PICK(cgroups),
	};
	const struct relay_rule *want;
	struct policy_verdict got;

	if (roll(5) > 0)
		snprintf(sender, sizeof sender, "%s@%s", PICK(locals), PICK(domains));
	snprintf(rcpt, sizeof rcpt, "%s@%s", PICK(locals), PICK(domains));
	assert_int_equal(ip_parse(PICK(addresses), &facts.client), 0);
	assert_int_equal(ip_parse(PICK(addresses), &facts.destination), 0);
	want = expected(&model->relay, &facts);
	policy_decide(policy, &facts, &got);
	if (got.rule != want)
		fail_msg("%s\nsender %s rcpt %s user %s helo %s cgroup %s uid %u on %s: rule %d, not %d", conf,
			 sender, rcpt, facts.user, facts.helo, facts.peer_cgroup, facts.peer_uid,
			 facts.listener->name,
			 got.rule ? (int)(got.rule - model->relay.rules.at) : -1,
			 want ? (int)(want - model->relay.rules.at) : -1);
}

static void test_the_manual_decides(void **state)
{
	int n_read = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		AUTO(model_drop) struct model model = { 0 };
		AUTO(diag_drop) struct diag diag = { 0 };
		char *AUTO(mem_drop) conf = print_conf();
		struct policy *policy;

		if (fake_read_text(conf, 0, &model, &diag) < 0)
			continue;	/* a rule is there twice, or ranges cut each other */
		n_read++;
		policy = policy_new(&model);
		for (int i = 0; i < ASKED; i++)
			check_one(&model, policy, conf);
		policy_free(policy);
	}
	assert_true(n_read > ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_the_manual_decides) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
