/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options are one table: getopt's, and what --help prints. */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum option_name { OPTION_CONFIG = 1, OPTION_RUNTIME, OPTION_STATE, OPTION_CGROUP, OPTION_TABLE,
		   OPTION_TEMPLATE, OPTION_STOP, OPTION_NO_OWNER, OPTION_CHECK, OPTION_HELP,
		   OPTION_VERSION };

enum { TABLE_NAME_MAX = 31 };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "runtime-dir", required_argument, NULL, OPTION_RUNTIME },
	{ "state-dir", required_argument, NULL, OPTION_STATE },
	{ "cgroup-root", required_argument, NULL, OPTION_CGROUP },
	{ "table", required_argument, NULL, OPTION_TABLE },
	{ "template", required_argument, NULL, OPTION_TEMPLATE },
	{ "on-stop", required_argument, NULL, OPTION_STOP },
	{ "no-owner", no_argument, NULL, OPTION_NO_OWNER },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"Usage: outbindd [OPTIONS]\n"
	"Give every sender of this host its own source address.\n\n"
	"  --config FILE        configuration (/etc/outbind/outbind.conf)\n"
	"  --runtime-dir DIR    sockets (/run/outbind)\n"
	"  --state-dir DIR      what outlives the agent (/var/lib/outbind)\n"
	"  --cgroup-root DIR    cgroup2 file system (found in /proc/self/mounts)\n"
	"  --table NAME         nftables table of family inet (outbind)\n"
	"  --template FILE      other rules than the ones inside the program\n"
	"  --on-stop keep|remove  what a stopped agent does with its table (keep)\n"
	"  --no-owner           leave the table unowned, and watch it instead\n"
	"  --check              read the configuration, say what is wrong with it, exit\n"
	"  --help, --version\n\n"
	"Exit status: 0 stopped on request, 1 failure, 2 the configuration or the command line\n"
	"is wrong, 4 another outbindd serves this table, 5 table or state are of a newer\n"
	"version. See outbindd(8).\n";

/* True if @name can be written in nft text as it is. */
static bool is_table_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	size_t len = strlen(name);

	return len > 0 && len <= TABLE_NAME_MAX && strchr(letters, name[0]) &&
	       strspn(name + 1,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-") ==
		       len - 1;
}

static int usage(const char *problem, const char *what)
{
	fprintf(stderr, "outbindd: %s: '%s' (--help shows the options)\n", problem, what);
	return EXIT_USAGE;
}

static int take(struct options *options, int name)
{
	switch (name) {
	case OPTION_CONFIG:
		options->config = optarg;
		return -1;
	case OPTION_RUNTIME:
		options->runtime_dir = optarg;
		return -1;
	case OPTION_STATE:
		options->state_dir = optarg;
		return -1;
	case OPTION_CGROUP:
		options->cgroup_root = optarg;
		return -1;
	case OPTION_TABLE:
		options->kernel.table = optarg;
		return is_table_name(optarg) ? -1 : usage("not a table name", optarg);
	case OPTION_TEMPLATE:
		options->kernel.template_path = optarg;
		return -1;
	case OPTION_STOP:
		options->remove_on_stop = strcmp(optarg, "remove") == 0;
		if (!options->remove_on_stop && strcmp(optarg, "keep") != 0)
			return usage("--on-stop: expected keep or remove", optarg);
		return -1;
	case OPTION_NO_OWNER:
		options->kernel.no_owner = true;
		return -1;
	case OPTION_CHECK:
		options->check = true;
		return -1;
	case OPTION_HELP:
		fputs(help, stdout);
		return EXIT_SUCCESS;
	case OPTION_VERSION:
		puts("outbindd " OUTBIND_VERSION);
		return EXIT_SUCCESS;
	}
	fputs("outbindd: --help shows the options\n", stderr);	/* getopt said what is wrong */
	return EXIT_USAGE;
}

int options_read(int argc, char **argv, struct options *ret)
{
	struct options options = {
		.config = "/etc/outbind/outbind.conf",
		.runtime_dir = "/run/outbind",
		.state_dir = "/var/lib/outbind",
		.kernel = { .table = "outbind" },
	};
	int name, status;

	while ((name = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		status = take(&options, name);
		if (status >= 0)
			return status;
	}
	if (optind < argc)
		return usage("unexpected argument", argv[optind]);
	*ret = options;
	return -1;
}
