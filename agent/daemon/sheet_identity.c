/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What DNS says about addresses, as figures: how many of each check, and by address what is wrong. */
#include "daemon/sheet_parts.h"

static void put_counts(struct openmetrics *text, const struct identities *identities)
{
	uint64_t counts[IDENTITY_CHECKS][IDENTITY_BAD + 1] = { 0 };

	for (size_t i = 0; i < identities->n; i++)
		for (int check = 0; check < IDENTITY_CHECKS; check++)
			counts[check][identities->at[i].state[check]]++;
	openmetrics_family(text, "outbind_identities", OPENMETRICS_GAUGE,
			   "Addresses by what DNS said of them last; see outbindctl check --dns.");
	for (int check = 0; check < IDENTITY_CHECKS; check++)
		for (int state = IDENTITY_GOOD; state <= IDENTITY_BAD; state++) {
			openmetrics_sample(text);
			openmetrics_label(text, "check",
					  identity_check_name((enum identity_check)check));
			openmetrics_label(text, "state",
					  identity_state_name((enum identity_state)state));
			openmetrics_count(text, counts[check][state]);
		}
}

static void put_bad(struct openmetrics *text, const struct identity *identity, size_t *left)
{
	char ip[IP_TEXT];

	for (int check = 0; check < IDENTITY_CHECKS && *left > 0; check++) {
		if (identity->state[check] != IDENTITY_BAD)
			continue;
		openmetrics_sample(text);
		openmetrics_label(text, "binding", identity->binding);
		openmetrics_label(text, "address", ip_print(&identity->ip, ip));
		openmetrics_label(text, "check", identity_check_name((enum identity_check)check));
		openmetrics_count(text, 1);
		(*left)--;
	}
}

void sheet_put_identities(struct openmetrics *text, const struct identities *identities,
			  size_t max)
{
	int64_t oldest = 0;

	put_counts(text, identities);
	openmetrics_family(text, "outbind_binding_identity_bad", OPENMETRICS_GAUGE,
			   "1 for an address and a check that DNS denies.");
	for (size_t i = 0; i < identities->n; i++) {
		put_bad(text, &identities->at[i], &max);
		if (oldest == 0 || identities->at[i].checked < oldest)
			oldest = identities->at[i].checked;
	}
	openmetrics_family(text, "outbind_identities_checked_time_seconds", OPENMETRICS_GAUGE,
			   "When the address was looked at that was looked at longest ago.");
	if (oldest > 0) {
		openmetrics_sample(text);
		openmetrics_count(text, (uint64_t)oldest);
	}
}
