/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NET_ADMIN: the table, addresses, routes and rules, marks on sockets, and ending them. NET_RAW: probes
 * by ICMP, and asking for addresses on their link. Files are read and written as the user that it runs as.
 */
#include "daemon/privilege.h"

#include <cap-ng.h>
#include <sys/prctl.h>

bool privilege_sufficient(void)
{
	return capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
}

static const unsigned kept[] = { CAP_NET_ADMIN, CAP_NET_RAW };

static bool is_kept(unsigned capability)
{
	return capability == kept[0] || capability == kept[1];
}

/* Is there any that a running agent does not need. */
static bool has_more(void)
{
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
		if (!is_kept(i) && capng_have_capability(CAPNG_PERMITTED, i))
			return true;
	return false;
}

int privilege_reduce(void)
{
	bool had[ARRAY_LEN(kept)], bounds;

	if (capng_get_caps_process() < 0)
		return -EPERM;
	if (!has_more())
		return 0;			/* capset(2) may be forbidden then */
	bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		if (had[i] && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED |
					   CAPNG_BOUNDING_SET, kept[i]) < 0)
			return -EPERM;
	if (bounds && capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		return -EPERM;
	return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}

void privilege_keep(void)
{
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

json_t *privilege_json(void)
{
	json_t *list = json_array();

	if (capng_get_caps_process() < 0)
		return list;
	for (unsigned i = 0; i <= CAP_LAST_CAP; i++)
		if (capng_have_capability(CAPNG_EFFECTIVE, i))
			json_array_append_new(list, json_string(capng_capability_to_name(i)));
	return list;
}
