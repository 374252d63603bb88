/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GetStatus and GetMetrics: sums over the workers, read while they go on counting. */
#include "relay/control_parts.h"

#include "base/mem.h"
#include "model/conf.h"

#include <malloc.h>
#include <string.h>
#include <unistd.h>

static unsigned sum_up(const struct program *program, struct metrics *sum)
{
	unsigned sessions = 0;

	for (unsigned i = 0; i < program->n_workers; i++) {
		metrics_add(sum, &program->workers[i].metrics);
		sessions += program->workers[i].n_conns;
	}
	return sessions;
}

static json_t *listeners(const struct program *program)
{
	json_t *list = json_array();

	for (size_t i = 0; i < program->now->n_fronts; i++) {
		const struct front_kind *front = &program->now->fronts[i];
		char address[ENDPOINT_TEXT];

		conf_relay_endpoint(&front->conf->at, address, sizeof address);
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "name",
					front->conf->name, "address", address, "protocol",
					conf_relay_protocol_name(front->conf->protocol), "point",
					policy_point_name(front->session.point), "sessions",
					(json_int_t)front->counts->sessions, "accepted",
					(json_int_t)front->counts->accepted, "refused",
					(json_int_t)front->counts->refused));
	}
	return list;
}

/* Resident octets: statm(5), proc(5). */
static json_int_t memory_now(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%*d %ld", &pages) != 1)
		pages = 0;
	(void)fclose(file);
	return (json_int_t)pages * sysconf(_SC_PAGESIZE);
}

static json_t *messages(const struct metrics *sum)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "delivered", (json_int_t)sum->delivered,
			 "refused", (json_int_t)sum->refused, "lost", (json_int_t)sum->lost, "spared",
			 (json_int_t)sum->spared, "aborted", (json_int_t)sum->aborted, "ack_lost",
			 (json_int_t)sum->ack_lost);
}

static json_t *upstreams(const struct metrics *sum)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "open", (json_int_t)sum->upstreams, "idle",
			 (json_int_t)sum->idle, "opened", (json_int_t)sum->dials, "failed",
			 (json_int_t)sum->dial_failures, "reused", (json_int_t)sum->reused);
}

void control_status(struct control_peer *peer, json_t *in)
{
	const struct program *program = peer->control->program;
	struct metrics sum = { 0 };
	unsigned sessions = sum_up(program, &sum);
	json_t *out;

	tagging_try(peer->control->tagging);
	out = json_pack(
		"{s:s, s:i, s:s, s:s, s:s, s:i, s:b, s:b, s:i, s:i, s:I, s:i, s:o, s:o, s:o, s:[]}",
		"version", OUTBIND_VERSION, "pid", (int)getpid(), "configuration", program->config,
		"started", program->started, "last_reload", program->last_reload, "workers",
		(int)program->n_workers, "agent", tagging_connected(peer->control->tagging),
		"stopping", program->stopping, "sessions", (int)sessions, "sessions_max",
		(int)program->now->model.relay.sessions_max, "memory", memory_now(), "rules",
		(int)program->now->model.relay.rules.n, "listeners", listeners(program), "messages",
		messages(&sum), "upstreams", upstreams(&sum), "warnings");

	(void)in;
	control_reply(peer, out);
}

void control_metrics(struct control_peer *peer, json_t *in)
{
	AUTO(mem_drop) char *text = NULL;
	struct metrics sum = { 0 };
	unsigned sessions = sum_up(peer->control->program, &sum);
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)in;
	if (!out)
		abort();
	metrics_print(&sum, sessions, out);
	if (fclose(out) != 0)
		abort();
	control_reply(peer, json_pack("{s:s}", "text", text));
}

void control_info(struct control_peer *peer, json_t *in)
{
	(void)in;
	control_reply(peer, json_pack("{s:s, s:s, s:s, s:s, s:[s, s]}", "vendor", "outbind",
				      "product", "outbind-relay", "version", OUTBIND_VERSION, "url",
				      "https://varlink.org", "interfaces", "org.varlink.service",
				      "org.outbind.relay"));
}

void control_describe(struct control_peer *peer, json_t *in)
{
	const char *name = json_string_value(json_object_get(in, "interface"));

	if (name && strcmp(name, "org.outbind.relay") == 0)
		control_reply(peer, json_pack("{s:s}", "description", varlink_relay_description));
	else
		control_error(peer, "org.varlink.service.InterfaceNotFound",
			      json_pack("{s:s}", "interface", name ? name : ""));
}
