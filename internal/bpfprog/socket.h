/* SPDX-License-Identifier: MIT
 *
 * What programs read of a socket. It may be freed, or never have been one: all reads
 * are probed, unless direct says that the verifier knows that it is one. */
#ifndef BPFPROG_SOCKET_H
#define BPFPROG_SOCKET_H

enum {
	AF_INET = 2,
	AF_INET6 = 10,
};

/* Type Owner of package bpfprog has the same fields. */
struct owner {
	__u64 cookie; /* or its address; 0: there is no socket */
	__u64 inode;
	__u64 cgroup;
	__u16 family, protocol;
	__u16 local_port, remote_port;
	__u8 local[16], remote[16];
	__u8 state;
	__u8 receiver; /* the packet was for it */
	__u8 pad[6];
};

/* READ reads a field where p may be any number. */
#define READ(p, field)                                          \
	({                                                      \
		typeof((p)->field) value = 0;                   \
		probe_read(&value, sizeof(value), &(p)->field); \
		value;                                          \
	})

/* LOAD reads a field, directly where the verifier knows the type of p. */
#define LOAD(p, field)                                                 \
	({                                                             \
		typeof((p)->field) value = 0;                          \
		if (direct)                                            \
			value = (p)->field;                            \
		else                                                   \
			probe_read(&value, sizeof(value), &(p)->field); \
		value;                                                 \
	})

/* read_byte reads the byte of bit-fields, which LOAD does not take. */
INLINE __u8 read_byte(void *at, const int direct)
{
	__u8 value = 0;
	if (direct)
		value = *(volatile __u8 *)at;
	else
		probe_read(&value, sizeof(value), at);
	return value;
}

/* include/net/tcp_states.h: in these states it is no struct sock, only a
 * sock_common. */
enum {
	TCP_TIME_WAIT = 6,
	TCP_NEW_SYN_RECV = 12,
};

/* socket_cookie gives the cookie, or the address while it has none. */
INLINE __u64 socket_cookie(struct sock *sk, const int direct)
{
	__u64 cookie = LOAD(sk, __sk_common.skc_cookie.counter);
	return cookie ? cookie : (__u64)sk;
}

INLINE int is_full(struct sock *sk, const int direct)
{
	__u8 state = LOAD(sk, __sk_common.skc_state);
	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

INLINE __u64 socket_cgroup(struct sock *sk, const int direct)
{
	if (!HAS(struct sock_cgroup_data, cgroup) || !is_full(sk, direct))
		return 0;
	struct cgroup *cgroup = LOAD(sk, sk_cgrp_data.cgroup);
	struct kernfs_node *kn = LOAD(cgroup, kn);
	return LOAD(kn, id);
}

INLINE void read_addresses(struct owner *o, struct sock *sk, const int direct)
{
	if (o->family == AF_INET) {
		*(__u32 *)o->local = LOAD(sk, __sk_common.skc_rcv_saddr);
		*(__u32 *)o->remote = LOAD(sk, __sk_common.skc_daddr);
	} else if (o->family == AF_INET6 && HAS(struct sock_common, skc_v6_daddr)) {
		probe_read(o->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		probe_read(o->remote, 16, &sk->__sk_common.skc_v6_daddr);
	} else {
		return;
	}
	o->local_port = LOAD(sk, __sk_common.skc_num);
	o->remote_port = ntohs(LOAD(sk, __sk_common.skc_dport));
}

/* read_socket sets what is known of a socket, but receiver, in o, which is zero. */
INLINE void read_socket(struct owner *o, struct sock *sk, const int direct)
{
	o->cookie = socket_cookie(sk, direct);
	o->family = LOAD(sk, __sk_common.skc_family);
	o->state = LOAD(sk, __sk_common.skc_state);
	read_addresses(o, sk, direct);
	if (!is_full(sk, direct))
		return;
	o->protocol = LOAD(sk, sk_protocol);
	o->cgroup = socket_cgroup(sk, direct);
	struct socket_alloc *inode = (void *)LOAD(sk, sk_socket);
	if (inode)
		o->inode = READ(inode, vfs_inode.i_ino);
}

#endif
