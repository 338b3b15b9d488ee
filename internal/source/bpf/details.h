/* SPDX-License-Identifier: MIT
 *
 * What other tracepoints say of a packet just before kfree_skb. Each of these programs
 * is loaded if this kernel has its tracepoint. */
#ifndef DETAILS_H
#define DETAILS_H

enum {
	SK_MEM_RECV = 1, /* include/net/sock.h */

	AT_ONCE = 100000000, /* nanoseconds in which a driver frees a packet after it reported it, on a CPU of a busy host, too */
};

INLINE struct pending *pending_detail(void)
{
	__u32 first = 0;
	return map_lookup(&details, &first);
}

/* is_for says that a transport header is for the port of a socket. */
INLINE int is_for(void *header, struct sock *sk)
{
	__u16 ports[2];
	return !probe_read(ports, sizeof(ports), header) && ntohs(ports[1]) == READ(sk, __sk_common.skc_num);
}

/* use_detail decides whether the last detail is of a packet that is described. The
 * answer is kept in the map: the verifier follows only one way on from here. */
INLINE void use_detail(struct drop *d, struct key *k, const int direct)
{
	struct pending *p = pending_detail();
	if (!p || !p->valid)
		return;
	__u64 skb = p->skb, sk = p->sk, dev = p->dev;
	p->skb = p->sk = p->dev = 0;
	if (skb)
		p->valid = skb == (__u64)d->skb;
	else if (dev)
		p->valid = dev == (__u64)d->dev && ktime_get_ns() - p->time < AT_ONCE;
	else if (d->sk)
		p->valid = sk == (__u64)d->sk;
	else
		p->valid = sk && is_for(LOAD(d->skb, head) + LOAD(d->skb, transport_header), (void *)sk);
	if (p->valid && p->detail.reason)
		k->reason = p->detail.reason;
}

INLINE void copy_detail(struct record *r)
{
	struct pending *p = pending_detail();
	r->detail.kind = DETAIL_NONE;
	if (p && p->valid)
		r->detail = p->detail;
}

INLINE void set_pending(struct pending *p, __u64 skb, __u64 sk, __u64 dev)
{
	p->valid = 1;
	p->skb = skb;
	p->sk = sk;
	p->dev = dev;
}

INLINE void set_buffer(struct pending *p, struct sock *sk, struct sk_buff *skb)
{
	set_pending(p, (__u64)skb, (__u64)sk, 0);
	p->detail.kind = DETAIL_BUFFER;
	p->detail.reason = 0;
	p->detail.numbers[0] = READ(sk, sk_backlog.rmem_alloc.counter);
	p->detail.numbers[1] = READ(sk, sk_rcvbuf);
}

/* The arguments are (rc, sk, skb) since Linux 6.10. Before, there is no skb: it has been
 * freed. What was said of the memory of UDP just before is kept. */
SEC("raw_tp/udp_fail_queue_rcv_skb")
int udp_full(__u64 *ctx)
{
	struct pending *p = pending_detail();
	if (!p)
		return 0;
	if (!p->skb && p->sk == ctx[1])
		p->skb = ctx[2];
	else
		set_buffer(p, (void *)ctx[1], (void *)ctx[2]);
	return 0;
}

/* (q, txq, dev, skb, reason), in Linux 7.2: skb:kfree_skb has the same reason for all. */
SEC("raw_tp/qdisc_drop")
int qdisc_full(__u64 *ctx)
{
	struct pending *p = pending_detail();
	struct Qdisc *q = (void *)ctx[0];
	struct Qdisc_ops *ops = READ(q, ops);
	if (!p)
		return 0;
	set_pending(p, ctx[3], 0, 0);
	p->detail.kind = DETAIL_QDISC;
	p->detail.reason = ctx[4];
	p->detail.numbers[0] = READ(q, handle);
	p->detail.numbers[1] = READ(q, parent);
	probe_read(p->detail.name, sizeof(p->detail.name), ops->id);
	return 0;
}

/* (sk, skb) */
SEC("raw_tp/sock_rcvqueue_full")
int queue_full(__u64 *ctx)
{
	struct pending *p = pending_detail();
	if (p)
		set_buffer(p, (void *)ctx[0], (void *)ctx[1]);
	return 0;
}

/* (sk, proto, allocated, kind) */
SEC("raw_tp/sock_exceed_buf_limit")
int memory_full(__u64 *ctx)
{
	struct pending *p = pending_detail();
	struct proto *proto = (void *)ctx[1];
	if (!p || (__u32)ctx[3] != SK_MEM_RECV)
		return 0;
	set_buffer(p, (void *)ctx[0], 0);
	p->detail.kind = DETAIL_MEMORY;
	p->detail.numbers[2] = ctx[2];
	probe_read(&p->detail.numbers[3], 3 * sizeof(long), READ(proto, sysctl_mem));
	probe_read(p->detail.name, sizeof(p->detail.name), proto->name);
	p->detail.name[sizeof(p->detail.name) - 1] = 0;
	return 0;
}

#endif
