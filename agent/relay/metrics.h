/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures of a worker, counted by it alone and read by others; text for all of them. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>

/* METRIC(field, exported name without prefix, label or "", help) */
#define METRICS(METRIC)                                                                            \
	METRIC(sessions, "sessions_total", "", "Clients that connected.")                          \
	METRIC(sessions_refused, "sessions_refused_total", "", "Clients turned away by a limit.")  \
	METRIC(delivered, "messages_total", "outcome=\"delivered\"",                               \
	       "Messages, by how they ended.")                                                     \
	METRIC(refused, "messages_total", "outcome=\"refused\"", "")                               \
	METRIC(lost, "messages_total", "outcome=\"lost\"", "")                                     \
	METRIC(spared, "messages_total", "outcome=\"spared\"", "")                                 \
	METRIC(aborted, "messages_total", "outcome=\"aborted\"", "")                               \
	METRIC(ack_lost, "acknowledgements_lost_total", "", "Delivered, but the client was gone.") \
	METRIC(octets, "octets_total", "", "Octets of content of messages.")                       \
	METRIC(microseconds, "delivery_microseconds_total", "", "Time from MAIL to the verdict.")  \
	METRIC(no_rule, "unrouted_total", "reason=\"rule\"",                                       \
	       "Refused before a destination was called.")                                         \
	METRIC(no_agent, "unrouted_total", "reason=\"agent\"", "")                                 \
	METRIC(no_binding, "unrouted_total", "reason=\"binding\"", "")                             \
	METRIC(no_family, "unrouted_total", "reason=\"family\"", "")                               \
	METRIC(no_name, "unrouted_total", "reason=\"dns\"", "")                                    \
	METRIC(no_connection, "unrouted_total", "reason=\"connect\"", "")                          \
	METRIC(dials, "upstream_connections_total", "", "Connections made to destinations.")       \
	METRIC(dial_failures, "upstream_failures_total", "", "Tries to connect that failed.")      \
	METRIC(reused, "upstream_reused_total", "", "Transactions that needed no new connection.") \
	METRIC(tls_upstream, "upstream_tls_total", "", "Connections to destinations with TLS.")    \
	METRIC(tls_failures, "upstream_tls_failures_total", "",                                    \
	       "Handshakes with destinations that failed.")                                        \
	METRIC(tls_front, "session_tls_total", "", "Clients that use TLS.")                        \
	METRIC(asked, "agent_requests_total", "", "Requests to the agent.")                        \
	METRIC(piped, "piped_octets_total", "", "Octets passed through blind.")                    \
	METRIC(log_dropped, "log_lines_dropped_total", "",                                         \
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
