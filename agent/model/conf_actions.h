/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What conf.y calls as it reads: each action takes the words of a statement, with their places, and
 * fills the model at once. @key is where a statement's first word is, @where that of its value.
 */
#pragma once

#include "model/conf_build.h"

/* conf_setting.c: statements of their own, and which block is open. */
void conf_set_mask(struct conf *conf, const struct word *word, struct where key,
		   struct where where);
void conf_set_flow_log(struct conf *conf, const struct word *word, struct where key,
		       struct where where);
void conf_set_port_warning(struct conf *conf, const struct word *word, struct where key,
			   struct where where);
/* @remove: from the list */
void conf_set_bypass(struct conf *conf, const struct word *word, struct where where, bool remove);
void conf_set_default(struct conf *conf, enum default_binding what, struct where key);
void conf_brace_open(struct conf *conf, struct where where);
void conf_brace_close(struct conf *conf);

/* conf_binding.c: bindings, and what groups have in common with them. */
void conf_binding_open(struct conf *conf, const struct word *name, struct where where);
void conf_group_open(struct conf *conf, const struct word *name, struct where where);
void conf_binding_routed(struct conf *conf, const struct word *word, struct where where);
void conf_binding_uplink(struct conf *conf, const struct word *word, struct where key,
			 struct where where);
void conf_binding_probe(struct conf *conf, struct where key);
void conf_binding_address(struct conf *conf, const struct word *word, struct where where);
/* @family: "ipv4" or "ipv6", or NULL for both. */
void conf_binding_ehlo(struct conf *conf, const struct word *word, const struct word *family,
		       struct where key, struct where where, struct where where_family);
void conf_binding_interface(struct conf *conf, const struct word *word, struct where key,
			    struct where where);
/* @other: NULL for `reject`. */
void conf_binding_unusable(struct conf *conf, const struct word *other, struct where key,
			   struct where where);
void conf_binding_allow(struct conf *conf, enum peer_kind kind, const struct word *word,
			struct where where);
void conf_group_member(struct conf *conf, const struct word *name, struct where where,
		       const struct word *weight, struct where where_weight);
void conf_group_pick(struct conf *conf, enum pick pick, struct where key);
void conf_binding_close(struct conf *conf);

/* conf_sender.c: what DNS should say. */
void conf_binding_domain(struct conf *conf, const struct word *word, struct where where);
void conf_binding_require(struct conf *conf, bool reject, struct where key);
void conf_dns_open(struct conf *conf, struct where key);
void conf_dns_resolver(struct conf *conf, const struct word *word, struct where key,
		       struct where where);
void conf_dns_domain(struct conf *conf, const struct word *word, struct where where);
void conf_dns_blocklist(struct conf *conf, const struct word *word, struct where where);
void conf_dns_keep(struct conf *conf, const struct word *word, struct where key,
		   struct where where);
void conf_dns_close(struct conf *conf);

/* conf_limit.c: what a binding or group may do at most. */
void conf_limit_connections(struct conf *conf, const struct word *word, bool per_destination,
			    struct where key, struct where where);
/* @burst: NULL if not given. */
void conf_limit_new(struct conf *conf, const struct word *word, bool per_destination,
		    struct where key, struct where where, const struct word *burst,
		    struct where where_burst);
void conf_binding_overflow(struct conf *conf, const struct word *other, struct where key,
			   struct where where);
void conf_warmup_open(struct conf *conf, struct where key);
void conf_warmup_day(struct conf *conf, const struct word *day, struct where where,
		     const struct word *count, struct where where_count);
void conf_warmup_overflow(struct conf *conf, const struct word *other, struct where key,
			  struct where where);
void conf_warmup_close(struct conf *conf);

/* conf_uplink.c: uplinks, and the probes that bindings and uplinks may have. */
void conf_uplink_open(struct conf *conf, const struct word *name, struct where where);
void conf_uplink_interface(struct conf *conf, const struct word *word, struct where key,
			   struct where where);
void conf_uplink_gateway(struct conf *conf, const struct word *word, struct where where);
void conf_uplink_table(struct conf *conf, const struct word *word, struct where key,
		       struct where where);
void conf_uplink_probe(struct conf *conf, struct where key);
void conf_uplink_close(struct conf *conf);
void conf_probe_open(struct conf *conf, enum probe_kind kind, const struct word *word,
		     struct where where);
void conf_probe_every(struct conf *conf, const struct word *word, struct where where);
void conf_probe_down(struct conf *conf, const struct word *word, struct where key,
		     struct where where);
void conf_probe_up(struct conf *conf, const struct word *word, struct where key,
		   struct where where);

/* conf_layer.c: what only run-time texts say. */
void conf_layer_block(struct conf *conf, struct where key);
void conf_layer_remove(struct conf *conf, enum item_kind kind, const struct word *word,
		       struct where key, struct where where);
void conf_layer_remove_default(struct conf *conf, struct where key);
void conf_layer_suspend(struct conf *conf, const struct word *word, bool resume, struct where key,
			struct where where);

/* conf_items.c: the statement that began at @start has ended, and becomes an item. */
void conf_split_end(struct conf *conf, struct where start);

/* conf_rule.c: policy. */
void conf_rule_unit(struct conf *conf, const struct word *word, struct where key,
		    struct where where);
void conf_rule_cgroup(struct conf *conf, const struct word *word, struct where key,
		      struct where where);
void conf_rule_ids(struct conf *conf, enum client_kind kind, const struct word *word,
		   struct where key, struct where where);
void conf_rule_source(struct conf *conf, const struct word *word, struct where key,
		      struct where where);
void conf_rule_otherwise(struct conf *conf, struct where key);
void conf_rule_qualifier(struct conf *conf, const char *name, struct where key);
void conf_rule_to(struct conf *conf, const struct word *word, struct where where);
void conf_rule_port(struct conf *conf, const struct word *word, struct where where);
void conf_rule_protocol(struct conf *conf, const struct word *word, struct where where);
/* @name: the binding's, for ACTION_USE. */
void conf_rule_action(struct conf *conf, enum action action, const struct word *name,
		      struct where where);
void conf_rule_close(struct conf *conf);
void conf_rule_remove(struct conf *conf);

/* conf_metrics.c: the metrics stanza. */
void conf_metrics_open(struct conf *conf, struct where key);
void conf_metrics_close(struct conf *conf);
void conf_metrics_listen(struct conf *conf, const struct word *word, struct where key,
			 struct where where);
void conf_metrics_socket(struct conf *conf, const struct word *word, struct where key,
			 struct where where);
void conf_metrics_traffic(struct conf *conf, const struct word *word, struct where key,
			  struct where where);
void conf_metrics_bindings(struct conf *conf, const struct word *word, struct where key,
			   struct where where);

/* conf_relay.c: the relay stanza, and its settings that are no blocks. */
void conf_relay_open(struct conf *conf, struct where key);
void conf_relay_close(struct conf *conf);
void conf_relay_workers(struct conf *conf, const struct word *word, struct where key,
			struct where where);
void conf_relay_hostname(struct conf *conf, const struct word *word, struct where key,
			 struct where where);
void conf_relay_size(struct conf *conf, const struct word *word, struct where key,
		     struct where where);
void conf_relay_sessions(struct conf *conf, const struct word *word, struct where key,
			 struct where where);
void conf_relay_client_sessions(struct conf *conf, const struct word *word, struct where key,
				struct where where);
void conf_relay_family(struct conf *conf, const struct word *word, struct where key,
		       struct where where);
void conf_relay_8bit(struct conf *conf, const struct word *word, struct where key,
		     struct where where);
void conf_relay_resolver(struct conf *conf, const struct word *word, struct where key,
			 struct where where);
void conf_relay_access_log(struct conf *conf, const struct word *word, struct where key,
			   struct where where);
void conf_relay_tls_ca(struct conf *conf, const struct word *word, struct where key,
		       struct where where);
/* @which: "policy-map" or "sts-map". */
void conf_relay_map(struct conf *conf, const char *which, const struct word *word, struct where key,
		    struct where where);
void conf_relay_reuse(struct conf *conf, struct where key);
void conf_relay_reuse_off(struct conf *conf);
void conf_relay_reuse_messages(struct conf *conf, const struct word *word, struct where key,
			       struct where where);
void conf_relay_reuse_age(struct conf *conf, const struct word *word, struct where key,
			  struct where where);
void conf_relay_reuse_idle(struct conf *conf, const struct word *word, struct where key,
			   struct where where);

/* conf_relay_rule.c: next hops, TLS by destination, rules. A hop is read before what it is of. */
void conf_relay_hop(struct conf *conf, const struct word *word, bool mx, struct where where);
void conf_relay_smarthost(struct conf *conf, struct where key);
void conf_relay_smarthost_for(struct conf *conf, const struct word *binding, struct where key,
			      struct where where);
/* @domain: NULL for all that no other statement is about. */
void conf_relay_tls(struct conf *conf, const struct word *level, struct where key,
		    struct where where, const struct word *domain, struct where where_domain);
void conf_relay_rule(struct conf *conf, enum relay_key kind, const struct word *word,
		     struct where key, struct where where);
void conf_relay_rule_on(struct conf *conf, const struct word *listener);
void conf_relay_rule_use(struct conf *conf, const struct word *binding, struct where where);
void conf_relay_rule_hop(struct conf *conf);
/* @text: NULL if none was given. */
void conf_relay_rule_reject(struct conf *conf, const struct word *text, struct where where);
void conf_relay_rule_close(struct conf *conf);

/* conf_relay_listen.c: `listen` blocks, and what they have in common with `intercept`. */
void conf_listen_open(struct conf *conf, const struct word *word, struct where key,
		      struct where where);
void conf_listen_name(struct conf *conf, const struct word *word, struct where key,
		      struct where where);
void conf_listen_protocol(struct conf *conf, const struct word *word, struct where key,
			  struct where where);
void conf_listen_mode(struct conf *conf, const struct word *word, struct where key,
		      struct where where);
void conf_listen_tls(struct conf *conf, const struct word *word, struct where key,
		     struct where where);
void conf_listen_received(struct conf *conf, const struct word *word, struct where key,
			  struct where where);
void conf_listen_newline(struct conf *conf, const struct word *word, struct where key,
			 struct where where);
void conf_listen_smarthost(struct conf *conf, struct where key);
void conf_listen_flag(struct conf *conf, enum listen_setting which, struct where key);
void conf_listen_file(struct conf *conf, enum listen_setting which, const struct word *word,
		      struct where key, struct where where);
void conf_listen_close(struct conf *conf);

/* conf_relay_intercept.c: whose connections are turned to the relay. */
void conf_intercept_open(struct conf *conf, const struct word *name, struct where where);
void conf_intercept_listen(struct conf *conf, const struct word *word, struct where key,
			   struct where where);
void conf_intercept_tls(struct conf *conf, const struct word *word, struct where key,
			struct where where);
void conf_intercept_ports(struct conf *conf, struct where key);
void conf_intercept_unit(struct conf *conf, const struct word *word, struct where where);
void conf_intercept_cgroup(struct conf *conf, const struct word *word, struct where where);
void conf_intercept_ids(struct conf *conf, bool is_user, const struct word *word,
			struct where where);
void conf_intercept_source(struct conf *conf, const struct word *word, struct where where);

/* conf_file.c: which files. */
void conf_file_include(struct conf *conf, const struct word *word, struct where where);
