// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The refusal as a dialog without memory: what to say to one segment of a refused source.
//
// Each segment tells where the dialog stands: its acknowledgement number minus our initial sequence number, which
// is a keyed hash of the connection, is how much we have said. So an answer is made of the segment alone, and a
// retransmission gets the same answer again. Not here: looking up, counting, budgets, building the frame.
#pragma once

#include "siphash.h"
#include "verdict.h"

// An epoch of the clock in which one initial sequence number holds: 2^40 ns, some 18 minutes; each number is
// accepted for one to two of them, since a client may wait five minutes between commands (RFC 5321 section
// 4.5.3.2). Taken from the clock rather than stored: nothing to rotate, and right while posternd is down.
#define PN_EPOCH_SHIFT 40
#define PN_RANGE       65536u            // as much as we ever say in one dialog
#define PN_LAST        (PN_RANGE - 1024) // from here on each answer also ends the dialog
#define PN_SEGMENT_MAX 1536u             // more payload than this in one segment is not a command

// What goes into the answer, besides the headers.
struct pn_say {
	uint8_t reason; // enum pn_reason; one without an answer is a drop
	bool answer;
	uint8_t flags;    // enum pn_tcp_flag of the answer
	bool greet;       // begins with the 220 line
	uint8_t text;     // enum pn_text, PN_TEXTS: none
	bool refusal;     // the refusal line
	bool at_greeting; // with the code for greetings
};

// Initial sequence number of the connection in an epoch.
PN_INLINE uint32_t pn_isn(const struct pn_packet *p, const uint64_t secret[2], uint64_t epoch)
{
	uint64_t ports = (uint64_t)p->source_port << 48 | (uint64_t)p->dest_port << 32 | (uint32_t)epoch;

	if (p->family == PN_IPV4) {
		uint64_t word[2] = {(uint64_t)p->source.be32[0] << 32 | p->dest.be32[0], ports};

		return (uint32_t)pn_siphash(secret, word, 2);
	}
	uint64_t word[5] = {p->source.be64[0], p->source.be64[1], p->dest.be64[0], p->dest.be64[1], ports};

	return (uint32_t)pn_siphash(secret, word, 5);
}

// How much we have said, as this segment knows; PN_RANGE if it cannot be one of ours.
PN_INLINE uint32_t pn_position(const struct pn_packet *p, const uint64_t secret[2], uint64_t now_ns)
{
	uint64_t epoch = now_ns >> PN_EPOCH_SHIFT;
	uint32_t said = p->ack - 1 - pn_isn(p, secret, epoch);

	if (said < PN_RANGE)
		return said;
	said = p->ack - 1 - pn_isn(p, secret, epoch - 1);
	return said < PN_RANGE ? said : PN_RANGE;
}

#define PN_VERB(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

struct pn_verb {
	uint32_t verb;
	uint8_t reason;
	uint8_t text;
};

// What each command is answered. STARTTLS: a sender that must have TLS bounces with our text, and an
// opportunistic one goes on in clear, where a missing offer would make the first one queue for days.
// DATA and BDAT come after a refused RCPT only from those who did not read the answer: they get it again.
static const struct pn_verb pn_verbs[] = {
	{PN_VERB('E', 'H', 'L', 'O'), PN_R_EHLO, PN_TEXT_EHLO},
	{PN_VERB('H', 'E', 'L', 'O'), PN_R_OK, PN_TEXT_OK},
	{PN_VERB('M', 'A', 'I', 'L'), PN_R_OK, PN_TEXT_OK},
	{PN_VERB('R', 'C', 'P', 'T'), PN_R_REFUSED, PN_TEXTS},
	{PN_VERB('D', 'A', 'T', 'A'), PN_R_REFUSED, PN_TEXTS},
	{PN_VERB('B', 'D', 'A', 'T'), PN_R_REFUSED, PN_TEXTS},
	{PN_VERB('S', 'T', 'A', 'R'), PN_R_REFUSED, PN_TEXTS},
	{PN_VERB('R', 'S', 'E', 'T'), PN_R_OK, PN_TEXT_OK},
	{PN_VERB('N', 'O', 'O', 'P'), PN_R_OK, PN_TEXT_OK},
	{PN_VERB('Q', 'U', 'I', 'T'), PN_R_BYE, PN_TEXT_BYE},
	{PN_VERB('V', 'R', 'F', 'Y'), PN_R_UNKNOWN, PN_TEXT_UNKNOWN},
	{PN_VERB('E', 'X', 'P', 'N'), PN_R_UNKNOWN, PN_TEXT_UNKNOWN},
	{PN_VERB('H', 'E', 'L', 'P'), PN_R_UNKNOWN, PN_TEXT_UNKNOWN},
	{PN_VERB('A', 'U', 'T', 'H'), PN_R_UNKNOWN, PN_TEXT_UNKNOWN},
	{PN_VERB('E', 'T', 'R', 'N'), PN_R_UNKNOWN, PN_TEXT_UNKNOWN},
	{PN_VERB('T', 'U', 'R', 'N'), PN_R_UNKNOWN, PN_TEXT_UNKNOWN},
};

#define PN_VERB_COUNT (sizeof(pn_verbs) / sizeof(pn_verbs[0]))

// Is there a line feed before the last octet? Then this is more than one command. Eight octets at a time.
PN_SUBPROG uint32_t pn_has_inner_lf(const uint8_t *payload, uint32_t length)
{
	uint64_t seen = 0;

	for (uint32_t i = 0; i < PN_SEGMENT_MAX; i += 8) {
		int32_t rest = (int32_t)length - 1 - (int32_t)i;
		uint64_t octets, zero;

		if (rest <= 0)
			break;
		octets = pn_load64(payload + i);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
		octets = pn_be64(__builtin_bswap64(octets));
#endif
		octets ^= 0x0a0a0a0a0a0a0a0aull;
		if (rest < 8)
			octets |= ~0ull << (rest * 8 & 63);
		zero = (octets - 0x0101010101010101ull) & ~octets & 0x8080808080808080ull;
		seen |= zero;
	}
	return seen != 0;
}

// One whole command. What is no command at all gets the refusal: it is the rest of a line that began in an
// earlier segment (a 502 would hide the reason from its user), or no mail server.
PN_INLINE void pn_answer_command(const uint8_t *line, struct pn_say *say)
{
	uint32_t verb = pn_be32(pn_load32(line)) & 0xdfdfdfdf;
	uint8_t next = line[4];

	say->reason = PN_R_REFUSED;
	if (next == ' ' || next == '\r' || next == '\n' || verb == PN_VERB('S', 'T', 'A', 'R')) {
		for (unsigned i = 0; i < PN_VERB_COUNT; i++) {
			if (pn_verbs[i].verb == verb) {
				say->reason = pn_verbs[i].reason;
				say->text = pn_verbs[i].text;
			}
		}
	}
	say->refusal = say->reason == PN_R_REFUSED;
	if (say->reason == PN_R_BYE)
		say->flags |= PN_FIN;
}

// A segment with payload, the dialog standing at `said`, in the form that refuses at RCPT.
// `line` holds the payload, with at least eight octets of zero after it.
PN_INLINE void pn_answer_payload(const struct pn_packet *p, const uint8_t *line, uint32_t said, struct pn_say *say)
{
	uint32_t length = p->payload_len;
	bool whole = length <= PN_SEGMENT_MAX && line[(length - 1) & 2047] == '\n';

	say->flags = PN_ACK | PN_PSH;
	say->text = PN_TEXTS;
	say->greet = said == 0;
	if (length > PN_SEGMENT_MAX || said == 0 || pn_has_inner_lf(line, length)) {
		say->reason = PN_R_REFUSED_FIN;
		say->refusal = true;
		say->flags |= PN_FIN;
	} else if (whole) {
		pn_answer_command(line, say);
	} else {
		say->reason = PN_R_PARTIAL;
		say->flags = PN_ACK;
	}
	if (said >= PN_LAST || p->flags & PN_FIN)
		say->flags |= PN_FIN;
}

// A genuine segment of a dialog that refuses in the greeting: one line, FIN, and nothing more to say.
PN_INLINE void pn_answer_greeting(const struct pn_packet *p, uint32_t said, struct pn_say *say)
{
	if (said == 0) {
		*say = (struct pn_say){
			PN_R_GREETING_REFUSED, true, PN_ACK | PN_PSH | PN_FIN, false, PN_TEXTS, true, true};
		return;
	}
	say->reason = PN_R_FINISH;
	say->answer = p->payload_len || p->flags & PN_FIN;
	say->flags = PN_ACK | PN_FIN;
	if (!say->answer)
		say->reason = PN_R_SILENT;
}

// What to say to segment *p of a source of class *c; `line` is its payload (see pn_answer_payload()).
PN_INLINE void pn_dialog(const struct pn_packet *p, const uint8_t *line, const struct pn_class *c,
			 const uint64_t secret[2], uint64_t now_ns, struct pn_say *say)
{
	uint8_t kind = p->flags & (PN_FIN | PN_SYN | PN_RST | PN_ACK);
	uint32_t said;

	*say = (struct pn_say){PN_R_FLAGS, false, 0, false, PN_TEXTS, false, false};
	if (kind == PN_SYN) {
		say->reason = PN_R_SYN_ACK;
		say->answer = true;
		say->flags = PN_SYN | PN_ACK;
		return;
	}
	if (kind & PN_RST) {
		say->reason = PN_R_RESET;
		return;
	}
	if (kind & PN_SYN || !(kind & PN_ACK))
		return;
	said = pn_position(p, secret, now_ns);
	if (said == PN_RANGE) {
		say->reason = PN_R_STALE;
		return;
	}
	if (c->at == PN_AT_GREETING) {
		pn_answer_greeting(p, said, say);
		return;
	}
	say->answer = true;
	if (p->payload_len) {
		pn_answer_payload(p, line, said, say);
	} else if (kind & PN_FIN) {
		say->reason = PN_R_FINISH;
		say->flags = PN_ACK | PN_FIN;
	} else if (said == 0) {
		say->reason = PN_R_GREETING;
		say->flags = PN_ACK | PN_PSH;
		say->text = PN_TEXT_GREETING;
	} else {
		say->reason = PN_R_SILENT;
		say->answer = false;
	}
}
