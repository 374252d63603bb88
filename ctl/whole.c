/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See whole.h. A change has no place for what only a start or a reload reads. So these statements are left
 * out where they say what the agent's files say anyway, and refused, by name, where they do not.
 */
#include "whole.h"

#include "agent.h"
#include "base/mem.h"
#include "model/change.h"
#include "model/conf.h"

#include <limits.h>
#include <string.h>

static bool is_setting(const char *text, const struct piece *piece)
{
	for (size_t i = 0; conf_files_only[i]; i++)
		if (pieces_is(text, piece, conf_files_only[i]))
			return true;
	return false;
}

bool whole_is_configuration(const char *text, size_t len)
{
	AUTO(pieces_drop) struct pieces pieces = { 0 };

	if (pieces_read(text, len, &pieces) < 0)
		return false;			/* the agent says what is wrong, and where */
	for (size_t i = 0; i < pieces.n; i++)
		if (pieces.at[i].parent == PIECES_NONE && is_setting(text, &pieces.at[i]))
			return true;
	return false;
}

char *whole_without_settings(const char *text, size_t len, const struct pieces *pieces)
{
	char *clean = mem_text(text, len);

	if (strncmp(clean, "\xef\xbb\xbf", 3) == 0)
		memset(clean, ' ', 3);
	for (size_t i = 0; i < pieces->n; i++) {
		const struct piece *piece = &pieces->at[i];

		if (piece->parent != PIECES_NONE || !is_setting(text, piece))
			continue;
		for (size_t at = piece->start; at < piece->end; at++)
			clean[at] = clean[at] == '\n' ? '\n' : ' ';
	}
	return clean;
}

static int read_model(const struct ctl *ctl, const char *path, struct model *ret)
{
	AUTO(diag_drop) struct diag diag = { 0 };
	char place[PATH_MAX + 32];
	int r = conf_read(path, &conf_system, ret, &diag);

	for (size_t i = 0; i < diag.n && r < 0; i++)
		(void)fprintf(ctl->err, "%s: %s\n",
			      model_place(ret, diag.at[i].where, place, sizeof place),
			      diag.at[i].text);
	if (r == 0)
		return CTL_DONE;
	ctl_complain(ctl, "%s is not valid as a configuration; nothing was changed", path);
	return CTL_NO;
}

/* One of conf_files_only but `include`, in canonical text. */
static char *print_setting(const struct model *model, const char *name)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		abort();
	if (strcmp(name, "mark-mask") == 0)
		(void)fprintf(out, "0x%x", model->mask.host);
	else if (strcmp(name, "flow-log") == 0)
		(void)fputs(model->flow_log ? model->flow_log : "", out);
	else if (strcmp(name, "port-warning") == 0)
		(void)fprintf(out, "%u", model->port_warning);
	else if (strcmp(name, "relay") == 0)
		conf_print_relay(model, out);
	else if (strcmp(name, "dns") == 0)
		conf_print_dns(model, out);
	else if (strcmp(name, "metrics") == 0)
		conf_print_metrics(model, out);
	if (fclose(out) != 0)
		abort();
	return text;
}

static int compare_settings(const struct ctl *ctl, const char *path, const struct model *model,
			    const char *config, const struct model *running)
{
	int r = CTL_DONE;

	for (size_t i = 0; conf_files_only[i]; i++) {
		char *AUTO(mem_drop) here = print_setting(model, conf_files_only[i]);
		char *AUTO(mem_drop) there = print_setting(running, conf_files_only[i]);

		if (strcmp(here, there) == 0)
			continue;
		ctl_complain(ctl, "`%s` is another one in %s than in %s", conf_files_only[i], path,
			     config);
		r = CTL_REFUSED;
	}
	if (r != CTL_DONE)
		ctl_complain(ctl, "no change at run time brings that: write it into %s, then "
			     "`outbindctl reload`; nothing was changed", config);
	return r;
}

/* As the agent's own files are now. */
static int check_settings(struct ctl *ctl, const char *path, const struct model *model)
{
	AUTO(model_drop) struct model running = { 0 };
	char *AUTO(mem_drop) config = NULL;
	int r = agent_find_config(ctl, &config);

	if (r == CTL_DONE)
		r = read_model(ctl, config, &running);
	return r == CTL_DONE ? compare_settings(ctl, path, model, config, &running) : r;
}

static int add_file(const struct ctl *ctl, const char *path, FILE *out)
{
	AUTO(pieces_drop) struct pieces pieces = { 0 };
	char *AUTO(mem_drop) text = NULL, *AUTO(mem_drop) clean = NULL;
	size_t len;
	int r = conf_system.read_file(conf_system.context, path, &text, &len);

	if (r == 0)
		r = pieces_read(text, len, &pieces);
	if (r < 0) {
		ctl_complain(ctl, "%s cannot be read: %s", path, strerror(-r));
		return CTL_NO;
	}
	clean = whole_without_settings(text, len, &pieces);
	(void)fprintf(out, "%s\n", clean);
	return CTL_DONE;
}

int whole_read(struct ctl *ctl, const char *path, char **ret_text, char **ret_name)
{
	AUTO(model_drop) struct model model = { 0 };
	size_t size;
	FILE *out;
	int r = read_model(ctl, path, &model);

	if (r == CTL_DONE)
		r = check_settings(ctl, path, &model);
	if (r != CTL_DONE)
		return r;
	out = open_memstream(ret_text, &size);
	if (!out)
		abort();
	for (size_t i = 0; i < model.files.n && r == CTL_DONE; i++)
		r = add_file(ctl, model.files.at[i], out);
	if (fclose(out) != 0)
		abort();
	if (asprintf(ret_name, "%s%s", path,
		     model.files.n > 1 ? " and what it includes" : "") < 0)
		abort();
	return r;
}
