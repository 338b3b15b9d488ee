//go:build ignore

// SPDX-License-Identifier: MIT
//
// Counts every packet that the tracepoint skb:kfree_skb reports by its key, and
// sends the first of each key whole. Each packet is accounted for exactly once: as
// a record in the ring, or in one tally. A condition may reject packets, which
// are only counted; a packet that it cannot decide on is always sent whole.

#include "../../bpfprog/kernel.h"

#include "../../bpfprog/socket.h"

#include "../../bpfprog/reader.h"

#include "../../bpfprog/skb.h"

#include "../../bpfprog/facts.h"

#include "types.h"

#include "packet.h"

#include "decide.h"

#include "socket.h"

#include "details.h"

INLINE void add(struct tally *t, __u32 segments)
{
	if (!t)
		return;
	__sync_fetch_and_add(&t->counted, 1);
	if (segments > 1)
		__sync_fetch_and_add(&t->segments, segments - 1);
}

INLINE void add_unkeyed(enum overflow why, __u32 segments)
{
	add(map_lookup(&overflow, &why), segments);
}

INLINE struct tally *tally_in(struct counts *counts, struct key *k)
{
	struct tally *t = map_lookup(counts, k);
	if (t)
		return t;
	struct tally fresh = {};
	map_update(counts, k, &fresh, BPF_NOEXIST);
	return map_lookup(counts, k);
}

// tally_of gives the tally of a key on this CPU, or that of all packets without a
// key if the active table is full.
INLINE struct tally *tally_of(struct key *k)
{
	struct tally *t = active_table ? tally_in(&counts2, k) : tally_in(&counts, k);
	if (t)
		return t;
	enum overflow why = UNKEYED;
	return map_lookup(&overflow, &why);
}

// in_sample says that a packet is one of the first of its key in this tick.
INLINE int in_sample(struct tally *t)
{
	if (t->tick != tick) {
		t->tick = tick;
		t->sent = 0;
	}
	return t->sent < sample && ++t->sent;
}

// read_interface reads the name and, of a device that is referred to, the MTU.
INLINE void read_interface(struct record *r, struct drop *d, const int direct)
{
	struct net_device *dev = device_of(d, r->key.ifindex);
	r->ifname[0] = 0;
	if (dev)
		probe_read(r->ifname, sizeof(r->ifname), dev->name);
	r->mtu = d->dev ? LOAD(d->dev, mtu) : 0;
}

INLINE int is_of_hook(__u32 reason)
{
	return HAS_VALUE(enum skb_drop_reason, SKB_DROP_REASON_NETFILTER_DROP) &&
	       reason == VALUE(enum skb_drop_reason, SKB_DROP_REASON_NETFILTER_DROP);
}

// send is false if the ring has no room.
INLINE int send(void *ctx, struct drop *d, struct key *k, const int direct)
{
	__u32 size = stack_size;
	struct packet p;

	if (is_of_hook(k->reason))
		size = hook_size;
	asm volatile("" : "+r"(size)); // a constant on each path, as the verifier wants it
	struct record *r = ringbuf_reserve(&ring, sizeof(*r) + size + snaplen, 0);
	if (!r)
		return 0;
	void *stack = r + 1, *data = stack + size;

	r->key = *k;
	r->count = 1;
	r->time = ktime_get_ns();
	r->pid_tgid = current_pid_tgid();
	r->skb = (__u64)d->skb;
	r->cpu = smp_processor_id();
	r->segments = d->segments;
	r->stack_size = size;
	current_comm(r->comm, sizeof(r->comm));
	read_interface(r, d, direct);
	read_route(r, d, direct);
	read_tag(r, d->skb, direct);
	find_packet(d, k->protocol, &p, direct);
	r->link = p.link;
	r->len = p.len;
	r->data_len = probe_read(data, p.here, p.start) ? 0 : p.here;
	r->stack_len = size ? get_stack(ctx, stack, size, 0) : 0;
	read_owner(&r->owner, d, k, direct);
	copy_detail(r);
	ringbuf_submit(r, wakeup(&ring));
	return 1;
}

// describe sets the key, and what belongs to it. It reads pointers directly only before
// anything branches: for each, on each path, the verifier searches all of BTF.
INLINE void describe(struct drop *d, struct key *k, __u64 *ctx, const int direct)
{
	struct sk_buff *skb = d->skb;
	struct sock *sk = LOAD(skb, sk), *rx_sk = 0;
	struct net_device *dev = LOAD(skb, dev);
	__u32 netns = device_netns(dev, direct);

	if (HAS(struct trace_event_raw_kfree_skb, reason))
		k->reason = ctx[2];
	if (HAS(struct trace_event_raw_kfree_skb, rx_sk))
		rx_sk = (void *)ctx[3];
	k->protocol = ntohs(LOAD(skb, protocol));
	k->type = packet_type(skb, direct);
	if (!LOAD(skb, len))
		k->traits |= TRAIT_EMPTY;
	find_socket(d, k, sk, rx_sk, direct);
	if (netns) {
		d->dev = dev;
		k->netns = netns;
		k->ifindex = LOAD(dev, ifindex);
		if (k->type == PACKET_OTHERHOST && is_to_device(skb, dev, direct))
			k->traits |= TRAIT_TO_DEVICE;
		return;
	}
	find_origin(d, k, direct);
	if (d->has_socket || dev)
		return;
	if (is_attached_fragment(skb, k->protocol, direct))
		k->traits |= TRAIT_FRAGMENT;
	else if (!k->protocol && is_queue_message(skb, direct))
		k->traits |= TRAIT_QUEUE_MESSAGE;
}

INLINE int drop(__u64 *ctx, struct sk_buff *skb, const int direct)
{
	if (without_mac_header && LOAD(skb, mac_header) != UNSET)
		return 0;

	struct drop d = {.skb = skb};
	struct key k = {.location = ctx[1]};
	struct tally *t = 0;
	enum verdict verdict = YES;

	describe(&d, &k, ctx, direct);
	use_detail(&d, &k, direct);
	d.segments = segments_of(skb, direct);
	if (conditional)
		verdict = decide(&d, &k, direct);
	if (verdict == NO) {
		add_unkeyed(REJECTED, d.segments);
		return 0;
	}
	if (sample && verdict == YES) {
		t = tally_of(&k);
		if (!t)
			return 0;
	}
	if ((!t || in_sample(t)) && send(ctx, &d, &k, direct))
		return 0;
	if (verdict == UNDECIDED)
		add_unkeyed(UNDECIDED_UNSENT, d.segments);
	else
		add(t ? t : tally_of(&k), d.segments);
	return 0;
}

// The arguments are (skb, location[, reason since Linux 5.17[, rx_sk since 6.11]]).

SEC("tp_btf/kfree_skb")
int drop_btf(__u64 *ctx)
{
	return drop(ctx, (void *)ctx[0], 1);
}

SEC("raw_tp/kfree_skb")
int drop_raw(__u64 *ctx)
{
	return drop(ctx, (void *)ctx[0], 0);
}

#include "xdp.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
