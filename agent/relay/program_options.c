/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of outbind-relay. */
#include "relay/program.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
	"usage: outbind-relay [OPTION...]\n"
	"Pass SMTP on, each message from the address of its sender's binding; see outbind-relay(8).\n\n"
	"  --config FILE         default /etc/outbind/outbind.conf\n"
	"  --runtime-dir DIR     for the control socket; default $RUNTIME_DIRECTORY or\n"
	"                        /run/outbind-relay\n"
	"  --agent-dir DIR       where outbindd's tag socket is; default /run/outbind\n"
	"  --allow-root          run although started as root\n"
	"  --check               read the configuration, say what is wrong with it, and exit\n"
	"  --help, --version\n";

enum { OPTION_CONFIG = 1, OPTION_RUNTIME, OPTION_AGENT, OPTION_ROOT, OPTION_CHECK, OPTION_HELP,
       OPTION_VERSION };

static const struct option options[] = {
	{ "config", required_argument, NULL, OPTION_CONFIG },
	{ "runtime-dir", required_argument, NULL, OPTION_RUNTIME },
	{ "agent-dir", required_argument, NULL, OPTION_AGENT },
	{ "allow-root", no_argument, NULL, OPTION_ROOT },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ 0 },
};

int program_options(struct program *program, int argc, char **argv)
{
	int option;

	program->config = "/etc/outbind/outbind.conf";
	program->runtime_dir = getenv("RUNTIME_DIRECTORY");
	if (!program->runtime_dir)
		program->runtime_dir = "/run/outbind-relay";
	program->agent_dir = "/run/outbind";
	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case OPTION_CONFIG:
			program->config = optarg;
			break;
		case OPTION_RUNTIME:
			program->runtime_dir = optarg;
			break;
		case OPTION_AGENT:
			program->agent_dir = optarg;
			break;
		case OPTION_ROOT:
			program->allow_root = true;
			break;
		case OPTION_CHECK:
			program->check_only = true;
			break;
		case OPTION_HELP:
			fputs(usage, stdout);
			return 1;
		case OPTION_VERSION:
			puts("outbind-relay " OUTBIND_VERSION);
			return 1;
		default:
			fputs("outbind-relay: see --help\n", stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "outbind-relay: unexpected argument '%s'; see --help\n",
			argv[optind]);
		return 2;
	}
	return 0;
}
