/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of the kernel that outbind depends on, and never changes itself; its features. */
#include "plan/doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	PORTS_FEW = 10000,			/* all bindings together, to one destination */
	MAX_SMALL = 16384,			/* entries: what a host with 64 MB gets */
	PERCENT_HIGH = 80, PERCENT_FULL = 95,
	CHAIN_LONG = 8,				/* entries a bucket, when the table is full */
	ESTABLISHED_SHORT = 600, UDP_SHORT = 30,	/* seconds */
};

enum { SETTING_TEXT = 128 };

/* "net.netfilter.nf_conntrack_max". */
static const char *sysctl_name(enum host_setting setting, char out[static SETTING_TEXT])
{
	(void)snprintf(out, SETTING_TEXT, "%s", host_setting_path(setting));
	for (char *at = out; *at; at++)
		if (*at == '/')
			*at = '.';
	return out;
}

static void show(const struct doctor *doctor, enum host_setting setting, struct findings *findings)
{
	finding_evidence(findings, "/proc/sys/%s: %" PRId64, host_setting_path(setting),
			 doctor->host->settings[setting]);
}

static void judge_forwarding(const struct doctor *doctor, struct findings *findings)
{
	static const enum host_setting settings[FAMILIES] = { HOST_IP_FORWARD, HOST_IP6_FORWARD };
	size_t wanted[FAMILIES] = { 0 };
	char name[SETTING_TEXT];

	for (size_t i = 0; i < doctor->model->rules.n; i++) {
		const struct client *client = &doctor->model->rules.at[i].client;

		if (client->kind == CLIENT_SOURCE)
			wanted[ip_family(&client->source.ip)]++;
	}
	for (int f = 0; f < FAMILIES; f++) {
		if (wanted[f] == 0 || doctor->host->settings[settings[f]] != 0)
			continue;
		finding_add(findings, SEVERITY_ERROR, "forwarding",
			    "%zu rule%s for IPv%s sources that this host forwards for, but it does not "
			    "forward IPv%s", wanted[f], wanted[f] == 1 ? " is" : "s are",
			    f == FAMILY_IPV4 ? "4" : "6", f == FAMILY_IPV4 ? "4" : "6");
		show(doctor, settings[f], findings);
		finding_remedy(findings, "sysctl -w %s=1", sysctl_name(settings[f], name));
	}
}

static void judge_ports(const struct doctor *doctor, struct findings *findings)
{
	int64_t first = doctor->host->settings[HOST_PORT_FIRST];
	int64_t last = doctor->host->settings[HOST_PORT_LAST];

	int64_t n = doctor->host->settings[HOST_PORTS];

	if (n < 0 || n >= PORTS_FEW)
		return;
	finding_add(findings, SEVERITY_WARNING, "ports",
		    "all bindings together have %" PRId64 " local ports, and so as many connections to one "
		    "destination and port", n);
	finding_evidence(findings, "/proc/sys/net/ipv4/ip_local_port_range: %" PRId64 " %" PRId64
			 ", without ip_local_reserved_ports", first, last);
	finding_remedy(findings, "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"");
}

static void judge_fill(const struct doctor *doctor, struct findings *findings)
{
	int64_t count = doctor->host->settings[HOST_CONNTRACK_COUNT];
	int64_t max = doctor->host->settings[HOST_CONNTRACK_MAX];
	int64_t buckets = doctor->host->settings[HOST_CONNTRACK_BUCKETS];

	if (max <= 0)
		return;
	if (count >= 0 && count * 100 / max >= PERCENT_HIGH) {
		finding_add(findings,
			    count * 100 / max >= PERCENT_FULL ? SEVERITY_ERROR : SEVERITY_WARNING,
			    "conntrack", "connection tracking is %" PRId64 " %% full: when it is, new "
			    "connections of everybody are dropped", count * 100 / max);
		finding_evidence(findings, "/proc/sys/net/netfilter/nf_conntrack_count: %" PRId64
				 ", nf_conntrack_max: %" PRId64, count, max);
		finding_remedy(findings, "sysctl -w net.netfilter.nf_conntrack_max=%" PRId64,
			       max * 4);
	} else if (max < MAX_SMALL) {
		finding_add(findings, SEVERITY_WARNING, "conntrack",
			    "connection tracking has room for %" PRId64 " connections only", max);
		show(doctor, HOST_CONNTRACK_MAX, findings);
		finding_remedy(findings, "sysctl -w net.netfilter.nf_conntrack_max=262144");
	}
	if (buckets > 0 && max / buckets > CHAIN_LONG) {
		finding_add(findings, SEVERITY_WARNING, "conntrack",
			    "connection tracking has %" PRId64 " buckets for %" PRId64 " connections: each "
			    "packet searches long lists", buckets, max);
		show(doctor, HOST_CONNTRACK_BUCKETS, findings);
		finding_remedy(findings, "sysctl -w net.netfilter.nf_conntrack_buckets=%" PRId64,
			       max / 4);
	}
}

static void judge_timeouts(const struct doctor *doctor, struct findings *findings)
{
	static const struct {
		enum host_setting setting;
		int64_t least;
		const char *what;
	} all[] = {
		{ HOST_TCP_ESTABLISHED, ESTABLISHED_SHORT, "an idle TCP connection" },
		{ HOST_UDP_STREAM, UDP_SHORT, "an idle UDP exchange" },
	};
	char name[SETTING_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		int64_t is = doctor->host->settings[all[i].setting];

		if (is < 0 || is >= all[i].least)
			continue;
		finding_add(findings, SEVERITY_WARNING, "conntrack",
			    "%s is forgotten after %" PRId64 " s, and its translation with it: what comes "
			    "then is judged as new or dropped", all[i].what, is);
		show(doctor, all[i].setting, findings);
		finding_remedy(findings, "sysctl -w %s=%d", sysctl_name(all[i].setting, name),
			       all[i].setting == HOST_TCP_ESTABLISHED ? 432000 : 120);
	}
	if (doctor->host->settings[HOST_TCP_LOOSE] != 0)
		return;
	finding_add(findings, SEVERITY_NOTE, "conntrack",
		    "connection tracking does not pick up running TCP connections: those from before it ran "
		    "break, of clients with a rule");
	show(doctor, HOST_TCP_LOOSE, findings);
}

static void judge_drops(const struct doctor *doctor, struct findings *findings)
{
	const struct host_drops *drops = &doctor->host->drops;

	if (!drops->known || drops->drop + drops->early_drop + drops->insert_failed == 0)
		return;
	finding_add(findings, drops->drop + drops->early_drop ? SEVERITY_WARNING : SEVERITY_NOTE,
		    "conntrack", "since it runs, connection tracking has dropped %" PRIu64 " packets for want "
		    "of room or memory, given up %" PRIu64 " entries for others, and not entered %" PRIu64
		    " (ports used up, or the same flow twice at once)", drops->drop,
		    drops->early_drop, drops->insert_failed);
	finding_evidence(findings, "conntrack -S: drop, early_drop, insert_failed");
	finding_remedy(findings, "conntrack -S to see whether it goes on; then a larger "
				 "nf_conntrack_max, or more addresses a binding");
}

void doctor_clock(enum host_clock clock, struct findings *findings)
{
	if (clock != HOST_CLOCK_UNSYNCHRONISED)
		return;
	finding_add(findings, SEVERITY_WARNING, "clock",
		    "the clock is not synchronised: days of warm-ups, times in logs, and certificates that "
		    "the relay checks go by it");
	finding_evidence(findings, "adjtimex(2): STA_UNSYNC");
	finding_remedy(findings, "timedatectl set-ntp true, or start chronyd");
}

static void judge_features(const struct doctor *doctor, struct findings *findings)
{
	const struct host_features *features = &doctor->host->features;

	if (!features->known)
		return;
	if (!features->owner || !features->persist) {
		finding_add(findings, SEVERITY_WARNING, "kernel",
			    "this kernel has no tables with an owner that outlive it: anybody with the right "
			    "can flush ours, and connections may break until the agent has healed it");
		finding_evidence(findings, "Linux %s refused table flags %s", doctor->host->release,
				 features->owner ? "owner, persist" : "owner");
		finding_remedy(findings, "Linux 6.9 or newer");
	} else if (!features->owned) {
		finding_add(findings, SEVERITY_NOTE, "kernel",
			    "the table is not claimed, though this kernel could: others can change it");
		finding_evidence(findings, "table inet %s has no owner", doctor->table);
		finding_remedy(findings, "start outbindd without --no-owner");
	}
}

void doctor_system(const struct doctor *doctor, struct findings *findings)
{
	judge_features(doctor, findings);
	judge_forwarding(doctor, findings);
	judge_ports(doctor, findings);
	judge_fill(doctor, findings);
	judge_timeouts(doctor, findings);
	judge_drops(doctor, findings);
	doctor_clock(doctor->host->clock, findings);
}
