/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dialling: one thing after the other, each asynchronous, within one budget of time.
 *
 *   MTA-STS? -> ask the agent -> idle upstream? -> resolve -> for each address: TLSA? -> socket, tag, bind,
 *   connect -> dialogue up to BACK_UP
 *
 * An idle upstream is used again only if the agent says the same as when it was made: the member of the group,
 * its number, and that it still has the source address; and if it was made for the same policy.
 */
#include "relay/dial.h"

#include "relay/dial_parts.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static const double budgets[POINTS] = {
	[POINT_ACCEPT] = 25, [POINT_HELLO] = 25,  [POINT_MAIL] = 60,
	[POINT_RCPT] = 60,   [POINT_HEADER] = 90,
};

static void dial_free(struct dial *dial)
{
	if (dial->query)
		resolve_cancel(dial->query);
	if (dial->sts)
		sts_cancel(dial->sts);
	ev_timer_stop(dial->worker->loop, &dial->budget);
	dial_end_attempt(dial);
	for (size_t i = 0; i < dial->n_targets; i++)
		free(dial->targets[i].host);
	demand_drop(&dial->demand);
	free(dial->targets);
	free(dial->member);
	free(dial->ehlo[FAMILY_IPV4]);
	free(dial->ehlo[FAMILY_IPV6]);
	reply_drop(&dial->last);
	route_unref(dial->worker, dial->route);
	generation_unref(dial->generation);
	free(dial);
}

void dial_cancel(struct dial *dial)
{
	dial_free(dial);
}

void dial_fail(struct dial *dial, enum dial_reason reason, struct reply *reply)
{
	AUTO(reply_drop) struct reply refusal = reply_take(reply);
	dial_done *done = dial->done;
	void *context = dial->context;

	dial_free(dial);
	done(context, NULL, &refusal, reason);
}

void dial_succeed(struct dial *dial)
{
	struct upstream *upstream = dial->upstream;
	dial_done *done = dial->done;
	void *context = dial->context;

	dial->upstream = NULL;
	upstream->expect = (struct tls_expect){ 0 };	/* it was ours, and is met */
	demand_drop(&upstream->demand);
	upstream->demand = demand_take(&dial->demand);
	upstream->news = NULL;
	upstream->state = UPSTREAM_OWNED;
	dial_free(dial);
	done(context, upstream, NULL, DIAL_AGENT);
}

/* What the agent's refusal is to the client. */
static void fail_by_agent(struct dial *dial, const struct tagging_answer *answer)
{
	struct reply reply;

	if (answer->error == -EHOSTDOWN || answer->error == -ETIMEDOUT ||
	    answer->error == -EPROTO) {
		reply = reply_make(451, "4.3.0 %s", answer->why);
		dial_fail(dial, DIAL_AGENT, &reply);
	} else if (answer->error == -ENETUNREACH) {
		reply = reply_make(451, "4.4.4 binding %s: %s", dial->route->binding, answer->why);
		dial_fail(dial, DIAL_FAMILY, &reply);
	} else {
		reply = reply_make(451, "4.7.1 binding %s: %s", dial->route->binding, answer->why);
		dial_fail(dial, DIAL_BINDING, &reply);
	}
}

static bool lists(const struct tagging_answer *answer, const struct ip *ip)
{
	for (size_t i = 0; i < answer->n_addresses; i++)
		if (ip_equal(&answer->addresses[i], ip))
			return true;
	return false;
}

/* Does what agent and policy say now still hold for a connection that was made before? */
static bool still_holds(const struct dial *dial, const struct tagging_answer *answer,
			const struct upstream *upstream)
{
	enum family family = ip_family(&upstream->peer);

	return demand_equal(&upstream->demand, &dial->demand) && answer->mark == upstream->mark &&
	       strcmp(answer->binding, upstream->binding) == 0 &&
	       answer->usable[family] &&
	       (upstream->source_ip.len == 0 || lists(answer, &upstream->source_ip));
}

/* An idle one that still holds; those that do not are closed. */
static bool take_idle(struct dial *dial, const struct tagging_answer *answer)
{
	struct upstream *upstream;

	while ((upstream = upstream_take(dial->route))) {
		if (still_holds(dial, answer, upstream)) {
			upstream->epoch = dial->epoch;
			dial->upstream = upstream;
			METRIC_ADD(&dial->worker->metrics.reused, 1);
			dial_succeed(dial);
			return true;
		}
		upstream_free(upstream);
	}
	return false;
}

static void on_resolved(void *context, const struct resolved *resolved)
{
	struct dial *dial = context;

	dial->query = NULL;
	if (resolved->refusal.code) {
		struct reply reply = reply_copy(&resolved->refusal);

		dial_fail(dial, DIAL_NAME, &reply);
		return;
	}
	dial->targets = mem_zero(resolved->n + 1, sizeof *dial->targets);
	dial->n_targets = resolved->n;
	for (size_t i = 0; i < resolved->n; i++)
		dial->targets[i] = (struct dial_target){
			.ip = resolved->at[i].ip, .host = mem_copy(resolved->at[i].host),
			.secure = resolved->at[i].secure && (resolved->secure || !dial->route->mx),
		};
	dial_next(dial);
}

/* Intercepted, or an address that was asked for: there is one target and no name. */
static void aim_at_address(struct dial *dial)
{
	const struct ip *ip = &dial->route->destination;
	enum family family = ip_family(ip);
	char text[IP_TEXT];
	struct reply reply;

	if (!dial->usable[family]) {
		reply = reply_make(451, "4.4.4 binding %s: %s", dial->route->binding,
				   dial->no[family][0] ? dial->no[family]
						       : "no address of the destination's family");
		dial_fail(dial, DIAL_FAMILY, &reply);
		return;
	}
	dial->targets = mem_zero(1, sizeof *dial->targets);
	dial->targets[0] = (struct dial_target){ .ip = *ip, .host = mem_copy(ip_print(ip, text)) };
	dial->n_targets = 1;
	dial_next(dial);
}

static void resolve(struct dial *dial)
{
	struct resolve_how how = {
		.domain = dial->route->host, .mx = dial->route->mx, .hash = dial->route->hash,
		.prefer_ipv6 = dial->generation->model.relay.prefer_ipv6,
		.own_name = dial->generation->hostname,
	};

	if (!dial->route->host) {
		aim_at_address(dial);
		return;
	}
	memcpy(how.want, dial->usable, sizeof how.want);
	dial->query = resolve_start(dial->worker->resolver, &how, on_resolved, dial);
}

static void fail_by_policy(struct dial *dial)
{
	struct reply reply = reply_make(451, "4.7.5 the TLS policy of %s cannot be had now",
					dial->route->host);

	dial_fail(dial, DIAL_NAME, &reply);
}

static void on_asked(void *context, const struct tagging_answer *answer)
{
	struct dial *dial = context;

	dial->tag = NULL;
	if (dial->no_policy) {
		fail_by_policy(dial);
		return;
	}
	if (answer->error) {
		fail_by_agent(dial, answer);
		return;
	}
	if (!dial->raw && dial->reusable && take_idle(dial, answer))
		return;
	dial->member = mem_copy(answer->binding);
	for (enum family family = 0; family < FAMILIES; family++) {
		dial->usable[family] = answer->usable[family];
		dial->ehlo[family] = mem_copy(answer->ehlo[family]);
		(void)snprintf(dial->no[family], sizeof dial->no[family], "%s",
			       answer->no[family] ? answer->no[family] : "");
	}
	if (!dial->usable[FAMILY_IPV4] && !dial->usable[FAMILY_IPV6]) {
		struct reply reply = reply_make(
			451, "4.4.4 binding %s: %s", dial->member,
			dial->no[FAMILY_IPV4][0] ? dial->no[FAMILY_IPV4] : dial->no[FAMILY_IPV6]);

		dial_fail(dial, DIAL_FAMILY, &reply);
		return;
	}
	resolve(dial);
}

static void ask_agent(struct dial *dial)
{
	char whom[160];

	dial_whom(dial, dial->route->binding, whom, sizeof whom);
	METRIC_ADD(&dial->worker->metrics.asked, 1);
	dial->tag = tagging_ask(dial->worker->tagging, dial->route->hash, whom, -1, on_asked, dial);
	dial->epoch = dial->worker->epoch;
}

static void on_sts(void *context, const struct sts_policy *policy)
{
	struct dial *dial = context;

	dial->sts = NULL;
	if (policy->failed) {
		fail_by_policy(dial);
		return;
	}
	demand_drop(&dial->demand);
	dial->demand = demand_make(dial->route->tls, policy);
	ask_agent(dial);
}

/* Has the destination a domain, whose policy a table is to be asked for? */
static bool has_policy(const struct generation *generation, const struct route *route)
{
	return generation->model.relay.sts_map.name && route->host && route->mx;
}

static void on_budget(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct dial *dial = timer->data;
	struct reply reply;

	(void)loop;
	(void)revents;
	reply = dial->last.code ? reply_take(&dial->last)
				: reply_make(451, "4.4.1 the destination was not reached in time");
	dial_fail(dial, DIAL_CONNECTION, &reply);
}

void dial_whom(const struct dial *dial, const char *name, char *out, size_t room)
{
	if (strncmp(dial->route->binding, "address:", 8) == 0)
		(void)snprintf(out, room, "%s", dial->route->binding);
	else
		(void)snprintf(out, room, "name:%s", name);
}

void dial_count_failure(struct worker *worker, enum dial_reason reason)
{
	switch (reason) {
	case DIAL_AGENT:
		METRIC_ADD(&worker->metrics.no_agent, 1);
		break;
	case DIAL_BINDING:
		METRIC_ADD(&worker->metrics.no_binding, 1);
		break;
	case DIAL_FAMILY:
		METRIC_ADD(&worker->metrics.no_family, 1);
		break;
	case DIAL_NAME:
		METRIC_ADD(&worker->metrics.no_name, 1);
		break;
	case DIAL_CONNECTION:
		METRIC_ADD(&worker->metrics.no_connection, 1);
		break;
	}
}

struct upstream *dial_at_once(struct worker *worker, const struct dial_how *how)
{
	struct route *route = how->route;
	struct upstream *upstream;

	if (!how->reusable || has_policy(how->generation, route) ||
	    has_policy(worker->now, route))
		return NULL;
	if (!tagging_connected(worker->tagging) || !route->idle ||
	    route->idle->epoch != worker->epoch)
		return NULL;
	upstream = upstream_take(route);
	if (!upstream || upstream->epoch == worker->epoch) {
		if (upstream)
			METRIC_ADD(&worker->metrics.reused, 1);
		return upstream;
	}
	upstream_idle(upstream);
	return NULL;
}

struct dial *dial_start(struct worker *worker, const struct dial_how *how, dial_done *done,
			void *context)
{
	struct dial *dial = mem_zero(1, sizeof *dial);

	dial->worker = worker;
	dial->generation = generation_ref(how->generation);
	dial->route = route_ref(how->route);
	dial->reusable = how->reusable;
	dial->raw = how->raw;
	dial->needs_tls = how->needs_tls || how->route->needs_tls;
	dial->done = done;
	dial->context = context;
	ev_timer_init(&dial->budget, on_budget, budgets[how->point], 0);
	dial->budget.data = dial;
	ev_timer_start(worker->loop, &dial->budget);
	dial_prepare(dial);
	dial->demand = demand_make(how->route->tls, NULL);
	if (!has_policy(how->generation, how->route) || how->raw) {
		ask_agent(dial);
	} else if (worker->sts) {
		dial->sts = sts_ask(worker->sts, how->route->host, on_sts, dial);
	} else {
		dial->no_policy = true;		/* a reload has taken the table away */
		ask_agent(dial);
	}
	return dial;
}
