/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See identity.h. */
#include "daemon/identity.h"

#include "base/mem.h"
#include "daemon/log.h"
#include "daemon/state_file.h"

#include <string.h>
#include <time.h>

void identity_load(struct agent *agent)
{
	AUTO(mem_drop) char *text = NULL;
	uint32_t line = 0;
	size_t len = 0;
	int r = state_read(agent->state, STATE_IDENTITIES, &text, &len);

	identities_drop(&agent->identities);
	if (r == 0)
		r = identities_read(text, len, &agent->identities, &line);
	if (r < 0)
		log_event(EVENT_STATE_UNREADABLE,
			  "file=%s/%s line=%u error=\"%s\" next=\"every address is to be checked "
			  "anew\"",
			  agent->state->dir, STATE_IDENTITIES, line,
			  line == 0 ? strerror(-r) : "not a line that outbindd wrote");
	agent->facts.identities = &agent->identities;
}

void identity_facts(struct agent *agent, const struct model *model)
{
	uint32_t keep = model->dns.keep_s ? model->dns.keep_s : DNS_KEEP;

	(void)identities_judge(&agent->identities, (int64_t)time(NULL), keep);
}

static void log_change(const struct identity *now, enum identity_check check)
{
	const char *words = now->words[check];
	char ip[IP_TEXT], quoted[LOG_TEXT];

	ip_print(&now->ip, ip);
	if (now->known[check] == IDENTITY_BAD)
		log_event(EVENT_IDENTITY_BAD, "name=%s address=%s check=%s reason=%s", now->binding,
			  ip, identity_check_name(check), log_quote(words ? words : "", quoted));
	else
		log_event(EVENT_IDENTITY_GOOD, "name=%s address=%s check=%s", now->binding, ip,
			  identity_check_name(check));
}

/* What is new says something only if it is bad. */
static bool is_news(enum identity_state before, enum identity_state now)
{
	return before != now && (now == IDENTITY_BAD || before == IDENTITY_BAD);
}

void identity_take(struct agent *agent, struct identity *found, size_t *events)
{
	enum identity_state before[IDENTITY_CHECKS];
	const struct identity *now;
	struct ip ip = found->ip;

	found->checked = (int64_t)time(NULL);
	identities_put(&agent->identities, found, before);
	now = identities_find(&agent->identities, &ip);
	for (int i = 0; i < IDENTITY_CHECKS; i++)
		if (is_news(before[i], now->known[i]) && ++*events <= IDENTITY_EVENTS_MAX)
			log_change(now, (enum identity_check)i);
}

static int save(struct agent *agent, struct outcome *out)
{
	struct state_file file;

	state_file_open(&file);
	identities_write(&agent->identities, file.out);
	return state_file_close(&file, agent->state, STATE_IDENTITIES, state_write, out);
}

int identity_settle(struct agent *agent, size_t events, struct outcome *out)
{
	int r;

	if (events > IDENTITY_EVENTS_MAX)
		log_event(EVENT_IDENTITY_MORE, "changes=%zu logged=%d", events,
			  IDENTITY_EVENTS_MAX);
	identities_follow(&agent->identities, &agent->now->model);
	identity_facts(agent, &agent->now->model);
	r = save(agent, out);
	return r == 0 ? agent_follow_facts(agent, out) : r;
}
