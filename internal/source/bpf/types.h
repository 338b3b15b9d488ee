/* SPDX-License-Identifier: MIT
 *
 * The types and maps that the program and its reader share, the options that
 * the reader sets before the program is loaded, and the variables that it sets
 * while the program runs. */
#ifndef TYPES_H
#define TYPES_H

/* A trait is something about a packet that its headers do not show. */
enum __attribute__((packed)) trait {
	TRAIT_EMPTY = 1 << 0,	    /* no payload is left in it */
	TRAIT_FRAGMENT = 1 << 1,    /* attached to a reassembled packet, by its own state */
	TRAIT_CAPTURE = 1 << 2,	    /* its socket is a packet socket */
	TRAIT_ERROR_QUEUE = 1 << 3, /* in the error queue of its socket */
	TRAIT_QUEUE_MESSAGE = 1 << 4, /* a netlink message about a packet for NFQUEUE */
	TRAIT_TO_DEVICE = 1 << 5,   /* for its device's own address, and yet PACKET_OTHERHOST */
};

/* The key that packets are counted by. It has no padding. */
struct key {
	__u64 location;
	__u64 socket; /* its cookie or else its address, 0 without by_owner */
	__u32 reason;
	__u32 ifindex;
	__u32 netns;
	__u16 protocol;
	__u8 type;   /* pkt_type, of include/uapi/linux/if_packet.h */
	enum trait traits; /* a set of them */
};

/* The count of one key on one CPU. Both sums only ever grow. */
struct tally {
	__u64 counted;	/* packets that were counted instead of sent */
	__u64 segments; /* of those, beyond one for each */
	__u32 tick;	/* that sent is for */
	__u32 sent;
};

enum detail_kind {
	DETAIL_NONE,
	DETAIL_BUFFER, /* numbers: bytes in the receive queue, the limit of them */
	DETAIL_MEMORY, /* the same, pages allocated to the protocol, and its three limits; name: the protocol's */
	DETAIL_QDISC,  /* name: the kind; numbers: handle, parent (linux/pkt_sched.h) */
	DETAIL_XDP,    /* of frames: numbers, each 0 if it is not known: ID of the program, its action
			* plus one, the error, ID of the map, CPU plus one; name: the interface out */
};

/* Reasons of frames that XDP loses before they are packets, without a location. They are
 * above those of every subsystem of the kernel. */
enum xdp_reason {
	XDP_EXCEPTION = 0xffff0001,
	XDP_REDIRECT_ERR,
	XDP_DEVMAP_XMIT,
	XDP_CPUMAP_ENQUEUE,
	XDP_CPUMAP_KTHREAD,
};

/* A detail is what another tracepoint said of a packet just before it was freed. */
struct detail {
	__u64 numbers[6];
	char name[16];
	enum detail_kind kind;
	__u32 reason; /* a better one, or 0 */
};

/* A record is one packet, followed by stack_size bytes for its stack and by its
 * data. */
struct record {
	struct key key;
	__u64 time; /* CLOCK_MONOTONIC, in nanoseconds */
	__u64 pid_tgid;
	__u64 skb; /* its address */
	__u32 cpu;
	__u32 segments;	  /* packets on the wire */
	__u32 len;	  /* of the packet from where its data begins */
	__u32 data_len;	  /* bytes of data */
	__u32 stack_size; /* bytes that are set aside for the stack */
	__s32 stack_len;  /* bytes of it that are used; negative: an error */
	__u32 mtu;	  /* of the device, 0 without one */
	__u32 route_mtu;  /* of the route and its device, 0 without one */
	__s32 route_error; /* that the route is there to give, by its number; 0: it leads somewhere */
	__u16 vlan_proto; /* of the tag that is not in the data, 0 without one */
	__u16 vlan_tci;
	enum link link;
	__u32 count; /* 1, or how many frames it stands for */
	char comm[16];
	char ifname[16];
	struct owner owner;
	struct detail detail; /* without a kind, the rest of it is not set */
};

/* What is counted without a key. */
enum overflow {
	UNKEYED,	 /* wanted, but the active table has no room for their key */
	REJECTED,	 /* the condition is false for them */
	UNDECIDED_UNSENT, /* it is neither true nor false, and the ring had no room */
	OVERFLOWS,
};

/* Options. */
volatile const __u32 sample;	   /* records for each key, tick and CPU, 0: no limit */
volatile const __u32 snaplen;	   /* bytes of a packet */
volatile const __u32 stack_size;   /* bytes of a stack, 0: none */
volatile const __u32 hook_size;	   /* the same for what Netfilter drops: the stack has the hook */
volatile const __u8 by_owner;
volatile const __u8 conditional;	/* wanted has a condition */
volatile const enum fact tested;	/* by it */
volatile const __u8 without_mac_header; /* ignore packets that have one */

/* Set by the reader while the program runs. */
volatile __u32 tick; /* changes about every second while packets are dropped */
volatile __u32 active_table; /* 0 or 1; the other one is left to the reader */

struct counts {
	UINT(type, BPF_MAP_TYPE_PERCPU_HASH);
	UINT(max_entries, 1); /* set when they are loaded */
	TYPE(key, struct key);
	TYPE(value, struct tally);
} counts SEC(".maps"), counts2 SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, OVERFLOWS);
	TYPE(key, enum overflow);
	TYPE(value, struct tally);
} overflow SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_RINGBUF);
	UINT(max_entries, 4096); /* set when it is loaded */
	TYPE(value, struct record);
} ring SEC(".maps");

/* On each CPU, the last detail and the packet, or else the socket, or else the device, that
 * it is of. Once the CPU has freed a packet they are 0, and valid says whether it was of
 * that one. */
struct pending {
	__u64 skb, sk, dev;
	__u64 valid;
	__u64 time; /* of a detail that is of a device */
	__u64 redirect; /* the XDP program whose redirect failed last */
	struct detail detail;
};

struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, 1);
	TYPE(key, __u32);
	TYPE(value, struct pending);
} details SEC(".maps");

/* A drop is what the program knows of a packet that is being freed. */
struct drop {
	struct sk_buff *skb;
	struct sock *sk;
	struct net_device *dev; /* that skb->dev refers to */
	struct net *net;
	__u32 segments;
	__u8 receiver;	 /* sk is the receiver, by rx_sk */
	__u8 has_socket; /* a socket, or a number in its place */
};

#endif
