/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The settings of one binding as text: replacing some of them by keyword. Pure. */
#pragma once

#include "base/own.h"

/*
 * settings_merge - the stanza of a binding with other settings
 * @stanza:   of the binding in force, as conf_print_binding() writes it
 * @settings: statements as in a stanza; each replaces those of the same keyword. `remove KEYWORD;`
 *            takes them away. `limit connections` and `limit new`, with and without `per
 *            destination`, and `allow user`, `group`, `cgroup` are keywords of their own.
 *
 * The new settings stand first, where they are in @settings, so that places can be told. Whether
 * they are valid is for the reader to say. Returns malloc'd text.
 */
char *settings_merge(const char *stanza, const char *settings);
