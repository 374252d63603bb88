/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside sheet_new(): figures with a file of their own. */
#pragma once

#include "daemon/sheet.h"

/* Results of checks by DNS; of single addresses at most @max that are bad. */
void sheet_put_identities(struct openmetrics *text, const struct identities *identities,
			  size_t max);
