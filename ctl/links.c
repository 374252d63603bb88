/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See links.h. One handle a link, because only the link's own says which next hop a packet had. */
#include "links.h"

#include "base/mem.h"

#include <net/if.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { SNAP_BYTES = 256, RING_BYTES = 256 * 1024, AT_ONCE = 256 };

struct link_handle {
	pcap_t *pcap;
	char name[LINK_NAME];
	enum wire_link kind;
};

struct links {
	struct { struct link_handle *at; size_t n, room; } handles;
	struct { struct pollfd *at; size_t n, room; } ready;
};

struct seeing {					/* what on_packet() knows */
	const struct links *links;
	size_t link;
	links_see *see;
	void *context;
};

static bool is_wanted(int probe, const char *name)
{
	struct ifreq request = { 0 };

	(void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	return ioctl(probe, SIOCGIFFLAGS, &request) == 0 && request.ifr_flags & IFF_UP &&
	       !(request.ifr_flags & IFF_LOOPBACK);
}

static bool read_kind(pcap_t *pcap, enum wire_link *ret)
{
	switch (pcap_datalink(pcap)) {
	case DLT_EN10MB:
		*ret = WIRE_ETHERNET;
		return true;
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		*ret = WIRE_RAW;
		return true;
	case DLT_LINUX_SLL:
		*ret = WIRE_COOKED;
		return true;
	default:
		return false;
	}
}

static int set_up(pcap_t *pcap, const char *filter, enum wire_link *ret_kind)
{
	char error[PCAP_ERRBUF_SIZE];
	struct bpf_program program;
	int r;

	if (pcap_set_snaplen(pcap, SNAP_BYTES) < 0 || pcap_set_promisc(pcap, 0) < 0 ||
	    pcap_set_immediate_mode(pcap, 1) < 0 || pcap_set_buffer_size(pcap, RING_BYTES) < 0)
		return PCAP_ERROR;
	r = pcap_activate(pcap);
	if (r < 0)
		return r;
	if (!read_kind(pcap, ret_kind))
		return PCAP_ERROR_NOT_ACTIVATED;	/* a kind of link that cannot be read here */
	if (pcap_compile(pcap, &program, filter, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return PCAP_ERROR;
	r = pcap_setfilter(pcap, &program);
	pcap_freecode(&program);
	return r < 0 ? r : pcap_setnonblock(pcap, 1, error);
}

static int report(const struct ctl *ctl, const char *name, int r, const char *text)
{
	if (r == PCAP_ERROR_PERM_DENIED) {
		ctl_complain(ctl, "cannot capture on %s: permission denied; it is for "
			     "root, or needs CAP_NET_RAW", name);
		return CTL_DENIED;
	}
	if (r == PCAP_ERROR_IFACE_NOT_UP || r == PCAP_ERROR_NO_SUCH_DEVICE)
		return CTL_DONE;		/* it went away while we looked */
	if (r == PCAP_ERROR_NOT_ACTIVATED) {
		ctl_complain(ctl, "%s is left out: packets of its kind of link cannot be read",
			     name);
		return CTL_DONE;
	}
	ctl_complain(ctl, "cannot capture on %s: %s", name, *text ? text : pcap_statustostr(r));
	return CTL_REFUSED;
}

static int open_link(const struct ctl *ctl, struct links *links, const char *name,
		     const char *filter)
{
	char error[PCAP_ERRBUF_SIZE] = "";
	struct link_handle opened = { .pcap = pcap_create(name, error) };
	int r, status;

	if (!opened.pcap)
		return report(ctl, name, PCAP_ERROR, error);
	(void)snprintf(opened.name, sizeof opened.name, "%s", name);
	r = set_up(opened.pcap, filter, &opened.kind);
	if (r < 0) {
		status = report(ctl, name, r, pcap_geterr(opened.pcap));
		pcap_close(opened.pcap);
		return status;
	}
	PUSH(&links->handles, opened);
	return CTL_DONE;
}

/* @named ends with an entry without a name; see if_nameindex(3). */
static int open_all(const struct ctl *ctl, struct links *links, const struct if_nameindex *named,
		    const char *filter)
{
	AUTO(fd_drop) struct fd probe = { socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	int r = CTL_DONE;

	for (; named->if_name && r == CTL_DONE; named++) {
		if (!is_wanted(probe.n, named->if_name))
			continue;
		if (links->handles.n == LINKS_MAX) {
			ctl_complain(ctl, "more than %d links are up: not all can be captured on",
				     LINKS_MAX);
			return CTL_REFUSED;
		}
		r = open_link(ctl, links, named->if_name, filter);
	}
	if (r == CTL_DONE && links->handles.n == 0) {
		ctl_complain(ctl, "no link but loopback is up: nothing can leave");
		return CTL_NO;
	}
	return r;
}

int links_open(const struct ctl *ctl, const char *filter, struct links **ret)
{
	struct links *links = mem_zero(1, sizeof *links);
	struct if_nameindex *named = if_nameindex();
	int r = CTL_REFUSED;

	if (named)
		r = open_all(ctl, links, named, filter);
	else
		ctl_complain(ctl, "cannot list the links: %s", strerror(errno));
	if (named)
		if_freenameindex(named);
	if (r == CTL_DONE)
		*ret = links;
	else
		links_free(links);
	return r;
}

void links_free(struct links *links)
{
	if (!links)
		return;
	for (size_t i = 0; i < links->handles.n; i++)
		pcap_close(links->handles.at[i].pcap);
	free(links->handles.at);
	free(links->ready.at);
	free(links);
}

const char *links_name(const struct links *links, size_t link)
{
	return links->handles.at[link].name;
}

static void on_packet(u_char *context, const struct pcap_pkthdr *header, const u_char *bytes)
{
	const struct seeing *seeing = (const struct seeing *)context;
	struct sighting sighting = {
		.link = seeing->link,
		.when_us = (uint64_t)header->ts.tv_sec * 1000000 + (uint64_t)header->ts.tv_usec,
		.kind = seeing->links->handles.at[seeing->link].kind,
		.bytes = bytes,
		.len = header->caplen,
	};

	seeing->see(seeing->context, &sighting);
}

void links_wait(struct links *links, int wait_ms, struct pollfd *others, size_t n,
		links_see *see, void *context)
{
	struct seeing seeing = { .links = links, .see = see, .context = context };
	struct pollfd ready = { .events = POLLIN };

	links->ready.n = 0;
	for (size_t i = 0; i < links->handles.n; i++) {
		ready.fd = pcap_get_selectable_fd(links->handles.at[i].pcap);
		PUSH(&links->ready, ready);
	}
	for (size_t i = 0; i < n; i++)
		PUSH(&links->ready, others[i]);
	if (poll(links->ready.at, links->ready.n, wait_ms) < 0)
		return;				/* a signal; the caller asks again */
	for (size_t i = 0; i < n; i++)
		others[i].revents = links->ready.at[links->handles.n + i].revents;
	for (size_t i = seeing.link = 0; i < links->handles.n; seeing.link = ++i)
		if (links->ready.at[i].revents)
			(void)pcap_dispatch(links->handles.at[i].pcap, AT_ONCE, on_packet,
					    (u_char *)&seeing);
}

unsigned long long links_lost(const struct links *links)
{
	unsigned long long lost = 0;

	for (size_t i = 0; i < links->handles.n; i++) {
		struct pcap_stat stats;

		if (pcap_stats(links->handles.at[i].pcap, &stats) == 0)
			lost += stats.ps_drop;
	}
	return lost;
}
