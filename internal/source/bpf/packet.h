/* SPDX-License-Identifier: MIT
 *
 * What the program reads of a struct sk_buff that is being freed. */
#ifndef PACKET_H
#define PACKET_H

enum {
	/* include/uapi/linux/if_packet.h */
	PACKET_OTHERHOST = 3,
	PACKET_OUTGOING = 4,

	/* of the subsystem NFNL_SUBSYS_QUEUE (include/uapi/linux/netfilter/nfnetlink.h) */
	NFQNL_MSG_PACKET = 3 << 8,

	SKB_DST_NOREF = 1,	/* a flag in sk_buff._skb_refdst */
	DST_METRICS_FLAGS = 3,	/* in dst_entry._metrics (include/net/dst.h) */
	RTAX_MTU = 2,		/* include/uapi/linux/rtnetlink.h; metrics are counted from 1 */

	AF_PACKET = 17,

	IP6_OFFSET = 0xfff8, /* include/net/ipv6.h */
};

INLINE __u8 packet_type(struct sk_buff *skb, const int direct)
{
	return BITS(read_byte((void *)skb + OFFSET(struct sk_buff, pkt_type), direct), struct sk_buff, pkt_type);
}

/* is_to_device says that a frame has its device's own address as its destination. The
 * kernel makes one PACKET_OTHERHOST whose VLAN has no device here, and clears its tag
 * (__netif_receive_skb_core). */
INLINE int is_to_device(struct sk_buff *skb, struct net_device *dev, const int direct)
{
	struct {
		__u16 words[3];
	} own, dest;
	__u16 mac = LOAD(skb, mac_header);
	if (mac == UNSET || READ(dev, type) != ARPHRD_ETHER || probe_read(&dest, sizeof(dest), LOAD(skb, head) + mac) ||
	    probe_read(&own, sizeof(own), READ(dev, dev_addr)))
		return 0;
	return own.words[0] == dest.words[0] && own.words[1] == dest.words[1] && own.words[2] == dest.words[2];
}

INLINE struct dst_entry *route_of(struct sk_buff *skb, const int direct)
{
	return (void *)(LOAD(skb, _skb_refdst) & ~(unsigned long)SKB_DST_NOREF);
}

/* find_origin is for a packet without a device: it came in by skb_iif, 0 if it
 * was made here, in the namespace of its socket or else of its route. */
INLINE void find_origin(struct drop *d, struct key *k, const int direct)
{
	k->ifindex = LOAD(d->skb, skb_iif);
	if (d->sk) {
		d->net = READ(d->sk, __sk_common.skc_net.net);
		k->netns = netns_of(d->net);
	}
	if (k->netns)
		return;
	struct dst_entry *dst = route_of(d->skb, direct);
	if (!dst)
		return;
	struct net_device *dev = READ(dst, dev);
	d->net = READ(dev, nd_net.net);
	k->netns = netns_of(d->net);
}

/* device_of finds the device of a packet that came in by ifindex and does not
 * refer to it any more. */
INLINE struct net_device *device_of(struct drop *d, __u32 ifindex)
{
	if (d->dev || !d->net || !ifindex)
		return d->dev;
	return (void *)find_device((__u64)d->net, ifindex);
}

/* is_attached_fragment says that a packet is a further fragment of a packet that
 * was reassembled (inet_frag_reasm_finish): it has neither device nor socket. In
 * the queues of reassembly, where fragments are dropped, sk is their offset
 * before Linux 6.9; the reader tells those of later kernels by their reason. */
INLINE int is_attached_fragment(struct sk_buff *skb, __u32 protocol, const int direct)
{
	void *header = LOAD(skb, head) + LOAD(skb, network_header);
	if (protocol == ETH_P_IP) {
		struct iphdr h = {};
		probe_read(&h, sizeof(h), header);
		return h.version_ihl >> 4 == 4 && (ntohs(h.frag_off) & IP_OFFSET);
	}
	if (protocol == ETH_P_IPV6) {
		struct {
			struct ipv6hdr ip;
			struct frag_hdr fragment;
		} h = {};
		probe_read(&h, sizeof(h), header);
		return h.ip.version_class >> 4 == 6 && h.ip.nexthdr == IPPROTO_FRAGMENT && (ntohs(h.fragment.frag_off) & IP6_OFFSET);
	}
	return 0;
}

/* read_route reads what a route may have against its packets. In a queue of TCP the
 * field of the route has other uses, and there is no device. */
INLINE void read_route(struct record *r, struct drop *d, const int direct)
{
	struct dst_entry *dst = route_of(d->skb, direct);
	r->route_mtu = r->route_error = 0;
	if (!d->dev || !dst)
		return;
	__s32 error = READ(dst, error);
	r->route_error = error < 0 ? -error : error; /* IPv4 has the number, IPv6 its negative */
	__u32 *metrics = (void *)(READ(dst, _metrics) & ~(unsigned long)DST_METRICS_FLAGS);
	struct net_device *dev = READ(dst, dev);
	probe_read(&r->route_mtu, sizeof(r->route_mtu), &metrics[RTAX_MTU - 1]);
	if (!r->route_mtu)
		r->route_mtu = READ(dev, mtu);
}

/* is_queue_message says that an skb without protocol, device and socket has, as far
 * as its bytes show, a message of nfnetlink_queue to a program. */
INLINE int is_queue_message(struct sk_buff *skb, const int direct)
{
	struct nlmsghdr h = {};

	probe_read(&h, sizeof(h), LOAD(skb, data));
	return h.type == NFQNL_MSG_PACKET && h.len <= LOAD(skb, len);
}

/* read_tag reads the VLAN tag that a device has taken out of the data. */
INLINE void read_tag(struct record *r, struct sk_buff *skb, const int direct)
{
	int present = 0;
	if (HAS(struct sk_buff, vlan_all))
		present = LOAD(skb, vlan_all) != 0;
	else if (HAS(struct sk_buff, vlan_present))
		present = BITS(read_byte((void *)skb + OFFSET(struct sk_buff, vlan_present), direct), struct sk_buff, vlan_present);
	r->vlan_proto = present ? ntohs(LOAD(skb, vlan_proto)) : 0;
	r->vlan_tci = present ? LOAD(skb, vlan_tci) : 0;
}

INLINE void find_packet(struct drop *d, __u32 protocol, struct packet *p, const int direct)
{
	struct sk_buff *skb = d->skb;
	unsigned char *head = LOAD(skb, head);
	__s64 data = LOAD(skb, data) - head;
	__u32 len = LOAD(skb, len);
	__u16 mac = LOAD(skb, mac_header), network = LOAD(skb, network_header);
	__u16 type = ARPHRD_ETHER;
	if (d->dev)
		type = LOAD(d->dev, type);

	__s64 at = network;
	p->link = LINK_RAW;
	if (mac != UNSET && (mac < network || !network) && (type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK)) {
		at = mac;
		p->link = LINK_ETHERNET;
	}
	__s64 linear = data + len - LOAD(skb, data_len) - at;
	if (!at || !protocol || linear < 0) {
		at = data; /* no header was set: there is no packet */
		linear = 0;
		p->link = LINK_NONE;
	}
	p->len = data + len - at;
	p->start = head + at;
	p->here = linear > snaplen ? snaplen : linear;
}

#endif
