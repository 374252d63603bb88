/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long something took or lasts, for people. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { DURATION_TEXT = 32 };

/* "250 ms", "12 s", "3 min", "5 h", "2 d": the largest unit of which there is one, rounded down. */
const char *duration_print(long long ms, char out[static DURATION_TEXT]);

/* The time from which durations are measured: CLOCK_MONOTONIC, in microseconds. */
uint64_t duration_clock(void);

/* "90", "90s", "5m" or "2h" as seconds; false if it is none of them. */
bool duration_read(const char *text, long long *ret_seconds);
