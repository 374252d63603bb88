/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures of a worker, counted by it alone and read by others; text for all of them. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

/* METRIC(field, name without outbind_relay_ and _total, label or "", help) */
#define METRICS(METRIC)                                                                            \
	METRIC(sessions, "sessions", "", "Clients that connected.")                                \
	METRIC(sessions_refused, "sessions_refused", "", "Clients turned away by a limit.")        \
	METRIC(delivered, "messages", "outcome=\"delivered\"",                                     \
	       "Messages, by how they ended.")                                                     \
	METRIC(refused, "messages", "outcome=\"refused\"", "")                                     \
	METRIC(lost, "messages", "outcome=\"lost\"", "")                                           \
	METRIC(spared, "messages", "outcome=\"spared\"", "")                                       \
	METRIC(aborted, "messages", "outcome=\"aborted\"", "")                                     \
	METRIC(ack_lost, "acknowledgements_lost", "", "Delivered, but the client was gone.")       \
	METRIC(octets, "octets", "", "Octets of content of messages.")                             \
	METRIC(microseconds, "delivery_microseconds", "", "Time from MAIL to the verdict.")        \
	METRIC(no_rule, "unrouted", "reason=\"rule\"",                                             \
	       "Refused before a destination was called.")                                         \
	METRIC(no_agent, "unrouted", "reason=\"agent\"", "")                                       \
	METRIC(no_binding, "unrouted", "reason=\"binding\"", "")                                   \
	METRIC(no_family, "unrouted", "reason=\"family\"", "")                                     \
	METRIC(no_name, "unrouted", "reason=\"dns\"", "")                                          \
	METRIC(no_connection, "unrouted", "reason=\"connect\"", "")                                \
	METRIC(dials, "upstream_connections", "", "Connections made to destinations.")             \
	METRIC(dial_failures, "upstream_failures", "", "Tries to connect that failed.")            \
	METRIC(reused, "upstream_reused", "", "Transactions that needed no new connection.")       \
	METRIC(tls_upstream, "upstream_tls", "", "Connections to destinations with TLS.")          \
	METRIC(tls_failures, "upstream_tls_failures", "",                                          \
	       "Handshakes with destinations that failed.")                                        \
	METRIC(tls_front, "session_tls", "", "Clients that use TLS.")                              \
	METRIC(asked, "agent_requests", "", "Requests to the agent.")                              \
	METRIC(piped, "piped_octets", "", "Octets passed through blind.")                          \
	METRIC(log_dropped, "log_lines_dropped", "",                                               \
	       "Lines that the access log had no room for.")

struct metrics {
#define METRIC(field, name, label, help) _Atomic(uint64_t) field;
	METRICS(METRIC)
#undef METRIC
	_Atomic(int64_t) upstreams, idle;	/* now */
};

/* One writer for each, so no read-modify-write that others would have to wait for. */
#define METRIC_ADD(metric, n)                                                                      \
	atomic_store_explicit((metric),                                                            \
			      atomic_load_explicit((metric), memory_order_relaxed) + (n),          \
			      memory_order_relaxed)

void metrics_add(struct metrics *sum, const struct metrics *metrics);
/* In the text format of Prometheus, version 0.0.4. */
void metrics_print(const struct metrics *metrics, unsigned sessions_now, FILE *out);
