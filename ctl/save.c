/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl save: what was changed at run time becomes part of the files. */
#include "answer.h"
#include "base/mem.h"
#include "change.h"
#include "fold.h"
#include "refusal.h"
#include "reply.h"
#include "verbs.h"

#include <string.h>

static char *default_target(const char *config)
{
	char *target = NULL;

	if (asprintf(&target, "%.*s/conf.d/runtime.conf", (int)(strrchr(config, '/') - config),
		     config) < 0)
		abort();
	return target;
}

static void collect(void *context, json_t *reply)
{
	(void)fputs(reply_text(reply, "text"), context);
}

static int read_layer(struct ctl *ctl, struct pending *ret)
{
	char *AUTO(mem_drop) text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int r;

	if (!out)
		abort();
	r = agent_call(ctl, "GetRuntime", NULL, collect, out);
	if (fclose(out) != 0)
		abort();
	return r == CTL_DONE ? pending_read(ctl, text, ret) : r;
}

/* Saving ends with a reload, which must not bring what nobody asked for. */
static int refuse_edits(struct ctl *ctl)
{
	AUTO(json_drop) json_t *diff = NULL;
	const json_t *changes;
	int r = agent_ask(ctl, "Diff", NULL, &diff);

	changes = reply_member(diff, "changes");
	for (size_t i = 0; i < json_array_size(changes) && r == CTL_DONE; i++) {
		const json_t *change = json_array_get(changes, i);
		const char *kind = reply_text(change, "kind");

		if (strcmp(kind, "left out") == 0 || reply_true(change, "runtime"))
			continue;
		ctl_complain(ctl, "the files have changes that do not run yet, such as %s %s: see "
			     "`outbindctl diff`, and reload first; nothing was changed", kind,
			     reply_text(change, "name"));
		r = CTL_REFUSED;
	}
	return r;
}

static json_t *describe(const struct fold *fold, const char *diff)
{
	json_t *files = json_array();

	for (size_t i = 0; i < fold->files.n; i++) {
		const struct fold_file *file = &fold->files.at[i];

		if (file->result)
			(void)json_array_append_new(
				files, json_pack("{s:s, s:I, s:b}", "file", file->path, "changes",
						 (json_int_t)file->n_changes, "new", file->is_new));
	}
	return json_pack("{s:o, s:I, s:I, s:s*}", "files", files, "changes",
			 (json_int_t)fold->n_changes, "suspensions",
			 (json_int_t)fold->n_suspensions, "diff", diff);
}

static void print_suspensions(const struct ctl *ctl, const struct fold *fold)
{
	if (fold->n_suspensions > 0)
		(void)fprintf(ctl->out,
			      "%zu suspension%s stay%s with the agent: files do not hold them\n",
			      fold->n_suspensions, fold->n_suspensions == 1 ? "" : "s",
			      fold->n_suspensions == 1 ? "s" : "");
}

static int show(const struct ctl *ctl, const struct fold *fold)
{
	char *AUTO(mem_drop) diff = NULL;
	AUTO(json_drop) json_t *answer = NULL;
	size_t size;
	FILE *out = open_memstream(&diff, &size);

	if (!out)
		abort();
	fold_print(fold, out);
	if (fclose(out) != 0)
		abort();
	answer = describe(fold, diff);
	if (ctl->json) {
		answer_json(ctl, answer);
		return CTL_DONE;
	}
	(void)fputs(*diff ? diff : "nothing to save\n", ctl->out);
	print_suspensions(ctl, fold);
	return CTL_DONE;
}

static void print_files(const struct ctl *ctl, const struct fold *fold)
{
	for (size_t i = 0; i < fold->files.n; i++) {
		const struct fold_file *file = &fold->files.at[i];

		if (!file->result)
			continue;
		(void)fprintf(ctl->out, "%s: %zu change%s", file->path, file->n_changes,
			      file->n_changes == 1 ? "" : "s");
		if (file->is_new)
			(void)fputs(", a new file\n", ctl->out);
		else
			(void)fprintf(ctl->out, "; as it was: %s~\n", file->path);
	}
	if (fold->n_changes == 0)
		(void)fputs("nothing to save\n", ctl->out);
	print_suspensions(ctl, fold);
}

static int write_files(struct ctl *ctl, const struct fold *fold)
{
	AUTO(json_drop) json_t *reply = NULL;
	AUTO(json_drop) json_t *answer = NULL;
	int r = fold->n_changes > 0 ? fold_write(ctl, fold) : CTL_DONE;

	if (r != CTL_DONE)
		return r;
	if (!ctl->json)
		print_files(ctl, fold);
	if (fold->n_changes > 0)
		r = agent_ask(ctl, "Reload", NULL, &reply);
	if (r != CTL_DONE) {
		ctl_complain(ctl,
			     "the files are written, but the agent did not take them: it goes on "
			     "with what it had, and `outbindctl reload` tries again");
		return r;
	}
	refusal_print_problems(ctl, reply_member(reply, "warnings"));
	answer = describe(fold, NULL);
	if (ctl->json)
		answer_json(ctl, answer);
	return CTL_DONE;
}

static int save_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(pending_drop) struct pending layer = { 0 };
	AUTO(fold_drop) struct fold fold = { 0 };
	char *AUTO(mem_drop) config = NULL, *AUTO(mem_drop) target = NULL;
	int r = agent_find_config(ctl, &config);

	if (r == CTL_DONE)
		r = read_layer(ctl, &layer);
	if (r == CTL_DONE)
		r = refuse_edits(ctl);
	if (r != CTL_DONE)
		return r;
	target = args->n_rest > 0 ? mem_copy(args->rest[0])
				  : default_target(config);
	r = fold_make(ctl, config, &layer, target, &fold);
	if (r != CTL_DONE)
		return r;
	return args->value[CHANGE_DRY_RUN] ? show(ctl, &fold) : write_files(ctl, &fold);
}

const struct verb save_verb = {
	.name = "save",
	.synopsis = "[--dry-run] [FILE]",
	.summary = "fold what was changed at run time into the configuration files",
	.text = "What a file defines is replaced or cut out there; what is new is appended to FILE, else to\n"
		"conf.d/runtime.conf beside the main file, which must include it. Everything else in the\n"
		"files stays as it is, comments too. Nothing is written unless the new files alone say what\n"
		"files and changes say now. Each file is kept as FILE~; then the agent reloads.\n"
		"Suspensions stay with the agent. --dry-run shows the difference, as diff -u does.\n\n"
		"  outbindctl save --dry-run\n"
		"  outbindctl save /etc/outbind/conf.d/customers.conf\n",
	.options = change_options,
	.most = 1,
	.complete = COMPLETE_FILE,
	.run = save_run,
};
