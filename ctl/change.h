/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of what runs, kept beside the files: how every verb that makes one asks and answers. */
#pragma once

#include "agent.h"
#include "compose.h"
#include "excerpt.h"

extern const struct option change_options[];	/* of verbs without others: --dry-run alone */
enum { CHANGE_DRY_RUN };			/* its index in there */
#define CHANGE_OPTION_DRY_RUN \
	{ "dry-run", NULL, "say what would change, and change nothing", COMPLETE_NONE }

/*
 * change_apply - hand @excerpt's text over as one change, all of it or nothing
 * @whole: what the text does not define is removed
 *
 * Prints what was done, or with @dry_run would be done. Returns the exit code.
 */
MUST_CHECK int change_apply(struct ctl *ctl, const struct excerpt *excerpt, bool whole,
			    bool dry_run);

/* The same for a text that was put together from the command line; takes @text. */
MUST_CHECK int change_typed(struct ctl *ctl, char *text, bool dry_run);

/* The same for settings of the binding or group @name; @kind is "binding" or "group". */
MUST_CHECK int change_settings(struct ctl *ctl, const char *kind, const char *name,
			       const struct statements *settings, bool dry_run);

/*
 * change_look - what a call of another method would change
 * @parameters: taken
 * @fate:       completes "3 live connections ..." where the answer counts some; may be NULL
 */
MUST_CHECK int change_look(struct ctl *ctl, const char *method, json_t *parameters,
			   const char *fate);

/* Is a binding or group called @name defined? False also if the agent cannot be asked: whatever
 * comes next will say so. */
bool change_is_taken(struct ctl *ctl, const char *name);

/* CTL_REFUSED, said with the verb that does it, if @name is a binding and @kind "group", or the
 * other way round. CTL_DONE also if there is none, or the agent cannot be asked. */
MUST_CHECK int change_check_kind(struct ctl *ctl, const char *kind, const char *name,
				 const char *verb);

/*
 * change_count - how many of @changes are changes
 * What an answer leaves out is counted in a last element, whose number goes to *@ret_left_out.
 */
size_t change_count(const json_t *changes, size_t *ret_left_out);

/*
 * change_print - one Change on ctl->out: "+ binding acme", "- ...", "~ ..."
 * @details: with the text of both sides
 * @note:    put behind it, or ""
 */
void change_print(const struct ctl *ctl, const json_t *change, bool details, const char *note);
