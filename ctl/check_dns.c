/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl check --dns: does DNS say of each address what receivers want to hear. It asks by itself,
 * unprivileged: outbindd never reads what DNS answers.
 */
#include "check.h"

#include "identity.h"
#include "number.h"
#include "offline.h"

#include <string.h>

enum { SECONDS = 120, SECONDS_MAX = 3600 };

static int read_seconds(struct ctl *ctl, const char *text, double *ret)
{
	long long seconds = SECONDS;

	if (text && !number_read(text, 1, SECONDS_MAX, &seconds)) {
		ctl_complain(ctl, "'%s' is no time: expected seconds from 1 to %d", text,
			     SECONDS_MAX);
		return CTL_USAGE;
	}
	*ret = (double)seconds;
	return CTL_DONE;
}

/* What the command line says in the place of the configuration. */
static int read_options(struct ctl *ctl, const struct arguments *args, struct identity_list *list)
{
	const char *resolver = args->value[CHECK_RESOLVER];
	const char *domains = args->value[CHECK_SENDER_DOMAIN];
	const char *blocklists = args->value[CHECK_BLOCKLIST];
	int r = CTL_DONE;

	if (resolver)
		r = identity_list_resolver(ctl, resolver, list);
	if (r == CTL_DONE && domains)
		r = identity_list_domains(ctl, domains, list);
	if (r == CTL_DONE && blocklists)
		r = identity_list_blocklists(ctl, blocklists, list);
	return r;
}

static int complain_invalid(struct ctl *ctl, const char *path, const struct offline *offline)
{
	size_t n = offline->diag.n_errors + offline->diag.n_left_out;

	ctl_complain(ctl, "%s is not valid: %zu problem%s, which `outbindctl check` prints", path,
		     n, n == 1 ? "" : "s");
	return CTL_NO;
}

static int run(struct ctl *ctl, const struct arguments *args, struct identity_list *list)
{
	AUTO(identity_rows_drop) struct identity_rows rows = { 0 };
	double seconds = 0;
	int r = read_seconds(ctl, args->value[CHECK_TIMEOUT], &seconds);

	if (r == CTL_DONE)
		r = read_options(ctl, args, list);
	if (r == CTL_DONE)
		r = identity_rows_run(ctl, list, seconds, &rows);
	if (r != CTL_DONE)
		return r;
	identity_rows_print(ctl, &rows);
	if (args->value[CHECK_REPORT] && list->subjects.n > 0)
		r = identity_rows_report(ctl, &rows);
	if (r != CTL_DONE)
		return r;
	return rows.n_bad + rows.n_unknown > 0 || *rows.summary.problem ? CTL_NO : CTL_DONE;
}

int check_dns(struct ctl *ctl, const struct arguments *args)
{
	const char *path = args->value[CHECK_CONFIG] ? args->value[CHECK_CONFIG]
						     : CTL_CONFIGURATION;
	AUTO(identity_list_drop) struct identity_list list = { 0 };
	AUTO(offline_drop) struct offline offline = { 0 };
	int r;

	if (args->value[CHECK_LAST])
		return identity_rows_last(ctl, args);
	if (args->value[CHECK_REPORT]) {
		r = identity_list_agent(ctl, args->rest, args->n_rest, &list);
		return r == CTL_DONE ? run(ctl, args, &list) : r;
	}
	if (offline_read(path, &offline) < 0)
		return complain_invalid(ctl, path, &offline);
	r = identity_list_model(ctl, &offline.model, args->rest, args->n_rest, &list);
	return r == CTL_DONE ? run(ctl, args, &list) : r;
}
