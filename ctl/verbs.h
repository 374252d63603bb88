/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of verbs, and what is done with a whole command line. */
#pragma once

#include "ctl.h"

extern const struct verb status_verb, binding_list_verb, binding_show_verb, binding_suspend_verb,
	binding_resume_verb, policy_list_verb, explain_verb, exec_verb, check_verb, render_verb,
	diff_verb, reload_verb, help_verb;

/* In the order of help; NULL ends it. */
extern const struct verb *const verbs[];

/* The verb called @name ("binding list"), or NULL. */
const struct verb *verbs_find(const char *name);

/* @word is the first of a verb's two words. */
bool verbs_is_group(const char *word);

/* The name of a verb that was probably meant by @name, or NULL. */
const char *verbs_nearest(const char *name);

/* Do what the command line says; returns the exit code. @argv as main(3) got it. */
int verbs_run(struct ctl *ctl, int argc, char **argv);
