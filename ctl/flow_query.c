/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See flow_query.h. */
#include "flow_query.h"

#include "agent.h"
#include "base/types.h"
#include "host_port.h"
#include "model/model.h"
#include "number.h"
#include "reply.h"

#include <limits.h>
#include <pwd.h>
#include <string.h>

static int set_user(struct ctl *ctl, const char *name, json_t *parameters)
{
	const struct passwd *user;
	long long uid;

	if (!number_read(name, 0, UINT32_MAX - 1, &uid)) {
		user = getpwnam(name);
		if (!user) {
			ctl_complain(ctl, "--client: there is no user '%s'", name);
			return CTL_USAGE;
		}
		uid = user->pw_uid;
	}
	(void)json_object_set_new(parameters, "uid", json_integer(uid));
	return CTL_DONE;
}

static int set_prefix(struct ctl *ctl, const char *option, const char *text, const char *key,
		      json_t *parameters)
{
	struct prefix prefix;

	if (prefix_parse(text, &prefix) == 0)
		return agent_add_text(ctl, parameters, key, text);
	ctl_complain(ctl, "--%s: expected an address or a prefix, got '%s'", option, text);
	return CTL_USAGE;
}

/* The rest of @text after "word:", or NULL. */
static const char *after(const char *text, const char *word)
{
	size_t len = strlen(word);

	return strncmp(text, word, len) == 0 && text[len] == ':' && text[len + 1]
		       ? text + len + 1
		       : NULL;
}

int flow_query_client(struct ctl *ctl, const char *text, json_t *parameters,
		      struct flow_query *ret)
{
	long long pid;
	const char *value;

	if ((value = after(text, "user")) || (value = after(text, "uid")))
		return set_user(ctl, value, parameters);
	if ((value = after(text, "source")))
		return set_prefix(ctl, "client", value, "from", parameters);
	if ((value = after(text, "unit"))) {
		*ret = (struct flow_query){ .kind = CLIENT_UNIT, .text = value };
		return CTL_DONE;
	}
	if ((value = after(text, "cgroup"))) {
		*ret = (struct flow_query){ .kind = CLIENT_CGROUP_PATH, .text = value };
		return CTL_DONE;
	}
	value = after(text, "pid");
	if (value && number_read(value, 0, INT_MAX, &pid)) {
		*ret = (struct flow_query){ .kind = CLIENT_PID, .pid = (int)pid };
		return CTL_DONE;
	}
	ctl_complain(ctl, "--client: expected user:NAME, uid:N, pid:N, unit:NAME, cgroup:PATH or "
		     "source:PREFIX, got '%s'", text);
	return CTL_USAGE;
}

int flow_query_to(struct ctl *ctl, const char *text, json_t *parameters)
{
	struct host_port to;
	char address[PREFIX_TEXT + 2];
	long long port;

	if (!host_port_split(text, &to) || to.len >= sizeof address)
		return set_prefix(ctl, "to", text, "to", parameters);
	if (to.port && !number_read(to.port, 1, UINT16_MAX, &port)) {
		ctl_complain(ctl, "--to: expected a port from 1 to 65535, got '%s'", to.port);
		return CTL_USAGE;
	}
	if (to.port)
		(void)json_object_set_new(parameters, "port", json_integer(port));
	(void)snprintf(address, sizeof address, "%.*s", (int)to.len, to.host);
	return set_prefix(ctl, "to", address, "to", parameters);
}

bool flow_query_takes(const struct flow_query *query, const struct owners *owners,
		      const json_t *flow)
{
	const char *cgroup = reply_text(flow, "cgroup");

	switch (query->kind) {
	case CLIENT_ANY:
		return true;
	case CLIENT_PID:
		return owners_has(owners, (uint32_t)reply_number(flow, "inode"), query->pid);
	case CLIENT_UNIT:
		return strcmp(reply_text(flow, "unit"), query->text) == 0;
	case CLIENT_CGROUP_PATH:
		return *cgroup && model_cgroup_below(cgroup, query->text);
	}
	return false;
}
