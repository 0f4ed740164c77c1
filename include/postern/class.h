// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What posternd installs beside the table: classes (what to do and say), settings, list names.
// Each is held twice: writers fill the copy not in use, then switch `active`; before the next change they wait
// until all readers of the old copy are gone. So no answer is made of two halves.
#pragma once

#include "addr.h"
#include "rate.h"
#include "table.h"

#define PN_NAME_MAX   32  // with final NUL
#define PN_LINE_MAX   512 // a reply line with code and CRLF, RFC 5321 section 4.5.3.1.5
#define PN_TEXT_MAX   248
#define PN_HEAD_MAX   184
#define PN_TAIL_MAX   248
#define PN_PORTS      8
#define PN_ADDRESSES  16
#define PN_INTERFACES 16

enum pn_action {
	PN_ALLOW,   // pass, beyond any limit
	PN_LIMIT,   // pass
	PN_REFUSE,  // answer with a permanent refusal, 5xx
	PN_DEFER,   // answer with a transient refusal, 4xx
	PN_DISCARD, // drop without a word
	PN_ACTIONS,
};

enum pn_at {
	PN_AT_RCPT,     // speak SMTP up to RCPT: every sender tells its user at once
	PN_AT_GREETING, // refuse in the greeting: half of the senders retry for days
	PN_ATS,
};

enum pn_mode {
	PN_OFF,     // everything passes, nothing is looked up
	PN_MONITOR, // everything is looked up and counted, and passes
	PN_ENFORCE,
	PN_MODES,
};

// One installed class: an action and its words, for one pair of class and reason.
// The refusal is: code head ADDRESS tail DATE CRLF, for instance
// "550 " "5.7.1 mx1.example.net: Mail refused - " "192.0.2.7" " - see https://example.net/why#spam - " "20261121"
struct pn_class {
	uint8_t action; // enum pn_action
	uint8_t at;     // enum pn_at
	uint8_t monitor;
	uint8_t used;
	uint16_t head_len, tail_len;
	uint8_t rcpt_code[4];     // "550 " or "450 "
	uint8_t greeting_code[4]; // "554 " or "421 "
	uint8_t head[PN_HEAD_MAX];
	uint8_t tail[PN_TAIL_MAX];
	char name[PN_NAME_MAX];   // of the class, for explain
	char reason[PN_NAME_MAX]; // of the listing, for explain
};

_Static_assert(4 + PN_HEAD_MAX + PN_ADDR_TEXT_MAX + PN_TAIL_MAX + 8 + 2 <= PN_LINE_MAX, "a refusal is one SMTP line");

struct pn_class_slot {
	uint32_t active;
	uint32_t spare;
	struct pn_class copy[2];
};

// Replies that do not depend on the source.
enum pn_text {
	PN_TEXT_GREETING,
	PN_TEXT_EHLO,
	PN_TEXT_OK,
	PN_TEXT_BYE,
	PN_TEXT_UNKNOWN,
	PN_TEXTS,
};

struct pn_line {
	uint64_t length;
	uint8_t octet[PN_TEXT_MAX];
};

struct pn_settings {
	uint8_t mode; // enum pn_mode
	uint8_t ports_count, addresses_count, mute_count;
	uint16_t port[PN_PORTS];              // host order
	uint32_t mute[PN_INTERFACES];         // interfaces (ifindex) on which nothing is answered, refusals are drops
	struct pn_addr address[PN_ADDRESSES]; // ours; none: any
	uint64_t secret[2];
	struct pn_rate per_source, per_cpu; // budgets of answers
	struct pn_line text[PN_TEXTS];
};

struct pn_settings_slot {
	uint32_t active;
	uint32_t spare;
	struct pn_settings copy[2];
};

// The host's own switch, written by posternctl alone, so that `off` needs neither Redis nor posternd.
struct pn_switch {
	uint32_t off;
	uint32_t spare;
};

struct pn_list_info {
	char name[PN_NAME_MAX]; // "" : unused
	uint32_t rank;
	uint32_t entries; // as installed on this host
};

// Budgets of answers a source: one arrival time for each hash of a source; refused sources only, so that a
// collision costs a refused source its answers and nobody else anything.
#define PN_BUDGETS 65536u
