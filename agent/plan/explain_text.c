/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verdicts in words, for people and for programs. */
#include "plan/explain.h"

static const struct { const char *text, *name; } verdicts[] = {
	[VERDICT_BINDING] = { "leaves from the binding's address", "binding" },
	[VERDICT_LOCAL] = { "stays on this host: never rewritten", "local" },
	[VERDICT_BYPASS] = { "the destination is in the bypass list: never rewritten or refused",
			     "bypass" },
	[VERDICT_PASS] = { "leaves from the host's own address, by a rule", "pass" },
	[VERDICT_UNASSIGNED] = { "no rule applies: leaves from the host's own address",
				 "unassigned" },
	[VERDICT_REJECT] = { "refused by the policy", "reject" },
	[VERDICT_UNUSABLE] = { "refused: the binding cannot carry this family now", "unusable" },
	[VERDICT_MEMBER] = { "leaves from an address of some member of the group",
			     "member" },
	[VERDICT_UNKNOWN_MARK] = { "refused: the mark stands for no binding", "unknown-mark" },
	[VERDICT_INTERCEPTED] = { "turned to the relay, which decides for each message",
				  "intercepted" },
};

const char *explain_verdict_text(enum verdict verdict)
{
	return verdicts[verdict].text;
}

const char *explain_verdict_name(enum verdict verdict)
{
	return verdicts[verdict].name;
}
