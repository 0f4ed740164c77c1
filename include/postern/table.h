// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The class table: source address -> word. One array of 64-octet cells (one cache line each) that holds
// everything, so that one map, one mmap and one pointer swap serve BPF, DPDK and posternd alike.
//
//	cell 0      header: magic, version, generation, hash seeds, default word, which list of lengths is in use
//	cell 1      where each region begins and how many cells it has
//	cell 2..5   IPv6 prefix lengths in use, longest first; two lists of 128, one of them in use
//	bitmap      one bit a /24 of IPv4: is anything listed in or over it?           (2 MiB: stays in L2)
//	wide        one word a /16 of IPv4: prefixes /1../16
//	hosts       buckets of 8 x {address, word}: IPv4 /25../32, expanded to hosts
//	nets        buckets of 8 x {address >> 8, word}: IPv4 /17../24, expanded to /24s
//	nets6       buckets of 4 x {first 64 bits, word, length}: IPv6 up to /64
//	hosts6      buckets of 2 x {128 bits, word, length}: IPv6 /65../128
//
// A key's buckets are a sequence of up to PN_PROBES cells; a cell whose overflow bit is set has sent keys on to
// its successor in their sequences. Rejected: moving entries between two choices (cuckoo), since a reader that
// has scanned one choice and then scans the other misses an entry that moved meanwhile.
//
// Writers (posternd alone): an entry is stored before its bit in the bitmap is set, the overflow bit before the
// entry behind it; an entry never moves; IPv4 entries are single 64-bit stores; IPv6 ones are key, then word, and
// a slot is used again only after all readers that could have seen its old key are gone.
// Readers take no lock: each field is loaded once.
#pragma once

#include "addr.h"

#define PN_TABLE_MAGIC   0x506e5462u // "PnTb"
#define PN_TABLE_VERSION 1u          // bump on any change of layout, hash or word: pins of another version are replaced
#define PN_PROBES        8u
#define PN_HEADER_CELLS  6u
#define PN_BITMAP_CELLS  (1u << 15) // 2^24 bits
#define PN_WIDE_CELLS    (1u << 12) // 2^16 words

// The word: what an entry says. 0 is "no entry".
//
//	 31         30          18 17     10 9        0
//	| overflow | day           | list   | class     |
//
// class: index into the installed classes, 1..1023; class 0 is the default class, for those without entry.
// list: index of the list that put it there, for counters and explain. day: of the listing, since 2024-01-01.
#define PN_CLASSES  1024u
#define PN_LISTS    256u
#define PN_DAYS     8192u
#define PN_DAY_ZERO 19723u // 2024-01-01 in days since 1970-01-01
#define PN_OVERFLOW 0x80000000u

PN_INLINE uint32_t pn_word(uint32_t class_id, uint32_t list, uint32_t day)
{
	return (day & (PN_DAYS - 1)) << 18 | (list & (PN_LISTS - 1)) << 10 | (class_id & (PN_CLASSES - 1));
}

PN_INLINE uint32_t pn_word_class(uint32_t word)
{
	return word & (PN_CLASSES - 1);
}

PN_INLINE uint32_t pn_word_list(uint32_t word)
{
	return word >> 10 & (PN_LISTS - 1);
}

PN_INLINE uint32_t pn_word_day(uint32_t word)
{
	return word >> 18 & (PN_DAYS - 1);
}

enum pn_region_id {
	PN_BITMAP,
	PN_WIDE,
	PN_HOSTS,
	PN_NETS,
	PN_NETS6,
	PN_HOSTS6,
	PN_REGIONS,
};

struct pn_region {
	uint32_t first; // cell
	uint32_t cells; // not a power of two: see pn_bucket()
};

struct pn_table_header {
	uint32_t magic, version;
	uint64_t generation;   // of whole tables; grows by one at each swap
	uint64_t seed[2];      // of the bucket hashes
	uint32_t default_word; // of IPv4 0.0.0.0/0, or 0
	uint32_t lengths_active;
	uint32_t lengths_count[2];
	uint32_t spare[4];
};

struct pn_slot6 {
	uint64_t prefix; // host order, first 64 bits
	uint32_t word;
	uint32_t length; // 1..64; slot 0 of a cell also holds PN_OVERFLOW
};

struct pn_slot128 {
	uint64_t high, low; // host order
	uint32_t word;
	uint32_t length; // 65..128; slot 0 of a cell also holds PN_OVERFLOW
};

union pn_cell {
	struct pn_table_header header;
	struct pn_region region[8];
	uint8_t length[64];
	uint64_t bit[8];
	uint32_t word[16];
	uint64_t slot[8]; // word << 32 | key; the overflow bit is that of slot 0's word
	struct pn_slot6 slot6[4];
	struct pn_slot128 slot128[2];
};

_Static_assert(sizeof(struct pn_table_header) == 64, "the header is one cell");
_Static_assert(sizeof(struct pn_slot6) == 16 && sizeof(struct pn_slot128) == 24, "slots have no holes");
_Static_assert(sizeof(union pn_cell) == 64, "a cell is one cache line");
_Static_assert(PN_REGIONS <= 8, "regions fit one cell");

// Provided by the host: cell i of the table, NULL where there is none.
struct pn_table;
PN_INLINE const union pn_cell *pn_cell(const struct pn_table *table, uint32_t i);

#define pn_volatile32(p) (*(const volatile uint32_t *)(p))
#define pn_volatile64(p) (*(const volatile uint64_t *)(p))

// 64-bit finaliser of murmur3 over key and seed: with an unknown seed nobody can choose addresses that collide.
PN_INLINE uint64_t pn_hash(uint64_t key, uint64_t seed)
{
	key ^= seed;
	key ^= key >> 33;
	key *= 0xff51afd7ed558ccdull;
	key ^= key >> 33;
	key *= 0xc4ceb9fe1a85ec53ull;
	key ^= key >> 33;
	return key;
}

PN_INLINE uint64_t pn_hash128(uint64_t high, uint64_t low, uint32_t length, const uint64_t seed[2])
{
	return pn_hash(pn_hash(high ^ (uint64_t)length << 57, seed[0]) ^ low, seed[1]);
}

// The n-th cell of a key's sequence: double hashing, scaled to the region by multiplication, so that a table
// can have any size.
PN_INLINE uint32_t pn_bucket(uint64_t hash, uint32_t n, const struct pn_region *r)
{
	uint32_t h = (uint32_t)hash + n * ((uint32_t)(hash >> 32) | 1);

	return r->first + (uint32_t)(((uint64_t)h * r->cells) >> 32);
}

// All ones if a == b, else 0, without a branch: on random keys a branch is mispredicted half of the time,
// which costs more than the cache miss (176 ns a packet against 150 at 100,000 entries, kernel 6.18).
PN_INLINE uint64_t pn_equal32(uint32_t a, uint32_t b)
{
	uint64_t d = a ^ b;

	pn_hide(d);
	return 0 - ((d - 1) >> 63);
}

// Word of `key` in one cell of eight, overflow bit removed; 0 if it is not there.
PN_INLINE uint32_t pn_cell_find(const union pn_cell *cell, uint32_t key, uint32_t *first_word)
{
	uint64_t found = 0, slot;

	for (int i = 0; i < 8; i++) {
		slot = pn_volatile64(&cell->slot[i]);
		if (i == 0) {
			*first_word = (uint32_t)(slot >> 32);
			slot &= ~((uint64_t)PN_OVERFLOW << 32);
		}
		found |= slot & pn_equal32((uint32_t)slot, key);
	}
	return (uint32_t)(found >> 32);
}

PN_INLINE uint32_t pn_find32(const struct pn_table *table, const struct pn_region *r, uint64_t seed, uint32_t key)
{
	uint64_t hash = pn_hash(key, seed);

	for (uint32_t n = 0; n < PN_PROBES; n++) {
		const union pn_cell *cell = pn_cell(table, pn_bucket(hash, n, r));
		uint32_t first_word = 0, word;

		if (!cell)
			return 0;
		word = pn_cell_find(cell, key, &first_word);
		if (word || !(first_word & PN_OVERFLOW))
			return word;
	}
	return 0;
}

// IPv4, host order -> word; 0: no entry.
PN_INLINE uint32_t pn_lookup4(const struct pn_table *table, uint32_t address)
{
	const union pn_cell *head = pn_cell(table, 0), *regions = pn_cell(table, 1), *cell;
	uint32_t word, net = address >> 8;

	if (!head || !regions)
		return 0;
	cell = pn_cell(table, regions->region[PN_BITMAP].first + (net >> 9));
	if (!cell || !(pn_volatile64(&cell->bit[net >> 6 & 7]) >> (net & 63) & 1))
		return pn_volatile32(&head->header.default_word);
	word = pn_find32(table, &regions->region[PN_HOSTS], head->header.seed[0], address);
	if (word)
		return word;
	word = pn_find32(table, &regions->region[PN_NETS], head->header.seed[1], net);
	if (word)
		return word;
	cell = pn_cell(table, regions->region[PN_WIDE].first + (address >> 20));
	word = cell ? pn_volatile32(&cell->word[address >> 16 & 15]) : 0;
	return word ? word : pn_volatile32(&head->header.default_word);
}

PN_INLINE uint64_t pn_mask64(uint32_t bits)
{
	return bits >= 64 ? ~0ull : ~(~0ull >> bits);
}

PN_INLINE uint32_t pn_find6(const struct pn_table *table, const struct pn_region *r, const uint64_t seed[2],
			    uint64_t prefix, uint32_t length)
{
	uint64_t hash = pn_hash128(prefix, 0, length, seed);

	for (uint32_t n = 0; n < PN_PROBES; n++) {
		const union pn_cell *cell = pn_cell(table, pn_bucket(hash, n, r));

		if (!cell)
			return 0;
		for (int i = 0; i < 4; i++) {
			const struct pn_slot6 *s = &cell->slot6[i];
			uint32_t word = pn_volatile32(&s->word);

			// Loading the word before the key is safe too: a slot changes its key only while no reader is
			// in it.
			if (word && pn_volatile64(&s->prefix) == prefix &&
			    (pn_volatile32(&s->length) & ~PN_OVERFLOW) == length)
				return word;
		}
		if (!(pn_volatile32(&cell->slot6[0].length) & PN_OVERFLOW))
			return 0;
	}
	return 0;
}

PN_INLINE uint32_t pn_find128(const struct pn_table *table, const struct pn_region *r, const uint64_t seed[2],
			      uint64_t high, uint64_t low, uint32_t length)
{
	uint64_t hash = pn_hash128(high, low, length, seed);

	for (uint32_t n = 0; n < PN_PROBES; n++) {
		const union pn_cell *cell = pn_cell(table, pn_bucket(hash, n, r));

		if (!cell)
			return 0;
		for (int i = 0; i < 2; i++) {
			const struct pn_slot128 *s = &cell->slot128[i];
			uint32_t word = pn_volatile32(&s->word);

			if (word && pn_volatile64(&s->high) == high && pn_volatile64(&s->low) == low &&
			    (pn_volatile32(&s->length) & ~PN_OVERFLOW) == length)
				return word;
		}
		if (!(pn_volatile32(&cell->slot128[0].length) & PN_OVERFLOW))
			return 0;
	}
	return 0;
}

// One IPv6 look-up: the address, and the list of lengths it goes through. BPF runs the steps by bpf_loop(), whose
// body is verified once; others by a plain loop.
struct pn_lookup6 {
	const struct pn_table *table;
	uint64_t high, low; // host order
	uint32_t list;      // which list of lengths
	uint32_t count;     // how many are in it
	uint32_t word;      // the answer
};

PN_INLINE void pn_lookup6_start(struct pn_lookup6 *l, const struct pn_table *table, const struct pn_addr *a)
{
	const union pn_cell *head = pn_cell(table, 0);

	l->table = table;
	l->high = pn_be64(a->be64[0]);
	l->low = pn_be64(a->be64[1]);
	l->word = 0;
	l->list = head ? pn_volatile32(&head->header.lengths_active) & 1 : 0;
	l->count = head ? pn_volatile32(&head->header.lengths_count[l->list]) : 0;
}

// Tries the i-th length; true: done, l->word is the answer.
PN_INLINE bool pn_lookup6_step(struct pn_lookup6 *l, const struct pn_table *table, uint32_t i)
{
	const union pn_cell *head = pn_cell(table, 0), *regions = pn_cell(table, 1);
	const union pn_cell *lengths = pn_cell(table, 2 + l->list * 2 + (i >> 6 & 1));
	uint32_t length;

	if (!head || !regions || !lengths)
		return true;
	length = lengths->length[i & 63];
	if (length <= 64)
		l->word = pn_find6(table, &regions->region[PN_NETS6], head->header.seed, l->high & pn_mask64(length),
				   length);
	else
		l->word = pn_find128(table, &regions->region[PN_HOSTS6], head->header.seed, l->high,
				     l->low & pn_mask64(length - 64), length);
	return l->word != 0;
}
