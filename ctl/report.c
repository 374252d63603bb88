/* SPDX-License-Identifier: GPL-2.0-or-later */
/* outbindctl report: one archive for a bug report, without secrets. */
#include "report.h"

#include "agent.h"
#include "answer.h"
#include "base/mem.h"
#include "bundle.h"
#include "reply.h"
#include "verbs.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

enum { OPTION_OUTPUT, OPTION_STDOUT, OPTION_CONFIG };

static const struct option options[] = {
	[OPTION_OUTPUT] = { "output", "FILE",
			    "or -o: write it there, not to outbind-report-TIME.tar.gz",
			    COMPLETE_FILE },
	[OPTION_STDOUT] = { "stdout", NULL, "write it to standard output", COMPLETE_NONE },
	[OPTION_CONFIG] = { "config", "FILE", "the configuration, if the agent does not answer",
			    COMPLETE_FILE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

/* The configuration that the agent goes by, or the one that is said. */
static char *find_config(struct ctl *ctl, const char *said)
{
	AUTO(json_drop) json_t *status = NULL;
	const char *path = said ? said : CTL_CONFIGURATION;

	if (!said && agent_ask_quietly(ctl, "GetStatus", NULL, &status) == CTL_DONE &&
	    *reply_text(status, "configuration"))
		path = reply_text(status, "configuration");
	return mem_copy(path);
}

static int write_all(const struct report *report, int fd, const char *name, char *reterr)
{
	struct bundle_member *AUTO(mem_drop) members =
		mem_zero(report->members.n, sizeof *members);
	char (*AUTO(mem_drop) paths)[256] = mem_zero(report->members.n, sizeof *paths);
	size_t n = 0;

	for (size_t i = report->members.n; i-- > 0;) {	/* the manifest first */
		const struct report_member *member = &report->members.at[i];

		if (!member->text)
			continue;
		(void)snprintf(paths[n], sizeof paths[n], "%s/%s", name, member->path);
		members[n] = (struct bundle_member){ paths[n], member->text, member->len };
		n++;
	}
	return bundle_write(fd, members, n, time(NULL), reterr);
}

static json_t *json_report(const struct report *report, const char *file)
{
	json_t *list = json_array();

	for (size_t i = 0; i < report->members.n; i++) {
		const struct report_member *member = &report->members.at[i];

		(void)json_array_append_new(
			list, json_pack("{s:s, s:b, s:I, s:b, s:s?}", "name", member->path, "in",
					member->text != NULL, "bytes", (json_int_t)member->len,
					"cut", member->cut, "note", member->note));
	}
	return json_pack("{s:s, s:o}", "file", file, "members", list);
}

static void say(const struct ctl *ctl, const struct report *report, const char *file)
{
	AUTO(json_drop) json_t *json = NULL;

	if (ctl->json) {
		json = json_report(report, file);
		answer_json(ctl, json);
		return;
	}
	for (size_t i = 0; i < report->members.n; i++)
		if (!report->members.at[i].text)
			(void)fprintf(ctl->err, "left out: %s: %s\n", report->members.at[i].path,
				      report->members.at[i].note);
	(void)fprintf(ctl->out, "%s\n", file);
	(void)fputs(
		"look into it before you send it: addresses and names are in it, secrets are not\n",
		ctl->err);
}

static void gather(struct report *report)
{
	static const struct {
		const char *what;
		void (*gather)(struct report *report);
	} steps[] = {
		{ "configuration", report_gather_configuration },
		{ "agent", report_gather_agent },
		{ "host", report_gather_host },
		{ "manifest", report_manifest },
	};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (report->ctl->progress)
			(void)fprintf(report->ctl->err, "\r\033[K%s ...", steps[i].what);
		steps[i].gather(report);
	}
	if (report->ctl->progress)
		(void)fputs("\r\033[K", report->ctl->err);
}

static int write_file(struct report *report, const char *path, const char *name)
{
	AUTO(fd_drop) struct fd fd = { open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) };
	char why[BUNDLE_ERROR];

	if (fd.n < 0) {
		ctl_complain(report->ctl, "cannot write %s: %s", path, strerror(errno));
		return CTL_NO;
	}
	gather(report);
	if (write_all(report, fd.n, name, why) < 0) {
		ctl_complain(report->ctl, "cannot write %s: %s", path, why);
		(void)unlink(path);
		return CTL_NO;
	}
	say(report->ctl, report, path);
	return CTL_DONE;
}

static int write_stdout(struct report *report, const char *name)
{
	char why[BUNDLE_ERROR];
	int fd = fileno(report->ctl->out);

	if (fd < 0 || isatty(fd)) {
		ctl_complain(report->ctl, "--stdout: standard output is a terminal");
		return CTL_USAGE;
	}
	gather(report);
	if (fflush(report->ctl->out) != 0)
		(void)snprintf(why, sizeof why, "%s", strerror(errno));
	else if (write_all(report, fd, name, why) == 0)
		return CTL_DONE;
	ctl_complain(report->ctl, "cannot write the report: %s", why);
	return CTL_NO;
}

static int report_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(report_drop) struct report report = { .ctl = ctl };
	char *AUTO(mem_drop) config = NULL;
	char name[64], path[80];
	time_t now = time(NULL);
	struct tm tm;

	if (args->value[OPTION_OUTPUT] && args->value[OPTION_STDOUT]) {
		ctl_complain(ctl, "--output and --stdout: one of them");
		return CTL_USAGE;
	}
	(void)gmtime_r(&now, &tm);
	(void)strftime(name, sizeof name, "outbind-report-%Y%m%dT%H%M%SZ", &tm);
	(void)snprintf(path, sizeof path, "%s.tar.gz", name);
	config = find_config(ctl, args->value[OPTION_CONFIG]);
	report.config = config;
	if (args->value[OPTION_STDOUT])
		return write_stdout(&report, name);
	return write_file(&report, args->value[OPTION_OUTPUT] ? args->value[OPTION_OUTPUT] : path,
			  name);
}

const struct verb report_verb = {
	.name = "report",
	.synopsis = "[-o FILE | --stdout]",
	.summary = "one archive for a bug report, without secrets",
	.text = "Version, status, health, what doctor finds, configuration, ruleset, events, settings,\n"
		"network and journal, each bounded in size. MANIFEST in it says what is in, and what was\n"
		"left out and why. Comments, keys, passwords and the like are taken out; addresses and\n"
		"names are in, so look before you send it. A file that exists is not overwritten.\n",
	.options = options,
	.run = report_run,
};
