//go:build ignore

// SPDX-License-Identifier: MIT
//
// Counts the packets for which a condition is true where they are received, delivered and
// sent, by interface and network namespace. It sends nothing to user space.

#include "../../bpfprog/kernel.h"

#include "../../bpfprog/socket.h"

#include "../../bpfprog/skb.h"

#include "../../bpfprog/facts.h"

#include "types.h"

enum {
	HEADERS = 128, // bytes of a packet that are read at most

	NETDEV_TX_BUSY = 0x10, // include/linux/netdevice.h
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
};

struct net_device___stacked {
	struct {
		struct list_head lower;
	} adj_list;
};

#pragma clang attribute pop

// A point is where a packet passes.
struct point {
	struct sk_buff *skb;
	struct net_device *dev;
	__u32 netns;
	__s64 at;   // where its headers begin, from the head of the buffer on
	enum link link;
};

INLINE struct point point_at(struct sk_buff *skb, struct net_device *dev, __s64 at)
{
	const int direct = 1;
	struct net *net = LOAD(dev, nd_net.net);
	return (struct point){.skb = skb, .dev = dev, .netns = LOAD(net, ns.inum), .at = at, .link = LINK_RAW};
}

// offset_of_data is computed at once: the verifier takes a sum with one of the two for a pointer.
INLINE __s64 offset_of_data(struct sk_buff *skb)
{
	__s64 offset = skb->data - skb->head;
	asm volatile("" : "+r"(offset));
	return offset;
}

INLINE void find_packet(struct packet *p, struct point *t)
{
	__s64 end = offset_of_data(t->skb) + t->skb->len;
	__s64 linear = end - t->skb->data_len - t->at;

	p->link = t->link;
	p->len = end - t->at;
	p->start = t->skb->head + t->at;
	p->here = linear < 0 ? 0 : linear > HEADERS ? HEADERS : linear;
}

static __attribute__((noinline)) enum verdict decide(struct point *t)
{
	struct facts f = {.netns = t->netns, .protocol = ntohs(t->skb->protocol), .unknown = FACT_HEADERS};
	struct packet p;

	if (is_tag(f.protocol))
		f.unknown |= FACT_PROTOCOL;
	find_packet(&p, t);
	read_headers(&f, &p);
	return wanted(&f);
}

// tally_of gives the tally of a key on this CPU. The device is one that the key is of, or, if its name is
// to be looked up, one of the same namespace.
static __attribute__((noinline)) struct tally *tally_of(struct key *k, struct net_device *dev)
{
	struct tally *t = map_lookup(&counts, k);
	struct tally fresh = {};
	__u32 first = 0;

	if (t)
		return t;
	if (READ(dev, ifindex) != k->ifindex)
		dev = (void *)find_device((__u64)READ(dev, nd_net.net), k->ifindex);
	if (dev)
		probe_read(fresh.name, sizeof(fresh.name), dev->name);
	map_update(&counts, k, &fresh, BPF_NOEXIST);
	t = map_lookup(&counts, k);
	return t ? t : map_lookup(&overflow, &first);
}

// add counts a packet, or with a sign of -1 takes one back.
INLINE void add(struct point *t, enum what what, __u32 ifindex, __s64 sign)
{
	struct key k = {.netns = t->netns, .ifindex = ifindex, .what = what};
	struct tally *tally = tally_of(&k, t->dev);

	if (!tally)
		return;
	__sync_fetch_and_add(&tally->buffers, sign);
	__sync_fetch_and_add(&tally->segments, sign * segments_of(t->skb, 1));
}

// passes says that the condition is true. A packet that it cannot decide on is counted.
INLINE int passes(struct point *t, __s64 sign)
{
	enum verdict verdict = decide(t);

	if (verdict == UNDECIDED)
		add(t, UNDECIDED_HERE, t->dev->ifindex, sign);
	return verdict == YES;
}

// The argument is (skb). Its data begins behind the link header.
SEC("tp_btf/netif_receive_skb")
int receive(__u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct net_device *dev = skb->dev;
	struct point t = point_at(skb, dev, offset_of_data(skb));

	if (counting && passes(&t, 1))
		add(&t, skb->skb_iif ? HANDED_UP : RECEIVED, dev->ifindex, 1);
	return 0;
}

// is_above says that what a device sends is sent by one below it, unchanged for a condition, or is given back, as
// ifb does. Tunnels send other packets, with headers of their own.
INLINE int is_above(struct net_device *dev)
{
	struct net_device___stacked *stacked = (void *)dev;
	struct rtnl_link_ops *ops = READ(dev, rtnl_link_ops);
	char kind[6] = {};

	probe_read(kind, sizeof(kind), READ(ops, kind));
	if (READ(stacked, adj_list.lower.next) == &stacked->adj_list.lower)
		return kind[0] == 'i' && kind[1] == 'f' && kind[2] == 'b';
	return !(kind[0] == 'v' && kind[1] == 'x' && kind[2] == 'l' && kind[3] == 'a' && kind[4] == 'n');
}

// leaving is the point of a packet that leaves by a device.
INLINE struct point leaving(struct sk_buff *skb, struct net_device *dev)
{
	struct point t = point_at(skb, dev, skb->network_header);

	if (skb->network_header == offset_of_data(skb) && (dev->type == ARPHRD_ETHER || dev->type == ARPHRD_LOOPBACK))
		t.link = LINK_ETHERNET; // a packet socket has not said where its headers end
	return t;
}

// queue counts a packet that comes into the queue of its device, or takes one out of it with a sign of -1.
INLINE void queue(struct point *t, __s64 sign)
{
	add(t, t->skb->skb_iif ? QUEUED_ON : QUEUED_OWN, t->dev->ifindex, sign);
}

// The argument is (skb). A device without a queue is given the packet at once.
SEC("tp_btf/net_dev_queue")
int enter_queue(__u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	struct point t = leaving(skb, skb->dev);

	if (counting && decide(&t) == YES)
		queue(&t, 1);
	return 0;
}

// send counts a packet that a device is given to send. If it came in before, it is forwarded: an skb
// has skb_iif only while it is in the namespace where it was received.
INLINE int send(struct sk_buff *skb, struct net_device *dev, __s64 sign)
{
	struct point t = leaving(skb, dev);
	__u32 from = skb->skb_iif;

	if (!passes(&t, sign))
		return 0;
	queue(&t, -sign);
	if (is_above(dev)) {
		add(&t, SENT_DOWN, dev->ifindex, sign);
		return 0;
	}
	add(&t, from ? SENT_ON : SENT_OWN, dev->ifindex, sign);
	if (from)
		add(&t, FORWARDED, from, sign);
	return 0;
}

// The arguments are (skb, dev).
SEC("tp_btf/net_dev_start_xmit")
int start_send(__u64 *ctx)
{
	return counting ? send((void *)ctx[0], (void *)ctx[1], 1) : 0;
}

// The arguments are (skb, result, dev, length). A driver that is busy has returned the packet, which is
// sent again later; it owns any other.
SEC("tp_btf/net_dev_xmit")
int return_send(__u64 *ctx)
{
	if (!counting || (__u32)ctx[1] != NETDEV_TX_BUSY)
		return 0;
	return send((void *)ctx[0], (void *)ctx[2], -1);
}

INLINE int deliver(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	struct point t = point_at(skb, dev, skb->network_header);

	if (counting && passes(&t, 1))
		add(&t, DELIVERED, dev->ifindex, 1);
	return 0;
}

// The arguments are (net, skb, ...).
SEC("fentry/ip_protocol_deliver_rcu")
int deliver_ipv4(__u64 *ctx)
{
	return deliver((void *)ctx[1]);
}

SEC("fentry/ip6_protocol_deliver_rcu")
int deliver_ipv6(__u64 *ctx)
{
	return deliver((void *)ctx[1]);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
