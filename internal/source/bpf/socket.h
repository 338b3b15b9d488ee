/* SPDX-License-Identifier: MIT
 *
 * What the program reads of a socket. It may be freed, or never have been one:
 * all reads are probed. */
#ifndef SOCKET_H
#define SOCKET_H

/* include/net/tcp_states.h: in these states it is no struct sock, only a
 * sock_common. */
enum {
	TCP_TIME_WAIT = 6,
	TCP_NEW_SYN_RECV = 12,
};

/* socket_cookie gives the cookie, or the address while it has none. */
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
		k->socket = socket_cookie(d->sk);
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
	o->cookie = socket_cookie(sk);
	o->family = READ(sk, __sk_common.skc_family);
	o->state = READ(sk, __sk_common.skc_state);
	o->receiver = d->receiver;
	read_addresses(o, sk);
	if (!is_full(sk))
		return;
	o->protocol = READ(sk, sk_protocol);
	o->receiver = is_receiver(d, k, o, direct);
	o->cgroup = socket_cgroup(sk);
	struct socket_alloc *inode = (void *)READ(sk, sk_socket);
	if (inode)
		o->inode = READ(inode, vfs_inode.i_ino);
}

#endif
