/* SPDX-License-Identifier: MIT
 *
 * Which socket a packet is of. It may be freed, or never have been one: all reads
 * are probed. */
#ifndef SOCKET_H
#define SOCKET_H

/* find_socket sets the socket: the sender or, in a receive queue, the receiver,
 * else the receiver that the tracepoint names. Before Linux 6.9 a fragment in
 * reassembly has a number in its place, which has no family. */
INLINE void find_socket(struct drop *d, struct key *k, struct sock *sk, struct sock *rx_sk, const int direct)
{
	d->receiver = !sk;
	d->sk = sk ? sk : rx_sk;
	if (!d->sk)
		return;
	d->has_socket = 1;
	unsigned short family = READ(d->sk, __sk_common.skc_family);
	if (!family) {
		d->sk = 0;
		return;
	}
	if (family == AF_PACKET)
		k->traits |= TRAIT_CAPTURE;
	else if (k->type == PACKET_OUTGOING && sk) /* skb_set_err_queue */
		k->traits |= TRAIT_ERROR_QUEUE;
	if (by_owner)
		k->socket = socket_cookie(d->sk, 0);
}

INLINE int has_ports(__u16 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_DCCP:
	case IPPROTO_SCTP:
	case IPPROTO_UDPLITE:
		return 1;
	}
	return 0;
}

/* is_receiver says that the packet of a socket was in one of its queues to be
 * read: it was sent to the socket's port. From a port to the same one, it came
 * in if it has an interface that it came in by. */
INLINE int is_receiver(struct drop *d, struct key *k, struct owner *o, const int direct)
{
	__u16 ports[2];
	if (d->receiver || k->traits & TRAIT_ERROR_QUEUE || k->type == PACKET_OUTGOING)
		return 1;
	__u16 transport = LOAD(d->skb, transport_header);
	if (!has_ports(o->protocol) || transport == UNSET)
		return 0;
	if (probe_read(ports, sizeof(ports), LOAD(d->skb, head) + transport) || ntohs(ports[1]) != o->local_port)
		return 0;
	return ports[0] != ports[1] || LOAD(d->skb, skb_iif) != 0;
}

INLINE void read_owner(struct owner *o, struct drop *d, struct key *k, const int direct)
{
	struct sock *sk = d->sk;
	__builtin_memset(o, 0, sizeof(*o));
	if (!sk)
		return;
	read_socket(o, sk, 0);
	o->receiver = is_full(sk, 0) ? is_receiver(d, k, o, direct) : d->receiver;
}

#endif
