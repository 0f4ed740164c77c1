// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The verdict: packet, settings and class -> what becomes of it, and the one named reason why.
#pragma once

#include "class.h"
#include "packet.h"

enum pn_verdict {
	PN_PASS,         // to the kernel, untouched
	PN_DROP,         // discarded
	PN_ANSWER,       // turned into our answer and sent back
	PN_WOULD_DROP,   // passed, since something is in monitor mode
	PN_WOULD_ANSWER, // passed, since something is in monitor mode
	PN_VERDICTS,
};

// name, metric label, what it means. One table, from which enum, strings and documentation come.
// clang-format off
#define PN_REASON_TABLE(row) \
	row(OFF, "off", "switched off: passes, nothing looked up") \
	row(NOT_IP, "not-ip", "ARP and all that is not IP: passes") \
	row(NOT_TCP, "not-tcp", "UDP, ICMP, ND and their fragments: passes") \
	row(OTHER_PORT, "other-port", "not to one of our ports: passes") \
	row(OTHER_ADDRESS, "other-address", "not to one of our addresses: passes") \
	row(MULTICAST, "multicast", "sent to a group MAC address: passes, the kernel ignores it") \
	row(MALFORMED, "malformed", "contradicts itself: passes, the kernel drops it") \
	row(FRAGMENT, "fragment", "fragment of a source not refused, or harmless without its first: passes") \
	row(LIMIT, "limit", "class limit, or no entry: passes") \
	row(ALLOW, "allow", "class allow: passes") \
	row(LISTED, "listed", "class drop: dropped") \
	row(FRAG_FIRST, "fragment-first", "first fragment to our port from a refused source: dropped") \
	row(FRAG_SHORT, "fragment-short", "first fragment without TCP flags from a refused source: dropped") \
	row(FRAG_ONE, "fragment-overlap", "fragment over the TCP flags from a refused source: dropped") \
	row(EXTHDR, "extension-headers", "more IPv6 extension headers than are walked: dropped if refused") \
	row(FLAGS, "flags", "refused source, TCP flags no answer is due to: dropped") \
	row(RESET, "reset", "refused source, RST: dropped") \
	row(STALE, "stale", "refused source, acknowledges nothing that we said: dropped") \
	row(SILENT, "silent", "refused source, bare acknowledgement: nothing to say") \
	row(WINDOW, "window", "refused source whose window cannot take the answer: dropped") \
	row(SOURCE_BUDGET, "source-budget", "this source got its share of answers: dropped") \
	row(CPU_BUDGET, "cpu-budget", "this CPU gave its share of answers: dropped") \
	row(MUTE, "mute", "interface on which we cannot answer (VLAN offload): dropped") \
	row(NO_ROOM, "no-room", "no room in the buffer for the answer: dropped") \
	row(SYN_ACK, "syn-ack", "refused source connects: SYN-ACK") \
	row(GREETING, "greeting", "dialog: 220") \
	row(GREETING_REFUSED, "greeting-refused", "refused in the greeting, FIN") \
	row(EHLO, "ehlo", "dialog: 250 and extensions") \
	row(OK, "ok", "dialog: 250") \
	row(REFUSED, "refused", "dialog: refused at RCPT, DATA or STARTTLS") \
	row(REFUSED_FIN, "refused-fin", "talks out of turn or for too long: refused, FIN") \
	row(BYE, "bye", "dialog: 221, FIN") \
	row(UNKNOWN, "unknown-command", "dialog: 502") \
	row(PARTIAL, "partial-line", "dialog: part of a line, acknowledged") \
	row(FINISH, "finish", "the source closes: FIN acknowledged with FIN")
// clang-format on

#define PN_REASON_ENUM(name, label, meaning) PN_R_##name,
enum pn_reason {
	PN_REASON_TABLE(PN_REASON_ENUM) PN_REASONS,
	PN_R_NONE = 255, // not decided yet
};
#undef PN_REASON_ENUM

// Packets are counted by list x family x reason x verdict, per CPU.
#define PN_FAMILIES 3u // not IP, IPv4, IPv6
#define PN_COUNTERS (PN_LISTS * PN_FAMILIES * PN_REASONS * PN_VERDICTS)

struct pn_count {
	uint64_t packets, bytes;
};

PN_INLINE uint32_t pn_counter(uint32_t list, uint8_t family, uint8_t reason, uint8_t verdict)
{
	uint32_t f = family == PN_IPV4 ? 1 : family == PN_IPV6 ? 2 : 0;

	return ((list * PN_FAMILIES + f) * PN_REASONS + reason) * PN_VERDICTS + verdict;
}

struct pn_decision {
	uint8_t verdict; // enum pn_verdict
	uint8_t reason;  // enum pn_reason; PN_R_NONE with PN_ANSWER: the dialog decides
};

PN_INLINE bool pn_our_port(const struct pn_settings *s, uint16_t port)
{
	bool ours = false;

	for (int i = 0; i < PN_PORTS; i++)
		ours |= i < s->ports_count && s->port[i] == port;
	return ours;
}

PN_INLINE bool pn_our_address(const struct pn_settings *s, const struct pn_addr *a)
{
	if (!s->addresses_count)
		return true;
	for (int i = 0; i < PN_ADDRESSES && i < s->addresses_count; i++)
		if (s->address[i].be64[0] == a->be64[0] && s->address[i].be64[1] == a->be64[1])
			return true;
	return false;
}

// Steps 1 and 2: does the source matter at all? PN_R_NONE: look it up and ask pn_decide(); else: pass, and why.
PN_INLINE uint8_t pn_irrelevant(const struct pn_packet *p, const struct pn_settings *s)
{
	if (s->mode == PN_OFF)
		return PN_R_OFF;
	switch (p->shape) {
	case PN_SHAPE_NOT_IP:
		return PN_R_NOT_IP;
	case PN_SHAPE_NOT_TCP:
		return PN_R_NOT_TCP;
	case PN_SHAPE_TCP:
	case PN_SHAPE_FRAG_FIRST:
		if (!pn_our_port(s, p->dest_port))
			return PN_R_OTHER_PORT;
		break;
	case PN_SHAPE_FRAG_SHORT:
	case PN_SHAPE_FRAG_ONE:
	case PN_SHAPE_EXTHDR:
		break;
	case PN_SHAPE_FRAG_LATER:
		return PN_R_FRAGMENT;
	default:
		return PN_R_MALFORMED;
	}
	if (!pn_our_address(s, &p->dest))
		return PN_R_OTHER_ADDRESS;
	return p->multicast ? PN_R_MULTICAST : PN_R_NONE;
}

// What is not a whole TCP segment is never answered: dropped from those who would be.
PN_INLINE uint8_t pn_odd_shape(uint8_t shape)
{
	switch (shape) {
	case PN_SHAPE_FRAG_FIRST:
		return PN_R_FRAG_FIRST;
	case PN_SHAPE_FRAG_SHORT:
		return PN_R_FRAG_SHORT;
	case PN_SHAPE_FRAG_ONE:
		return PN_R_FRAG_ONE;
	case PN_SHAPE_EXTHDR:
		return PN_R_EXTHDR;
	default:
		return PN_R_NONE;
	}
}

// Steps 4 to 6, for a packet that pn_irrelevant() let through, and the class of its source.
PN_INLINE struct pn_decision pn_decide(const struct pn_packet *p, const struct pn_settings *s, const struct pn_class *c)
{
	bool monitor = s->mode == PN_MONITOR || c->monitor;
	uint8_t odd = pn_odd_shape(p->shape);
	struct pn_decision d = {PN_PASS, PN_R_LIMIT};

	if (c->action == PN_ALLOW || c->action == PN_LIMIT) {
		d.reason = odd != PN_R_NONE ? PN_R_FRAGMENT : c->action == PN_ALLOW ? PN_R_ALLOW : PN_R_LIMIT;
		if (odd == PN_R_EXTHDR)
			d.reason = PN_R_EXTHDR;
		return d;
	}
	if (odd != PN_R_NONE || c->action == PN_DISCARD) {
		d.verdict = monitor ? PN_WOULD_DROP : PN_DROP;
		d.reason = odd != PN_R_NONE ? odd : PN_R_LISTED;
		return d;
	}
	// In monitor mode the source talks to the MTA, so nothing in its segments can be checked against what we
	// would have said: connections are counted by their SYN, all else as listed.
	d.verdict = monitor ? PN_WOULD_ANSWER : PN_ANSWER;
	d.reason = !monitor ? PN_R_NONE : (p->flags & (PN_SYN | PN_ACK)) == PN_SYN ? PN_R_SYN_ACK : PN_R_LISTED;
	return d;
}
