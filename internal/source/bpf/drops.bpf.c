//go:build ignore

// SPDX-License-Identifier: MIT
//
// Counts every packet that skb:kfree_skb tells of by what is known of it, and
// sends the first of each kind whole. Either way it is accounted for once: it
// is a record in the ring, or one more in a tally's unsent. With a condition it
// may be rejected instead, and what that cannot be told of is always sent whole.

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

	// include/uapi/linux/if_ether.h
	ETH_P_802_3_MIN = 0x0600,
	ETH_P_IP = 0x0800,
	ETH_P_ARP = 0x0806,
	ETH_P_8021Q = 0x8100,
	ETH_P_IPV6 = 0x86dd,
	ETH_P_8021AD = 0x88a8,
	ETH_P_QINQ1 = 0x9100,

	// include/uapi/linux/in.h and in6.h
	IPPROTO_HOPOPTS = 0,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_ROUTING = 43,
	IPPROTO_FRAGMENT = 44,
	IPPROTO_AH = 51,
	IPPROTO_DSTOPTS = 60,
	IPPROTO_SCTP = 132,
	IPPROTO_MH = 135,
	IPPROTO_HIP = 139,
	IPPROTO_SHIM6 = 140,

	IP_OFFSET = 0x1fff, // include/net/ip.h

	// Every namespace has an inode number from about PROC_DYNAMIC_FIRST on, the
	// lowest that is free (include/linux/proc_fs.h and nsfs.h). What has another
	// was none: the upper half of a kernel's address is above these.
	FIRST_NAMESPACE = 0xef000000,
	LAST_NAMESPACE = 0xf7ffffff,
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

// A fact is what a condition may test. Facts has it, unless it is unknown, or
// else absent; packet.Decode gives the same if it gives it.
enum fact {
	FACT_REASON = 1 << 0,
	FACT_IFINDEX = 1 << 1,
	FACT_NETNS = 1 << 2,
	FACT_PROTOCOL = 1 << 3,
	FACT_LENGTH = 1 << 4,
	FACT_NETWORK = 1 << 5,
	FACT_TRANSPORT = 1 << 6,
	FACT_SRC_PORT = 1 << 7,
	FACT_DST_PORT = 1 << 8,
	FACT_SRC = 1 << 9,
	FACT_DST = 1 << 10,
	FACT_IFNAME = 1 << 11,
	FACT_LOCATION = 1 << 12,
	FACT_SOCKET = 1 << 13,
	FACT_PORTS = FACT_SRC_PORT | FACT_DST_PORT,
	FACT_ADDRESSES = FACT_SRC | FACT_DST,
	FACT_HEADERS = FACT_NETWORK | FACT_TRANSPORT | FACT_PORTS | FACT_ADDRESSES,
};

struct facts {
	__u64 location, socket;
	__u32 unknown, absent; // sets of enum fact
	__u32 reason, ifindex, netns;
	__u32 protocol, length, network, transport, src_port, dst_port;
	__u8 src[16], dst[16]; // of IPv4 the first four
	char ifname[16];
	__u32 pad;
};

enum verdict {
	NO,
	YES,
	UNDECIDED,
};

enum others {
	KINDLESS,	// counts has no room for their kind
	REJECTED,	// the condition is false of them
	LEFT_UNDECIDED, // it is neither, and the ring had no room
	OTHERS,
};

// Options, set before the program is loaded.
volatile const __u32 sample;     // records for each key, tick and CPU, 0: no limit
volatile const __u32 snaplen;    // bytes of a packet
volatile const __u32 stack_size; // bytes
volatile const __u32 room;       // bytes behind a record for both
volatile const __u32 mark;       // bytes in the ring from which on the reader is woken
volatile const __u8 by_owner;
volatile const __u8 conditional; // wanted has a condition
volatile const enum fact asked;	 // in it

// What the reader tells.
volatile __u32 tick;   // it is another about every second that there are drops
volatile enum attention reader;
volatile __u32 turn; // of which counts it is: the others are the reader's

struct counts {
	UINT(type, BPF_MAP_TYPE_PERCPU_HASH);
	UINT(max_entries, 1); // set when they are loaded
	TYPE(key, struct key);
	TYPE(value, struct tally);
} counts SEC(".maps"), counts2 SEC(".maps");

// What is not in counts.
struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, OTHERS);
	TYPE(key, enum others);
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
	if (netns < FIRST_NAMESPACE || netns > LAST_NAMESPACE)
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

INLINE void add(struct tally *t)
{
	if (t)
		__sync_fetch_and_add(&t->unsent, 1);
}

INLINE void add_beyond(enum others where)
{
	add(map_lookup(&beyond, &where));
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

// tally_of gives the tally of a key on this CPU, which is the kindless if there is
// no room for more keys.
INLINE struct tally *tally_of(struct key *k)
{
	struct tally *t = turn ? tally_in(&counts2, k) : tally_in(&counts, k);
	if (t)
		return t;
	enum others where = KINDLESS;
	return map_lookup(&beyond, &where);
}

INLINE int within(struct tally *t)
{
	if (t->tick != tick) {
		t->tick = tick;
		t->sent = 0;
	}
	return t->sent < sample && ++t->sent;
}

// A packet is where it begins, and how many bytes of it can be read there. The
// others are in pages.
struct packet {
	unsigned char *start;
	__u32 here;
	__u32 len;
	enum link link;
};

INLINE void find_packet(struct drop *d, __u32 protocol, struct packet *p, const int direct)
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
	p->link = LINK_RAW;
	if (mac != UNSET && (mac < network || !network) && (type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK)) {
		at = mac;
		p->link = LINK_ETHERNET;
	}
	__s64 linear = data + len - LOAD(skb, data_len) - at;
	if (!at || !protocol || linear < 0) {
		at = data; // no header was set: it has no packet
		linear = 0;
		p->link = LINK_NONE;
	}
	p->len = data + len - at;
	p->start = head + at;
	p->here = linear > snaplen ? snaplen : linear;
}

// skip passes over bytes, if they are all there and will be sent.
INLINE int skip(struct packet *p, __u32 n)
{
	if (p->here < n)
		return 0;
	p->start += n;
	p->here -= n;
	return 1;
}

INLINE int take(struct packet *p, void *to, __u32 n)
{
	unsigned char *from = p->start;
	return skip(p, n) && !probe_read(to, n, from);
}

INLINE void know(struct facts *f, __u32 facts)
{
	f->unknown &= ~facts;
}

INLINE void know_none(struct facts *f, __u32 facts)
{
	f->unknown &= ~facts;
	f->absent |= facts;
}

// read_ports reads what is behind the IP header; left is how long that is.
INLINE void read_ports(struct facts *f, struct packet *p, __u32 left)
{
	__u16 ports[2];
	if (f->transport != IPPROTO_TCP && f->transport != IPPROTO_UDP && f->transport != IPPROTO_SCTP) {
		know_none(f, FACT_PORTS);
		return;
	}
	if (left < sizeof(ports) || !take(p, ports, sizeof(ports)))
		return;
	f->src_port = ntohs(ports[0]);
	f->dst_port = ntohs(ports[1]);
	know(f, FACT_PORTS);
}

INLINE void read_ipv4(struct facts *f, struct packet *p)
{
	struct iphdr h;
	if (!take(p, &h, sizeof(h)))
		return;
	__u32 size = (h.version_ihl & 15) * 4, total = ntohs(h.tot_len);
	if (h.version_ihl >> 4 != 4 || size < sizeof(h) || (total && total < size) || h.protocol == IPPROTO_AH ||
	    !skip(p, size - sizeof(h)))
		return;
	f->network = ETH_P_IP;
	f->transport = h.protocol;
	__builtin_memcpy(f->src, h.saddr, sizeof(h.saddr));
	__builtin_memcpy(f->dst, h.daddr, sizeof(h.daddr));
	know(f, FACT_NETWORK | FACT_TRANSPORT | FACT_ADDRESSES);
	if (ntohs(h.frag_off) & IP_OFFSET)
		know_none(f, FACT_PORTS);
	else
		read_ports(f, p, total ? total - size : -1);
}

INLINE int is_extension(__u8 next)
{
	switch (next) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case IPPROTO_HIP:
	case IPPROTO_SHIM6:
		return 1;
	}
	return 0;
}

INLINE void read_ipv6(struct facts *f, struct packet *p)
{
	struct ipv6hdr h;
	if (!take(p, &h, sizeof(h)) || h.version_class >> 4 != 6 || is_extension(h.nexthdr))
		return;
	__u32 left = ntohs(h.payload_len);
	f->network = ETH_P_IPV6;
	f->transport = h.nexthdr;
	__builtin_memcpy(f->src, h.saddr, sizeof(h.saddr));
	__builtin_memcpy(f->dst, h.daddr, sizeof(h.daddr));
	know(f, FACT_NETWORK | FACT_TRANSPORT | FACT_ADDRESSES);
	read_ports(f, p, left ? left : -1);
}

INLINE int is_tag(__u32 type)
{
	return type == ETH_P_8021Q || type == ETH_P_8021AD || type == ETH_P_QINQ1;
}

// read_headers reads those of a packet that is plain. Of others they stay unknown.
INLINE void read_headers(struct facts *f, struct packet *p)
{
	struct ethhdr h;
	if (p->link == LINK_NONE) {
		know_none(f, FACT_HEADERS);
		return;
	}
	if (p->link == LINK_ETHERNET && (!take(p, &h, sizeof(h)) || ntohs(h.proto) != f->protocol))
		return;
	switch (f->protocol) {
	case ETH_P_IP:
		read_ipv4(f, p);
		return;
	case ETH_P_IPV6:
		read_ipv6(f, p);
		return;
	}
	if (f->protocol < ETH_P_802_3_MIN || is_tag(f->protocol) || !p->here)
		return;
	know_none(f, FACT_TRANSPORT | FACT_PORTS);
	if (f->protocol != ETH_P_ARP) {
		know_none(f, FACT_HEADERS);
		return;
	}
	f->network = ETH_P_ARP;
	know(f, FACT_NETWORK);
}

// wanted is replaced by a condition when it is loaded.
static __attribute__((noinline)) enum verdict wanted(const struct facts *f)
{
	enum verdict verdict = YES;
	asm volatile("" : "+r"(verdict) : "r"(f) : "memory");
	return verdict;
}

INLINE enum verdict decide(struct drop *d, struct key *k, const int direct)
{
	struct facts f = {
		.location = k->location, .socket = k->socket, .reason = k->reason, .ifindex = k->ifindex, .netns = k->netns, .protocol = k->protocol,
	};
	struct packet p;

	if (!HAS(struct trace_event_raw_kfree_skb, reason))
		f.absent |= FACT_REASON;
	if (!f.ifindex)
		f.absent |= FACT_IFINDEX;
	if (!f.netns)
		f.absent |= FACT_NETNS;
	if (!f.socket)
		f.absent |= FACT_SOCKET;
	if (!f.protocol)
		f.absent |= FACT_PROTOCOL;
	if (is_tag(f.protocol))
		f.unknown |= FACT_PROTOCOL;
	if (asked & FACT_IFNAME) {
		if (d->dev)
			probe_read(f.ifname, sizeof(f.ifname), d->dev->name);
		if (!f.ifname[0])
			f.absent |= FACT_IFNAME;
	}
	if (asked & (FACT_LENGTH | FACT_HEADERS)) {
		find_packet(d, k->protocol, &p, direct);
		f.length = p.len;
	}
	if (asked & FACT_HEADERS) {
		f.unknown |= FACT_HEADERS;
		read_headers(&f, &p);
	}
	return wanted(&f);
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
	struct packet p;

	r->key = *k;
	r->pad = 0;
	r->time = ktime_get_ns();
	r->pid_tgid = current_pid_tgid();
	r->cpu = smp_processor_id();
	current_comm(r->comm, sizeof(r->comm));
	r->ifname[0] = 0;
	if (d->dev)
		probe_read(r->ifname, sizeof(r->ifname), d->dev->name);
	find_packet(d, k->protocol, &p, direct);
	r->link = p.link;
	r->len = p.len;
	r->data_len = probe_read(data, p.here, p.start) ? 0 : p.here;
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
	enum verdict verdict = YES;

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

	if (conditional)
		verdict = decide(&d, &k, direct);
	if (verdict == NO) {
		add_beyond(REJECTED);
		return 0;
	}
	if (sample && verdict == YES) {
		t = tally_of(&k);
		if (!t)
			return 0;
	}
	if ((!t || within(t)) && send(ctx, &d, &k, direct))
		return 0;
	if (verdict == UNDECIDED)
		add_beyond(LEFT_UNDECIDED);
	else
		add(t ? t : tally_of(&k));
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
