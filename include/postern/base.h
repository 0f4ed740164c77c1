// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What every header of the core needs: inlining, byte order, loads from packets.
// The core is compiled by gcc and clang for hosts and by clang for BPF; it includes only <stdint.h>,
// <stdbool.h>, <stddef.h> and itself, and never looks up, counts, logs or asks the time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PN_INLINE static inline __attribute__((always_inline))

// A function that is one call in BPF, so that the verifier and the instruction cache see it once.
#ifdef __bpf__
#define PN_SUBPROG static __attribute__((noinline, unused))
#else
#define PN_SUBPROG static inline
#endif

#define pn_memcpy __builtin_memcpy
#define pn_memset __builtin_memset

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define pn_be16(x) __builtin_bswap16(x)
#define pn_be32(x) __builtin_bswap32(x)
#define pn_be64(x) __builtin_bswap64(x)
#else
#define pn_be16(x) (x)
#define pn_be32(x) (x)
#define pn_be64(x) (x)
#endif

// Loads and stores at any alignment. BPF takes a plain access (its JIT targets allow it, and a packed type
// would become one load a byte); a host takes memcpy, which sanitizers accept and compilers turn into one move.
#ifdef __bpf__
#define pn_load16(p)     (*(const uint16_t *)(p))
#define pn_load32(p)     (*(const uint32_t *)(p))
#define pn_load64(p)     (*(const uint64_t *)(p))
#define pn_store16(p, v) (*(uint16_t *)(p) = (v))
#define pn_store32(p, v) (*(uint32_t *)(p) = (v))
#define pn_store64(p, v) (*(uint64_t *)(p) = (v))
#else
PN_INLINE uint16_t pn_load16(const void *p)
{
	uint16_t v;
	pn_memcpy(&v, p, sizeof(v));
	return v;
}

PN_INLINE uint32_t pn_load32(const void *p)
{
	uint32_t v;
	pn_memcpy(&v, p, sizeof(v));
	return v;
}

PN_INLINE uint64_t pn_load64(const void *p)
{
	uint64_t v;
	pn_memcpy(&v, p, sizeof(v));
	return v;
}

PN_INLINE void pn_store16(void *p, uint16_t v)
{
	pn_memcpy(p, &v, sizeof(v));
}

PN_INLINE void pn_store32(void *p, uint32_t v)
{
	pn_memcpy(p, &v, sizeof(v));
}

PN_INLINE void pn_store64(void *p, uint64_t v)
{
	pn_memcpy(p, &v, sizeof(v));
}
#endif

// Hides a value from the optimiser: keeps a compare branch-free where a branch would be mispredicted,
// and a bound where the verifier must see it.
#define pn_hide(v) __asm__ volatile("" : "+r"(v))
