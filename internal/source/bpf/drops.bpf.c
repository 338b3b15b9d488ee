//go:build ignore

// SPDX-License-Identifier: MIT
//
// Counts every packet that skb:kfree_skb tells of by what is known of it, and
// sends the first of each kind whole. Either way it is accounted for once: it
// is a record in the ring, or one more in a tally's unsent.

#include "kernel.h"

enum {
	// include/uapi/linux/if_arp.h
	ARPHRD_ETHER = 1,
	ARPHRD_LOOPBACK = 772,

	UNSET = 0xffff, // sk_buff.mac_header (skb_mac_header_was_set)

	// include/net/tcp_states.h: these are no struct sock, only a sock_common.
	TCP_TIME_WAIT = 6,
	TCP_NEW_SYN_RECV = 12,

	AF_INET = 2,
	AF_INET6 = 10,

	// Every namespace has an inode number from about PROC_DYNAMIC_FIRST on
	// (include/linux/proc_fs.h and nsfs.h). What has not, was none.
	NAMESPACES = 0xe0000000,
};

enum link {
	LINK_NONE, // no bytes
	LINK_ETHERNET,
	LINK_RAW,
};

enum attention {
	ASLEEP,
	POLLING, // it looks by itself
	CALLED,	 // it has been woken early
};

// A key is what drops are counted by.
struct key {
	__u64 location;
	__u64 socket; // its cookie or else its address, 0 if not asked for
	__u32 reason;
	__u32 ifindex;
	__u32 netns;
	__u32 protocol;
};

// A tally is of one key and CPU.
struct tally {
	__u64 unsent; // only ever grows
	__u32 tick;   // to which sent belongs
	__u32 sent;
};

struct owner {
	__u64 cookie; // or its address; 0: there is no socket
	__u64 inode;
	__u64 cgroup;
	__u16 family, protocol;
	__u16 local_port, remote_port;
	__u8 local[16], remote[16];
	__u8 state;
	__u8 received; // it is the receiver, as the kernel says (rx_sk)
};

// A record is a drop that is sent, before its stack and its bytes.
struct record {
	struct key key;
	__u64 time; // CLOCK_MONOTONIC, in nanoseconds
	__u64 pid_tgid;
	__u32 cpu;
	__u32 len;	 // of the packet from where its bytes begin
	__u32 data_len;	 // bytes that are there
	__s32 stack_len; // likewise; negative: an error
	enum link link;
	char comm[16];
	char ifname[16];
	__u32 pad;
	struct owner owner;
};

// Options, set before the program is loaded.
volatile const __u32 sample;     // records for each key, tick and CPU, 0: no limit
volatile const __u32 snaplen;    // bytes of a packet
volatile const __u32 stack_size; // bytes
volatile const __u32 room;       // bytes behind a record for both
volatile const __u32 mark;       // bytes in the ring from which on the reader is woken
volatile const __u8 by_owner;

// What the reader tells.
volatile __u32 tick;   // it is another about every second that there are drops
volatile enum attention reader;

struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_HASH);
	UINT(max_entries, 1); // set when it is loaded
	TYPE(key, struct key);
	TYPE(value, struct tally);
} counts SEC(".maps");

// What counts has no room for.
struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, 1);
	TYPE(key, __u32);
	TYPE(value, struct tally);
} beyond SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_RINGBUF);
	UINT(max_entries, 4096); // set when it is loaded
	TYPE(value, struct record);
} ring SEC(".maps");

// LOAD reads a field, directly where the verifier knows what p is.
#define LOAD(p, field)                                                 \
	({                                                             \
		typeof((p)->field) value = 0;                          \
		if (direct)                                            \
			value = (p)->field;                            \
		else                                                   \
			probe_read(&value, sizeof(value), &(p)->field); \
		value;                                                 \
	})

// READ reads a field of what may be anything.
#define READ(p, field)                                          \
	({                                                      \
		typeof((p)->field) value = 0;                   \
		probe_read(&value, sizeof(value), &(p)->field); \
		value;                                          \
	})

// A drop is what the tracepoint tells.
struct drop {
	struct sk_buff *skb;
	struct sock *sk;
	struct net_device *dev;
	int received; // sk is the receiver, by rx_sk
};

INLINE __u32 socket_netns(struct sock *sk)
{
	struct net *net = READ(sk, __sk_common.skc_net.net);
	return READ(net, ns.inum);
}

INLINE __u64 socket_cookie(struct sock *sk)
{
	__u64 cookie = READ(sk, __sk_common.skc_cookie.counter);
	return cookie ? cookie : (__u64)sk;
}

INLINE int is_full(struct sock *sk)
{
	__u8 state = READ(sk, __sk_common.skc_state);
	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

INLINE __u64 socket_cgroup(struct sock *sk)
{
	if (!HAS(struct sock_cgroup_data, cgroup) || !is_full(sk))
		return 0;
	struct cgroup *cgroup = READ(sk, sk_cgrp_data.cgroup);
	struct kernfs_node *kn = READ(cgroup, kn);
	return READ(kn, id);
}

// find_device sets the device and what belongs to it. The field is another
// thing's while a packet is in a queue of TCP or UDP, and stays so.
INLINE void find_device(struct drop *d, struct key *k, const int direct)
{
	struct net_device *dev = LOAD(d->skb, dev);
	if (!dev)
		return;
	struct net *net = LOAD(dev, nd_net.net);
	if (!net)
		return;
	__u32 netns = LOAD(net, ns.inum);
	if (netns < NAMESPACES)
		return;
	d->dev = dev;
	k->netns = netns;
	k->ifindex = LOAD(dev, ifindex);
}

// find_owner keeps the socket if it is one: on older kernels a fragment that
// waits for others has a number in its place.
INLINE void find_owner(struct drop *d, struct key *k)
{
	if (!READ(d->sk, __sk_common.skc_family)) {
		d->sk = 0;
		return;
	}
	if (!k->netns)
		k->netns = socket_netns(d->sk);
	if (by_owner)
		k->socket = socket_cookie(d->sk);
}

// tally_of gives the tally of a key on this CPU, which is beyond's if there is
// no room for more keys.
INLINE struct tally *tally_of(struct key *k)
{
	struct tally *t = map_lookup(&counts, k);
	if (t)
		return t;
	struct tally fresh = {};
	map_update(&counts, k, &fresh, BPF_NOEXIST);
	t = map_lookup(&counts, k);
	if (t)
		return t;
	__u32 zero = 0;
	return map_lookup(&beyond, &zero);
}

INLINE int within(struct tally *t)
{
	if (t->tick != tick) {
		t->tick = tick;
		t->sent = 0;
	}
	return t->sent < sample && ++t->sent;
}

// find_bytes sets where the packet begins, and returns how many bytes of it can
// be read there. The others are in pages.
INLINE __u32 find_bytes(struct drop *d, struct record *r, unsigned char **start, const int direct)
{
	struct sk_buff *skb = d->skb;
	unsigned char *head = LOAD(skb, head);
	__s64 data = LOAD(skb, data) - head;
	__u32 len = LOAD(skb, len);
	__u16 mac = LOAD(skb, mac_header), network = LOAD(skb, network_header);
	__u16 type = ARPHRD_ETHER;
	if (d->dev)
		type = LOAD(d->dev, type);

	__s64 at = network;
	r->link = LINK_RAW;
	if (mac != UNSET && (mac < network || !network) && (type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK)) {
		at = mac;
		r->link = LINK_ETHERNET;
	}
	__s64 linear = data + len - LOAD(skb, data_len) - at;
	if (!at || !r->key.protocol || linear < 0) {
		at = data; // no header was set: it has no packet
		linear = 0;
		r->link = LINK_NONE;
	}
	r->len = data + len - at;
	*start = head + at;
	return linear;
}

INLINE void read_addresses(struct owner *o, struct sock *sk)
{
	if (o->family == AF_INET) {
		probe_read(o->local, 4, &sk->__sk_common.skc_rcv_saddr);
		probe_read(o->remote, 4, &sk->__sk_common.skc_daddr);
	} else if (o->family == AF_INET6 && HAS(struct sock_common, skc_v6_daddr)) {
		probe_read(o->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		probe_read(o->remote, 16, &sk->__sk_common.skc_v6_daddr);
	} else {
		return;
	}
	o->local_port = READ(sk, __sk_common.skc_num);
	o->remote_port = ntohs(READ(sk, __sk_common.skc_dport));
}

INLINE void read_owner(struct owner *o, struct drop *d)
{
	struct sock *sk = d->sk;
	__builtin_memset(o, 0, sizeof(*o));
	if (!sk)
		return;
	o->cookie = socket_cookie(sk);
	o->received = d->received;
	o->family = READ(sk, __sk_common.skc_family);
	o->state = READ(sk, __sk_common.skc_state);
	read_addresses(o, sk);
	if (!is_full(sk))
		return;
	o->protocol = READ(sk, sk_protocol);
	o->cgroup = socket_cgroup(sk);
	struct socket_alloc *inode = (void *)READ(sk, sk_socket);
	if (inode)
		o->inode = READ(inode, vfs_inode.i_ino);
}

// wake tells whether the reader is to be woken for a record: if it sleeps, or
// if the ring fills faster than it looks.
INLINE __u64 wake(void)
{
	enum attention state = reader;
	if (state == ASLEEP) {
		reader = POLLING;
		return BPF_RB_FORCE_WAKEUP;
	}
	if (state == POLLING && ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > mark) {
		reader = CALLED;
		return BPF_RB_FORCE_WAKEUP;
	}
	return BPF_RB_NO_WAKEUP;
}

// send is false if the ring has no room.
INLINE int send(void *ctx, struct drop *d, struct key *k, const int direct)
{
	struct record *r = ringbuf_reserve(&ring, sizeof(*r) + room, 0);
	if (!r)
		return 0;
	void *stack = r + 1, *data = stack + stack_size;
	unsigned char *start;

	r->key = *k;
	r->pad = 0;
	r->time = ktime_get_ns();
	r->pid_tgid = current_pid_tgid();
	r->cpu = smp_processor_id();
	current_comm(r->comm, sizeof(r->comm));
	r->ifname[0] = 0;
	if (d->dev)
		probe_read(r->ifname, sizeof(r->ifname), d->dev->name);
	__u32 n = find_bytes(d, r, &start, direct);
	if (n > snaplen)
		n = snaplen;
	r->data_len = probe_read(data, n, start) ? 0 : n;
	r->stack_len = stack_size ? get_stack(ctx, stack, stack_size, 0) : 0;
	read_owner(&r->owner, d);
	ringbuf_submit(r, wake());
	return 1;
}

INLINE int drop(__u64 *ctx, struct sk_buff *skb, const int direct)
{
	struct drop d = {.skb = skb};
	struct key k = {.location = ctx[1]};
	struct tally *t = 0;

	if (HAS(struct trace_event_raw_kfree_skb, reason))
		k.reason = ctx[2];
	k.protocol = ntohs(LOAD(skb, protocol));
	find_device(&d, &k, direct);
	d.sk = LOAD(skb, sk);
	if (!d.sk && HAS(struct trace_event_raw_kfree_skb, rx_sk)) {
		d.sk = (void *)ctx[3];
		d.received = 1;
	}
	if (d.sk)
		find_owner(&d, &k);

	if (sample) {
		t = tally_of(&k);
		if (!t)
			return 0;
	}
	if ((!t || within(t)) && send(ctx, &d, &k, direct))
		return 0;
	if (!t)
		t = tally_of(&k);
	if (t)
		__sync_fetch_and_add(&t->unsent, 1);
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

char LICENSE[] SEC("license") = "Dual MIT/GPL";
