/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration text to model, and back. The grammar is conf.y, the words are conf.l. */
#pragma once

#include "model/model.h"

#include <stdio.h>

enum { CONF_FILE_MAX = 512 << 20 };		/* bytes of one file */

/* What reading a configuration needs from the world; tests and fuzzers bring their own. */
struct conf_world {
	/*
	 * Whole text of @path into *@ret_text (malloc'd, NUL-terminated). 0 or -errno. A directory,
	 * a device or more than CONF_FILE_MAX bytes is an error too.
	 */
	int (*read_file)(void *context, const char *path, char **ret_text, size_t *ret_len);
	/* Paths that match @pattern, sorted, as a malloc'd NULL-terminated array of malloc'd
	 * strings; no match is no error. */
	int (*expand)(void *context, const char *pattern, char ***ret_paths);
	int (*user_id)(void *context, const char *name, uint32_t *ret_uid);	/* -ESRCH: none such */
	int (*group_id)(void *context, const char *name, uint32_t *ret_gid);
	void *context;
	/* Bindings may have been added at run time that are not in what is read: so one that the
	 * relay's rules name and that is not found is only warned of. */
	bool files_only;
};

/*
 * A run-time text: what it says wins over later layers and over the files. Beside the language of
 * the files, but for `mark-mask` and `include`, it knows `remove`, `suspend` and `resume`.
 */
struct conf_layer {
	const char *name;			/* as in messages and places */
	const char *text;
	size_t len;
};

/* Real files, glob(3), getpwnam_r(3), getgrnam_r(3). */
extern const struct conf_world conf_system;

/*
 * conf_read - read the configuration that starts at @path, with all its includes
 * @ret_model: always written, so that diag's places can be printed; usable only on success; the
 *             caller drops it in either case
 * @diag:      receives every problem of every file, in order of place
 *
 * Includes are relative to the file that includes. Returns 0, or -EINVAL if @diag has errors.
 */
MUST_CHECK int conf_read(const char *path, const struct conf_world *world, struct model *ret_model,
			 struct diag *diag);

/*
 * conf_read_layers - the same with run-time texts over it
 * @path:   NULL: no files
 * @layers: @n of them, read first to last, then the files
 *
 * The first that says something about a thing wins; what later layers and the files say of it must
 * be valid text, and is else ignored. A thing is a binding, group or uplink by name, a rule by
 * client and destination, an entry of the bypass list, default-binding, the suspension of a name.
 * What `remove` and `resume` say hides what is below. What must exist below, or else is an error, if
 * the first layer says so, and is ignored in others, which may be older than the files: what
 * `remove` removes and what `suspend` suspends. `resume` of what is not suspended is no error.
 * Twice within one layer, or within the files, is an error.
 *
 * ret_model->files begins with the names of the layers, ret_model->suspended has the names that are
 * suspended.
 */
MUST_CHECK int conf_read_layers(const char *path, const struct conf_world *world,
				const struct conf_layer *layers, size_t n, struct model *ret_model,
				struct diag *diag);

/* The number of the IP protocol that a configuration calls @name: 0, or -ENOENT. `icmp` stands for
 * ICMPv6 too, which is left to the caller. */
MUST_CHECK int conf_protocol_number(const char *name, uint8_t *ret);

/*
 * conf_print - the model in canonical text: bindings and groups in order, policy sorted by kind and client,
 * one statement a line, numbers and addresses in their shortest form. Reading the output gives an
 * equal model, and printing that gives the same text.
 */
void conf_print(const struct model *model, FILE *out);
void conf_print_binding(const struct model *model, uint32_t binding, FILE *out);
void conf_print_uplink(const struct model *model, uint32_t uplink, FILE *out);
void conf_print_rule(const struct model *model, const struct rule *rule, FILE *out);	/* no newline */
/* A rule's client, users and groups by number, and its destination: the same for equal rules. */
void conf_print_key(const struct model *model, const struct rule *rule, FILE *out);

/* The dns stanza; nothing if there is none. */
void conf_print_dns(const struct model *model, FILE *out);
/* The metrics stanza, if there is one. */
void conf_print_metrics(const struct model *model, FILE *out);

/* The relay stanza, and its parts: all that is no listener and no rule; one listener. */
void conf_print_relay(const struct model *model, FILE *out);
void conf_print_relay_settings(const struct model *model, FILE *out);
void conf_print_relay_listener(const struct model *model, uint32_t listener, FILE *out);
/* One rule of the relay, without a newline; and its key and value alone, for logs. */
void conf_print_relay_rule(const struct relay_rule *rule, FILE *out);
void conf_print_relay_key(const struct relay_rule *rule, FILE *out);
/* "sender", "peer cgroup", "policy-map", ... */
const char *conf_relay_key_name(enum relay_key key);
/* "127.0.0.1:25", "[::1]:25", "*:25" or a path, as the default name of a listener; returns @out.
 * ENDPOINT_TEXT is room enough: a path is 107 bytes at most. */
enum { ENDPOINT_TEXT = 128 };
const char *conf_relay_endpoint(const struct relay_endpoint *at, char *out, size_t room);
/* "smtp", "lmtp", "socks5", "proxy", "intercept"; "none", "may", ... */
const char *conf_relay_protocol_name(enum relay_protocol protocol);
const char *conf_relay_tls_name(enum relay_tls level);

/* "second", "minute", "hour" or "day": what a rate's @seconds are called. */
const char *conf_period_name(uint32_t seconds);
/* "sticky-destination", ... */
const char *conf_pick_name(enum pick pick);
