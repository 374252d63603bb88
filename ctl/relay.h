/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls to outbind-relay, which has a control socket and an interface of its own. */
#pragma once

#include "agent.h"

#include <stdbool.h>

#define RELAY_SOCKET_OPTION \
	{ "relay-socket", "PATH", "the relay's control socket (" CTL_RELAY_DIR "/control)", \
	  COMPLETE_FILE }

/*
 * relay_ask - as agent_ask(), but to the relay
 * @socket:     what --relay-socket says, or NULL
 * @parameters: taken; NULL: none
 */
MUST_CHECK int relay_ask(struct ctl *ctl, const char *socket, const char *method,
			 json_t *parameters, json_t **ret_reply);

/* The same as agent_ask_quietly(). */
MUST_CHECK int relay_ask_quietly(const struct ctl *ctl, const char *socket, const char *method,
				 json_t *parameters, json_t **ret_reply);

/* Is its socket there, whether it answers or not? */
bool relay_listens(const struct ctl *ctl);
