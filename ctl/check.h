/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside outbindctl: the two things that `check` does. */
#pragma once

#include "ctl.h"

enum { CHECK_PRINT, CHECK_DNS, CHECK_CONFIG, CHECK_RESOLVER, CHECK_SENDER_DOMAIN, CHECK_BLOCKLIST,
       CHECK_TIMEOUT, CHECK_REPORT, CHECK_LAST };

/* What DNS says of the addresses. CTL_NO if anything is bad, or not known. */
MUST_CHECK int check_dns(struct ctl *ctl, const struct arguments *args);
