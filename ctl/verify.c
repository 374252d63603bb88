/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * outbindctl verify: a real connection through each binding, and what the links of this host saw of it.
 * What must be opened with rights is opened first: the connections to the agent, the captures. Then the
 * rights are given up, and only then a packet is read.
 */
#include "agent.h"
#include "base/mem.h"
#include "base/sockaddr.h"
#include "duration.h"
#include "privilege.h"
#include "reply.h"
#include "tag_line.h"
#include "verbs.h"
#include "verify_parts.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

enum { OPTION_TO, OPTION_TIMEOUT };
enum { TIMEOUT_S = 5, TIMEOUT_MAX_S = 600, HOST_TEXT = 256 };

static const struct option options[] = {
	[OPTION_TO] = { "to", "HOST[:PORT]", "connect to this (needed; port 443)", COMPLETE_NONE },
	[OPTION_TIMEOUT] = { "timeout", "T", "wait so long for each: 90, 90s or 5m (5s)",
			     COMPLETE_NONE },
	{ NULL, NULL, NULL, COMPLETE_NONE },
};

/* The first address of each family. */
static int resolve(struct verify *verify, const char *host)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *found;
	struct ip ip;
	int r;

	if (ip_parse(host, &ip) == 0) {
		verify->to[ip_family(&ip)] = ip;
		return CTL_DONE;
	}
	r = getaddrinfo(host, NULL, &hints, &found);
	if (r != 0) {
		ctl_complain(verify->ctl, "--to: cannot resolve '%s': %s", host,
			     r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
		return CTL_REFUSED;
	}
	for (const struct addrinfo *at = found; at; at = at->ai_next) {
		struct sockaddr_storage address = { 0 };
		uint16_t port;

		memcpy(&address, at->ai_addr, at->ai_addrlen);
		if (sockaddr_read_ip(&address, &ip, &port) && verify->to[ip_family(&ip)].len == 0)
			verify->to[ip_family(&ip)] = ip;
	}
	freeaddrinfo(found);
	return CTL_DONE;
}

static int read_options(struct verify *verify, const struct arguments *args)
{
	const char *to = args->value[OPTION_TO], *text = args->value[OPTION_TIMEOUT];
	long long seconds = TIMEOUT_S;
	char host[HOST_TEXT];

	if (!to) {
		ctl_complain(verify->ctl,
			     "verify needs --to HOST[:PORT]: what the probes connect to");
		return CTL_USAGE;
	}
	if (text && (!duration_read(text, &seconds) || seconds < 1 || seconds > TIMEOUT_MAX_S)) {
		ctl_complain(verify->ctl,
			     "--timeout: expected a time from 1s to 10m, like 5, 5s or 2m, got '%s'",
			     text);
		return CTL_USAGE;
	}
	verify->timeout_s = (int)seconds;
	if (!verify_read_to(to, host, &verify->port)) {
		ctl_complain(verify->ctl,
			     "--to: expected HOST, HOST:PORT or [IPv6]:PORT, got '%s'", to);
		return CTL_USAGE;
	}
	return resolve(verify, host);
}

/* A probe for each family that both the binding and the destination have. */
static void add_binding(void *context, const json_t *binding)
{
	struct verify *verify = context;
	const json_t *addresses = reply_member(binding, "addresses"),
		     *uplink = reply_member(binding, "uplink");
	const char *name = reply_text(binding, "name");
	struct probe probes[FAMILIES] = { 0 };

	for (size_t i = 0; i < json_array_size(addresses); i++) {
		const char *text = json_string_value(json_array_get(addresses, i));
		struct prefix prefix;

		if (text && prefix_parse(text, &prefix) == 0)
			PUSH(&probes[ip_family(&prefix.ip)].evidence.own, prefix);
	}
	for (enum family family = 0; family < FAMILIES; family++) {
		struct evidence *evidence = &probes[family].evidence;

		if (evidence->own.n == 0 || verify->to[family].len == 0) {
			free(evidence->own.at);
			continue;
		}
		if (uplink) {
			evidence->uplink = reply_text(uplink, "name");
			evidence->uplink_link = reply_text(uplink, "interface");
		}
		probes[family].binding = name;
		probes[family].family = family;
		probes[family].fd = FD_NONE;
		PUSH(&verify->probes, probes[family]);
	}
}

/* A binding that was named, or the members of a group. @kept holds what probes borrow from. */
static int add_named(struct verify *verify, const char *name, json_t *kept)
{
	json_t *parameters = json_object(), *reply = NULL;
	const json_t *binding, *members;
	size_t before = verify->probes.n;
	int r = agent_add_text(verify->ctl, parameters, "name", name);

	if (r != CTL_DONE) {
		json_decref(parameters);
		return r;
	}
	r = agent_ask(verify->ctl, "ShowBinding", parameters, &reply);
	if (r != CTL_DONE)
		return r;
	json_array_append_new(kept, reply);
	binding = reply_member(reply, "binding");
	members = reply_member(reply_member(binding, "group"), "members");
	for (size_t i = 0; i < json_array_size(members) && r == CTL_DONE; i++)
		r = add_named(verify, reply_text(json_array_get(members, i), "name"), kept);
	if (!members)
		add_binding(verify, binding);
	if (r == CTL_DONE && verify->probes.n == before)
		ctl_complain(verify->ctl, "%s has no address of a family that the destination has",
			     name);
	return r;
}

static void keep_reply(void *context, json_t *reply)
{
	json_array_append(context, reply);
}

static int add_all(struct verify *verify, json_t *kept)
{
	int r = agent_call(verify->ctl, "ListBindings", NULL, keep_reply, kept);

	for (size_t i = 0; i < json_array_size(kept) && r == CTL_DONE; i++) {
		const json_t *bindings = reply_member(json_array_get(kept, i), "bindings");

		for (size_t j = 0; j < json_array_size(bindings); j++)
			add_binding(verify, json_array_get(bindings, j));
	}
	return r;
}

static int add_probes(struct verify *verify, const struct arguments *args, json_t *kept)
{
	int r = args->n_rest == 0 ? add_all(verify, kept) : CTL_DONE;

	for (size_t i = 0; i < args->n_rest && r == CTL_DONE; i++)
		r = add_named(verify, args->rest[i], kept);
	if (r == CTL_DONE && verify->probes.n == 0) {
		ctl_complain(verify->ctl, "nothing to verify");
		return CTL_NO;
	}
	return r;
}

/* What is never rewritten proves nothing. */
static int check_exempt(struct verify *verify)
{
	for (enum family family = 0; family < FAMILIES; family++) {
		AUTO(json_drop) json_t *reply = NULL;
		const struct ip *to = &verify->to[family];
		const char *verdict;
		char text[IP_TEXT];
		int r;

		if (to->len == 0)
			continue;
		r = agent_ask(verify->ctl, "Explain",
			      json_pack("{s:s, s:i}", "to", ip_print(to, text), "port",
					(int)verify->port), &reply);
		if (r != CTL_DONE)
			return r;
		verdict = reply_text(reply, "verdict");
		if (strcmp(verdict, "bypass") != 0 && strcmp(verdict, "local") != 0)
			continue;
		ctl_complain(verify->ctl, "%s: %s; nothing can be proven by it, name another "
			     "destination", text, reply_text(reply, "text"));
		return CTL_NO;
	}
	return CTL_DONE;
}

/* SYN and RST between here and the destination, and errors, which quote what they are about. */
static int open_links(struct verify *verify)
{
	char filter[512], ip4[IP_TEXT] = "", ip6[IP_TEXT] = "";
	size_t n = (size_t)snprintf(filter, sizeof filter, "icmp or icmp6");

	if (verify->to[FAMILY_IPV4].len)
		n += (size_t)snprintf(filter + n, sizeof filter - n,
				      " or (ip host %s and tcp port %u and tcp[13] & 6 != 0)",
				      ip_print(&verify->to[FAMILY_IPV4], ip4), verify->port);
	if (verify->to[FAMILY_IPV6].len)
		(void)snprintf(filter + n, sizeof filter - n,
			       " or (ip6 host %s and tcp port %u and ip6[6] = 6 and ip6[53] & 6 != 0)",
			       ip_print(&verify->to[FAMILY_IPV6], ip6), verify->port);
	return links_open(verify->ctl, filter, &verify->links);
}

static int read_counters(struct ctl *ctl, struct circumstances *ret)
{
	AUTO(json_drop) json_t *reply = NULL;
	const json_t *counters;
	int r = agent_ask(ctl, "GetStatus", NULL, &reply);

	if (r != CTL_DONE)
		return r;
	counters = reply_member(reply, "counters");
	ret->guard = reply_number(counters, "dropped_guard");
	ret->uplink = reply_number(counters, "dropped_uplink");
	ret->limit = reply_number(counters, "refused_limit") +
		     reply_number(counters, "delayed_limit");
	ret->unusable = reply_number(counters, "refused_unusable");
	return CTL_DONE;
}

/* Everything is open: give up rights, connect, look, judge. */
static int prove(struct verify *verify, const char *to)
{
	struct circumstances before = { 0 }, after = { 0 };
	int status = CTL_DONE, r = read_counters(verify->ctl, &before);

	if (r == CTL_DONE)
		r = privilege_drop(verify->ctl);
	if (r != CTL_DONE)
		return r;
	verify_run(verify);
	r = read_counters(verify->ctl, &after);
	if (r != CTL_DONE)
		return r;
	verify->around.guard = after.guard - before.guard;
	verify->around.uplink = after.uplink - before.uplink;
	verify->around.limit = after.limit - before.limit;
	verify->around.unusable = after.unusable - before.unusable;
	for (size_t i = 0; i < verify->probes.n; i++) {
		struct probe *probe = &verify->probes.at[i];

		probe->outcome = verify_judge(&probe->evidence, &verify->around, probe->text);
		if (probe->outcome != OUTCOME_PASS)
			status = CTL_NO;
	}
	verify_print(verify, to);
	return status;
}

static void verify_drop(struct verify *verify)
{
	for (size_t i = 0; i < verify->probes.n; i++) {
		free(verify->probes.at[i].evidence.own.at);
		free(verify->probes.at[i].evidence.expected.at);
	}
	free(verify->probes.at);
	links_free(verify->links);
	verify->ctl->line = NULL;
}

static int verify_verb_run(struct ctl *ctl, const struct arguments *args)
{
	AUTO(json_drop) json_t *kept = json_array();
	AUTO(fd_drop) struct fd control = FD_NONE;
	struct tag_line line = { FD_NONE };
	struct verify verify = { .ctl = ctl, .line = &line };
	int r = read_options(&verify, args);

	if (r == CTL_DONE)
		r = agent_hold(ctl, &control);
	if (r == CTL_DONE)
		r = tag_line_open(ctl, &line);
	if (r == CTL_DONE)
		r = add_probes(&verify, args, kept);
	if (r == CTL_DONE)
		r = check_exempt(&verify);
	if (r == CTL_DONE)
		r = open_links(&verify);
	if (r == CTL_DONE)
		r = prove(&verify, args->value[OPTION_TO]);
	verify_drop(&verify);
	fd_drop(&line.fd);
	return r;
}

const struct verb verify_verb = {
	.name = "verify",
	.synopsis = "[BINDING...] --to HOST[:PORT]",
	.summary = "connect through bindings, and look at the wire which address was seen",
	.text = "A real TCP connection through each binding (of a group, through each member) and family,\n"
		"as a program that asks the tag socket for it; without names, through all. Its packets are\n"
		"captured on every link. A probe passes if its first packet left from an address of the\n"
		"binding, by its uplink if it has one, and something came back to it: a SYN-ACK, a reset or\n"
		"an ICMP error. Needs CAP_NET_RAW for opening the captures; all rights are given up before a\n"
		"packet is read. The exit status is 1 if a probe did not pass, or was refused.\n",
	.options = options,
	.most = 1000,
	.complete = COMPLETE_BINDING,
	.run = verify_verb_run,
};
