/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ledger as text: what belongs to all, then what belongs to single bindings. Of the latter only as
 * many as the configuration says, since each is some dozen time series to whoever keeps them.
 */
#include "daemon/ledger.h"

#include "base/mem.h"

#include <stdio.h>

static void put_labelled(struct openmetrics *text, const char *label, const char *value,
			 uint64_t number)
{
	openmetrics_sample(text);
	openmetrics_label(text, label, value);
	openmetrics_count(text, number);
}

static void put_counters(const struct kernel_counters *counters, struct openmetrics *text)
{
	openmetrics_family(text, "outbind_refused", OPENMETRICS_COUNTER,
			   "First packets refused, by reason, since the table was made.");
	put_labelled(text, "reason", "rule", counters->refused_rule);
	put_labelled(text, "reason", "unusable", counters->refused_unusable);
	put_labelled(text, "reason", "reused", counters->refused_reused);
	put_labelled(text, "reason", "limit", counters->refused_limit);
	openmetrics_family(text, "outbind_dropped", OPENMETRICS_COUNTER,
			   "Packets dropped, by reason, since the table was made.");
	put_labelled(text, "reason", "stray", counters->dropped_stray);
	put_labelled(text, "reason", "guard", counters->dropped_guard);
	put_labelled(text, "reason", "uplink", counters->dropped_uplink);
	openmetrics_one(text, "outbind_overflowed", OPENMETRICS_COUNTER,
			"First packets that went on to another binding, as a limit was reached.",
			counters->overflowed);
	openmetrics_one(text, "outbind_delayed", OPENMETRICS_COUNTER,
			"First packets dropped to be sent again, as a limit was found reached.",
			counters->delayed_limit);
	openmetrics_one(text, "outbind_delayed_change", OPENMETRICS_COUNTER,
			"First packets dropped to be sent again, as the rules were just being changed.",
			counters->delayed_change);
}

static void put_conntrack(const struct meter_conntrack *conntrack, struct openmetrics *text)
{
	const struct { const char *name, *help; uint64_t value; } counters[] = {
		{ "outbind_conntrack_insert_failed",
		  "Entries that conntrack could not insert: ports ran out, or a clash.",
		  conntrack->insert_failed },
		{ "outbind_conntrack_drop", "Packets that conntrack dropped.", conntrack->drop },
		{ "outbind_conntrack_early_drop",
		  "Entries that conntrack removed early to make room.", conntrack->early_drop },
		{ "outbind_conntrack_invalid", "Packets that conntrack could not place.",
		  conntrack->invalid },
		{ "outbind_conntrack_error", "Packets that conntrack called broken.",
		  conntrack->error },
		{ "outbind_conntrack_search_restart", "Look-ups of conntrack that began anew.",
		  conntrack->search_restart },
		{ "outbind_conntrack_clash_resolve",
		  "Clashes of new entries that conntrack resolved.", conntrack->clash_resolve },
	};

	openmetrics_one(text, "outbind_conntrack_entries", OPENMETRICS_GAUGE,
			"Entries of conntrack in this network namespace.", conntrack->entries);
	openmetrics_one(text, "outbind_conntrack_max", OPENMETRICS_GAUGE,
			"Entries that conntrack may have.", conntrack->max);
	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		openmetrics_one(text, counters[i].name, OPENMETRICS_COUNTER, counters[i].help,
				counters[i].value);
}

/* How many bindings can be used, cannot, or must not. */
static void put_states(const struct ledger *ledger, struct openmetrics *text)
{
	uint64_t usable[FAMILIES] = { 0 }, unusable[FAMILIES] = { 0 }, suspended = 0;

	for (size_t i = 0; i < ledger->entries.n; i++) {
		const struct sheet_row *row = &ledger->entries.at[i].row;

		suspended += row->suspended;
		for (int f = 0; f < FAMILIES; f++) {
			usable[f] += row->family[f] && row->usable[f];
			unusable[f] += row->family[f] && !row->usable[f] && !row->suspended;
		}
	}
	openmetrics_one(text, "outbind_bindings", OPENMETRICS_GAUGE,
			"Bindings and groups of the configuration in force.", ledger->entries.n);
	openmetrics_one(text, "outbind_bindings_suspended", OPENMETRICS_GAUGE,
			"Those that are suspended.", suspended);
	openmetrics_family(text, "outbind_bindings_usable", OPENMETRICS_GAUGE,
			   "Bindings and groups that new connections can leave by.");
	for (int f = 0; f < FAMILIES; f++)
		put_labelled(text, "family", ip_family_name((enum family)f), usable[f]);
	openmetrics_family(text, "outbind_bindings_unusable", OPENMETRICS_GAUGE,
			   "Those that have the family, are not suspended, and cannot carry it.");
	for (int f = 0; f < FAMILIES; f++)
		put_labelled(text, "family", ip_family_name((enum family)f), unusable[f]);
}

/* What of a kind is exported: connections by number, traffic by packets and octets. */
static const struct figure {
	const char *all, *one, *help;
	enum ledger_kind kind;
	bool octets, traffic;			/* traffic: only if that is counted */
} figures[] = {
	{ "outbind_connections", "outbind_binding_connections", "New connections that left.",
	  LEDGER_CONNECTIONS, false, false },
	{ "outbind_sent_packets", "outbind_binding_sent_packets",
	  "Packets sent, as the output hook sees them: before they are cut to the link's size.",
	  LEDGER_SENT, false, true },
	{ "outbind_sent_bytes", "outbind_binding_sent_bytes", "Bytes sent, with IP headers.",
	  LEDGER_SENT, true, true },
	{ "outbind_received_packets", "outbind_binding_received_packets",
	  "Packets received of its connections.", LEDGER_RECEIVED, false, true },
	{ "outbind_received_bytes", "outbind_binding_received_bytes",
	  "Bytes received of its connections, with IP headers.", LEDGER_RECEIVED, true, true },
};

static uint64_t value_of(const struct counted *counted, const struct figure *figure)
{
	return figure->octets ? counted->octets : counted->packets;
}

static void put_totals(const struct ledger *ledger, const struct sheet *sheet,
		       struct openmetrics *text)
{
	for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
		if (figures[i].traffic && !sheet->settings.traffic)
			continue;
		openmetrics_family(text, figures[i].all, OPENMETRICS_COUNTER, figures[i].help);
		for (int f = 0; f < FAMILIES; f++)
			put_labelled(text, "family", ip_family_name((enum family)f),
				     value_of(&ledger->totals[figures[i].kind][f], &figures[i]));
	}
	openmetrics_family(text, "outbind_live_connections", OPENMETRICS_GAUGE,
			   "Live connections of all bindings.");
	for (int f = 0; f < FAMILIES; f++)
		put_labelled(text, "family", ip_family_name((enum family)f), ledger->live[f]);
}

static void put_reading(const struct ledger *ledger, const struct sheet *sheet,
			struct openmetrics *text)
{
	openmetrics_family(text, "outbind_census_age_seconds", OPENMETRICS_GAUGE,
			   "Age of the census, which counts live connections and ports.");
	if (sheet->census_age != UINT64_MAX) {
		openmetrics_sample(text);
		openmetrics_micros(text, sheet->census_age);
	}
	openmetrics_family(text, "outbind_figures_age_seconds", OPENMETRICS_GAUGE,
			   "Age of the oldest figure that was read from the kernel.");
	openmetrics_sample(text);
	openmetrics_micros(text, ledger->age_usec);
	openmetrics_family(text, "outbind_figures_cost_seconds", OPENMETRICS_GAUGE,
			   "Processor time that reading all of them took last.");
	openmetrics_sample(text);
	openmetrics_micros(text, ledger->took_usec);
	openmetrics_one(text, "outbind_figures_failures", OPENMETRICS_COUNTER,
			"How often figures could not be read from the kernel.", ledger->failures);
	openmetrics_one(text, "outbind_local_ports", OPENMETRICS_GAUGE,
			"Ports that the kernel gives to sockets by itself, for each destination.",
			ledger->local_ports);
}

struct chosen { const struct ledger_entry **at; size_t n; };	/* which are named, by mark */

struct writing {				/* what all that follow need */
	const struct ledger *ledger;
	const struct sheet *sheet;
	struct chosen chosen;
	struct openmetrics *text;
};

static void begin_sample(const struct writing *w, const struct sheet_row *row, int family)
{
	openmetrics_sample(w->text);
	openmetrics_label(w->text, "binding", w->ledger->names + row->name);
	if (family >= 0)
		openmetrics_labels(w->text, family == FAMILY_IPV4 ? "family=\"ipv4\""
								  : "family=\"ipv6\"");
}

typedef uint64_t entry_value(const struct ledger_entry *entry, enum family family,
			     const struct figure *figure);

static uint64_t counted_value(const struct ledger_entry *entry, enum family family,
			      const struct figure *figure)
{
	return value_of(&entry->counted[figure->kind][family], figure);
}

static uint64_t live_value(const struct ledger_entry *entry, enum family family,
			   const struct figure *figure)
{
	(void)figure;
	return entry->live[family];
}

/* A sample for each family of each binding; @figure is for @value alone. */
static void put_values(const struct writing *w, entry_value *value, const struct figure *figure)
{
	for (size_t i = 0; i < w->chosen.n; i++) {
		const struct ledger_entry *entry = w->chosen.at[i];

		for (int f = 0; f < FAMILIES && !entry->row.group; f++) {
			if (!entry->row.family[f])
				continue;
			begin_sample(w, &entry->row, f);
			openmetrics_count(w->text, value(entry, (enum family)f, figure));
		}
	}
}

static void put_figure(const struct writing *w, const struct figure *figure)
{
	openmetrics_family(w->text, figure->one, OPENMETRICS_COUNTER, figure->help);
	put_values(w, counted_value, figure);
}

static void put_live(const struct writing *w)
{
	openmetrics_family(w->text, "outbind_binding_live_connections", OPENMETRICS_GAUGE,
			   "Live connections.");
	put_values(w, live_value, NULL);
}

static void put_health(const struct writing *w)
{
	openmetrics_family(w->text, "outbind_binding_usable", OPENMETRICS_GAUGE,
			   "1 if new connections can leave by it.");
	for (size_t i = 0; i < w->chosen.n; i++)
		for (int f = 0; f < FAMILIES; f++) {
			const struct sheet_row *row = &w->chosen.at[i]->row;

			if (!row->family[f])
				continue;
			begin_sample(w, row, f);
			openmetrics_count(w->text, row->usable[f]);
		}
	openmetrics_family(w->text, "outbind_binding_suspended", OPENMETRICS_GAUGE,
			   "1 if it is suspended.");
	for (size_t i = 0; i < w->chosen.n; i++) {
		begin_sample(w, &w->chosen.at[i]->row, -1);
		openmetrics_count(w->text, w->chosen.at[i]->row.suspended);
	}
}

static void put_reasons(const struct writing *w)
{
	openmetrics_family(w->text, "outbind_binding_unusable_reason", OPENMETRICS_GAUGE,
			   "1 with the reason why it cannot carry the family; see outbind(7).");
	for (size_t i = 0; i < w->chosen.n; i++)
		for (int f = 0; f < FAMILIES; f++) {
			const struct sheet_row *row = &w->chosen.at[i]->row;

			if (!row->family[f] || row->reason[f] == USABLE ||
			    row->reason[f] == USABLE_BY_OTHER)
				continue;
			begin_sample(w, row, f);
			openmetrics_label(w->text, "reason", sheet_reason(row->reason[f]));
			openmetrics_count(w->text, 1);
		}
}

static int by_address(const void *key, const void *at)
{
	const struct ledger_entry *a = key, *b = *(const struct ledger_entry *const *)at;

	return a < b ? -1 : a > b;
}

/* The entry of @mark if it is one of those that are named. */
static const struct ledger_entry *named(const struct writing *w, uint32_t mark)
{
	const struct ledger_entry *entry = ledger_find(w->ledger, mark);

	return entry && bsearch(entry, w->chosen.at, w->chosen.n, sizeof(void *), by_address)
		       ? entry : NULL;
}

static void put_refusals(const struct writing *w, const char *name, const char *help,
			 const char *label, const char *const words[static METER_REASONS])
{
	openmetrics_family(w->text, name, OPENMETRICS_COUNTER, help);
	for (size_t i = 0; i < w->ledger->refusals.n; i++) {
		const struct ledger_refusal *refusal = &w->ledger->refusals.at[i];
		const struct ledger_entry *entry = words[refusal->reason]
						 ? named(w, refusal->mark.host) : NULL;

		if (!entry)
			continue;
		begin_sample(w, &entry->row, (int)refusal->family);
		openmetrics_label(w->text, label, words[refusal->reason]);
		openmetrics_count(w->text, refusal->packets);
	}
}

static void put_all_refusals(const struct writing *w)
{
	static const char *const refused[METER_REASONS] = {
		[METER_UNUSABLE] = "unusable", [METER_LIMIT] = "limit", [METER_REUSED] = "reused",
		[METER_STRAY] = "stray", [METER_GUARD] = "guard", [METER_UPLINK] = "uplink",
	};
	static const char *const limits[METER_REASONS] = {
		[METER_LIMIT] = "refused", [METER_OVERFLOWED] = "overflowed",
		[METER_DELAYED] = "delayed",
	};

	put_refusals(w, "outbind_binding_refused",
		     "Packets refused or dropped, by reason, since the table was made.", "reason",
		     refused);
	put_refusals(w, "outbind_binding_limit_reached",
		     "First packets that met a limit that was reached, by what became of them.",
		     "outcome", limits);
}

static const char *protocol_name(uint8_t protocol, char out[static 4])
{
	if (protocol == PROTOCOL_TCP)
		return "tcp";
	if (protocol == PROTOCOL_UDP)
		return "udp";
	snprintf(out, 4, "%u", protocol);
	return out;
}

static void put_ports(const struct writing *w)
{
	char source[IP_TEXT], to[IP_PORT_TEXT], number[4];

	openmetrics_family(w->text, "outbind_destination_ports", OPENMETRICS_GAUGE,
			   "Ports that a binding uses to one destination; the busiest ten.");
	for (size_t i = 0; i < w->sheet->n_ends; i++) {
		const struct sheet_ends *ends = &w->sheet->ends[i];
		const struct ledger_entry *entry = named(w, ends->mark);

		if (!entry)
			continue;
		begin_sample(w, &entry->row, -1);
		openmetrics_label(w->text, "source", ip_print(&ends->source, source));
		openmetrics_label(w->text, "destination",
				  ip_print_port(&ends->to, ends->port, to));
		openmetrics_label(w->text, "protocol", protocol_name(ends->protocol, number));
		openmetrics_count(w->text, ends->n);
	}
}

static void put_bindings(const struct writing *w)
{
	for (size_t i = 0; i < ARRAY_LEN(figures); i++)
		if (!figures[i].traffic || w->sheet->settings.traffic)
			put_figure(w, &figures[i]);
	put_live(w);
	put_health(w);
	put_reasons(w);
	put_all_refusals(w);
	put_ports(w);
}

void ledger_write(const struct ledger *ledger, const struct sheet *sheet,
		  struct openmetrics *text)
{
	size_t max = ledger->entries.n;
	struct writing w = { .ledger = ledger, .sheet = sheet, .text = text };

	put_counters(&ledger->counters, text);
	put_conntrack(&ledger->conntrack, text);
	put_states(ledger, text);
	put_totals(ledger, sheet, text);
	put_reading(ledger, sheet, text);
	if (sheet->settings.bindings == METRICS_NONE)
		max = 0;
	else if (sheet->settings.bindings == METRICS_BUSIEST && sheet->settings.busiest < max)
		max = sheet->settings.busiest;
	w.chosen.at = mem_zero(max + 1, sizeof(const struct ledger_entry *));
	w.chosen.n = ledger_busiest(ledger, max, w.chosen.at);
	if (max > 0)
		put_bindings(&w);
	free(w.chosen.at);
}
