/* SPDX-License-Identifier: MIT
 *
 * What drops.bpf.c uses of the kernel: its own types with the fields that are
 * read, relocated when the program is loaded (CO-RE), and the helpers. */
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

/* Declarations of maps, as BTF tells them to the loader. */
#define UINT(name, value) int (*name)[value]
#define TYPE(name, type) type *name

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ntohs(x) __builtin_bswap16(x)
#else
#define ntohs(x) (x)
#endif

/* Does this kernel's type have the field? A constant when the program loads. */
#define HAS(type, field) __builtin_preserve_field_info(((type *)0)->field, 2)

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

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	char name[16];
	int ifindex;
	unsigned short type;
	possible_net_t nd_net;
};

struct in6_addr {
	__u8 bytes[16];
};

typedef struct {
	__s64 counter;
} atomic64_t;

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

struct socket_alloc { /* of every struct socket that user space has */
	struct socket socket;
	struct inode vfs_inode;
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	struct sock_cgroup_data sk_cgrp_data;
	__u16 sk_protocol;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned int len, data_len;
	__u16 protocol; /* big endian */
	__u16 network_header, mac_header;
	unsigned char *head, *data;
};

/* CO-RE takes an enum for no integer: declared otherwise, reason is not found. */
enum skb_drop_reason {
	SKB_NOT_DROPPED_YET,
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

#endif
