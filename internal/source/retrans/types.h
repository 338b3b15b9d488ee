/* SPDX-License-Identifier: MIT
 *
 * The types and maps that the programs and their reader share, and the types of the
 * kernel that no other program reads. */
#ifndef TYPES_H
#define TYPES_H

enum kind {
	RETRANSMIT,
	SYNACK,
	SEND_RESET,
	RECEIVE_RESET,
	KINDS,
};

/* Which numbers of a TCP header are known. */
enum __attribute__((packed)) known {
	KNOWN_SEQ = 1 << 0,
	KNOWN_ACK = 1 << 1,
};

struct record {
	__u64 time; /* CLOCK_MONOTONIC, in nanoseconds */
	__u64 sent_at; /* when the sending began, by the same clock; 0: not known */
	__u64 pid_tgid;
	struct owner owner; /* without a socket only addresses and ports */
	enum kind kind;
	__u32 cpu;
	__u32 netns;
	__u32 ifindex;	/* 0: not known */
	__u32 seq, ack; /* as known says */
	__u32 len;	/* bytes of payload */
	__u32 segments;
	__u32 reason; /* enum sk_rst_reason of this kernel */
	__s32 error;  /* of the sending, negative; 0: none, or not known */
	__u32 srtt;   /* smoothed round-trip time in microseconds; 0: not known */
	__u32 sent;   /* segments of the connection */
	enum known known; /* a set of them */
	__u8 flags;   /* of the TCP header; 0: not known */
	__u8 congestion_state; /* enum tcp_ca_state plus 1; 0: not known */
	__u8 pending;	       /* the timer that is set, or that has just expired (ICSK_TIME_*) */
	__u8 retries;	       /* how many times in a row the retransmission timer has expired */
	char comm[16];
	char ifname[16];
};

/* What the ring had no room for, by enum kind. Both sums only ever grow. */
struct tally {
	__u64 events, segments;
};

struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, KINDS);
	TYPE(key, __u32);
	TYPE(value, struct tally);
} lost SEC(".maps");

struct {
	UINT(type, BPF_MAP_TYPE_RINGBUF);
	UINT(max_entries, 4096); /* set when it is loaded */
	TYPE(value, struct record);
} ring SEC(".maps");

enum { /* include/net/tcp.h */
	TCPHDR_FIN = 0x01,
	TCPHDR_SYN = 0x02,
	TCPHDR_ACK = 0x10,
};

struct tcphdr { /* include/uapi/linux/tcp.h */
	__u16 source, dest;
	__u32 seq, ack_seq;
	__u8 doff, flags;
};

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ntohl(x) __builtin_bswap32(x)
#define LOW_BYTE(type, field) 0
#else
#define ntohl(x) (x)
#define LOW_BYTE(type, field) (__builtin_preserve_field_info(((type *)0)->field, 1) - 1)
#endif

/* The part behind ___ is not of the kernel's name: these have fields that kernel.h does not
 * have. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sock___route {
	struct dst_entry *sk_dst_cache;
};

struct sk_buff___cb {
	__u64 skb_mstamp_ns;
	char cb[48];
};

struct inet_connection_sock {
	__u8 icsk_ca_state : 5;
	__u8 icsk_pending, icsk_retransmits;
};

struct inet_sock {
	__u16 inet_sport; /* big endian; stays when the socket gives its port back */
};

struct tcp_sock { /* begins with a struct sock */
	struct inet_connection_sock inet_conn;
	__u32 segs_out;
	__u32 srtt_us; /* times 8 */
	__u32 rcv_nxt;
};

struct tcp_request_sock {
	__u32 rcv_isn, snt_isn;
};

struct tcp_skb_cb { /* include/net/tcp.h */
	__u32 seq, end_seq;
	__u16 tcp_gso_segs;
	__u8 tcp_flags;
};

struct trace_event_raw_tcp_retransmit_skb {
	int err; /* since Linux 6.17 */
};

enum sk_rst_reason { SK_RST_REASON_NOT_SPECIFIED };

struct trace_event_raw_tcp_send_reset {
	enum sk_rst_reason reason; /* since Linux 6.10 */
};

#pragma clang attribute pop

#endif
