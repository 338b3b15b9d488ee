/* SPDX-License-Identifier: MIT
 *
 * The types and maps that the programs and their reader share, and the options. */
#ifndef TYPES_H
#define TYPES_H

/* What became of a packet at a point that it passed. Type What of package flows has the same
 * values. */
enum what {
	RECEIVED,  /* an interface received it from outside of its stack, such as a driver or a veth pair */
	HANDED_UP, /* an interface received it from another one, such as a bridge from its port */
	DELIVERED, /* to a protocol above IP */
	FORWARDED, /* the interface received it, and another one sent it */
	SENT_OWN,  /* sent, made in this namespace */
	SENT_ON,   /* sent, received before in this namespace */
	SENT_DOWN, /* to an interface below, which sends it */
	QUEUED_OWN, /* handed to the queue of an interface and not to its driver yet, made in this namespace */
	QUEUED_ON, /* the same, received before in this namespace */
	UNDECIDED_HERE, /* the condition is neither true nor false */
	WHATS,
};

/* The key that packets are counted by. It has no padding. */
struct key {
	__u32 netns;
	__u32 ifindex;
	enum what what;
};

/* The count of one key on one CPU. A packet that a driver returned is subtracted, and so is one
 * that leaves a queue, perhaps on another CPU: only the sum over all CPUs is a number of packets. */
struct tally {
	__u64 buffers;	/* socket buffers */
	__u64 segments; /* packets on the wire in them */
	char name[16];	/* of the interface; empty on the CPUs that did not count the key first */
};

/* Set by the reader: packets are counted, by all programs from and to the same moment. */
volatile __u32 counting;

struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_HASH);
	UINT(max_entries, 10240); /* WHATS for each of 1024 interfaces */
	TYPE(key, struct key);
	TYPE(value, struct tally);
} counts SEC(".maps");

/* What counts had no room for. */
struct {
	UINT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	UINT(max_entries, 1);
	TYPE(key, __u32);
	TYPE(value, struct tally);
} overflow SEC(".maps");

#endif
