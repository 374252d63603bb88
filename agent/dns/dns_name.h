/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of DNS as text: without the dot at the end, compared without case (RFC 4343). */
#pragma once

#include "base/types.h"

enum { DNS_NAME = 254 };			/* 253 characters, RFC 1035 section 2.3.4, and a NUL */

/* May it be asked for: labels of 1 to 63 octets, at most 253 in all. */
bool dns_name_valid(const char *name);

/* @name in lower case, without the dot at the end; false, and "", if it is too long. */
bool dns_name_fold(const char *name, char ret[static DNS_NAME]);

/* Is @name that domain, or one below it? */
bool dns_name_under(const char *name, const char *domain);

/* "11.2.0.192", or 32 nibbles: how addresses stand in names, last part first. */
enum { DNS_REVERSED = 64 };
void dns_name_reversed(const struct ip *ip, char ret[static DNS_REVERSED]);

/* Where the name of an address is: RFC 1035 section 3.5, RFC 3596 section 2.5. */
void dns_name_of_ip(const struct ip *ip, char ret[static DNS_NAME]);

/* Where @zone says something about an address: RFC 5782 sections 2.1 and 2.4. False: too long. */
bool dns_name_in_zone(const struct ip *ip, const char *zone, char ret[static DNS_NAME]);
