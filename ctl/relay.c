/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See relay.h: the same conversation as with the agent, with another partner. */
#include "relay.h"

#include "base/mem.h"

#include <unistd.h>

#define SOCKET_NAME	"control"

/* @ctl, for calls to the relay. *@ret_path is what it borrows from, owned by the caller. */
static struct ctl to_relay(const struct ctl *ctl, const char *socket, char **ret_path)
{
	struct ctl relay = *ctl;

	if (!socket && asprintf(ret_path, "%s/%s", ctl->relay_dir, SOCKET_NAME) < 0)
		abort();
	relay.relay_socket = socket ? socket : *ret_path;
	return relay;
}

int relay_ask(struct ctl *ctl, const char *socket, const char *method, json_t *parameters,
	      json_t **ret_reply)
{
	char *AUTO(mem_drop) path = NULL;
	struct ctl relay = to_relay(ctl, socket, &path);

	return agent_ask(&relay, method, parameters, ret_reply);
}

int relay_ask_quietly(const struct ctl *ctl, const char *socket, const char *method,
		      json_t *parameters, json_t **ret_reply)
{
	char *AUTO(mem_drop) path = NULL;
	struct ctl relay = to_relay(ctl, socket, &path);

	return agent_ask_quietly(&relay, method, parameters, ret_reply);
}

bool relay_listens(const struct ctl *ctl)
{
	char *AUTO(mem_drop) path = NULL;
	struct ctl relay = to_relay(ctl, NULL, &path);

	return access(relay.relay_socket, F_OK) == 0;
}
