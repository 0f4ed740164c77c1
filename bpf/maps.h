// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The maps of the XDP program. posternd pins each under its name here; see docs/architecture.md for who writes which.
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <postern/answer.h>
#include <postern/event.h>

// One class table: cells of its own size, hence BPF_F_INNER_MAP (kernel 5.10).
struct table_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(key_size, sizeof(uint32_t));
	__uint(value_size, sizeof(union pn_cell)); // not __type: clang 14 leaves the type of a nested value incomplete
};

// The table in force. Replacing it returns after all programs that saw the old one have ended.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__array(values, struct table_map);
} table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PN_CLASSES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct pn_class_slot);
} classes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct pn_settings_slot);
} settings SEC(".maps");

// posternctl's own.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct pn_switch);
} host_switch SEC(".maps");

// Not for packets: names of the lists, for posternctl.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PN_LISTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct pn_list_info);
} lists SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PN_COUNTERS);
	__type(key, uint32_t);
	__type(value, struct pn_count);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PN_BUDGETS);
	__type(key, uint32_t);
	__type(value, uint64_t);
} source_budget SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint64_t);
} cpu_budget SEC(".maps");

// Lines of refused dialogs, for posternd. Full: lines are lost and counted, never packets.
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, uint64_t);
} events_lost SEC(".maps");

// Room to work in, of which the stack has too little: headers, payload, the answer.
struct scratch {
	uint8_t head[64];
	uint8_t line[2048];
	struct pn_buffer frame;
	// Here rather than on the stack, so that the verifier forgets by which of many ways they came to be.
	struct pn_packet packet;
	struct pn_say say;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct scratch);
} scratch SEC(".maps");
