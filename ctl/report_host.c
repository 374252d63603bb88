/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel, settings, libraries, network and journal of the host: see report.h. */
#include "report.h"

#include "base/mem.h"
#include "program.h"

#include <archive.h>
#include <dirent.h>
#include <gnu/libc-version.h>
#include <jansson.h>
#include <string.h>
#include <sys/utsname.h>

enum { PROGRAM_MS = 5000, SETTING_MAX = 256 };

static FILE *open_text(char **text, size_t *size)
{
	FILE *out = open_memstream(text, size);

	if (!out)
		abort();
	return out;
}

static void close_text(FILE *out)
{
	if (fclose(out) != 0)
		abort();
}

/* Lines of a file that begin with one of @words; all if it is NULL. */
static void copy_lines(FILE *out, const char *path, const char *const *words)
{
	FILE *file = fopen(path, "re");
	char *AUTO(mem_drop) line = NULL;
	size_t room = 0;

	if (!file)
		return;
	while (getline(&line, &room, file) > 0) {
		bool wanted = !words;

		for (size_t i = 0; words && words[i]; i++)
			wanted |= strncmp(line, words[i], strlen(words[i])) == 0;
		if (wanted)
			(void)fputs(line, out);
	}
	(void)fclose(file);
}

static void add_versions(struct report *report)
{
	static const char *const release[] = { "PRETTY_NAME=", "VERSION_ID=", "ID=", NULL };
	static const char *const modules[] = { "nf_", "nft_", "nfnetlink", "ip_tables", "x_tables",
					       "iptable_", "ip6table_", "xt_", "veth", NULL };
	struct utsname name;
	char *text = NULL;
	size_t size;
	FILE *out = open_text(&text, &size);

	(void)fprintf(out, "outbindctl %s\nlibc %s\njansson %s\n%s\n", OUTBIND_VERSION,
		      gnu_get_libc_version(), jansson_version_str(), archive_version_details());
	if (uname(&name) == 0)
		(void)fprintf(out, "%s %s %s %s\n", name.sysname, name.release, name.version,
			      name.machine);
	copy_lines(out, "/etc/os-release", release);
	(void)fputs("\nmodules:\n", out);
	copy_lines(out, "/proc/modules", modules);
	close_text(out);
	report_add(report, "versions.txt", text, REPORT_MEMBER_MAX, NULL);
	free(text);
}

static void add_setting(FILE *out, const char *name)
{
	char path[SETTING_MAX], value[SETTING_MAX] = "";
	FILE *file;

	(void)snprintf(path, sizeof path, "/proc/sys/net/%s", name);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(value, sizeof value, file))
		(void)fprintf(out, "net/%s = %s%s", name, value, strchr(value, '\n') ? "" : "\n");
	(void)fclose(file);
}

/* Of each interface. Only these by name: others, as stable_secret, are nobody's business. */
static void add_interfaces(FILE *out, const char *folder, const char *const *names)
{
	char path[SETTING_MAX];
	const struct dirent *entry;
	DIR *dir;

	(void)snprintf(path, sizeof path, "/proc/sys/net/%s", folder);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		char name[512];

		for (size_t i = 0; names[i] && entry->d_name[0] != '.'; i++) {
			(void)snprintf(name, sizeof name, "%s/%s/%s", folder, entry->d_name,
				       names[i]);
			add_setting(out, name);
		}
	}
	(void)closedir(dir);
}

static void add_settings(struct report *report)
{
	static const char *const names[] = {
		"ipv4/ip_forward", "ipv4/ip_local_port_range", "ipv4/ip_local_reserved_ports",
		"ipv4/ip_nonlocal_bind", "ipv6/ip_nonlocal_bind", "ipv4/tcp_tw_reuse",
		"ipv4/tcp_mtu_probing", "ipv4/fwmark_reflect", "ipv4/tcp_fwmark_accept",
		"netfilter/nf_conntrack_count", "netfilter/nf_conntrack_max",
		"netfilter/nf_conntrack_buckets", "netfilter/nf_conntrack_acct",
		"netfilter/nf_conntrack_timestamp", "netfilter/nf_conntrack_events",
		"netfilter/nf_conntrack_checksum", "netfilter/nf_conntrack_tcp_loose",
		"netfilter/nf_conntrack_tcp_be_liberal", "netfilter/nf_conntrack_udp_timeout",
		"netfilter/nf_conntrack_udp_timeout_stream",
		"netfilter/nf_conntrack_tcp_timeout_established",
		"netfilter/nf_conntrack_tcp_timeout_time_wait",
	};
	static const char *const of4[] = { "rp_filter",	 "src_valid_mark", "forwarding",
					   "arp_ignore", "arp_announce",   "accept_local",
					   NULL };
	static const char *const of6[] = { "forwarding", "accept_ra", "accept_dad", "disable_ipv6",
					   "use_tempaddr", NULL };
	char *text = NULL;
	size_t size;
	FILE *out = open_text(&text, &size);

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		add_setting(out, names[i]);
	add_interfaces(out, "ipv4/conf", of4);
	add_interfaces(out, "ipv6/conf", of6);
	close_text(out);
	report_add(report, "settings.txt", text, REPORT_MEMBER_MAX, NULL);
	free(text);
}

/* What a program prints; it may not be there, or may not let us. */
static void add_program(struct report *report, const char *path, char *const argv[])
{
	char *AUTO(mem_drop) text = NULL;
	bool cut = false;
	int r = program_read(argv, REPORT_MEMBER_MAX, PROGRAM_MS, &text, &cut);

	if (r < 0)
		report_leave_out(report, path, "%s: %s", argv[0], strerror(-r));
	else if (r > 0 || !*text)
		report_leave_out(report, path, "%s %s: %s%d", argv[0], argv[1],
				 r > 0 ? "exit status " : "nothing, status ", r);
	else
		report_add(report, path, text, REPORT_MEMBER_MAX,
			   cut ? "cut by size or time" : NULL);
}

#define RUN(report, path, ...) \
	add_program(report, path, (char *const[]){ __VA_ARGS__, NULL })

#define JOURNAL(report, path, unit) \
	RUN(report, path, "journalctl", "-q", "--no-pager", "-o", "short-iso", "-n", "2000", "-u", \
	    unit)

void report_gather_host(struct report *report)
{
	add_versions(report);
	add_settings(report);
	RUN(report, "network/links.txt", "ip", "-d", "link");
	RUN(report, "network/addresses.txt", "ip", "address");
	RUN(report, "network/rules4.txt", "ip", "rule");
	RUN(report, "network/rules6.txt", "ip", "-6", "rule");
	RUN(report, "network/routes4.txt", "ip", "route", "show", "table", "all");
	RUN(report, "network/routes6.txt", "ip", "-6", "route", "show", "table", "all");
	RUN(report, "network/conntrack.txt", "conntrack", "-S");
	RUN(report, "journal/units.txt", "systemctl", "show", "-p",
	    "ActiveState,SubState,Result,NRestarts,MemoryCurrent,ExecMainStatus", "outbindd",
	    "outbind-relay");
	JOURNAL(report, "journal/agent.txt", "outbindd");
	JOURNAL(report, "journal/relay.txt", "outbind-relay");
}
