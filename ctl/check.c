/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl check: is a configuration valid, without an agent and without rights. Problems go to
 * stderr as a compiler's would, so that --print can be redirected.
 */
#include "check.h"

#include "agent.h"
#include "answer.h"
#include "offline.h"
#include "verbs.h"

enum { PLACE_BYTES = 4096 + 32 };

static const struct option options[] = {
	[CHECK_PRINT] = { "print", NULL, "print the configuration in canonical form",
			  COMPLETE_NONE },
	[CHECK_DNS] = { "dns", NULL, "does DNS say of each address what receivers want to hear",
			COMPLETE_NONE },
	[CHECK_CONFIG] = { "config", "FILE", "with --dns: the configuration", COMPLETE_FILE },
	[CHECK_RESOLVER] = { "resolver", "ADDRESS[:PORT]", "with --dns: whom to ask",
			     COMPLETE_NONE },
	[CHECK_SENDER_DOMAIN] = { "sender-domain", "DOMAIN[,...]",
				  "with --dns: whose SPF must cover the addresses", COMPLETE_NONE },
	[CHECK_BLOCKLIST] = { "blocklist", "ZONE[,...]", "with --dns: lists to look into",
			      COMPLETE_NONE },
	[CHECK_TIMEOUT] = { "timeout", "SECONDS", "with --dns: for all of it (120)",
			    COMPLETE_NONE },
	[CHECK_REPORT] = { "report", NULL, "with --dns: for the running agent, and tell it",
			   COMPLETE_NONE },
	[CHECK_LAST] = { "last", NULL, "with --dns: what the agent was told last", COMPLETE_NONE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

static void print_problems(const struct ctl *ctl, const struct offline *offline)
{
	char place[PLACE_BYTES];

	for (size_t i = 0; i < offline->diag.n; i++) {
		const struct diag_entry *entry = &offline->diag.at[i];

		(void)fprintf(ctl->err, "%s: %s%s\n",
			      model_place(&offline->model, entry->where, place, sizeof place),
			      entry->level == DIAG_WARNING ? "warning: " : "", entry->text);
	}
	if (offline->diag.n_left_out > 0)
		(void)fprintf(ctl->err, "and %zu more problems\n", offline->diag.n_left_out);
}

static json_t *problems_json(const struct offline *offline)
{
	json_t *problems = json_array();
	char place[PLACE_BYTES];

	for (size_t i = 0; i < offline->diag.n; i++) {
		const struct diag_entry *entry = &offline->diag.at[i];
		json_t *problem = json_pack(
			"{s:s+, s:s, s:s+}", "place",
			model_place(&offline->model, entry->where, place, sizeof place), "",
			"severity", entry->level == DIAG_WARNING ? "warning" : "error", "text",
			entry->text, "");

		(void)json_array_append_new(problems, problem ? problem : json_string("not UTF-8"));
	}
	return problems;
}

static json_t *relay_json(const struct relay *relay)
{
	return json_pack("{s:I, s:I}", "listeners", (json_int_t)relay->listeners.n, "rules",
			 (json_int_t)relay->rules.n);
}

static void print_json(const struct ctl *ctl, const char *path, const struct offline *offline,
		       bool valid)
{
	AUTO(json_drop) json_t *answer = json_object();
	size_t groups = model_count_groups(&offline->model);

	(void)json_object_set_new(answer, "file", json_string(path));
	(void)json_object_set_new(answer, "valid", json_boolean(valid));
	(void)json_object_set_new(answer, "bindings", json_integer((json_int_t)(
		model_count_bindings(&offline->model) - groups)));
	(void)json_object_set_new(answer, "groups", json_integer((json_int_t)groups));
	(void)json_object_set_new(answer, "rules",
				  json_integer((json_int_t)offline->model.rules.n));
	if (offline->model.relay.given)
		(void)json_object_set_new(answer, "relay", relay_json(&offline->model.relay));
	(void)json_object_set_new(answer, "problems", problems_json(offline));
	(void)json_object_set_new(answer, "left_out",
				  json_integer((json_int_t)offline->diag.n_left_out));
	answer_json(ctl, answer);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

static void print_counts(const struct ctl *ctl, const char *path, const struct model *model)
{
	size_t groups = model_count_groups(model), rules = model->rules.n;
	size_t bindings = model_count_bindings(model) - groups;
	const struct relay *relay = &model->relay;

	(void)fprintf(ctl->out, "%s: %zu binding%s", path, bindings, plural(bindings));
	if (groups > 0)
		(void)fprintf(ctl->out, ", %zu group%s", groups, plural(groups));
	(void)fprintf(ctl->out, ", %zu rule%s", rules, plural(rules));
	if (relay->given)
		(void)fprintf(ctl->out, ", a relay with %zu listener%s and %zu rule%s",
			      relay->listeners.n, plural(relay->listeners.n), relay->rules.n,
			      plural(relay->rules.n));
	(void)fputs(": valid\n", ctl->out);
}

static void print_text(const struct ctl *ctl, const char *path, const struct offline *offline,
		       bool valid)
{
	size_t errors = offline->diag.n_errors + offline->diag.n_left_out;

	print_problems(ctl, offline);
	if (valid)
		print_counts(ctl, path, &offline->model);
	else
		(void)fprintf(ctl->err, "%s: %zu problem%s: invalid\n", path, errors,
			      plural(errors));
}

/* Options that one of the two does not have; CTL_DONE if there are none. */
static int check_options(struct ctl *ctl, const struct arguments *args)
{
	bool dns = args->value[CHECK_DNS] != NULL;

	for (int i = CHECK_CONFIG; !dns && options[i].name; i++)
		if (args->value[i]) {
			ctl_complain(ctl, "--%s needs --dns", options[i].name);
			return CTL_USAGE;
		}
	if (!dns && args->n_rest > 1) {
		ctl_complain(ctl, "check takes one file; names of bindings need --dns");
		return CTL_USAGE;
	}
	if (args->value[CHECK_CONFIG] && (args->value[CHECK_REPORT] || args->value[CHECK_LAST])) {
		ctl_complain(ctl, "--config does not go with --report and --last, which are about "
			     "what the agent runs");
		return CTL_USAGE;
	}
	if (dns && args->value[CHECK_PRINT]) {
		ctl_complain(ctl, "--print and --dns do not go together");
		return CTL_USAGE;
	}
	return CTL_DONE;
}

static int check_run(struct ctl *ctl, const struct arguments *args)
{
	const char *path = args->n_rest > 0 ? args->rest[0] : CTL_CONFIGURATION;
	AUTO(offline_drop) struct offline offline = { 0 };
	bool valid;
	int r = check_options(ctl, args);

	if (r != CTL_DONE || args->value[CHECK_DNS])
		return r != CTL_DONE ? r : check_dns(ctl, args);
	valid = offline_read(path, &offline) == 0;
	if (ctl->json) {
		print_json(ctl, path, &offline, valid);
	} else if (valid && args->value[CHECK_PRINT]) {
		print_problems(ctl, &offline);
		conf_print(&offline.model, ctl->out);
	} else {
		print_text(ctl, path, &offline, valid);
	}
	return valid ? CTL_DONE : CTL_NO;
}

const struct verb check_verb = {
	.name = "check",
	.synopsis = "[--print] [FILE] | --dns [BINDING...]",
	.summary = "is this configuration valid, and does DNS agree; needs no agent and no rights",
	.text = "Reads FILE (" CTL_CONFIGURATION
		") with all its includes and prints every problem as\n"
		"file:line:column: text. The exit status is 1 if there are errors.\n\n"
		"With --dns, asks DNS about each address of the bindings (all, if none is named): its\n"
		"name leads back to it, the EHLO name leads to it, the name does not look generic, SPF\n"
		"of the sender domains passes it, no blocklist has it. What DNS does not tell is\n"
		"\"unknown\". The exit status is 1 if anything is bad or unknown.\n",
	.options = options,
	.most = SIZE_MAX,
	.complete = COMPLETE_FILE,
	.run = check_run,
};
