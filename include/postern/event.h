// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the packet path tells posternd: one record a line that matters in a genuine dialog with a refused source.
// The packet path has no memory, so HELO, MAIL and RCPT are records of their own; posternd joins them.
#pragma once

#include "addr.h"

#define PN_EVENT_LINE 216

struct pn_event {
	struct pn_addr source;
	uint32_t word;        // of the class table
	uint16_t source_port; // host order
	uint16_t line_len;    // octets of `line` in use
	uint8_t family;
	uint8_t reason; // enum pn_reason of what was answered
	uint8_t spare[6];
	uint64_t time_ns;            // CLOCK_MONOTONIC
	uint8_t line[PN_EVENT_LINE]; // as the source sent it: hostile
};

_Static_assert(sizeof(struct pn_event) == 256, "a record is four cache lines");
