/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See sheet.h. What is said of single bindings stands in ledger_text.c, but for what few have. */
#include "daemon/sheet.h"

#include "base/mem.h"
#include "daemon/alarm.h"
#include "daemon/health.h"
#include "daemon/log.h"
#include "daemon/remove.h"
#include "daemon/sheet_parts.h"
#include "daemon/survey.h"

#include <string.h>

const char *sheet_reason(uint8_t reason)
{
	static const char *const words[] = {
		[USABLE] = "usable", [USABLE_BY_OTHER] = "stand-in",
		[UNUSABLE_NO_ADDRESS] = "no-address", [UNUSABLE_ABSENT] = "absent",
		[UNUSABLE_TENTATIVE] = "tentative", [UNUSABLE_DUPLICATE] = "duplicate",
		[UNUSABLE_INTERFACE] = "interface", [UNUSABLE_STAND_IN] = "stand-in-suspended",
		[UNUSABLE_CLAIMING] = "claiming", [UNUSABLE_LINK] = "link",
		[UNUSABLE_NO_ROUTE] = "no-route", [UNUSABLE_GATEWAY] = "gateway",
		[UNUSABLE_PROBE] = "probe", [UNUSABLE_MEMBERS] = "members",
		[UNUSABLE_IDENTITY] = "identity",
	};

	return reason < ARRAY_LEN(words) ? words[reason] : "unknown";
}

static uint32_t add_name(struct sheet *sheet, const char *name)
{
	size_t len = strlen(name) + 1, at = sheet->names.n;

	sheet->names.at = mem_grow(sheet->names.at, &sheet->names.room, at + len, 1);
	memcpy(sheet->names.at + at, name, len);
	sheet->names.n += len;
	return (uint32_t)at;
}

static void add_rows(struct sheet *sheet, const struct agent *agent)
{
	const struct model *model = &agent->now->model;
	const struct plan *plan = &agent->now->plan;

	sheet->rows.at = mem_grow(NULL, &sheet->rows.room, model->bindings.n + 1,
				  sizeof *sheet->rows.at);
	for (uint32_t i = 0; i < model->bindings.n; i++) {
		const struct binding *binding = &model->bindings.at[i];
		struct sheet_row row = { .mark = plan->marks[i].host };

		if (!binding->name)
			continue;
		row.name = add_name(sheet, binding->name);
		row.group = binding->group != NULL;
		row.limited = plan->limited[i];
		row.suspended = plan->suspended[i];
		for (int f = 0; f < FAMILIES; f++) {
			row.family[f] = health_of(agent, i, (enum family)f).state != HEALTH_NONE;
			row.usable[f] = plan_usable(plan, i, (enum family)f);
			row.reason[f] = (uint8_t)plan->usability[i].reason[f];
		}
		sheet->rows.at[sheet->rows.n++] = row;
	}
}

static void put_counter(struct openmetrics *text, const char *name, const char *help,
			uint64_t value)
{
	openmetrics_one(text, name, OPENMETRICS_COUNTER, help, value);
}

static void put_gauge(struct openmetrics *text, const char *name, const char *help, uint64_t value)
{
	openmetrics_one(text, name, OPENMETRICS_GAUGE, help, value);
}

static uint64_t micros_of(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000 + (uint64_t)time->tv_nsec / 1000;
}

static void put_time(struct openmetrics *text, const char *name, const char *help,
		     const struct timespec *time)
{
	openmetrics_family(text, name, OPENMETRICS_GAUGE, help);
	openmetrics_sample(text);
	openmetrics_micros(text, micros_of(time));
}

static void put_build(struct openmetrics *text, const struct agent *agent)
{
	openmetrics_family(text, "outbind_build", OPENMETRICS_INFO,
			   "Version of the agent, and digest of the rules that it loads.");
	openmetrics_sample(text);
	openmetrics_label(text, "version", OUTBIND_VERSION);
	openmetrics_label(text, "table", agent->options->kernel.table);
	openmetrics_label(text, "template", agent->kernel->template_digest);
	openmetrics_count(text, 1);
	put_time(text, "outbind_start_time_seconds", "When the agent started.", &agent->started);
	put_time(text, "outbind_applied_time_seconds",
		 "When the table was changed last, by configuration, operator or facts.",
		 &agent->applied);
}

static void put_configuration(struct openmetrics *text, const struct agent *agent)
{
	const struct generation *now = agent->now;
	size_t elements = 0;

	for (size_t i = 0; i < SETS; i++)
		elements += now->plan.sets[i].n;
	put_gauge(text, "outbind_config_generation",
		  "Configurations that came into force since the start.", agent->generation);
	put_gauge(text, "outbind_config_last_reload_successful",
		  "0 if the last configuration that was read was refused.",
		  strcmp(agent->last_reload, "ok") == 0);
	put_gauge(text, "outbind_config_warnings", "Warnings of the configuration in force.",
		  agent->warnings.n);
	put_gauge(text, "outbind_config_runtime_changes",
		  "Things that differ from the files by changes at run time.",
		  agent->overlay.n - agent->overlay.n_dead);
	put_gauge(text, "outbind_policy_rules", "Rules of the policy.", now->model.rules.n);
	put_gauge(text, "outbind_table_elements", "Elements of all sets of the table.", elements);
	put_gauge(text, "outbind_marks_capacity", "Bindings that the mask has room for.",
		  model_mask_capacity(now->model.mask));
	put_gauge(text, "outbind_table_stale",
		  "1 while the last change of addresses, routes or cgroups is not in the kernel.",
		  agent->stale);
	put_gauge(text, "outbind_table_suspect",
		  "1 while the table is not what it should be and could not be healed.",
		  agent->suspect);
	put_gauge(text, "outbind_table_owned", "1 if nobody else can change the table.",
		  agent_owns_table(agent));
}

static void put_work(struct openmetrics *text, const struct agent *agent)
{
	put_counter(text, "outbind_transactions", "Transactions that changed the table.",
		    agent->transactions);
	put_counter(text, "outbind_table_replacements", "Those of them that made it anew.",
		    agent->figures.replacements);
	put_counter(text, "outbind_transactions_refused", "Transactions that the kernel refused.",
		    agent->figures.refused);
	put_counter(text, "outbind_heals",
		    "How often the table was written again after somebody else's change.",
		    agent->heals);
	put_counter(text, "outbind_notices_lost",
		    "How often notices of the kernel were lost, and everything was read again.",
		    agent->notices_lost);
	put_counter(text, "outbind_wrong_sources",
		    "Connections that were found to have left with a source not their binding's.",
		    agent->alarm ? agent->alarm->wrong : 0);
	openmetrics_histogram(text, "outbind_transaction_seconds",
			      "Time in the kernel of transactions.", &agent->figures.transactions);
	openmetrics_histogram(text, "outbind_call_seconds",
			      "Time from a control call's arrival to its answer.",
			      &agent->figures.calls);
	openmetrics_family(text, "outbind_events", OPENMETRICS_COUNTER,
			   "Events by kind, as they are logged.");
	for (size_t i = 0; i < LOG_EVENTS; i++) {
		openmetrics_sample(text);
		openmetrics_label(text, "event", log_event_name((enum log_event)i));
		openmetrics_count(text, log_counts[i]);
	}
}

static void put_uplinks(struct openmetrics *text, const struct agent *agent)
{
	const struct model *model = &agent->now->model;

	openmetrics_family(text, "outbind_uplink_usable", OPENMETRICS_GAUGE,
			   "1 if the uplink carries the family.");
	for (uint32_t i = 0; i < model->uplinks.n; i++)
		for (int f = 0; f < FAMILIES; f++) {
			struct health_entry entry = health_of_uplink(agent, i, (enum family)f);

			if (entry.state == HEALTH_NONE)
				continue;
			openmetrics_sample(text);
			openmetrics_label(text, "uplink", model->uplinks.at[i].name);
			openmetrics_label(text, "family", ip_family_name((enum family)f));
			openmetrics_count(text, entry.state == HEALTH_USABLE);
		}
}

static void put_drains(struct openmetrics *text, const struct agent *agent, bool named)
{
	const struct removals *running = agent->removals;

	put_gauge(text, "outbind_drains", "Bindings that are being removed.",
		  running ? running->n : 0);
	openmetrics_family(text, "outbind_binding_draining_connections", OPENMETRICS_GAUGE,
			   "Connections that are left of a binding that is being removed.");
	for (size_t i = 0; named && running && i < running->n; i++) {
		openmetrics_sample(text);
		openmetrics_label(text, "binding", running->at[i]->name);
		openmetrics_count(text, running->at[i]->connections);
	}
}

enum warmup_figure { WARMUP_DAY_NOW, WARMUP_DAYS, WARMUP_QUOTA, WARMUP_USED, WARMUP_FIGURES };

static uint64_t warmup_figure(enum warmup_figure which, const struct warmup_state *state,
			      const struct warmup *warmup)
{
	bool limits = warmup_limits(state, warmup);

	switch (which) {
	case WARMUP_DAY_NOW:
		return limits ? state->day : 0;
	case WARMUP_DAYS:
		return warmup->n_days;
	case WARMUP_QUOTA:
		return limits ? warmup_quota(state, warmup) : 0;
	case WARMUP_USED:
		return limits ? warmup_used(state) : 0;
	case WARMUP_FIGURES:
		break;
	}
	return 0;
}

/* Of warm-ups that were started, as many as bindings may be named. */
static void put_warmups(struct openmetrics *text, const struct agent *agent, size_t max)
{
	static const struct { const char *name, *help; } figures[WARMUP_FIGURES] = {
		[WARMUP_DAY_NOW] = { "outbind_binding_warmup_day",
				     "Day of the warm-up; 0: it is over." },
		[WARMUP_DAYS] = { "outbind_binding_warmup_days", "Days that the warm-up has." },
		[WARMUP_QUOTA] = { "outbind_binding_warmup_quota",
				   "New connections that it may have this day." },
		[WARMUP_USED] = { "outbind_binding_warmup_used",
				  "New connections of this day, as they were read last." },
	};
	const struct model *model = &agent->now->model;

	for (int which = 0; which < WARMUP_FIGURES; which++) {
		openmetrics_family(text, figures[which].name, OPENMETRICS_GAUGE,
				   figures[which].help);
		for (size_t i = 0; i < agent->warmups.n && i < max; i++) {
			const struct warmup_state *state = &agent->warmups.at[i];
			uint32_t binding = model_find(model, state->name);

			if (binding == NO_INDEX || !model->bindings.at[binding].warmup)
				continue;
			openmetrics_sample(text);
			openmetrics_label(text, "binding", state->name);
			openmetrics_count(text, warmup_figure((enum warmup_figure)which, state,
							      model->bindings.at[binding].warmup));
		}
	}
}

static void put_process(struct openmetrics *text)
{
	struct timespec used;

	put_gauge(text, "outbind_process_resident_memory_bytes", "Resident memory of the agent.",
		  agent_resident());
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	openmetrics_family(text, "outbind_process_cpu_seconds", OPENMETRICS_COUNTER,
			   "Processor time of the agent, with what reading figures took.");
	openmetrics_sample(text);
	openmetrics_micros(text, micros_of(&used));
}

static struct sheet_ends ends_of(const struct census *census, const struct census_use *use)
{
	const struct census_pool *far = &census->pools.at[use->far];

	return (struct sheet_ends){ .mark = use->mark, .n = use->live + use->closing,
				    .source = far->source, .to = far->to, .port = far->to_port,
				    .protocol = far->protocol };
}

static void add_ends(struct sheet *sheet, const struct census *census, const struct census_use *use)
{
	size_t at = sheet->n_ends;

	if (!use->mark || (at == SHEET_ENDS &&
			   use->live + use->closing <= sheet->ends[SHEET_ENDS - 1].n))
		return;
	if (at == SHEET_ENDS)
		at--;
	else
		sheet->n_ends++;
	for (; at > 0 && sheet->ends[at - 1].n < use->live + use->closing; at--)
		sheet->ends[at] = sheet->ends[at - 1];
	sheet->ends[at] = ends_of(census, use);
}

static void add_census(struct sheet *sheet, const struct agent *agent)
{
	const struct census *census = survey_census(agent);

	sheet->census_age = UINT64_MAX;
	if (!census)
		return;
	sheet->census_age = agent_clock() - census->when;
	for (size_t i = 0; i < census->live.n; i++)
		PUSH(&sheet->live, census->live.at[i]);
	for (size_t i = 0; i < census->uses.n; i++)
		add_ends(sheet, census, &census->uses.at[i]);
}

struct sheet *sheet_new(const struct agent *agent, enum openmetrics_format format, bool rows)
{
	const struct metrics_settings *settings = &agent->now->model.metrics;
	struct sheet *sheet = mem_zero(1, sizeof *sheet);
	bool named = settings->bindings != METRICS_NONE;
	size_t most;

	sheet->settings = *settings;
	if (!sheet->settings.busiest)
		sheet->settings.busiest = METRICS_TOP;
	most = !named ? 0 : settings->bindings == METRICS_ALL ? SIZE_MAX : sheet->settings.busiest;
	openmetrics_open(&sheet->text, format, -1);
	put_build(&sheet->text, agent);
	put_configuration(&sheet->text, agent);
	put_work(&sheet->text, agent);
	put_process(&sheet->text);
	put_uplinks(&sheet->text, agent);
	put_drains(&sheet->text, agent, named);
	put_warmups(&sheet->text, agent, most);
	sheet_put_identities(&sheet->text, &agent->identities, most);
	add_census(sheet, agent);
	sheet->has_rows = rows;
	if (rows)
		add_rows(sheet, agent);
	return sheet;
}

void sheet_free(struct sheet *sheet)
{
	if (!sheet)
		return;
	openmetrics_drop(&sheet->text);
	free(sheet->rows.at);
	free(sheet->names.at);
	free(sheet->live.at);
	free(sheet);
}
