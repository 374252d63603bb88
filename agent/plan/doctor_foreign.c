/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Others' packet filter rules. All translation of a hook is done at one place, in order of what the
 * chains say (nf_nat_inet_fn in net/netfilter/nf_nat_core.c): the first that translates a flow is the
 * last that is asked. So one before ours takes what it matches, and our guard drops that, since it
 * carries a number and not an address of its binding; one behind ours is never asked about it. A rule
 * that writes the address into the packet is bound to neither.
 *
 * Whether a rule matches packets of a binding is not computed. It is said whether it asks who sends.
 */
#include "plan/doctor.h"

#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { WHERE_TEXT = 640 };

struct seen {					/* acts of one kind in one chain: one finding */
	const struct foreign_act *act;		/* the first, or the first that is not narrow */
	size_t n;
	uint32_t bits;
	const struct foreign_table *table;
	const struct foreign_chain *chain;
	const uint32_t *reach;			/* by hook */
};

static const struct foreign_chain *base_at(const struct doctor *doctor, const struct seen *seen,
					   enum foreign_hook hook)
{
	uint32_t index = seen->reach[hook];

	return index == UINT32_MAX ? NULL : &doctor->host->foreign.chains.at[index];
}

/* The base chain that is said: of @hook, or the first there is. NULL: none leads there. */
static const struct foreign_chain *any_base(const struct doctor *doctor, const struct seen *seen,
					    enum foreign_hook hook)
{
	const struct foreign_chain *base = base_at(doctor, seen, hook);

	for (int i = 0; i < FOREIGN_HOOKS && !base; i++)
		base = base_at(doctor, seen, (enum foreign_hook)i);
	return base;
}

/* "table ip nat, chain POSTROUTING (hook postrouting, priority 100)". */
static const char *say_where(const struct seen *seen, const struct foreign_chain *base,
			     char out[static WHERE_TEXT])
{
	size_t len;

	(void)snprintf(out, WHERE_TEXT, "%stable %s %s, chain %s",
		       seen->table->legacy ? "iptables-legacy " : "", seen->table->family,
		       seen->table->name, seen->chain->name);
	len = strlen(out);
	if (!base)
		(void)snprintf(out + len, WHERE_TEXT - len,
			       " (no jump leads there, perhaps a map)");
	else if (base == seen->chain)
		(void)snprintf(out + len, WHERE_TEXT - len, " (hook %s, priority %" PRId32 ")",
			       foreign_hook_name(base->hook), base->priority);
	else
		(void)snprintf(out + len, WHERE_TEXT - len,
			       " (from %s, hook %s, priority %" PRId32 ")", base->name,
			       foreign_hook_name(base->hook), base->priority);
	return out;
}

/* "rule 7: oifname "eth0" masquerade; and 2 more; the table is owned by netlink port 812". Who that is only
 * outbindctl may look for.. */
static void add_evidence(const struct seen *seen, struct findings *findings)
{
	const struct foreign_table *table = seen->table;
	const char *likely = foreign_likely(table->name, seen->chain->name);
	char more[40] = "", owner[160] = "";

	if (seen->n > 1)
		(void)snprintf(more, sizeof more, "; and %zu more like it", seen->n - 1);
	if (table->port)
		(void)snprintf(owner, sizeof owner,
			       "; the table is owned by netlink port %" PRIu32, table->port);
	else if (likely)
		(void)snprintf(owner, sizeof owner, "; by its name %s made it", likely);
	finding_evidence(findings, "%s %" PRIu64 ": %s%s%s",
			 table->legacy ? "rule number" : "rule handle", seen->act->rule,
			 seen->act->text, more, owner);
	finding_owner(findings, table->port);
}

/* How to have a chain pass over what carries a number of ours. */
static void add_exemption(const struct doctor *doctor, const struct seen *seen,
			  struct findings *findings)
{
	uint32_t mask = doctor->model->mask.host;

	if (seen->table->port)
		finding_remedy(findings,
			       "only its owner can change this table: have it pass over packets with "
			       "ct mark & 0x%x != 0", mask);
	else if (seen->table->legacy)
		finding_remedy(findings,
			       "%s -t %s -I %s -m connmark ! --mark 0/0x%x -j RETURN",
			       strcmp(seen->table->family, "ip6") == 0 ? "ip6tables-legacy"
								       : "iptables-legacy",
			       seen->table->name, seen->chain->name, mask);
	else if (strcmp(seen->table->family, "netdev") == 0)	/* which knows no connections */
		finding_remedy(findings, "nft delete rule netdev %s %s handle %" PRIu64,
			       seen->table->name, seen->chain->name, seen->act->rule);
	else
		finding_remedy(findings, "nft insert rule %s %s %s ct mark and 0x%x != 0 return",
			       seen->table->family, seen->table->name, seen->chain->name, mask);
}

static void add_listing(const struct seen *seen, const char *then, struct findings *findings)
{
	if (seen->table->legacy)
		finding_remedy(findings, "%s -t %s -S %s; %s",
			       strcmp(seen->table->family, "ip6") == 0 ? "ip6tables-legacy"
								       : "iptables-legacy",
			       seen->table->name, seen->chain->name, then);
	else
		finding_remedy(findings, "nft -a list chain %s %s %s; %s", seen->table->family,
			       seen->table->name, seen->chain->name, then);
}

static void judge_nat(const struct doctor *doctor, const struct seen *seen,
		      struct findings *findings)
{
	const struct foreign_chain *base = base_at(doctor, seen, FOREIGN_POSTROUTING);
	const char *what = seen->act->kind == FOREIGN_SNAT ? "translates sources" : "masquerades";
	const char *when =
		base && base->priority == DOCTOR_PRIORITY_NAT ? "together with" : "before";
	char where[WHERE_TEXT];

	if (!base && any_base(doctor, seen, FOREIGN_INPUT))
		return;				/* of what comes in */
	say_where(seen, base, where);
	if (!base || base->priority > DOCTOR_PRIORITY_NAT) {
		finding_add(findings, SEVERITY_NOTE, "source-nat",
			    "%s %s behind outbind's translation (priority %d): it is not asked "
			    "about packets that outbind has given a source", where, what,
			    DOCTOR_PRIORITY_NAT);
		add_evidence(seen, findings);
		return;
	}
	finding_add(findings, seen->act->narrow ? SEVERITY_WARNING : SEVERITY_ERROR, "source-nat",
		    "%s %s %s outbind does (priority %d): connections of bindings that it matches get "
		    "its source, and are dropped by the guard%s", where, what, when,
		    DOCTOR_PRIORITY_NAT,
		    seen->act->narrow ? "" : "; it does not ask who sends");
	add_evidence(seen, findings);
	add_exemption(doctor, seen, findings);
}

static const char unguarded_text[] =
	" behind outbind's guard: what it matches leaves from another address than its binding's, "
	"and nothing stops it";
static const char guarded_text[] =
	": connection tracking does not know, so what it matches is dropped by the guard or gets no "
	"answers";

static void judge_rewrite(const struct doctor *doctor, const struct seen *seen,
			  struct findings *findings)
{
	const struct foreign_chain *base = any_base(doctor, seen, FOREIGN_EGRESS);
	bool leaves, unguarded;
	char where[WHERE_TEXT];

	if (base_at(doctor, seen, FOREIGN_POSTROUTING) && base->hook != FOREIGN_EGRESS)
		base = base_at(doctor, seen, FOREIGN_POSTROUTING);
	leaves = !base || base->hook >= FOREIGN_FORWARD;
	unguarded = base && (base->hook == FOREIGN_EGRESS ||
			     (base->hook == FOREIGN_POSTROUTING &&
			      base->priority > DOCTOR_PRIORITY_GUARD));
	say_where(seen, base, where);
	finding_add(findings,
		    unguarded || (leaves && !seen->act->narrow) ? SEVERITY_ERROR
							      : SEVERITY_WARNING,
		    "source-rewrite", "%s writes source addresses into packets%s", where,
		    unguarded ? unguarded_text : guarded_text);
	add_evidence(seen, findings);
	add_exemption(doctor, seen, findings);
}

static void judge_notrack(const struct doctor *doctor, const struct seen *seen,
			  struct findings *findings)
{
	char where[WHERE_TEXT];

	say_where(seen, any_base(doctor, seen, FOREIGN_OUTPUT), where);
	finding_add(findings, SEVERITY_WARNING, "notrack",
		    "%s exempts packets from connection tracking: those of clients with a rule are "
		    "dropped, since they cannot be given a source", where);
	add_evidence(seen, findings);
	add_listing(seen, "leave clients of outbind out of what it matches", findings);
}

/* What becomes of a write to our bits of the packet mark. */
static const char *fate(const struct doctor *doctor, const struct seen *seen,
			enum severity *ret_severity)
{
	const struct foreign_chain *output = base_at(doctor, seen, FOREIGN_OUTPUT);

	*ret_severity = SEVERITY_WARNING;
	if (output && output->priority < DOCTOR_PRIORITY_POLICY)
		return "before outbind decides, which takes them for the number of a binding that "
		       "the sender asked for";
	if (doctor->model->uplinks.n > 0)
		return "after outbind decided: packets of bindings with an uplink lose their way, "
		       "and are dropped";
	*ret_severity = SEVERITY_NOTE;
	return "after outbind decided, which then goes by the connection mark: nothing comes of it "
	       "as long as no binding has an uplink";
}

static const char *consequence(const struct doctor *doctor, const struct seen *seen,
			       enum severity *ret_severity)
{
	*ret_severity = SEVERITY_WARNING;
	if (seen->act->kind == FOREIGN_MARK_SET)
		return fate(doctor, seen, ret_severity);
	if (seen->act->kind == FOREIGN_MARK_READ)
		return "and may match by the number of a binding, or miss what it looks for "
		       "because of it";
	if (seen->act->kind == FOREIGN_CT_MARK_READ)
		return "where each connection of a client has the number of its binding";
	return "where outbind keeps which binding a connection has: later packets may be taken for "
	       "another one's, or be dropped";
}

static void judge_mark(const struct doctor *doctor, const struct seen *seen,
		       struct findings *findings)
{
	uint32_t mask = doctor->model->mask.host, ours = seen->bits & mask;
	enum foreign_kind kind = seen->act->kind;
	enum severity severity;
	const char *what = consequence(doctor, seen, &severity);
	char where[WHERE_TEXT];

	say_where(seen, any_base(doctor, seen, FOREIGN_OUTPUT), where);
	finding_add(findings, severity, "mark-overlap",
		    "%s %s bits 0x%x of the %s mark, of which 0x%x are outbind's (mark-mask 0x%x), %s",
		    where,
		    kind == FOREIGN_MARK_SET || kind == FOREIGN_CT_MARK_SET ? "writes" : "looks at",
		    seen->bits,
		    kind == FOREIGN_CT_MARK_SET || kind == FOREIGN_CT_MARK_READ ? "connection"
										: "packet",
		    ours, mask, what);
	add_evidence(seen, findings);
	add_listing(seen,
		    ours == mask || seen->bits == UINT32_MAX
			    ? "narrow it to bits that are not outbind's (mark/mask)"
			    : "or `mark-mask` with bits that nobody else uses, outbind.conf(5)",
		    findings);
}

static void judge(const struct doctor *doctor, const struct seen *seen, struct findings *findings)
{
	switch (seen->act->kind) {
	case FOREIGN_SNAT:
	case FOREIGN_MASQUERADE:
		judge_nat(doctor, seen, findings);
		return;
	case FOREIGN_REWRITE:
		judge_rewrite(doctor, seen, findings);
		return;
	case FOREIGN_NOTRACK:
		judge_notrack(doctor, seen, findings);
		return;
	case FOREIGN_MARK_SET:
	case FOREIGN_MARK_READ:
	case FOREIGN_CT_MARK_SET:
	case FOREIGN_CT_MARK_READ:
		if (seen->bits & doctor->model->mask.host)
			judge_mark(doctor, seen, findings);
		return;
	case FOREIGN_KINDS:
		return;
	}
}

static int by_chain_and_kind(const void *left, const void *right)
{
	const struct foreign_act *a = *(const struct foreign_act *const *)left;
	const struct foreign_act *b = *(const struct foreign_act *const *)right;

	if (a->chain != b->chain)
		return a->chain < b->chain ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->narrow != b->narrow)
		return a->narrow ? 1 : -1;
	return (a > b) - (a < b);
}

static void judge_acts(const struct doctor *doctor, struct findings *findings)
{
	const struct foreign *foreign = &doctor->host->foreign;
	size_t n = foreign->acts.n;
	uint32_t (*AUTO(mem_drop) reach)[FOREIGN_HOOKS] = mem_zero(foreign->chains.n + 1,
								   sizeof *reach);
	const struct foreign_act **AUTO(mem_drop) order = mem_zero(n + 1, sizeof *order);

	foreign_reach(foreign, reach);
	for (size_t i = 0; i < n; i++)
		order[i] = &foreign->acts.at[i];
	qsort(order, n, sizeof *order, by_chain_and_kind);
	for (size_t i = 0; i < n;) {
		struct seen seen = { .act = order[i], .chain = &foreign->chains.at[order[i]->chain],
				     .reach = reach[order[i]->chain] };

		seen.table = &foreign->tables.at[seen.chain->table];
		for (; i < n && order[i]->chain == seen.act->chain &&
		       order[i]->kind == seen.act->kind;
		     i++, seen.n++)
			seen.bits |= order[i]->bits;
		judge(doctor, &seen, findings);
	}
}

/* What packets say, whatever the rules: something translates them, also if nothing above was found. */
static void judge_proofs(const struct doctor *doctor, struct findings *findings)
{
	if (doctor->wrong > 0) {
		finding_add(findings, SEVERITY_WARNING, "source-wrong",
			    "since the agent started, %" PRIu64 " connections of bindings left from an "
			    "address that is not their binding's", doctor->wrong);
		finding_evidence(findings, "the kernel's own translation, event source.wrong");
		finding_remedy(findings, "outbindctl flows");
	}
	if (doctor->dropped_guard == 0 && !doctor->refused)
		return;
	finding_add(findings, doctor->refused ? SEVERITY_WARNING : SEVERITY_NOTE, "guard",
		    "since the table was made, the guard has dropped %" PRIu64 " first packets that "
		    "carried a binding's number and not its address: another rule took them%s",
		    doctor->dropped_guard,
		    doctor->refused ? ", and did so within the last minute" : "");
	finding_evidence(findings, "counter dropped_guard of table inet %s%s%s", doctor->table,
			 doctor->refused ? "; sources it had: " : "",
			 doctor->refused ? doctor->refused : "");
	if (doctor->refused)
		finding_remedy(findings,
			       "mend what source-nat or source-rewrite names; outbindctl flows");
}

void doctor_foreign(const struct doctor *doctor, struct findings *findings)
{
	const struct foreign *foreign = &doctor->host->foreign;

	if (foreign->error == -EPERM)
		finding_add(findings, SEVERITY_NOTE, "unread",
			    "other tables were not looked at: CAP_NET_ADMIN is needed to read them");
	else if (foreign->error < 0)
		finding_add(findings, SEVERITY_WARNING, "unread",
			    "other tables were not looked at: reading them failed: %s",
			    strerror(-foreign->error));
	if (foreign->error_legacy < 0 && foreign->error_legacy != -EPERM &&
	    foreign->error_legacy != -EACCES)
		finding_add(findings, SEVERITY_WARNING, "unread",
			    "tables of iptables-legacy were not looked at: %s",
			    strerror(-foreign->error_legacy));
	if (foreign->changed)
		finding_add(findings, SEVERITY_NOTE, "unread",
			    "rules were changed all the time while other tables were looked at: "
			    "some may be missing here");
	if (foreign->cut)
		finding_add(findings, SEVERITY_NOTE, "unread",
			    "only the first %zu rules of other tables were looked at",
			    foreign->rules);
	judge_acts(doctor, findings);
	judge_proofs(doctor, findings);
}
