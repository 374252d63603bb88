/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls to the agent over its control socket. Errors are reported here, in words. */
#pragma once

#include "ctl.h"

#include <jansson.h>

/* One reply of several. Nobody else looks at it: it may be changed, and kept by a reference. */
typedef void agent_reply(void *context, json_t *reply);

/* Keeps the last reply: @context is a json_t *, NULL at first, whose value the caller owns. */
agent_reply agent_keep;

static inline void json_drop(json_t **json)
{
	json_decref(*json);
	*json = NULL;
}

/*
 * agent_connect - a stream to a Unix socket, with ctl's patience for both directions
 * 0 or a positive errno, which is not said.
 */
MUST_CHECK int agent_connect(const struct ctl *ctl, const char *path, struct fd *ret);

/*
 * agent_hold - connect once, for all calls that follow
 * For who gives up the rights to connect later: the agent looks at them when a connection is made.
 * @ret stays open, and ctl->line points to it, until the caller drops both.
 */
MUST_CHECK int agent_hold(struct ctl *ctl, struct fd *ret);

/*
 * agent_call - ask for a method with `more`, and hand over each reply
 * @parameters: taken; NULL: none
 *
 * Returns CTL_DONE after the last reply, or the exit code of a failure that was already reported
 * on ctl->err (with --json, an error that the agent answered also on ctl->out).
 */
MUST_CHECK int agent_call(struct ctl *ctl, const char *method, json_t *parameters,
			  agent_reply *each, void *context);

/* The same for methods with one reply: written to *@ret_reply, owned by the caller. */
MUST_CHECK int agent_ask(struct ctl *ctl, const char *method, json_t *parameters,
			 json_t **ret_reply);

/*
 * agent_begin - call a method that answers as long as the connection lasts
 * @parameters: taken
 * @ret_fd:     the connection: dropping it ends the call; readable when there is more, or it ended
 * @ret_reply:  the first reply, owned by the caller
 *
 * As agent_call() otherwise.
 */
MUST_CHECK int agent_begin(struct ctl *ctl, const char *method, json_t *parameters,
			   struct fd *ret_fd, json_t **ret_reply);

/* The same without a word about failures, and with little patience: for what may as well not be
 * known. */
MUST_CHECK int agent_ask_quietly(const struct ctl *ctl, const char *method, json_t *parameters,
				 json_t **ret_reply);
MUST_CHECK int agent_call_quietly(const struct ctl *ctl, const char *method, json_t *parameters,
				  agent_reply *each, void *context);

/* Add a text to @parameters. CTL_USAGE, and a complaint, if it is not valid UTF-8. */
MUST_CHECK int agent_add_text(struct ctl *ctl, json_t *parameters, const char *key,
			      const char *text);

/* Where the configuration of the agent is, absolute and malloc'd. CTL_DONE, or the exit code after a
 * complaint. */
MUST_CHECK int agent_find_config(struct ctl *ctl, char **ret);
