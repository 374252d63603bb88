/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl relay metrics: every figure of the relay as text that Prometheus reads. */
#include "answer.h"
#include "relay.h"
#include "reply.h"
#include "verbs.h"

enum { OPTION_SOCKET };

static const struct option options[] = {
	[OPTION_SOCKET] = RELAY_SOCKET_OPTION,
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

static void metrics_text(const struct ctl *ctl, const json_t *reply)
{
	(void)fputs(reply_text(reply, "text"), ctl->out);
}

static int metrics_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(json_drop) json_t *reply = NULL;
	int r = relay_ask(ctl, args->value[OPTION_SOCKET], "GetMetrics", NULL, &reply);

	if (r == CTL_DONE)
		answer_reply(ctl, reply, metrics_text);
	return r;
}

const struct verb relay_metrics_verb = {
	.name = "relay metrics",
	.synopsis = "",
	.summary = "the relay's figures as text for Prometheus",
	.text = "A collector reads it by way of a file or a small script; nothing listens on the network.\n\n"
		"  outbindctl relay metrics > /var/lib/node-exporter/outbind-relay.prom\n",
	.options = options,
	.run = metrics_run,
};
