/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GetDns, ListIdentities, ReportIdentities: who asks DNS learns for whom, and says what it found. */
#include "daemon/method.h"

#include "base/mem.h"
#include "daemon/identity.h"

#include <string.h>
#include <time.h>

enum { CHUNK_ITEMS = 100 };

static json_t *json_names(const struct sender_names *names)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < names->n; i++)
		json_array_append_new(list, method_json(names->at[i]));
	return list;
}

json_t *method_json_domains(const struct binding *binding)
{
	return binding->sender ? json_names(&binding->sender->domains) : json_array();
}

json_t *method_json_require(const struct binding *binding)
{
	enum require fcrdns = binding->sender ? binding->sender->fcrdns : REQUIRE_NOTHING;

	if (fcrdns == REQUIRE_NOTHING)
		return json_null();
	return json_string(fcrdns == REQUIRE_WARN ? "fcrdns warn" : "fcrdns");
}

void method_get_dns(struct call *call)
{
	const struct model *model = &call->agent->now->model;
	const struct dns_settings *dns = &model->dns;
	const struct relay_endpoint *at = &dns->resolver;
	char resolver[IP_PORT_TEXT];

	method_reply(call, json_pack("{s:o, s:o, s:o, s:o, s:I}", "resolver",
				     method_json(at->ip.len == 0 ? NULL
						 : ip_print_port(&at->ip, at->port, resolver)),
				     "hostname", method_json(model->relay.hostname),
				     "sender_domains", json_names(&dns->domains), "blocklists",
				     json_names(&dns->blocklists), "keep",
				     (json_int_t)(dns->keep_s ? dns->keep_s : DNS_KEEP)));
}

static json_t *json_ago(int64_t then, int64_t now)
{
	return then == 0 ? json_null() : json_integer(now > then ? now - then : 0);
}

static json_t *json_identity(const struct identity *identity)
{
	int64_t now = (int64_t)time(NULL);
	json_t *json;
	char ip[IP_TEXT];

	json = json_pack("{s:o, s:s, s:o, s:o, s:b}", "binding", method_json(identity->binding),
			 "address", ip_print(&identity->ip, ip), "checked",
			 json_ago(identity->checked, now), "agreed",
			 json_ago(identity->agreed, now), "counts", (int)identity->counts);
	for (int i = 0; i < IDENTITY_CHECKS; i++)
		(void)json_object_set_new(
			json, identity_check_name((enum identity_check)i),
			json_pack("{s:s, s:o}", "state", identity_state_name(identity->state[i]),
				  "text", method_json(identity->words[i])));
	return json;
}

struct identity_stream {
	struct stream stream;
	struct ip last;				/* sent last; len 0: none yet */
};

static void free_stream(struct stream *stream)
{
	free(stream);
}

static void next_identities(struct stream *stream, struct agent *agent, struct answer *ret)
{
	struct identity_stream *at = (struct identity_stream *)stream;
	const struct identities *identities = &agent->identities;
	json_t *list = json_array();
	size_t i = 0, high = identities->n;

	while (at->last.len > 0 && i < high) {	/* the first behind the last */
		size_t middle = i + (high - i) / 2;

		if (ip_compare(&identities->at[middle].ip, &at->last) <= 0)
			i = middle + 1;
		else
			high = middle;
	}
	for (size_t n = 0; n < CHUNK_ITEMS && i < identities->n; n++, i++) {
		at->last = identities->at[i].ip;
		json_array_append_new(list, json_identity(&identities->at[i]));
	}
	ret->continues = i < identities->n;
	ret->parameters = json_pack("{s:o}", "identities", list);
}

void method_list_identities(struct call *call)
{
	struct identity_stream *stream = mem_zero(1, sizeof *stream);

	stream->stream = (struct stream){ .next = next_identities, .free = free_stream };
	method_stream(call, &stream->stream);
}

static bool read_check(const json_t *item, enum identity_check check, struct identity *ret)
{
	const json_t *one = json_object_get(item, identity_check_name(check));
	const char *state = json_string_value(json_object_get(one, "state"));
	const char *text = json_string_value(json_object_get(one, "text"));

	if (!state || !identity_state_of(state, &ret->state[check]))
		return false;
	ret->words[check] = text ? mem_text(text, strnlen(text, IDENTITY_WORDS - 1)) : NULL;
	return true;
}

static bool read_identity(const json_t *item, struct identity *ret)
{
	const char *binding = json_string_value(json_object_get(item, "binding"));
	const char *address = json_string_value(json_object_get(item, "address"));

	if (!binding || !address || ip_parse(address, &ret->ip) < 0)
		return false;
	for (int i = 0; i < IDENTITY_CHECKS; i++)
		if (!read_check(item, (enum identity_check)i, ret))
			return false;
	ret->binding = mem_copy(binding);
	return true;
}

/* All of them are read before any is taken; what the configuration does not have is left out. */
void method_report_identities(struct call *call)
{
	const json_t *results = json_object_get(call->parameters, "results");
	AUTO(outcome_drop) struct outcome out = { 0 };
	struct agent *agent = call->agent;
	size_t n = json_array_size(results), events = 0, unknown = 0;
	struct identity *found = mem_zero(n, sizeof *found);
	bool good = true;
	int r = 0;

	for (size_t i = 0; i < n && good; i++)
		good = read_identity(json_array_get(results, i), &found[i]);
	for (size_t i = 0; i < n; i++) {
		if (good && identities_has(&agent->now->model, found[i].binding,
					   &found[i].ip))
			identity_take(agent, &found[i], &events);
		else
			unknown++;
		identity_drop(&found[i]);
	}
	free(found);
	if (!good) {
		method_fail_parameter(call, "results");
		return;
	}
	if (method_true(call, "last"))
		r = identity_settle(agent, events, &out);
	if (r < 0)
		method_fail_outcome(call, r, &out);
	else
		method_reply(call, json_pack("{s:I, s:I}", "taken", (json_int_t)(n - unknown),
					     "unknown", (json_int_t)unknown));
}
