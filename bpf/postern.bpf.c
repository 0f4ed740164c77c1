// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The core bound to XDP: look up, count, act. What is decided and said is in include/postern; this file has no
// policy of its own. Needs kernel 6.1 (xdp.frags and bpf_xdp_load_bytes 5.18, bpf_loop 5.17).
#include "maps.h"

#define noinline __attribute__((noinline))

// Tests fix the clock, to compare answers with those of the host; else the verifier removes the branch.
const volatile uint64_t fixed_now_ns = 0;

static const uint32_t zero = 0;

PN_INLINE const union pn_cell *pn_cell(const struct pn_table *cells, uint32_t i)
{
	return bpf_map_lookup_elem((void *)cells, &i);
}

PN_INLINE uint64_t now_ns(void)
{
	return fixed_now_ns ? fixed_now_ns : bpf_ktime_get_ns();
}

struct step6 {
	struct pn_lookup6 l;
};

static long lookup6_step(uint32_t i, struct step6 *s)
{
	const struct pn_table *cells = bpf_map_lookup_elem(&table, &zero);

	return !cells || pn_lookup6_step(&s->l, cells, i);
}

PN_INLINE uint32_t lookup6(const struct pn_table *cells, const struct pn_addr *a)
{
	struct step6 s = {};

	pn_lookup6_start(&s.l, cells, a);
	s.l.table = 0; // a map pointer cannot live in what bpf_loop() hands on
	bpf_loop(s.l.count < 128 ? s.l.count : 128, lookup6_step, &s, 0);
	return s.l.word;
}

PN_INLINE uint32_t lookup(const struct pn_packet *p)
{
	const struct pn_table *cells = bpf_map_lookup_elem(&table, &zero);

	if (!cells)
		return 0;
	if (p->family == PN_IPV4)
		return pn_lookup4(cells, pn_be32(p->source.be32[0]));
	return lookup6(cells, &p->source);
}

PN_INLINE const struct pn_settings *current_settings(void)
{
	const struct pn_settings_slot *slot = bpf_map_lookup_elem(&settings, &zero);

	return slot ? &slot->copy[pn_volatile32(&slot->active) & 1] : 0;
}

PN_INLINE const struct pn_class *current_class(uint32_t word)
{
	uint32_t id = pn_word_class(word);
	const struct pn_class_slot *slot = bpf_map_lookup_elem(&classes, &id);

	return slot ? &slot->copy[pn_volatile32(&slot->active) & 1] : 0;
}

PN_INLINE bool switched_off(void)
{
	const struct pn_switch *s = bpf_map_lookup_elem(&host_switch, &zero);

	return s && pn_volatile32(&s->off);
}

// Counts and returns what XDP does with this verdict.
static noinline int finish(uint32_t list, uint32_t family, uint32_t reason, uint32_t verdict, uint64_t bytes)
{
	uint32_t index = pn_counter(list & (PN_LISTS - 1), family, reason, verdict);
	struct pn_count *c = bpf_map_lookup_elem(&counters, &index);

	if (c) {
		c->packets++;
		c->bytes += bytes;
	}
	return verdict == PN_DROP ? XDP_DROP : verdict == PN_ANSWER ? XDP_TX : XDP_PASS;
}

// Budgets protect the CPU, and third parties whose addresses are forged in SYNs: a listed address, at most.
PN_INLINE uint8_t over_budget(const struct pn_packet *p, const struct pn_settings *s, uint64_t now)
{
	uint64_t key = p->family == PN_IPV4 ? p->source.be32[0] : p->source.be64[0];
	uint32_t index = (uint32_t)pn_hash(key, s->secret[0]) & (PN_BUDGETS - 1);
	uint64_t *source = bpf_map_lookup_elem(&source_budget, &index);
	uint64_t *cpu = bpf_map_lookup_elem(&cpu_budget, &zero);

	if (!source || !pn_rate_take(source, &s->per_source, now))
		return PN_R_SOURCE_BUDGET;
	if (!cpu || !pn_rate_take(cpu, &s->per_cpu, now))
		return PN_R_CPU_BUDGET;
	return PN_R_NONE;
}

PN_INLINE bool muted(struct xdp_md *ctx, const struct pn_settings *s)
{
	for (int i = 0; i < PN_INTERFACES && i < s->mute_count; i++)
		if (s->mute[i] == ctx->ingress_ifindex)
			return true;
	return false;
}

// Headers and payload of the segment into scratch; false: the frame changed its mind about its length.
PN_INLINE bool load_segment(struct xdp_md *ctx, struct scratch *s)
{
	const struct pn_packet *p = &s->packet;
	uint32_t n = p->payload_len < PN_SEGMENT_MAX ? p->payload_len : PN_SEGMENT_MAX;

	if (bpf_xdp_load_bytes(ctx, 0, s->head, 32))
		return false;
	pn_store64(s->line, 0);
	if (!n)
		return true;
	pn_hide(n);
	n &= 2047;
	if (n == 0 || bpf_xdp_load_bytes(ctx, p->payload, s->line, n))
		return false;
	pn_store64(s->line + (n & 2039), n & 7 ? pn_load64(s->line + (n & 2039)) & ((1ull << (n & 7) * 8) - 1) : 0);
	return true;
}

// Makes the frame `length` octets long. Grown at the head first: veth leaves small segments no room at the tail.
PN_INLINE bool resize(struct xdp_md *ctx, uint32_t now, uint32_t length)
{
	int grow = (int)length - (int)now;

	if (grow <= 0)
		return !bpf_xdp_adjust_tail(ctx, grow);
	if (!bpf_xdp_adjust_head(ctx, -grow))
		return true;
	if (grow > 192 && !bpf_xdp_adjust_head(ctx, -192))
		grow -= 192;
	return !bpf_xdp_adjust_tail(ctx, grow);
}

// Tells posternd what HELO, MAIL and RCPT said.
PN_INLINE void report(const struct scratch *s, uint32_t word, uint64_t now)
{
	const struct pn_packet *p = &s->packet;
	struct pn_event *e;
	uint32_t n = p->payload_len < PN_EVENT_LINE ? p->payload_len : PN_EVENT_LINE;
	uint8_t reason = s->say.reason;
	uint64_t *lost;

	if (!n || (reason != PN_R_EHLO && reason != PN_R_OK && reason != PN_R_REFUSED && reason != PN_R_REFUSED_FIN))
		return;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		lost = bpf_map_lookup_elem(&events_lost, &zero);
		if (lost)
			++*lost;
		return;
	}
	e->source = p->source;
	e->word = word;
	e->source_port = p->source_port;
	e->line_len = n;
	e->family = p->family;
	e->reason = reason;
	pn_memset(e->spare, 0, sizeof(e->spare));
	e->time_ns = now;
	for (int i = 0; i < PN_EVENT_LINE; i += 8)
		pn_store64(e->line + i, pn_load64(s->line + i));
	bpf_ringbuf_submit(e, 0);
}

// Answers the segment, or says why not. Verdict in the upper octet, reason in the lower.
static noinline int refuse(struct xdp_md *ctx, const struct pn_packet *seen, uint32_t word, uint32_t length)
{
	const struct pn_settings *s = current_settings();
	const struct pn_class *c = current_class(word);
	struct scratch *room = bpf_map_lookup_elem(&scratch, &zero);
	uint64_t now = now_ns();
	uint32_t n;
	uint8_t why;

	if (!s || !c || !room)
		return PN_DROP << 8 | PN_R_NO_ROOM;
	room->packet = *seen;
	if (!load_segment(ctx, room))
		return PN_DROP << 8 | PN_R_NO_ROOM;
	pn_dialog(&room->packet, room->line, c, s->secret, now, &room->say);
	if (!room->say.answer)
		return PN_DROP << 8 | room->say.reason;
	if (muted(ctx, s))
		return PN_DROP << 8 | PN_R_MUTE;
	why = over_budget(&room->packet, s, now);
	if (why != PN_R_NONE)
		return PN_DROP << 8 | why;
	n = pn_answer(&room->packet, room->head, s, c, &room->say, pn_word_day(word), now, &room->frame);
	if (!n)
		return PN_DROP << 8 | room->say.reason;
	if (n > PN_FRAME_MAX || !resize(ctx, length, n) || bpf_xdp_store_bytes(ctx, 0, room->frame.octet, n))
		return PN_DROP << 8 | PN_R_NO_ROOM;
	report(room, word, now);
	return PN_ANSWER << 8 | room->say.reason;
}

SEC("xdp.frags")
int postern(struct xdp_md *ctx)
{
	const struct pn_settings *s = current_settings();
	uint32_t length = bpf_xdp_get_buff_len(ctx), word;
	const struct pn_class *c;
	struct pn_decision d;
	struct pn_packet p;
	uint8_t reason;
	int answer;

	if (!s || switched_off())
		return finish(0, 0, PN_R_OFF, PN_PASS, length);
	pn_parse((const uint8_t *)(long)ctx->data, (const uint8_t *)(long)ctx->data_end, length, &p);
	reason = pn_irrelevant(&p, s);
	if (reason != PN_R_NONE)
		return finish(0, p.family, reason, PN_PASS, length);
	word = lookup(&p);
	c = current_class(word);
	if (!c)
		return finish(0, p.family, PN_R_LIMIT, PN_PASS, length);
	d = pn_decide(&p, s, c);
	if (d.verdict == PN_ANSWER) {
		answer = refuse(ctx, &p, word, length);
		d.verdict = answer >> 8;
		d.reason = answer & 255;
	}
	return finish(pn_word_list(word), p.family, d.reason, d.verdict, length);
}

char _license[] SEC("license") = "Dual BSD/GPL";
