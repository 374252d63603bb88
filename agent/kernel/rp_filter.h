/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reverse path filtering of IPv4, by interface: whether answers to an uplink would pass. */
#pragma once

#include "plan/plan.h"

/* Set `strict` and `answer_marked` of @n links of the caller's network namespace. What cannot be read
 * (a link that has just gone) stays false. */
void rp_filter_read(struct link *links, size_t n);
