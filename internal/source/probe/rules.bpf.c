//go:build ignore

// SPDX-License-Identifier: MIT
//
// Which rule of iptables dropped a packet: ipt_do_table does not say it, but raises the counter of each rule that it comes
// to, on the CPU that it runs on. Of each table the rules and policies that drop are known here, with what their counters
// were on this CPU: that of the rule has risen by one packet of this length.
//
// find is a function that the program of a point calls; the others are programs. They run on a CPU that they do not leave.

#include "../../bpfprog/kernel.h"

enum {
	BPF_MAP_TYPE_ARRAY = 2,

	TABLES = 32,    // that are known
	SEEN_BITS = 6,  // of the number of places in seen
	SLOTS = 128,    // rules of a table that drop
	ENTRIES = 8192, // rules of a table that are looked through

	HOOKS = 5, // NF_INET_NUMHOOKS
	ENTRY = 256, // bytes of a rule that are read
	NAME = 32, // XT_TABLE_MAXNAMELEN

	ENTRIES_AT = 64, // in struct xt_table_info
	TARGET_NAME_AT = 16, // in struct xt_target
	TARGET_SIZE = 32, // struct xt_entry_target
	USER_CHAIN = 8, // see found

	DROPS = -1, // as a verdict: minus NF_DROP, minus 1

	SECOND = 1000000000, // in nanoseconds
};

static long (*map_delete)(void *map, const void *key) = (void *)3;
static long (*each)(void *map, void *body, void *context, __u64 flags) = (void *)164;
static long (*loop)(__u32 times, void *body, void *context, __u64 flags) = (void *)181;

// xt_table_info as far as it is read (include/linux/netfilter/x_tables.h).
struct table_info {
	__u32 size, number, initial_entries;
	__u32 hook_entry[HOOKS], underflow[HOOKS];
};

// xt_entry_target (include/uapi/linux/netfilter/x_tables.h), with the verdict of a standard one.
struct target {
	__u64 size, target, rest[2];
	__s32 verdict;
};

// xt_counters.
struct counts {
	__u64 packets, bytes;
};

// A slot is a rule or a policy that drops.
struct slot {
	__u64 counter;      // its address on this CPU
	struct counts last; // what it was
	__u32 offset, size; // of the entry
	__u32 chain;        // see found
	__u32 number;
	__u32 rejects;
};

// A table is what is known of one on this CPU.
struct table {
	__u32 known; // 0: what follows is not complete
	__u32 slots;
	struct slot slot[SLOTS];
};

// What was found, all 0 if the rule is not known.
struct found {
	__u32 known;
	__u32 chain;   // the number of its hook, or that of a user: USER_CHAIN and the offset of its first entry
	__u32 number;  // of the rule in its chain, from 1 on; 0: the policy
	__u32 rejects; // by REJECT, not DROP
	__u32 size;    // of the entry, of which the beginning is here
	__u32 unused;
	char name[NAME]; // of a chain of a user
	__u8 entry[ENTRY];
};

// A shape is how a kernel lays out what is read.
struct shape {
	__u16 head;     // size of struct ipt_entry or ip6t_entry
	__u16 offsets;  // of its target_offset
	__u16 pointers; // of pptrs in struct bpf_array
	__u16 shared;   // the CPUs have no counters of their own, as there is one CPU
};

// The tables by the address of their struct xt_table_info, also of some that are not in force any more.
struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_HASH);
	UINT(max_entries, TABLES);
	TYPE(key, __u64);
	TYPE(value, struct table);
} tables SEC(".maps");

// What was in force at the last call for a table on this CPU, in the place of its hash: address and generation, added.
struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, 1 << SEEN_BITS);
	TYPE(key, __u32);
	TYPE(value, __u64);
} seen SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_ARRAY);
	UINT(max_entries, 1);
	TYPE(key, __u32);
	TYPE(value, struct table);
} blank SEC(".maps");

// Its value on a CPU is as far from its address as all other values of that CPU from theirs.
struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, 1);
	TYPE(key, __u32);
	TYPE(value, __u64);
} here SEC(".maps");

// What learn needs to know, of its function.
volatile const __u64 layout;
volatile const __u32 private_at; // in struct xt_table

volatile __u64 generation; // how often tables were forgotten
volatile __u64 forgotten;  // when all were

// word_at reads kernel memory: 0 if it cannot be read.
INLINE __u64 word_at(__u64 address)
{
	__u64 word;
	probe_read(&word, sizeof(word), (void *)address);
	return word;
}

// number_of gives the address of a pointer as a number, with which the verifier allows to compute.
INLINE __u64 number_of(void *pointer)
{
	void *volatile at = pointer;
	return word_at((__u64)&at);
}

// cpu_offset is how far from their addresses the values of this CPU are.
INLINE __u64 cpu_offset(struct shape shape)
{
	__u32 zero = 0;
	void *value = map_lookup(&here, &zero);
	return value ? number_of(value) - word_at(number_of(&here) + shape.pointers) : 0;
}

INLINE struct counts counts_of(const struct slot *s)
{
	struct counts now;
	probe_read(&now, sizeof(now), (void *)s->counter);
	return now;
}

// A walk is through the entries of a table.
struct walk {
	struct table *table;
	struct table_info info;
	struct shape shape;
	__u64 entries, cpu;
	__u32 offset, chain, number;
};

INLINE _Bool is_error(const char name[8]) { return *(const __u64 *)name == *(const __u64 *)"ERROR\0\0"; }

INLINE _Bool is_reject(const char name[8]) { return *(const __u64 *)name == *(const __u64 *)"REJECT\0"; }

// begin_chain lets the walk be in the chain of a hook if it begins here, and tells whether the policy of one is here.
INLINE _Bool begin_chain(struct walk *w)
{
	_Bool policy = 0;
	for (__u32 hook = 0; hook < HOOKS; hook++) {
		if (w->offset == w->info.hook_entry[hook]) {
			w->chain = hook;
			w->number = 0;
		}
		policy |= w->offset == w->info.underflow[hook];
	}
	return policy;
}

// keep notes an entry that drops.
INLINE void keep(struct walk *w, __u32 size, __u32 number, _Bool rejects)
{
	__u64 counter = w->entries + w->offset + w->shape.head - sizeof(struct counts);
	__u32 n = w->table->slots;
	if (n >= SLOTS)
		return;
	struct slot *s = &w->table->slot[n];
	s->counter = w->shape.shared ? counter : word_at(counter) + w->cpu;
	s->last = counts_of(s);
	s->offset = w->offset;
	s->size = size;
	s->chain = w->chain;
	s->number = number;
	s->rejects = rejects;
	w->table->slots = n + 1;
}

// one_entry looks at the next entry, and returns 1 behind the last.
static long one_entry(__u32 i, struct walk *w)
{
	__u64 entry = w->entries + w->offset;
	struct {
		__u16 target, next;
	} offsets;
	struct target target;
	char name[8];

	if (w->offset >= w->info.size)
		return 1;
	probe_read(&offsets, sizeof(offsets), (void *)(entry + w->shape.offsets));
	probe_read(&target, sizeof(target), (void *)(entry + offsets.target));
	probe_read(name, sizeof(name), (void *)(target.target + TARGET_NAME_AT));
	if (!offsets.next)
		return 1;
	if (is_error(name)) {
		w->chain = USER_CHAIN + w->offset;
		w->number = 0;
	} else {
		_Bool policy = begin_chain(w);
		w->number++;
		if (is_reject(name) || (!name[0] && target.verdict == DROPS))
			keep(w, offsets.next, policy ? 0 : w->number, !!name[0]);
	}
	w->offset += offsets.next;
	return 0;
}

// forget is called with each table.
static long forget(void *map, const __u64 *info)
{
	map_delete(&tables, info);
	return 0;
}

// make_room forgets all tables, which are learned again, at most once a second.
INLINE void make_room(void)
{
	__u64 now = ktime_get_ns();
	if (now - forgotten < SECOND)
		return;
	forgotten = now;
	each(&tables, forget, 0, 0);
	__sync_fetch_and_add(&generation, 1);
}

// known_table gives what is known of a table here, empty if that is nothing yet. It is 0 if there is no room.
INLINE struct table *known_table(__u64 info)
{
	__u32 zero = 0;
	struct table *t = map_lookup(&tables, &info);
	if (t)
		return t;
	void *empty = map_lookup(&blank, &zero);
	if (!empty)
		return 0;
	if (map_update(&tables, &info, empty, 0))
		make_room();
	return map_lookup(&tables, &info);
}

// know notes what drops in a table, and what the counters are.
INLINE void know(struct table *table, __u64 info, struct shape shape)
{
	struct walk w = {.table = table, .entries = info + ENTRIES_AT, .shape = shape, .cpu = cpu_offset(shape)};
	probe_read(&w.info, sizeof(w.info), (void *)info);
	table->slots = 0;
	loop(ENTRIES, one_entry, &w, 0);
	table->known = 1;
}

// learn notes what drops in a table when that is first gone through here, before it drops anything:
// ipt_do_table(table, skb, state).
SEC("fentry/ipt_do_table") int learn(__u64 *args)
{
	__u64 at = args[0], info = word_at(at + private_at), l = layout, now = info + generation;
	__u32 hash = at * 0x9e3779b97f4a7c15 >> (64 - SEEN_BITS);
	__u64 *last = map_lookup(&seen, &hash);
	if (!last || *last == now)
		return 0;
	struct table *t = known_table(info);
	if (!t)
		return 0;
	if (!t->known)
		know(t, info, *(struct shape *)&l);
	*last = now;
	return 0;
}

// A search is for the slots whose counters have risen.
struct search {
	struct table *table;
	__u32 len;     // of the packet
	__u32 matches; // slots that rose by one packet of this length
	__u32 which;   // the last of them
	__u32 others;  // that rose by more than one packet
};

static long one_slot(__u32 i, struct search *f)
{
	if (i >= SLOTS)
		return 1;
	struct slot *s = &f->table->slot[i];
	struct counts now = counts_of(s);
	__u64 rose = now.packets - s->last.packets;
	if (rose > 1)
		f->others++;
	if (rose == 1 && now.bytes - s->last.bytes == f->len) {
		f->matches++;
		f->which = i;
	}
	return 0;
}

// settle notes what all counters are.
static long settle(__u32 i, struct search *f)
{
	if (i >= SLOTS)
		return 1;
	struct slot *s = &f->table->slot[i];
	s->last = counts_of(s);
	return 0;
}

// describe writes what is known of the rule of a slot.
INLINE void describe(struct found *out, const struct slot *s, __u64 info, struct shape shape)
{
	__u64 entries = info + ENTRIES_AT;
	__u64 size = s->size;
	out->chain = s->chain;
	out->number = s->number;
	out->rejects = s->rejects;
	out->size = size;
	asm volatile("" : "+r"(size)); // whose bounds the verifier takes from the next lines
	if (size > ENTRY)
		size = ENTRY;
	probe_read(out->entry, size, (void *)(entries + s->offset));
	if (s->chain >= USER_CHAIN)
		probe_read(out->name, NAME, (void *)(entries + s->chain - USER_CHAIN + shape.head + TARGET_SIZE));
}

// find writes which rule dropped a packet of a length, if it is certain. Several counters may have risen when this is
// called, each by one packet: those of other lengths are left to the reports of theirs. More than that is none of packets that
// are reported here, as when iptables adds what the counters of a table were that it has replaced. The table must be in force
// still, so that what was read is of it.
SEC("fexit") int find(__u64 info, __u64 word, __u64 in_force, __u64 len, struct found *out)
{
	struct search f = {.len = len, .table = known_table(info)};
	struct shape shape = *(struct shape *)&word;
	if (!f.table)
		return 0;
	if (!f.table->known) { // it was replaced, or forgotten, since the call
		know(f.table, info, shape);
		return 0;
	}
	loop(f.table->slots, one_slot, &f, 0);
	if (f.matches != 1 || f.others || f.which >= SLOTS) {
		loop(f.table->slots, settle, &f, 0);
		return 0;
	}
	struct slot *s = &f.table->slot[f.which];
	s->last.packets++;
	s->last.bytes += f.len;
	describe(out, s, info, shape);
	out->known = word_at(in_force) == info && map_lookup(&tables, &info) == f.table && f.table->known;
	return 0;
}

// renew forgets the table that was at an address before: xt_replace_table(table, num_counters, newinfo, error) has a new one
// there.
SEC("fentry/xt_replace_table") int renew(__u64 *args)
{
	__u64 info = args[2];
	map_delete(&tables, &info);
	__sync_fetch_and_add(&generation, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
