/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the reader: its state, and what its files offer each other. What the grammar calls is in
 * conf_actions.h.
 */
#pragma once

#include "model/change.h"
#include "model/conf.h"
#include "model/destination.h"
#include "model/index.h"

struct word {					/* borrowed from the text of its file */
	const char *at;
	size_t len;
	bool quoted;
};

struct conf_token {
	int kind;				/* enum conf_tokentype */
	struct word word;
	struct where where;
	bool first_on_line;
};

/* How to go on after a syntax error, so that the next statement is read as itself. */
enum conf_recovery {
	RECOVER_NOT,				/* there was no error */
	RECOVER_SKIP,				/* drop everything up to the end of the statement */
	RECOVER_STATEMENT,			/* as if `;` stood before the token: it was forgotten */
	RECOVER_BLOCK,				/* as if `}` stood before the token */
};

enum use_kind { USE_RULE, USE_UNUSABLE, USE_OVERFLOW, USE_WARMUP, USE_MEMBER, USE_UPLINK };

struct conf_use {				/* a name that stands for something defined elsewhere */
	enum use_kind kind;
	const char *name;
	struct where where;
	uint32_t owner;				/* rule or binding that uses it; NO_INDEX: only to check */
	uint32_t *slot;				/* USE_WARMUP, USE_MEMBER: where the index belongs, or NULL */
};

/* What a layer has said something about. */
struct conf_said {
	const char *key;			/* @len bytes, the first of them a tag */
	size_t len;
	struct where where;
	uint32_t layer;
	bool removes;
	bool there;				/* what is right below says that the thing is there */
	uint32_t below_layer;			/* the last that said something below, or NO_INDEX */
	struct where below;
};

struct conf_suspend { const char *name; struct where where; uint32_t layer; };

struct conf_layers {
	uint32_t n, now;			/* layers in all; the one that is read, @n for files */
	bool hides;				/* something that was read does not count */
	struct { struct conf_said *at; size_t n, room; } said;
	struct index index;			/* of said, by key */
	struct { struct conf_suspend *at; size_t n, room; } suspends;
	struct where before;			/* for CLAIM_REPEATED: where it is said first */
};

struct conf_split;				/* conf_items.c */
struct conf_include { char *path; struct where where; };

/* What may be said once in a relay stanza, and once in each of its blocks. */
enum relay_setting {
	SET_WORKERS, SET_HOSTNAME, SET_SIZE, SET_SESSIONS, SET_CLIENT_SESSIONS, SET_FAMILY,
	SET_8BIT, SET_RESOLVER, SET_ACCESS_LOG, SET_REUSE, SET_REUSE_MESSAGES, SET_REUSE_AGE,
	SET_REUSE_IDLE, SET_SMARTHOST, SET_TLS, SET_TLS_CA, SET_POLICY_MAP, SET_STS_MAP,
	RELAY_SETTINGS
};

enum listen_setting {
	LISTEN_NAME, LISTEN_PROTOCOL, LISTEN_MODE, LISTEN_TLS, LISTEN_CERTIFICATE, LISTEN_KEY,
	LISTEN_AUTH_FILE, LISTEN_AUTH_SOCKET, LISTEN_AUTH_REQUIRED, LISTEN_AUTH_PLAIN_TEXT,
	LISTEN_TRUST_PARAMETER, LISTEN_TRUST_HEADER, LISTEN_NEWLINE, LISTEN_RECEIVED,
	LISTEN_SMARTHOST, LISTEN_PORTS, LISTEN_AT, LISTEN_SETTINGS
};

struct conf_names { const char **at; size_t n, room; };	/* in the arena */

enum dns_setting { DNS_RESOLVER, DNS_KEEPS, DNS_SETTINGS };
enum metrics_setting { METRICS_LISTEN, METRICS_SOCKET, METRICS_TRAFFIC, METRICS_BINDINGS,
		       METRICS_SETTINGS };

struct conf_relay {				/* the relay stanza, as it is read */
	struct where seen[RELAY_SETTINGS];
	struct relay_host hop;			/* the last that was read; host NULL: it was broken */
	struct relay_rule rule;
	bool rule_broken;
	struct relay_listener listener;
	bool listener_broken, hop_broken;
	bool has_client;			/* of an intercept, though it may be broken */
	struct where listen_seen[LISTEN_SETTINGS];
	struct { struct relay_client *at; size_t n, room; } clients;
};

struct conf {
	const struct conf_world *world;
	struct model *model;
	struct diag *diag;
	struct arena scratch;			/* until the reading ends */

	const char *wanted;			/* which value belongs here, for syntax errors */
	struct where brace, outer;		/* of the block that is open, and of the one around
						   it; line 0: none */
	struct conf_token token;		/* the one that the parser has got last */
	enum conf_recovery recovery;

	struct {
		struct binding binding;
		uint32_t index;			/* NO_INDEX: not in the model, its name is taken */
		uint32_t n_by_family[FAMILIES];
		bool hidden;			/* a layer has said something else about it */
		size_t first_use;		/* in uses */
		struct where interface, uplink, probe, where_pick;	/* line 0: not given yet */
		struct where ehlo[FAMILIES + 1];	/* the last: of both */
		const char *ehlo_names[FAMILIES + 1];
		struct where connections, connections_to, new, new_to, day_overflow;
		struct where routed;		/* the first routed prefix */
		struct where routed_of[FAMILIES];
		struct { struct allow *at; size_t n, room; } allows;
		struct { struct member *at; size_t n, room; } members;
		struct { uint32_t *at; size_t n, room; } days;
		struct conf_names domains;
		struct where where_fcrdns;
		enum require fcrdns;
		struct limits limits;
		struct warmup *warmup;		/* in the arena */
		enum pick pick;
		bool is_group;
	} open;
	struct {
		struct uplink uplink;
		bool broken;			/* bad name, taken or hidden; not for the model */
		struct where interface, table, probe, gateways[FAMILIES];
	} uplink;
	struct {
		struct probe probe;
		struct where down, up;
		bool broken;
	} probe;
	struct {
		struct rule rule;
		struct where to, port, protocol;
		struct destination_lists lists;
		bool broken;			/* reported; not for the model */
	} rule;
	struct where metrics_seen[METRICS_SETTINGS];
	struct conf_relay relay;
	struct {
		struct where seen[DNS_SETTINGS];
		struct conf_names domains, blocklists;
	} dns;
	struct { struct conf_use *at; size_t n, room; } uses;
	struct conf_use no_use;			/* of what is hidden: never looked at */
	struct where default_seen;		/* in this layer, or in the files */
	bool ignored;				/* what is read now was refused as a whole */
	struct conf_layers layers;
	struct conf_split *split;		/* NULL unless a text is split into items */
	struct { struct conf_include *at; size_t n, room; } includes;	/* to be opened next */
	struct destination_pool destinations;
	struct index cgroups, files, uplinks;
	size_t suggestions;			/* names compared so far: near names cost time */
};

/* conf_word.c: words as values, and as they are shown in messages. */
enum { WORD_SHOWN = 80 };
bool conf_word_is(const struct word *word, const char *text);
bool conf_word_copy(const struct word *word, char *out, size_t room);	/* false: too long */
/* Is the character at @at, of @left bytes, a C0 or C1 control or DEL? */
bool conf_is_control(const char *at, size_t left);
const char *conf_word_show(const struct word *word, char out[static WORD_SHOWN]);
const char *conf_text_show(const char *text, char out[static WORD_SHOWN]);
const char *conf_word_keep(struct conf *conf, const struct word *word);
enum { PLACE_SHOWN = 4200 };			/* PATH_MAX and two numbers */
/* For the arguments of a message; the text lives as long as the block around it. */
#define SHOW(word)		conf_word_show((word), (char[WORD_SHOWN]){ 0 })
#define SHOW_TEXT(text)		conf_text_show((text), (char[WORD_SHOWN]){ 0 })
#define PLACE(conf, where)	model_place((conf)->model, (where), (char[PLACE_SHOWN]){ 0 }, \
					    PLACE_SHOWN)
/* 0, -EINVAL (not a decimal number) or -ERANGE (above @max). */
MUST_CHECK int conf_word_number(const struct word *word, uint64_t max, uint64_t *ret);
/* "N" or "N-M": 0, -EINVAL, -ERANGE or -EDOM (reversed; @ret_first and @ret_last are written). */
MUST_CHECK int conf_word_range(const struct word *word, uint64_t max, uint64_t *ret_first,
			       uint64_t *ret_last);
/* Length of the UTF-8 character at @at (of @len bytes), 0 if it is none; RFC 3629 section 4. */
size_t conf_utf8_len(const char *at, size_t len);

/* conf_near.c: names that were probably meant. Returns NULL if nothing is near. */
const char *conf_near(const struct word *word, const char *const *names, size_t n);
const char *conf_near_binding(struct conf *conf, const char *name);
const char *conf_near_uplink(struct conf *conf, const char *name);

/* conf_form.c: the form of names; false after having reported what is wrong. */
/* Of a binding, group or uplink, as @what says. */
bool conf_form_name(struct conf *conf, const char *what, const struct word *word,
		    struct where where);
bool conf_form_unit(struct conf *conf, const struct word *word, struct where where);
bool conf_form_cgroup(struct conf *conf, const struct word *word, struct where where);
bool conf_form_ehlo(struct conf *conf, const struct word *word, struct where where);
bool conf_form_interface(struct conf *conf, const struct word *word, struct where where);
bool conf_form_prefix(struct conf *conf, const struct word *word, struct where where,
		      const char *wanted, struct prefix *ret);
/* A unicast address; @wanted ends the message. */
bool conf_form_address(struct conf *conf, const struct word *word, struct where where,
		       const char *wanted, struct ip *ret);
/* Any address. */
bool conf_form_ip(struct conf *conf, const struct word *word, struct where where,
		      struct ip *ret);
/* A prefix whose every address is one that packets can leave from. */
bool conf_form_routed(struct conf *conf, const struct word *word, struct where where,
		      struct prefix *ret);
/* A number from @min to @max; @what begins the message. */
bool conf_form_count(struct conf *conf, const char *what, const struct word *word,
		     struct where where, uint64_t min, uint64_t max, uint32_t *ret);
bool conf_form_protocol(struct conf *conf, const struct word *word, struct where where,
			uint8_t *ret);	/* `icmp` gives PROTOCOL_ICMP */
extern const char *const conf_protocol_names[256];	/* NULL where there is none */
/* A user or group: a name, a number or a range; *@ret_text is NULL for numbers. */
bool conf_form_ids(struct conf *conf, bool is_user, const struct word *word, struct where where,
		   struct id_range *ret, const char **ret_text);

/* conf_form.c: a word out of @n; @what begins the message. */
bool conf_form_choice(struct conf *conf, const char *what, const struct word *word,
		      struct where where, const char *const *names, size_t n, unsigned *ret);
bool conf_form_host_name(const struct word *word);	/* RFC 5321 section 4.1.2; reports nothing */

/* conf_relay_form.c: values of the relay stanza; false after having reported what is wrong. */
enum endpoint_kind { ENDPOINT_LISTEN, ENDPOINT_TCP, ENDPOINT_RESOLVER };
bool conf_form_endpoint(struct conf *conf, enum endpoint_kind kind, const struct word *word,
			struct where where, struct relay_endpoint *ret);
bool conf_form_next_hop(struct conf *conf, const struct word *word, bool mx, struct where where,
			struct relay_host *ret);
bool conf_form_map(struct conf *conf, const struct word *word, struct where where,
		   struct relay_map *ret);
bool conf_form_size(struct conf *conf, const struct word *word, struct where where, uint64_t *ret);
bool conf_form_seconds(struct conf *conf, const char *what, const struct word *word,
		       struct where where, uint32_t *ret);
/* An absolute path of a file, or of a Unix socket. */
bool conf_form_file(struct conf *conf, const char *what, const struct word *word, bool is_socket,
		    struct where where, const char **ret);
/* Lower case, in the arena. */
bool conf_form_domain(struct conf *conf, const struct word *word, struct where where,
		      const char **ret);
/* "user@domain", a domain, or "" for the null sender. */
bool conf_form_sender(struct conf *conf, const struct word *word, struct where where,
		      const char **ret);

/* conf_relay_listen.c: forget the block before. */
void conf_relay_listener_start(struct conf *conf, struct where where);

/* conf_relay_intercept.c: what is left to do with its `}`. */
void conf_intercept_close(struct conf *conf);

/* conf_relay_names.c: listeners when everything is read, and how rules find them. */
struct relay_names { struct index by_name, by_place; };

void conf_relay_listeners_check(struct conf *conf, struct relay_names *names);
void conf_relay_names_drop(struct relay_names *names);
const struct relay_listener *conf_relay_listener(const struct conf *conf,
						 const struct relay_names *names,
						 const char *name);
void conf_relay_unknown_listener(struct conf *conf, const char *name, struct where where);

/* conf_relay_check.c: what can be said of the relay only when everything is read. */
void conf_relay_check(struct conf *conf);

/* conf_binding.c: @what of this name is defined twice, first at @before. */
void conf_binding_repeated(struct conf *conf, const char *what, const struct word *name,
			   struct where where, struct where before);

/* conf_uplink.c: index of the uplink called @name, or NO_INDEX. */
uint32_t conf_uplink_find(const struct conf *conf, const char *name);
/* The probe that was read last, in the arena; NULL if it was broken. */
const struct probe *conf_probe_take(struct conf *conf, struct where key);

/* conf_sender.c: what the binding that is read says of it, or NULL; and as text. */
const struct sender *conf_sender_take(struct conf *conf);
void conf_sender_print(const struct sender *sender, FILE *out);

/* conf_print.c: words as the scanner reads them again; a user or group by name or number. */
void conf_print_word(const char *word, FILE *out);
void conf_print_ids(const struct id_range *ids, const char *text, FILE *out);

/* conf_use.c: names, resolved when everything is read. */
struct conf_use *conf_use_name(struct conf *conf, enum use_kind kind, const struct word *word,
			       struct where where, uint32_t owner);
void conf_use_resolve(struct conf *conf);
/* Report that nothing is called @name; only whether @kind is USE_UPLINK counts. */
void conf_use_unknown(struct conf *conf, enum use_kind kind, const char *name, struct where where);
/* The same, or that somebody removed it. */
void conf_use_missing(struct conf *conf, enum use_kind kind, const char *name, struct where where);

/* conf_layer.c: run-time texts over the files. */
enum { CONF_TAG_NAME = 'n', CONF_TAG_UPLINK = 'u', CONF_TAG_BYPASS = 'b', CONF_TAG_DEFAULT = 'd',
       CONF_TAG_SUSPEND = 's', CONF_TAG_RULE = 'r' };
enum { CONF_KEY = NAME_MAX_BYTES + 2 };		/* bytes of a key that is a name, with NUL */
enum conf_claim {
	CLAIM_COUNTS,
	CLAIM_HIDDEN,				/* somebody above has said something about it */
	CLAIM_REPEATED,				/* hidden, and said before in the same layer or file */
};
/* May what is read now say something about a thing? Reports what contradicts itself. */
enum conf_claim conf_layer_name(struct conf *conf, char tag, const struct word *word,
				struct where where, bool removes);
/* What makes two rules say something about the same: to be compared and hashed as octets. */
struct conf_rule_key {
	const struct destination *to;		/* interned */
	enum client_kind kind;
	uint32_t first, last;
	struct prefix source;
};

struct conf_rule_key conf_rule_key(const struct rule *rule);	/* conf_check.c */
enum conf_claim conf_layer_rule(struct conf *conf, const struct rule *rule, bool removes);
/* Who has removed the thing of this name, or NULL. */
const struct conf_said *conf_layer_removal(const struct conf *conf, char tag, const char *name);
/* False after having reported that a file says what only a run-time change can. */
bool conf_layer_only(struct conf *conf, struct where where);
/* After the names are resolved: removals and suspensions of nothing; what is suspended. */
void conf_layers_check(struct conf *conf);
void conf_layers_drop(struct conf_layers *layers);

/* conf_items.c: note what the statement that is read says, if its text is split. */
extern const struct word conf_default_key;
void conf_split_note(struct conf *conf, enum item_kind kind, bool remove, const struct word *key,
		     struct where where);
void conf_split_note_rule(struct conf *conf, const struct rule *rule, bool remove);

/* conf_read.c: read one layer and nothing else, and resolve no names. */
void conf_read_split(const struct conf_layer *layer, const struct conf_world *world,
		     struct conf_split *split, struct model *model, struct diag *diag);
/* Bytes of the mark that some editors put first, U+FEFF. */
size_t conf_mark_len(const char *text, size_t len);

/* conf_setting.c: has a setting been seen in this block? Reports it; else *@seen is @where. */
bool conf_given_twice(struct conf *conf, const char *key, struct where where, struct where *seen);
/* False, reported, where only a file may say it (@why ends the message), or it was said before; else
 * *@seen is @key. */
bool conf_may_set(struct conf *conf, const char *name, const char *why, struct where key,
		  struct where *seen);

/* conf_rule.c: a rule equals another, first at @before. */
void conf_rule_repeated(struct conf *conf, struct where where, struct where before);
/* Index of the cgroup called so in the model; it enters if it is new. */
uint32_t conf_rule_cgroup_index(struct conf *conf, const struct word *word, bool is_unit);

/* conf_file.c: index of the file @path if it was read before, or NO_INDEX. */
uint32_t conf_file_find(const struct conf *conf, const char *path);
uint32_t conf_file_add(struct conf *conf, const char *path);
/* Text that can be scanned: UTF-8 without NUL. False after having reported what is wrong. */
bool conf_file_check(struct conf *conf, const char *text, size_t len, uint32_t file);

/* conf_syntax.c: a token that does not belong; @expected are names as conf.y gives them. */
void conf_syntax_error(struct conf *conf, const char *const *expected, size_t n);
void conf_syntax_unclosed(struct conf *conf, struct where brace);

/* conf.l */
struct conf_scan {
	struct conf *conf;
	const char *line_start, *end;
	uint32_t file, line, token_line;	/* token_line: of the token before */
	void *scanner;
};

/* @text: @len bytes and two NULs after them; changed while it is read. */
void conf_scan_open(struct conf_scan *scan, struct conf *conf, char *text, size_t len,
		    uint32_t file);
struct conf_token conf_scan_next(struct conf_scan *scan);
void conf_scan_close(struct conf_scan *scan);

/* conf_chain.c: who leads to whom, by `unusable use` and by `overflow`. */
void conf_chain_check(struct conf *conf);

/* conf_limit.c: how many different values `per destination` there are. */
void conf_limit_check(struct conf *conf);

/* conf_check.c: what can be said only when everything is read. */
void conf_check(struct conf *conf);
