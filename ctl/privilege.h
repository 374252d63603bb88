/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving up what is not needed any more. */
#pragma once

#include "ctl.h"

/*
 * privilege_drop - no capabilities from here on, no way to get any; root becomes the user nobody,
 * where it may change its user
 * For after everything that needs rights is open, and before a byte from the network is read.
 * Returns CTL_DONE, or CTL_REFUSED with a complaint; then nothing may be read.
 */
MUST_CHECK int privilege_drop(const struct ctl *ctl);
