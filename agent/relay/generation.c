/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See generation.h. Whatever can fail fails here, before anything that runs is touched. */
#include "relay/generation.h"

#include "base/mem.h"
#include "model/conf.h"
#include "relay/peers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct session_kind session_kind(const struct generation *generation,
					const struct relay_listener *conf)
{
	const struct relay *relay = &generation->model.relay;
	struct session_kind kind = {
		.point = policy_point(generation->policy, conf),
		.hostname = generation->hostname,
		.header = conf->trust_header ? "X-Binding" : NULL,
		.parameter = conf->trust_parameter,
		.normalise = conf->normalise,
		.auth = conf->auth_file || conf->auth_socket,
		.auth_required = conf->auth_required,
		.auth_plain_text = conf->auth_plain_text,
		.received = conf->received,
		.ignore_8bit = relay->ignore_8bit,
		.size_max = relay->size_max,
	};

	switch (conf->protocol) {
	case RELAY_LMTP:
		kind.front = FRONT_LMTP;
		break;
	case RELAY_INTERCEPT:
		kind.front = FRONT_INTERCEPT;
		kind.received = false;
		break;
	case RELAY_SMTP:
	case RELAY_SOCKS5:
	case RELAY_PROXY:
		kind.front = FRONT_SMTP;
		break;
	}
	kind.tls = (enum front_tls)conf->tls;
	kind.intercept_tls = (enum intercept_tls)conf->intercept.tls;
	/* What is decided by the envelope cannot be passed through blind. */
	if (kind.front == FRONT_INTERCEPT && kind.intercept_tls == INTERCEPT_BLIND &&
	    kind.point != POINT_ACCEPT)
		kind.intercept_tls = INTERCEPT_STRIP;
	return kind;
}

static int make_fronts(struct generation *generation, char *ret_why, size_t room)
{
	const struct relay *relay = &generation->model.relay;

	generation->n_fronts = relay->listeners.n;
	generation->fronts = mem_zero(relay->listeners.n + 1, sizeof *generation->fronts);
	for (size_t i = 0; i < relay->listeners.n; i++) {
		const struct relay_listener *conf = &relay->listeners.at[i];
		struct front_kind *front = &generation->fronts[i];

		front->conf = conf;
		front->session = session_kind(generation, conf);
		if (conf->certificate &&
		    tls_server_new(conf->certificate, conf->key, &front->tls, ret_why, room) < 0)
			return -EINVAL;
	}
	return 0;
}

static void find_hostname(struct generation *generation)
{
	const char *given = generation->model.relay.hostname;

	if (given)
		(void)snprintf(generation->hostname, sizeof generation->hostname, "%s", given);
	else if (gethostname(generation->hostname, sizeof generation->hostname - 1) < 0)
		strcpy(generation->hostname, "localhost");
}

/* Refuse rules about clients of Unix sockets where those cannot be told apart. */
static int check_peers(const struct model *model, char *ret_why, size_t room)
{
	char hidden[64], place[256];

	for (size_t i = 0; i < model->relay.rules.n; i++) {
		const struct relay_rule *rule = &model->relay.rules.at[i];

		if (rule->key != RELAY_KEY_PEER_CGROUP && rule->key != RELAY_KEY_PEER_USER)
			continue;
		if (peers_visible(hidden, sizeof hidden))
			return 0;
		(void)snprintf(ret_why, room,
			       "%s: this rule asks which local user or unit the client is, but %s; "
			       "see SANDBOX in outbind-relay(8)",
			       model_place(model, rule->where, place, sizeof place), hidden);
		return -EINVAL;
	}
	return 0;
}

static int make(struct generation *generation, char *ret_why, size_t room)
{
	const struct relay *relay = &generation->model.relay;

	if (!relay->given) {
		(void)snprintf(ret_why, room, "there is no relay block in the configuration");
		return -EINVAL;
	}
	if (check_peers(&generation->model, ret_why, room) < 0)
		return -EINVAL;
	find_hostname(generation);
	generation->policy = policy_new(&generation->model);
	if (tls_client_new(relay->tls_ca, &generation->tls_client, ret_why, room) < 0)
		return -EINVAL;
	return make_fronts(generation, ret_why, room);
}

int generation_read(const char *path, struct generation **ret, struct diag *diag, char *ret_why,
		    size_t room)
{
	static atomic_ulong numbers;
	struct conf_world world = conf_system;
	struct generation *generation = mem_zero(1, sizeof *generation);
	int r;

	world.files_only = true;
	ret_why[0] = '\0';
	generation->refs = 1;
	generation->number = ++numbers;
	r = conf_read(path, &world, &generation->model, diag);
	if (diag->n > 0)
		generation_print(&generation->model, diag);
	if (r == 0)
		r = make(generation, ret_why, room);
	if (r < 0) {
		generation_unref(generation);
		return r;
	}
	*ret = generation;
	return 0;
}

void generation_print(const struct model *model, const struct diag *diag)
{
	char place[4200];

	for (size_t i = 0; i < diag->n; i++)
		fprintf(stderr, "%s: %s%s\n",
			model_place(model, diag->at[i].where, place, sizeof place),
			diag->at[i].level == DIAG_WARNING ? "warning: " : "", diag->at[i].text);
	if (diag->n_left_out > 0)
		fprintf(stderr, "and %zu more\n", diag->n_left_out);
}

void generation_counts_unref(struct front_counts *counts)
{
	if (counts && --counts->refs == 0)
		free(counts);
}

struct generation *generation_ref(struct generation *generation)
{
	generation->refs++;
	return generation;
}

void generation_unref(struct generation *generation)
{
	if (!generation || --generation->refs > 0)
		return;
	for (size_t i = 0; i < generation->n_fronts; i++) {
		tls_server_unref(generation->fronts[i].tls);
		free(generation->fronts[i].fds);
		generation_counts_unref(generation->fronts[i].counts);
	}
	free(generation->fronts);
	tls_client_unref(generation->tls_client);
	policy_free(generation->policy);
	model_drop(&generation->model);
	free(generation);
}
