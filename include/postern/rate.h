// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// GCRA, the token bucket that is one number: the theoretical arrival time (ITU-T I.371, annex A).
#pragma once

#include "base.h"

struct pn_rate {
	uint64_t interval_ns; // between two events at the allowed rate; 0: no limit
	uint64_t burst_ns;    // how far ahead of the clock the arrival time may run: burst x interval
};

// Takes one token from *arrival_ns. Without a lock: two racing callers may share a token, which a budget
// can bear; a compare-and-swap on the packet path cannot be afforded under the flood it is for.
PN_INLINE bool pn_rate_take(volatile uint64_t *arrival_ns, const struct pn_rate *rate, uint64_t now_ns)
{
	uint64_t at = *arrival_ns;

	if (!rate->interval_ns)
		return true;
	if (at < now_ns)
		at = now_ns;
	if (at - now_ns > rate->burst_ns)
		return false;
	*arrival_ns = at + rate->interval_ns;
	return true;
}
