/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of verbs, and what is done with a whole command line. */
#pragma once

#include "ctl.h"

extern const struct verb apply_verb, binding_add_verb, binding_list_verb, binding_remove_verb,
	binding_resume_verb, binding_set_verb, binding_show_verb, binding_suspend_verb,
	binding_warmup_verb, bypass_add_verb, bypass_remove_verb, capacity_verb, capture_verb,
	check_verb, default_binding_verb, diff_verb, doctor_verb, exec_verb, explain_verb,
	flows_verb, group_add_verb, group_remove_verb, group_set_verb, health_verb, help_verb,
	metrics_verb, monitor_verb, policy_add_verb, policy_list_verb, policy_remove_verb,
	relay_explain_verb, relay_metrics_verb, relay_status_verb, reload_verb, render_verb,
	report_verb, save_verb, settle_verb, status_verb, top_verb, verify_verb;

/* In the order of help; NULL ends it. */
extern const struct verb *const verbs[];

/* The title under which help lists @verb and those after it, or NULL: the one before goes on. */
const char *verbs_title(const struct verb *verb);

/* The verb called @name ("binding list"), or NULL. */
const struct verb *verbs_find(const char *name);

/* @word is the first of a verb's two words. */
bool verbs_is_group(const char *word);

/* The name of a verb that was probably meant by @name, or NULL. */
const char *verbs_nearest(const char *name);

/* Do what the command line says; returns the exit code. @argv as main(3) got it. */
int verbs_run(struct ctl *ctl, int argc, char **argv);
