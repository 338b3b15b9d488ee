//go:build ignore

// SPDX-License-Identifier: MIT
//
// Sends a record of each segment that TCP sends again and, with resets, of each RST that
// it sends or receives. Each is accounted for exactly once: as a record in the ring, or
// in a count of those that it had no room for.

#include "../../bpfprog/kernel.h"

#include "../../bpfprog/socket.h"

#include "../../bpfprog/reader.h"

#include "types.h"

// answer_to reads the header of a packet that came in: the RST is its
// answer, from where it was sent to (tcp_v4_send_reset and tcp_v6_send_response of
// net/ipv4/tcp_ipv4.c and net/ipv6/tcp_ipv6.c).
INLINE void answer_to(struct record *r, struct sk_buff *skb)
{
	struct tcphdr th;
	unsigned char *head = READ(skb, head);
	__u8 *ip = head + READ(skb, network_header);
	__u8 version = 0;

	probe_read(&th, sizeof(th), head + READ(skb, transport_header));
	probe_read(&version, sizeof(version), ip);
	if (version >> 4 == 4) {
		struct iphdr *h = (void *)ip;
		r->owner.family = AF_INET;
		probe_read(r->owner.local, 4, h->daddr);
		probe_read(r->owner.remote, 4, h->saddr);
	} else {
		struct ipv6hdr *h = (void *)ip;
		r->owner.family = AF_INET6;
		probe_read(r->owner.local, 16, h->daddr);
		probe_read(r->owner.remote, 16, h->saddr);
	}
	r->owner.local_port = ntohs(th.dest);
	r->owner.remote_port = ntohs(th.source);
	r->known = KNOWN_SEQ;
	if (th.flags & TCPHDR_ACK) {
		r->seq = ntohl(th.ack_seq);
		return;
	}
	r->known |= KNOWN_ACK;
	r->ack = ntohl(th.seq) + !!(th.flags & TCPHDR_SYN) + !!(th.flags & TCPHDR_FIN) + READ(skb, len) - (th.doff >> 4) * 4;
}

// read_device reads the interface and the namespace that it is in.
INLINE void read_device(struct record *r, struct net_device *dev, const int direct)
{
	if (!dev)
		return;
	r->ifindex = LOAD(dev, ifindex);
	probe_read(r->ifname, sizeof(r->ifname), dev->name);
	if (!r->netns) {
		struct net *net = READ(dev, nd_net.net);
		r->netns = READ(net, ns.inum);
	}
}

// read_connection reads what the control block of a connection says, of a struct sock that
// is whole and of TCP.
INLINE void read_connection(struct record *r, struct sock *sk, const int direct)
{
	struct tcp_sock *tp = direct ? skc_to_tcp_sock(sk) : sk;
	struct sock___route *route = (void *)sk;

	if (!tp)
		return;
	__u8 ca = read_byte((void *)tp + OFFSET(struct tcp_sock, inet_conn.icsk_ca_state), direct);
	r->congestion_state = 1 + BITS(ca, struct inet_connection_sock, icsk_ca_state);
	r->pending = LOAD(tp, inet_conn.icsk_pending);
	r->retries = LOAD(tp, inet_conn.icsk_retransmits);
	r->srtt = LOAD(tp, srtt_us) >> 3;
	r->sent = LOAD(tp, segs_out);
	r->ack = LOAD(tp, rcv_nxt);
	struct dst_entry *dst = LOAD(route, sk_dst_cache);
	if (dst)
		read_device(r, LOAD(dst, dev), direct);
}

// read_segment reads what a segment has in its control block (struct tcp_skb_cb).
INLINE void read_segment(struct record *r, struct sk_buff *skb, const int direct)
{
	struct tcp_skb_cb *cb = (void *)skb + OFFSET(struct sk_buff___cb, cb);
	struct sk_buff___cb *stamped = (void *)skb;
	__u32 end = LOAD(cb, end_seq);
	// The flags are in the low byte of what is wider since Linux 6.16.
	__u8 flags = read_byte((void *)cb + OFFSET(struct tcp_skb_cb, tcp_flags) + LOW_BYTE(struct tcp_skb_cb, tcp_flags), direct);

	r->sent_at = LOAD(stamped, skb_mstamp_ns);
	r->seq = LOAD(cb, seq);
	r->flags = flags;
	r->len = end - r->seq - !!(flags & TCPHDR_SYN) - !!(flags & TCPHDR_FIN);
	r->known |= KNOWN_SEQ;
	if (flags & TCPHDR_ACK)
		r->known |= KNOWN_ACK;
}

INLINE void count_lost(enum kind kind, __u32 segments)
{
	__u32 of = kind;
	struct tally *t = map_lookup(&lost, &of);
	if (!t)
		return;
	__sync_fetch_and_add(&t->events, 1);
	__sync_fetch_and_add(&t->segments, segments);
}

// begin gives a record, or nothing if the ring has no room: that is counted.
INLINE struct record *begin(enum kind kind, struct sock *sk, __u32 segments, const int direct)
{
	struct record *r = ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r) {
		count_lost(kind, segments);
		return 0;
	}
	__builtin_memset(r, 0, sizeof(*r));
	r->kind = kind;
	r->segments = segments;
	r->time = ktime_get_ns();
	r->pid_tgid = current_pid_tgid();
	r->cpu = smp_processor_id();
	current_comm(r->comm, sizeof(r->comm));
	if (!sk)
		return r;
	read_socket(&r->owner, sk, direct);
	struct net *net = LOAD(sk, __sk_common.skc_net.net);
	if (net) // which it always has: the verifier does not know that
		r->netns = LOAD(net, ns.inum);
	return r;
}

INLINE void send(struct record *r) { ringbuf_submit(r, wakeup(&ring)); }

// The arguments are (sk, skb[, err since Linux 6.17]). Before that, a segment whose sending failed is
// not reported, and is in TcpExt TCPRetransFail.
INLINE int resent(__u64 *ctx, struct sock *sk, struct sk_buff *skb, const int direct)
{
	struct tcp_skb_cb *cb = (void *)skb + OFFSET(struct sk_buff___cb, cb);
	struct record *r = begin(RETRANSMIT, sk, LOAD(cb, tcp_gso_segs), direct);

	if (!r)
		return 0;
	read_connection(r, sk, direct);
	read_segment(r, skb, direct);
	if (HAS(struct trace_event_raw_tcp_retransmit_skb, err))
		r->error = ctx[2];
	send(r);
	return 0;
}

// One form reads the kernel directly, the other through a helper, which takes more than twice as long.
SEC("tp_btf/tcp_retransmit_skb")
int retransmit_btf(__u64 *ctx)
{
	return resent(ctx, (void *)ctx[0], (void *)ctx[1], 1);
}

SEC("raw_tp/tcp_retransmit_skb")
int retransmit_raw(__u64 *ctx)
{
	return resent(ctx, (void *)ctx[0], (void *)ctx[1], 0);
}

// The arguments are (sk, req): the listening socket, and the request, which begins as a socket does.
SEC("raw_tp/tcp_retransmit_synack")
int retransmit_synack(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0], *req = (void *)ctx[1];
	struct tcp_request_sock *request = (void *)req;
	struct record *r = begin(SYNACK, sk, 1, 0);

	if (!r)
		return 0;
	r->owner.state = TCP_NEW_SYN_RECV;
	r->owner.family = READ(req, __sk_common.skc_family);
	read_addresses(&r->owner, req, 0);
	r->seq = READ(request, snt_isn);
	r->ack = READ(request, rcv_isn) + 1;
	r->flags = TCPHDR_SYN | TCPHDR_ACK;
	r->known = KNOWN_SEQ | KNOWN_ACK;
	send(r);
	return 0;
}

// The arguments are (sk, skb[, reason since Linux 6.10]). One of them may be 0: without a packet the
// connection is aborted from here, without a socket nobody waits for the packet.
SEC("raw_tp/tcp_send_reset")
int send_reset(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct sk_buff *skb = (void *)ctx[1];
	struct record *r = begin(SEND_RESET, sk, 1, 0);

	if (!r)
		return 0;
	if (skb) {
		answer_to(r, skb);
		read_device(r, READ(skb, dev), 0);
	} else {
		struct inet_sock *inet = (void *)sk;
		r->owner.local_port = ntohs(READ(inet, inet_sport));
	}
	if (HAS(struct trace_event_raw_tcp_send_reset, reason))
		r->reason = ctx[2];
	send(r);
	return 0;
}

// The argument is (sk).
SEC("raw_tp/tcp_receive_reset")
int receive_reset(__u64 *ctx)
{
	struct record *r = begin(RECEIVE_RESET, (void *)ctx[0], 1, 0);

	if (r)
		send(r);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
