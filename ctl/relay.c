/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See relay.h: the same conversation as with the agent, with another partner. */
#include "relay.h"

#include "base/mem.h"

#define SOCKET_NAME	"control"

int relay_ask(struct ctl *ctl, const char *socket, const char *method, json_t *parameters,
	      json_t **ret_reply)
{
	char *AUTO(mem_drop) path = NULL;
	struct ctl to_relay = *ctl;

	if (!socket && asprintf(&path, "%s/%s", ctl->relay_dir, SOCKET_NAME) < 0)
		abort();
	to_relay.relay_socket = socket ? socket : path;
	return agent_ask(&to_relay, method, parameters, ret_reply);
}
