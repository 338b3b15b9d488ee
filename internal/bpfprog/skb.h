/* SPDX-License-Identifier: MIT
 *
 * What programs read of a struct sk_buff, its device and that one's namespace. It needs socket.h. */
#ifndef BPFPROG_SKB_H
#define BPFPROG_SKB_H

enum {
	/* include/uapi/linux/if_arp.h */
	ARPHRD_ETHER = 1,
	ARPHRD_LOOPBACK = 772,

	UNSET = 0xffff, /* sk_buff.mac_header (skb_mac_header_was_set) */

	NETDEV_HASHENTRIES = 256, /* include/linux/netdevice.h */
	MAX_DEVICES = 16, /* that are looked at in one of those lists */

	/* A namespace has an inode number from PROC_DYNAMIC_FIRST on, the lowest
	 * that is free (include/linux/proc_fs.h and nsfs.h). Anything else was
	 * not a namespace: the upper half of a kernel address is above these. */
	FIRST_NAMESPACE = 0xef000000,
	LAST_NAMESPACE = 0xf7ffffff,
};

/* A direct read of a wild address yields 0. A kernel without commit 0108a4e9f358 has
 * no exception table for a program that calls another, and panics. */
volatile const __u8 faults_handled;

/* LOAD_ANY reads a field where p may be any number, directly where a fault cannot
 * harm. */
#define LOAD_ANY(p, field)                                             \
	({                                                             \
		typeof((p)->field) value = 0;                          \
		if (direct && faults_handled)                          \
			value = (p)->field;                            \
		else                                                   \
			probe_read(&value, sizeof(value), &(p)->field); \
		value;                                                 \
	})

/* segments_of counts the packets on the wire, as TCP's own counters do. */
INLINE __u32 segments_of(struct sk_buff *skb, const int direct)
{
	struct skb_shared_info *info = (void *)LOAD(skb, head) + LOAD(skb, end);
	__u32 segments = READ(info, gso_segs);
	return segments ? segments : 1;
}

/* netns_of gives the inode of a namespace, 0 if net refers to none. */
INLINE __u32 netns_of(struct net *net)
{
	__u32 netns = READ(net, ns.inum);
	return netns < FIRST_NAMESPACE || netns > LAST_NAMESPACE ? 0 : netns;
}

/* device_netns gives the namespace of skb->dev, 0 if that refers to no device: the
 * field has other uses while a packet is in a queue of TCP, UDP or IP's reassembly,
 * and is not set again. So dev may be any number. */
INLINE __u32 device_netns(struct net_device *dev, const int direct)
{
	struct net *net = LOAD_ANY(dev, nd_net.net);
	__u32 netns = LOAD_ANY(net, ns.inum);
	return netns < FIRST_NAMESPACE || netns > LAST_NAMESPACE ? 0 : netns;
}

/* find_device gives the device of a namespace, 0 if it is not found. As a global
 * function, with scalars for pointers, it is verified once, not on each way to it. */
__attribute__((noinline)) __u64 find_device(__u64 namespace, __u32 ifindex)
{
	struct net *net = (void *)namespace;
	if (!HAS(struct net, dev_index_head))
		return 0;
	struct hlist_head *lists = READ(net, dev_index_head);
	struct hlist_head *list = (void *)lists + ifindex % NETDEV_HASHENTRIES * sizeof(void *);
	struct hlist_node *node = READ(list, first);
	for (int i = 0; i < MAX_DEVICES && node; i++) {
		struct net_device *dev = (void *)node - OFFSET(struct net_device, index_hlist);
		if (READ(dev, ifindex) == ifindex)
			return (__u64)dev;
		node = READ(node, next);
	}
	return 0;
}

#endif
