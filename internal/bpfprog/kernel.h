/* SPDX-License-Identifier: MIT
 *
 * The parts of the kernel that the programs use: its types, reduced to the
 * fields that are read and relocated when a program is loaded (CO-RE), and
 * the BPF helpers. */
#ifndef KERNEL_H
#define KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

/* Members of a map declaration, which the loader reads from BTF. */
#define UINT(name, value) int (*name)[value]
#define TYPE(name, type) type *name

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ntohs(x) __builtin_bswap16(x)
#else
#define ntohs(x) (x)
#endif

/* Facts about a field of this kernel's type, constants once the program is
 * loaded: whether it exists, and where it is. */
#define HAS(type, field) __builtin_preserve_field_info(((type *)0)->field, 2)
#define OFFSET(type, field) __builtin_preserve_field_info(((type *)0)->field, 0)

/* The number of an enumerator in this kernel, and whether it has it. */
#define HAS_VALUE(type, name) __builtin_preserve_enum_value(*(typeof(type) *)name, 0)
#define VALUE(type, name) __builtin_preserve_enum_value(*(typeof(type) *)name, 1)

/* The bits of a bit-field that is declared as __u8, out of its byte. */
#define BITS(byte, type, field)                                                \
	((__u64)(byte) << __builtin_preserve_field_info(((type *)0)->field, 4) >> \
	 __builtin_preserve_field_info(((type *)0)->field, 5))

/* include/uapi/linux/bpf.h */
enum {
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_RINGBUF = 27,

	BPF_NOEXIST = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
	BPF_RB_AVAIL_DATA = 0,
};

static void *(*map_lookup)(void *map, const void *key) = (void *)1;
static long (*map_update)(void *map, const void *key, const void *value, __u64 flags) = (void *)2;
static __u64 (*ktime_get_ns)(void) = (void *)5;
static __u32 (*smp_processor_id)(void) = (void *)8;
static __u64 (*current_pid_tgid)(void) = (void *)14;
static long (*current_comm)(void *buf, __u32 size) = (void *)16;
static long (*get_stack)(void *ctx, void *buf, __u32 size, __u64 flags) = (void *)67;
static long (*probe_read)(void *dst, __u32 size, const void *src) = (void *)113; /* _kernel */
static void *(*ringbuf_reserve)(void *map, __u64 size, __u64 flags) = (void *)131;
static void (*ringbuf_submit)(void *record, __u64 flags) = (void *)132;
static __u64 (*ringbuf_query)(void *map, __u64 what) = (void *)134;
static void *(*skc_to_tcp_sock)(void *sk) = (void *)137;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct net {
	struct ns_common ns;
	struct hlist_head *dev_index_head; /* NETDEV_HASHENTRIES lists of devices */
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	char name[16];
	int ifindex;
	unsigned int mtu;
	unsigned short type;
	unsigned char *dev_addr;
	possible_net_t nd_net;
	struct hlist_node index_hlist;
	struct bpf_prog *xdp_prog; /* that runs on packets (generic XDP) */
	struct rtnl_link_ops *rtnl_link_ops;
};

struct rtnl_link_ops {
	char *kind;
};

struct bpf_prog_aux {
	__u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct dst_entry {
	struct net_device *dev;
	unsigned long _metrics;
	short error;
};

struct in6_addr {
	__u8 bytes[16];
};

typedef struct {
	__s64 counter;
} atomic64_t;

typedef struct {
	int counter;
} atomic_t;

struct sock_common {
	__u32 skc_daddr, skc_rcv_saddr;
	__u16 skc_dport; /* big endian */
	__u16 skc_num;
	unsigned short skc_family;
	unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct sock_cgroup_data {
	struct cgroup *cgroup; /* since Linux 5.15 */
};

struct inode {
	unsigned long i_ino;
};

struct socket {};

struct socket_alloc { /* around every struct socket that a file refers to */
	struct socket socket;
	struct inode vfs_inode;
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	struct sock_cgroup_data sk_cgrp_data;
	__u16 sk_protocol;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	int sk_rcvbuf;
};

struct proto {
	char name[32];
	long *sysctl_mem; /* three numbers of pages */
};

struct Qdisc_ops {
	char id[16];
};

struct Qdisc {
	struct Qdisc_ops *ops;
	__u32 handle, parent;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst;
	unsigned int len, data_len;
	__u8 pkt_type : 3;
	__u8 vlan_present : 1;	     /* before Linux 6.2 */
	__u32 vlan_all;		     /* since: 0 without a tag */
	int skb_iif;		     /* the interface that it came in by last */
	__u16 vlan_proto;	     /* big endian */
	__u16 vlan_tci;
	__u16 protocol; /* big endian */
	__u16 transport_header, network_header, mac_header;
	unsigned int end; /* an offset from head on every 64-bit kernel */
	unsigned char *head, *data;
};

struct skb_shared_info { /* at head + end */
	unsigned short gso_segs;
};

/* CO-RE does not match an enum with an integer: reason has to be one here, too. */
enum skb_drop_reason {
	SKB_DROP_REASON_NETFILTER_DROP = 1, /* another number in each kernel */
};

struct trace_event_raw_kfree_skb {
	enum skb_drop_reason reason; /* since Linux 5.17 */
	void *rx_sk;		     /* since Linux 6.11 */
};

#pragma clang attribute pop

/* Headers: include/uapi/linux/if_ether.h, ip.h and ipv6.h. */

struct ethhdr {
	__u8 dest[6], source[6];
	__u16 proto;
};

struct iphdr {
	__u8 version_ihl, tos;
	__u16 tot_len, id, frag_off;
	__u8 ttl, protocol;
	__u16 check;
	__u8 saddr[4], daddr[4];
};

struct ipv6hdr {
	__u8 version_class, class_flow, flow[2];
	__u16 payload_len;
	__u8 nexthdr, hop_limit;
	__u8 saddr[16], daddr[16];
};

struct frag_hdr { /* include/net/ipv6.h */
	__u8 nexthdr, reserved;
	__u16 frag_off;
	__u32 identification;
};

struct nlmsghdr { /* include/uapi/linux/netlink.h */
	__u32 len;
	__u16 type, flags;
};

#endif
