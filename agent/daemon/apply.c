/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every change goes through here. A difference is committed against the ruleset generation at which
 * the table was last seen whole; if others moved the generation (-ERESTART) we look again and try
 * again, a bounded number of times. What the table is too small for, or what shows that it is not
 * what we thought, is answered by writing it whole. Anything else that the kernel refuses is a
 * refusal of the change: the caller keeps what is in force.
 *
 * Neighbours: agent.c decides what is desired; kernel/ does the transaction.
 */
#include "daemon/apply.h"

#include "daemon/log.h"
#include "daemon/sources.h"
#include "daemon/warmup.h"
#include "plan/plan_cover.h"

#include <string.h>

static bool plan_holds(const struct plan *plan, enum set_id set, const uint8_t *row)
{
	const struct rows *rows = &plan->sets[set];

	return rows->n > 0 && row >= rows->at &&
	       row < rows->at + rows->n * plan_shapes[set].row_len;
}

static struct where where_of(const struct model *model, enum set_id set, const uint8_t *row)
{
	const struct set_shape *shape = &plan_shapes[set];
	uint32_t index = row_origin(shape, row);

	switch (shape->origin) {
	case ORIGIN_RULE:
		return index < model->rules.n ? model->rules.at[index].where : (struct where){ 0 };
	case ORIGIN_ADDRESS:
		return index < model->addresses.n ? model->addresses.at[index].where
						  : (struct where){ 0 };
	case ORIGIN_BYPASS:
		return index == BYPASS_CONNECTED ? model->where_connected
		       : index == BYPASS_PRIVATE ? model->where_private
		       : index < model->bypasses.n ? model->bypasses.at[index].where
						   : (struct where){ 0 };
	case ORIGIN_LISTENER:
		return index < model->relay.listeners.n ? model->relay.listeners.at[index].where
							: (struct where){ 0 };
	case ORIGIN_NONE:
		break;
	}
	return (struct where){ 0 };
}

/* A refused row is of the new plan, or (a deletion) of the one in force: name its line in either. */
static int refuse(const struct agent *agent, const struct model *model, const struct plan *desired,
		  const struct kernel_error *error, int r, struct outcome *out)
{
	const struct model *of = NULL;
	struct where where = { 0 };

	if (error->row && plan_holds(desired, error->set, error->row))
		of = model;
	else if (error->row && agent->now && plan_holds(&agent->now->plan, error->set, error->row))
		of = &agent->now->model;
	if (of)
		where = where_of(of, error->set, error->row);
	if (of && where.line > 0)
		model_place(of, where, out->place, sizeof out->place);
	outcome_say(out, "%s", error->text[0] ? error->text : strerror(-r));
	return -EREMOTEIO;
}

static int unreadable(int r, struct outcome *out)
{
	outcome_say(out, "cannot read the table: %s", strerror(-r));
	return -EREMOTEIO;
}

int apply_foreign(const struct agent *agent, const struct table_about *about, struct outcome *out)
{
	const char *table = agent->options->kernel.table;

	switch (about->state) {
	case TABLE_OWNED:
		outcome_say(out,
			    "table inet %s is owned by another program (netlink port %u, as a rule "
			    "its process id)",
			    table, about->owner);
		return -EBUSY;
	case TABLE_STRANGE:
		outcome_say(out,
			    "table inet %s exists and was not written by outbind: delete it, or "
			    "choose another name with --table",
			    table);
		return -EEXIST;
	case TABLE_NEWER:
		outcome_say(out,
			    "table inet %s was written by a newer outbindd (format %u, and this one "
			    "knows %d): start that version again; the table stays as it left it",
			    table, about->format, TABLE_FORMAT);
		return -EPROTONOSUPPORT;
	case TABLE_ABSENT:
	case TABLE_OURS:
		break;
	}
	return 0;
}

const char *apply_damage(const struct agent *agent, const struct table_about *about,
			 const char *digest)
{
	if (about->state == TABLE_ABSENT)
		return "absent";
	if (about->state == TABLE_STRANGE)
		return "strange";
	if (about->state == TABLE_OWNED)
		return "owned";
	if (about->state == TABLE_NEWER)
		return "newer";
	if (strcmp(about->template_digest, agent->kernel->template_digest) != 0)
		return "other-template";
	if (strcmp(about->plan_digest, digest) != 0)
		return "other-elements";
	return about->damaged ? "rules-missing" : NULL;
}

/* A transaction that began at @begun and came to @r. */
static void count(struct agent *agent, uint64_t begun, int r)
{
	openmetrics_took(&agent->figures.transactions, agent_clock() - begun);
	agent->figures.refused += r < 0;
}

static int commit(struct agent *agent, const struct ops *ops, const struct plan *desired,
		  uint32_t generation, struct kernel_error *reterr)
{
	uint64_t begun = agent_clock();
	int r = agent->kernel->commit(agent->kernel, ops, desired, generation, reterr);

	count(agent, begun, r);
	return r;
}

int apply_table(struct agent *agent, const struct model *model, const struct plan *desired,
		struct outcome *out)
{
	struct kernel_error error = { 0 };
	int r;

	uint64_t begun;

	warmup_look(agent, model, desired);	/* at what will be gone */
	begun = agent_clock();
	r = agent->kernel->replace_table(agent->kernel, desired, &error);
	count(agent, begun, r);
	agent->figures.replacements += r == 0;

	if (r < 0)
		return refuse(agent, model, desired, &error, r, out);
	agent->transactions++;
	out->replaced = true;
	return 0;
}

static int replace(struct agent *agent, const struct model *model, const struct plan *desired,
		   const char *why, struct outcome *out)
{
	int r = apply_table(agent, model, desired, out);

	if (r == 0)
		log_event(EVENT_TABLE_WRITTEN, "table=%s why=%s", agent->options->kernel.table,
			  why);
	return r;
}

/* Commit at the generation of a look that found the table whole. *@ret_damage: why it was not
 * tried. */
static int try_commit(struct agent *agent, const struct plan *desired, const struct ops *ops,
		      bool check, const char **ret_damage, struct kernel_error *reterr,
		      struct outcome *out)
{
	struct kernel *kernel = agent->kernel;
	struct table_about about;
	int r = kernel->read_table(kernel, &about);

	if (r < 0)
		return unreadable(r, out);
	r = apply_foreign(agent, &about, out);
	if (r < 0)
		return -EBUSY;
	*ret_damage = apply_damage(agent, &about, agent->digest);
	if (*ret_damage) {
		agent->heals++;
		return 0;
	}
	return commit(agent, ops, desired, check ? about.generation : 0, reterr);
}

static const char *why_whole(int r)
{
	return r == -ENFILE ? "set-full" : r == -EEXIST || r == -ENOENT ? "other-elements" : NULL;
}

/* Look and commit, as often as it is worth. */
static int commit_carefully(struct agent *agent, const struct plan *desired, const struct ops *ops,
			    const char **ret_why, struct kernel_error *reterr, struct outcome *out)
{
	int r = -ERESTART;

	for (int i = 0; i < APPLY_TRIES && r == -ERESTART && !*ret_why; i++) {
		r = try_commit(agent, desired, ops, true, ret_why, reterr, out);
		if (r == -ERESTART)
			log_event(EVENT_TABLE_RACED, "try=%d", i + 1);
	}
	/* The ruleset of others never held still. Nobody else can write a table that we own. */
	if (r == -ERESTART && agent_owns_table(agent))
		r = try_commit(agent, desired, ops, false, ret_why, reterr, out);
	if (r == -ERESTART)
		*ret_why = "raced";
	return r;
}

static int apply_ops(struct agent *agent, const struct model *model, const struct plan *desired,
		     const struct ops *ops, bool look, struct outcome *out)
{
	struct kernel_error error = { 0 };
	const char *why = NULL;
	int r;

	out->operations = ops->n;
	if (ops->n == 0)
		return 0;
	r = look ? commit_carefully(agent, desired, ops, &why, &error, out)
		 : commit(agent, ops, desired, 0, &error);
	if (!why)
		why = why_whole(r);
	if (why)
		return replace(agent, model, desired, why, out);
	if (r < 0 && out->text[0])
		return r;			/* said by try_commit() */
	if (r < 0)
		return refuse(agent, model, desired, &error, r, out);
	agent->transactions++;
	return 0;
}

int apply_plan(struct agent *agent, const struct model *model, const struct plan *desired,
	       struct outcome *out)
{
	AUTO(ops_drop) struct ops ops = { 0 };
	int r;

	diff_plans(desired, &agent->now->plan, &ops);
	if (plan_same_rules(desired, &agent->now->plan))
		r = apply_ops(agent, model, desired, &ops, true, out);
	else
		r = replace(agent, model, desired, "rules-changed", out);
	if (r == 0)
		sources_note(agent, &ops);
	return r;
}

int apply_in_place(struct agent *agent, const struct ops *ops, struct outcome *out)
{
	bool look = agent->suspect || !agent_owns_table(agent);

	int r = apply_ops(agent, &agent->now->model, &agent->now->plan, ops, look, out);

	if (r == 0)
		sources_note(agent, ops);
	return r;
}
