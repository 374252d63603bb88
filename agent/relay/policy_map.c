/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the policy map is asked: outbind.conf(5), policy-map. */
#include "relay/policy_index.h"

/* " NAME=VALUE", octets that would blur it percent-encoded. */
static void put_field(struct buffer *out, const char *name, const char *value)
{
	if (!value)
		return;
	buffer_print(out, "%s%s=", buffer_len(out) > 0 ? " " : "", name);
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c <= ' ' || c == '%' || c == 0x7f)
			buffer_print(out, "%%%02X", c);
		else
			buffer_put(out, value, 1);
	}
}

bool policy_asks_map(const struct policy *policy, const struct policy_facts *facts)
{
	return policy->model->relay.policy_map.name && !facts->parameter && !facts->header;
}

void policy_map_key(const struct policy_facts *facts, struct buffer *out)
{
	char client[IP_TEXT] = "unix";

	if (facts->client.len > 0)
		ip_print(&facts->client, client);
	put_field(out, "client", client);
	put_field(out, "listener", facts->listener->name);
	put_field(out, "helo", facts->helo);
	put_field(out, "user", facts->user);
	put_field(out, "sender", facts->sender);
	put_field(out, "recipient", facts->rcpt);
	buffer_put(out, "", 1);
}
