// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Builds the frame that answers: the same octets on every host, since this is the only code that writes them.
#pragma once

#include "dialog.h"

#define PN_FRAME_MAX PN_TEXT_LIMIT // 14 + 2 x 4 + 40 + 20 + 220 line + refusal < 850
#define PN_FRAME_MIN 60u           // of Ethernet, without checksum
#define PN_MSS       1220u         // IPv6's smallest MTU less 60: needs no path MTU, and holds any command
#define PN_WINDOW    4096u
#define PN_HOPS      64

// Appends n octets, at most PN_TEXT_MAX, in words: up to seven octets beyond are read and overwritten.
PN_SUBPROG void pn_put(struct pn_buffer *out, const uint8_t *from, uint32_t n)
{
	for (uint32_t i = 0; i < PN_TEXT_MAX; i += 8) {
		if (i >= n)
			break;
		pn_store64(out->octet + ((out->length + i) & (PN_TEXT_LIMIT - 1)), pn_load64(from + i));
	}
	out->length += n;
}

// Gregorian calendar of a count of days since 1970-01-01, as eight digits (Hinnant's civil_from_days).
PN_SUBPROG void pn_put_date(struct pn_buffer *out, uint32_t days)
{
	uint32_t z = days + 719468, era = z / 146097, doe = z % 146097;
	uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
	uint32_t month = mp < 10 ? mp + 3 : mp - 9;
	uint32_t v = (yoe + era * 400 + (month <= 2)) * 10000 + month * 100 + doy - (153 * mp + 2) / 5 + 1;

	for (uint32_t i = 8; i-- > 0; v /= 10)
		out->octet[(out->length + i) & (PN_TEXT_LIMIT - 1)] = '0' + v % 10;
	out->length += 8;
}

// One's complement sum of n octets, which are followed by zeros; n at most PN_FRAME_MAX.
PN_SUBPROG uint64_t pn_sum(const uint8_t *data, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < PN_FRAME_MAX; i += 8) {
		uint64_t octets;

		if (i >= n)
			break;
		octets = pn_load64(data + i);
		sum += (octets & 0xffffffff) + (octets >> 32);
	}
	return sum;
}

PN_INLINE uint16_t pn_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

// "550 5.7.1 …: Mail refused - 192.0.2.7 - see https://…#spam - 20261121" CRLF
PN_INLINE void pn_put_refusal(struct pn_buffer *out, const struct pn_packet *p, const struct pn_class *c,
			      bool at_greeting, uint32_t day)
{
	pn_store32(out->octet + (out->length & (PN_TEXT_LIMIT - 1)),
		   pn_load32(at_greeting ? c->greeting_code : c->rcpt_code));
	out->length += 4;
	pn_put(out, c->head, c->head_len);
	pn_put_addr(out, &p->source, p->family);
	pn_put(out, c->tail, c->tail_len);
	pn_put_date(out, PN_DAY_ZERO + day);
	pn_put_octet(out, '\r');
	pn_put_octet(out, '\n');
}

// Ethernet header and tags as received, the two addresses exchanged. `in`: the first l3 octets of the frame.
PN_INLINE void pn_put_ether(uint8_t *frame, const uint8_t *in, uint32_t l3)
{
	pn_store32(frame, pn_load32(in + 6));
	pn_store16(frame + 4, pn_load16(in + 10));
	pn_store32(frame + 6, pn_load32(in));
	pn_store16(frame + 10, pn_load16(in + 4));
	pn_store16(frame + 12, pn_load16(in + 12));
	for (uint32_t at = PN_ETHER_LEN; at < PN_ETHER_LEN + 4 * PN_VLAN_TAGS; at += 4)
		if (at < l3)
			pn_store32(frame + at, pn_load32(in + at));
}

// IP header at `ip` for l4_len octets of TCP; returns the unfolded sum of the pseudo header.
PN_INLINE uint64_t pn_put_ip(uint8_t *ip, const struct pn_packet *p, uint32_t l4_len)
{
	uint64_t sum = 0;

	if (p->family == PN_IPV4) {
		pn_store32(ip, pn_be32(0x45000000u | (20 + l4_len)));
		pn_store32(ip + 4, pn_be32(0x00004000u)); // no identification, do not fragment (RFC 6864)
		pn_store32(ip + 8, pn_be32((uint32_t)PN_HOPS << 24 | 6u << 16));
		pn_store32(ip + 12, p->dest.be32[0]);
		pn_store32(ip + 16, p->source.be32[0]);
		for (int i = 0; i < 20; i += 4)
			sum += pn_load32(ip + i);
		pn_store16(ip + 10, pn_fold(sum));
		return (uint64_t)p->dest.be32[0] + p->source.be32[0] + pn_be32(6u << 16 | l4_len);
	}
	pn_store32(ip, pn_be32(0x60000000u));
	pn_store32(ip + 4, pn_be32(l4_len << 16 | 6u << 8 | PN_HOPS));
	pn_store64(ip + 8, p->dest.be64[0]);
	pn_store64(ip + 16, p->dest.be64[1]);
	pn_store64(ip + 24, p->source.be64[0]);
	pn_store64(ip + 32, p->source.be64[1]);
	for (int i = 0; i < 4; i++)
		sum += (uint64_t)p->source.be32[i] + p->dest.be32[i];
	return sum + pn_be32(l4_len) + pn_be32(6);
}

// TCP header without checksum: our sequence number is what the segment acknowledges, ours acknowledges all of it.
PN_INLINE void pn_put_tcp(uint8_t *tcp, const struct pn_packet *p, const struct pn_say *say, uint32_t seq)
{
	bool syn = say->flags & PN_SYN;
	uint32_t ack = p->seq + (syn ? 1 : p->payload_len + (p->flags & PN_FIN ? 1 : 0));

	pn_store32(tcp, pn_be32((uint32_t)p->dest_port << 16 | p->source_port));
	pn_store32(tcp + 4, pn_be32(seq));
	pn_store32(tcp + 8, pn_be32(ack));
	pn_store32(tcp + 12, pn_be32((syn ? 6u : 5u) << 28 | (uint32_t)say->flags << 16 | PN_WINDOW));
	pn_store32(tcp + 16, 0);
	if (syn)
		pn_store32(tcp + 20, pn_be32(2u << 24 | 4u << 16 | PN_MSS));
}

PN_INLINE void pn_put_text(struct pn_buffer *out, const struct pn_packet *p, const struct pn_settings *s,
			   const struct pn_class *c, const struct pn_say *say, uint32_t day)
{
	if (say->greet)
		pn_put(out, s->text[PN_TEXT_GREETING].octet, s->text[PN_TEXT_GREETING].length);
	if (say->text < PN_TEXTS)
		pn_put(out, s->text[say->text].octet, s->text[say->text].length);
	if (say->refusal)
		pn_put_refusal(out, p, c, say->at_greeting, day);
}

// Builds the answer `say` to *p, whose first p->l3 octets are at `in`, into *out.
// Returns its length; 0, and say->reason, if the window of the source does not hold it: data sent all the same
// would be acknowledged by a closed window, which we would answer, for ever.
PN_INLINE uint32_t pn_answer(const struct pn_packet *p, const uint8_t *in, const struct pn_settings *s,
			     const struct pn_class *c, struct pn_say *say, uint32_t day, uint64_t now_ns,
			     struct pn_buffer *out)
{
	uint32_t l3 = p->l3 & 31, l4 = l3 + (p->family == PN_IPV4 ? 20 : 40);
	bool syn = say->flags & PN_SYN;
	uint32_t start = l4 + (syn ? 24 : 20), end;
	uint32_t seq = syn ? pn_isn(p, s->secret, now_ns >> PN_EPOCH_SHIFT) : p->ack;
	uint64_t sum;

	out->length = start;
	pn_put_text(out, p, s, c, say, day);
	end = out->length & (PN_FRAME_MAX - 1);
	if (end - start > p->window) {
		say->reason = PN_R_WINDOW;
		return 0;
	}
	pn_put_ether(out->octet, in, l3);
	sum = pn_put_ip(out->octet + l3, p, end - l4);
	pn_put_tcp(out->octet + l4, p, say, seq);
	pn_store64(out->octet + end, 0);
	sum += pn_sum(out->octet + l4, end - l4);
	pn_store16(out->octet + l4 + 16, pn_fold(sum));
	return end < PN_FRAME_MIN ? PN_FRAME_MIN : end; // 54 at least, so the padding is among the zeros just stored
}
