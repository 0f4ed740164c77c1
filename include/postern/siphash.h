// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SipHash-2-4 over whole 64-bit words (Aumasson and Bernstein, 2012), and the sequence number made of it.
#pragma once

#include "base.h"

struct pn_sip {
	uint64_t v0, v1, v2, v3;
};

#define PN_ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))

PN_INLINE void pn_sip_round(struct pn_sip *s)
{
	s->v0 += s->v1;
	s->v1 = PN_ROTL(s->v1, 13) ^ s->v0;
	s->v0 = PN_ROTL(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = PN_ROTL(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = PN_ROTL(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = PN_ROTL(s->v1, 17) ^ s->v2;
	s->v2 = PN_ROTL(s->v2, 32);
}

PN_INLINE void pn_sip_word(struct pn_sip *s, uint64_t m)
{
	s->v3 ^= m;
	pn_sip_round(s);
	pn_sip_round(s);
	s->v0 ^= m;
}

// Words are taken in host order; the result is only ever compared on the machine that made it.
// The length octet of the paper's last block is kept, so that the reference vectors hold.
PN_INLINE uint64_t pn_siphash(const uint64_t key[2], const uint64_t *word, unsigned words)
{
	struct pn_sip s = {
		key[0] ^ 0x736f6d6570736575ull,
		key[1] ^ 0x646f72616e646f6dull,
		key[0] ^ 0x6c7967656e657261ull,
		key[1] ^ 0x7465646279746573ull,
	};

	for (unsigned i = 0; i < words; i++)
		pn_sip_word(&s, word[i]);
	pn_sip_word(&s, (uint64_t)(words * 8) << 56);
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		pn_sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
