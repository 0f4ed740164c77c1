// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The parser: an Ethernet frame to the few facts that a verdict needs.
// IEEE 802.1Q/ad tags (two), IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293).
#pragma once

#include "addr.h"

#define PN_ETHER_LEN  14
#define PN_VLAN_TAGS  2
#define PN_EXTHDR_MAX 8 // extension headers walked; what hides behind more is `PN_SHAPE_EXTHDR`

enum pn_shape {
	PN_SHAPE_NOT_IP,     // ARP, LLDP, more VLAN tags than two
	PN_SHAPE_NOT_TCP,    // UDP, ICMP, IPv6 ND, and fragments of those
	PN_SHAPE_MALFORMED,  // a length that contradicts another; the kernel drops it
	PN_SHAPE_TCP,        // whole header seen; every field below is set
	PN_SHAPE_FRAG_FIRST, // fragment with ports; source_port and dest_port are set
	PN_SHAPE_FRAG_SHORT, // first fragment that ends before the TCP flags (RFC 1858, RFC 7112)
	PN_SHAPE_FRAG_ONE,   // TCP fragment at offset 8: would overwrite the flags (RFC 3128)
	PN_SHAPE_FRAG_LATER, // any other later fragment; harmless without its first
	PN_SHAPE_EXTHDR,     // headers go on past PN_EXTHDR_MAX extension headers, or past the first buffer
};

enum pn_tcp_flag {
	PN_FIN = 0x01,
	PN_SYN = 0x02,
	PN_RST = 0x04,
	PN_PSH = 0x08,
	PN_ACK = 0x10,
};

struct pn_packet {
	struct pn_addr source, dest;
	uint32_t seq, ack;               // host order
	uint16_t source_port, dest_port; // host order
	uint16_t window;                 // as sent: no scale, since our SYN-ACK offers none
	uint16_t l3;                     // offset of the IP header in the frame
	uint16_t payload;                // offset of the TCP payload
	uint16_t payload_len;            // by the IP header, not by the frame, which may be padded
	uint8_t flags;                   // enum pn_tcp_flag
	uint8_t family;                  // enum pn_family, 0 before IP was seen
	uint8_t shape;                   // enum pn_shape
	bool multicast;                  // to a group MAC address: never answered
};

// `end` may lie before the end of the frame, where a frame is spread over several buffers.
struct pn_cursor {
	const uint8_t *data, *end;
	uint32_t at, frame_len;
};

// The n octets at the cursor; NULL: they are not there, and pn_short() says what that means.
PN_INLINE const uint8_t *pn_need(const struct pn_cursor *c, uint32_t n)
{
	const uint8_t *octets = c->data + c->at;

	return octets + n <= c->end ? octets : NULL;
}

// Headers cut off by the first buffer (only a long run of extension headers on a large MTU can do that), or by
// the frame itself? Rejected: parsing a copy of such a frame; nobody but an attacker sends one.
PN_INLINE uint8_t pn_short(const struct pn_cursor *c)
{
	return (uint32_t)(c->end - c->data) < c->frame_len ? PN_SHAPE_EXTHDR : PN_SHAPE_MALFORMED;
}

// TCP header. `l4_len` is what the IP header says is there, so `at + l4_len` may be past `end`.
//
//	 0               2               4               8              12   13    14      16  18  20
//	| source port   | dest port     | sequence      | acknowledged | off | flags| window | …   |
PN_INLINE uint8_t pn_parse_tcp(struct pn_cursor *c, uint32_t l4_len, bool fragment, struct pn_packet *p)
{
	const uint8_t *t;
	uint32_t header;

	if (fragment && l4_len < 14)
		return PN_SHAPE_FRAG_SHORT;
	t = pn_need(c, fragment ? 14 : 20);
	if (!t)
		return pn_short(c);
	p->source_port = pn_be16(pn_load16(t));
	p->dest_port = pn_be16(pn_load16(t + 2));
	if (fragment)
		return PN_SHAPE_FRAG_FIRST;
	header = (uint32_t)(t[12] >> 4) * 4;
	if (header < 20 || header > l4_len)
		return PN_SHAPE_MALFORMED;
	p->seq = pn_be32(pn_load32(t + 4));
	p->ack = pn_be32(pn_load32(t + 8));
	p->flags = t[13];
	p->window = pn_be16(pn_load16(t + 14));
	p->payload = c->at + header;
	p->payload_len = l4_len - header;
	return PN_SHAPE_TCP;
}

// A later fragment of TCP, by its offset in units of eight octets.
PN_INLINE uint8_t pn_later_fragment(uint32_t offset)
{
	return offset == 1 ? PN_SHAPE_FRAG_ONE : PN_SHAPE_FRAG_LATER;
}

PN_INLINE uint8_t pn_parse_ipv4(struct pn_cursor *c, struct pn_packet *p)
{
	const uint8_t *ip = pn_need(c, 20);
	uint32_t header, total, fragment;

	if (!ip)
		return pn_short(c);
	header = (uint32_t)(ip[0] & 15) * 4;
	total = pn_be16(pn_load16(ip + 2));
	if (ip[0] >> 4 != 4 || header < 20 || total < header || p->l3 + total > c->frame_len)
		return PN_SHAPE_MALFORMED;
	p->family = PN_IPV4;
	p->source.be32[0] = pn_load32(ip + 12);
	p->dest.be32[0] = pn_load32(ip + 16);
	if (ip[9] != 6)
		return PN_SHAPE_NOT_TCP;
	fragment = pn_be16(pn_load16(ip + 6));
	if (fragment & 0x1fff)
		return pn_later_fragment(fragment & 0x1fff);
	c->at += header;
	return pn_parse_tcp(c, total - header, fragment & 0x2000, p);
}

// The extension headers in front of TCP that Linux walks, as {next header, length of this one}.
//
//	 0             1             2
//	| next header | length      | …      length in units of 8 octets beyond the first 8 (AH: of 4, beyond 8)
enum pn_next {
	PN_NEXT_HOP = 0,
	PN_NEXT_TCP = 6,
	PN_NEXT_ROUTING = 43,
	PN_NEXT_FRAGMENT = 44,
	PN_NEXT_AH = 51,
	PN_NEXT_DEST = 60,
};

PN_INLINE bool pn_is_exthdr(uint32_t next)
{
	return next == PN_NEXT_HOP || next == PN_NEXT_ROUTING || next == PN_NEXT_FRAGMENT || next == PN_NEXT_AH ||
	       next == PN_NEXT_DEST;
}

// A first fragment that ends inside its header chain is what RFC 7112 forbids, not a damaged packet.
PN_INLINE uint8_t pn_exthdr_short(const struct pn_cursor *c, bool fragment)
{
	uint8_t shape = pn_short(c);

	return fragment && shape == PN_SHAPE_MALFORMED ? PN_SHAPE_FRAG_SHORT : shape;
}

PN_INLINE uint8_t pn_parse_ipv6(struct pn_cursor *c, struct pn_packet *p)
{
	const uint8_t *ip = pn_need(c, 40);
	uint32_t next, payload, used = 0;
	bool fragment = false;

	if (!ip)
		return pn_short(c);
	payload = pn_be16(pn_load16(ip + 4));
	if (ip[0] >> 4 != 6 || p->l3 + 40 + payload > c->frame_len)
		return PN_SHAPE_MALFORMED;
	p->family = PN_IPV6;
	p->source.be64[0] = pn_load64(ip + 8);
	p->source.be64[1] = pn_load64(ip + 16);
	p->dest.be64[0] = pn_load64(ip + 24);
	p->dest.be64[1] = pn_load64(ip + 32);
	next = ip[6];
	c->at += 40;
	for (int i = 0; i < PN_EXTHDR_MAX && pn_is_exthdr(next); i++) {
		const uint8_t *h = pn_need(c, 8);
		uint32_t length, offset;

		if (used + 8 > payload)
			return fragment ? PN_SHAPE_FRAG_SHORT : PN_SHAPE_MALFORMED;
		if (!h)
			return pn_exthdr_short(c, fragment);
		length = next == PN_NEXT_FRAGMENT ? 8 : next == PN_NEXT_AH ? (h[1] + 2u) * 4 : (h[1] + 1u) * 8;
		if (next == PN_NEXT_FRAGMENT) {
			offset = pn_be16(pn_load16(h + 2)) >> 3;
			if (offset)
				return h[0] == PN_NEXT_TCP || pn_is_exthdr(h[0]) ? pn_later_fragment(offset)
										 : PN_SHAPE_NOT_TCP;
			fragment = true;
		}
		next = h[0];
		used += length;
		c->at += length;
	}
	if (pn_is_exthdr(next))
		return PN_SHAPE_EXTHDR;
	if (next != PN_NEXT_TCP)
		return PN_SHAPE_NOT_TCP;
	if (used > payload)
		return fragment ? PN_SHAPE_FRAG_SHORT : PN_SHAPE_MALFORMED;
	return pn_parse_tcp(c, payload - used, fragment, p);
}

PN_INLINE uint8_t pn_parse_ether(struct pn_cursor *c, struct pn_packet *p)
{
	const uint8_t *h = pn_need(c, PN_ETHER_LEN);
	uint16_t type;

	if (!h)
		return pn_short(c);
	p->multicast = h[0] & 1;
	type = pn_be16(pn_load16(h + 12));
	c->at += PN_ETHER_LEN;
	for (int i = 0; i < PN_VLAN_TAGS && (type == 0x8100 || type == 0x88a8); i++) {
		h = pn_need(c, 4);
		if (!h)
			return pn_short(c);
		type = pn_be16(pn_load16(h + 2));
		c->at += 4;
	}
	p->l3 = c->at;
	if (type == 0x0800)
		return pn_parse_ipv4(c, p);
	if (type == 0x86dd)
		return pn_parse_ipv6(c, p);
	return PN_SHAPE_NOT_IP;
}

// Parses the frame at `data`, of which the octets before `end` can be read, and which is `frame_len` long in all.
// Fills *p; never reads past `end`; p->shape says what is set.
PN_INLINE void pn_parse(const uint8_t *data, const uint8_t *end, uint32_t frame_len, struct pn_packet *p)
{
	struct pn_cursor c = {data, end, 0, frame_len};

	pn_memset(p, 0, sizeof(*p));
	p->shape = pn_parse_ether(&c, p);
	if (p->shape == PN_SHAPE_EXTHDR && !p->family)
		p->shape = PN_SHAPE_MALFORMED;
}
