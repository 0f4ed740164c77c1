// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Addresses of both families, and their text as RFC 5952 and dotted quad.
#pragma once

#include "base.h"

enum pn_family {
	PN_IPV4 = 4,
	PN_IPV6 = 6,
};

// Network byte order. An IPv4 address is in the first four octets, the rest is zero.
struct pn_addr {
	union {
		uint8_t octet[16];
		uint32_t be32[4];
		uint64_t be64[2];
	};
};

#define PN_ADDR_TEXT_MAX 39 // "ffff:ffff:…", without a final NUL

// Text in the making. The length lives in memory and every index is masked: so the verifier forgets which way a
// text took to its length (it would follow each), and still sees each store in bounds.
#define PN_TEXT_ROOM  2048u // twice what may be written: stores are whole words
#define PN_TEXT_LIMIT 1024u

struct pn_buffer {
	uint64_t length;
	uint8_t octet[PN_TEXT_ROOM];
};

PN_INLINE void pn_put_octet(struct pn_buffer *out, uint8_t octet)
{
	out->octet[out->length & (PN_TEXT_LIMIT - 1)] = octet;
	out->length++;
}

PN_INLINE void pn_put_decimal(struct pn_buffer *out, uint32_t v)
{
	if (v >= 100)
		pn_put_octet(out, '0' + v / 100);
	if (v >= 10)
		pn_put_octet(out, '0' + v / 10 % 10);
	pn_put_octet(out, '0' + v % 10);
}

PN_INLINE void pn_put_hex(struct pn_buffer *out, uint32_t v)
{
	bool started = false;

	for (int shift = 12; shift >= 0; shift -= 4) {
		uint32_t digit = v >> shift & 15;

		started |= digit != 0 || shift == 0;
		if (started)
			pn_put_octet(out, digit < 10 ? '0' + digit : 'a' + digit - 10);
	}
}

PN_INLINE uint32_t pn_group(const struct pn_addr *a, uint32_t i)
{
	return (uint32_t)a->octet[2 * i] << 8 | a->octet[2 * i + 1];
}

// The longest run of two or more zero groups, the first of equals (RFC 5952 section 4.2.3); 8: there is none.
PN_INLINE uint32_t pn_zero_run(const struct pn_addr *a, uint32_t *length)
{
	uint32_t zero = 0, runs;

	for (uint32_t i = 0; i < 8; i++)
		zero |= ((pn_group(a, i) - 1) >> 31) << i;
	// Bit i of `runs`: a run of *length groups begins at group i.
	runs = zero & zero >> 1;
	for (*length = 2; *length < 8 && runs & zero >> *length; ++*length)
		runs &= zero >> *length;
	for (uint32_t i = 0; i < 8; i++)
		if (runs >> i & 1)
			return i;
	return 8;
}

PN_INLINE void pn_put_ipv6(struct pn_buffer *out, const struct pn_addr *a)
{
	uint32_t length = 0, run = pn_zero_run(a, &length);

	for (uint32_t i = 0; i < 8; i++) {
		if (i > run && i < run + length)
			continue;
		if (i || run == 0)
			pn_put_octet(out, ':');
		if (i != run)
			pn_put_hex(out, pn_group(a, i));
	}
	if (run + length == 8)
		pn_put_octet(out, ':');
}

// Appends the address: dotted quad, or RFC 5952.
PN_SUBPROG void pn_put_addr(struct pn_buffer *out, const struct pn_addr *a, uint32_t family)
{
	if (family != PN_IPV4) {
		pn_put_ipv6(out, a);
		return;
	}
	for (uint32_t i = 0; i < 4; i++) {
		if (i)
			pn_put_octet(out, '.');
		pn_put_decimal(out, a->octet[i]);
	}
}
