/* SPDX-License-Identifier: MIT
 *
 * The facts about a packet that a condition tests, from its headers and its key. */
#ifndef FACTS_H
#define FACTS_H

/* skip passes over n bytes, if they are all there and would be sent. */
INLINE int skip(struct packet *p, __u32 n)
{
	if (p->here < n)
		return 0;
	p->start += n;
	p->here -= n;
	return 1;
}

INLINE int read_bytes(struct packet *p, void *to, __u32 n)
{
	unsigned char *from = p->start;
	return skip(p, n) && !probe_read(to, n, from);
}

INLINE void set_known(struct facts *f, __u32 facts)
{
	f->unknown &= ~facts;
}

INLINE void set_absent(struct facts *f, __u32 facts)
{
	f->unknown &= ~facts;
	f->absent |= facts;
}

/* read_ports reads what follows the IP header, of which there are left bytes. */
INLINE void read_ports(struct facts *f, struct packet *p, __u32 left)
{
	__u16 ports[2];
	if (f->transport != IPPROTO_TCP && f->transport != IPPROTO_UDP && f->transport != IPPROTO_SCTP) {
		set_absent(f, FACT_PORTS);
		return;
	}
	if (left < sizeof(ports) || !read_bytes(p, ports, sizeof(ports)))
		return;
	f->src_port = ntohs(ports[0]);
	f->dst_port = ntohs(ports[1]);
	set_known(f, FACT_PORTS);
}

INLINE void read_ipv4(struct facts *f, struct packet *p)
{
	struct iphdr h;
	if (!read_bytes(p, &h, sizeof(h)))
		return;
	__u32 size = (h.version_ihl & 15) * 4, total = ntohs(h.tot_len);
	if (h.version_ihl >> 4 != 4 || size < sizeof(h) || (total && total < size) || h.protocol == IPPROTO_AH ||
	    !skip(p, size - sizeof(h)))
		return;
	f->network = ETH_P_IP;
	f->transport = h.protocol;
	__builtin_memcpy(f->src, h.saddr, sizeof(h.saddr));
	__builtin_memcpy(f->dst, h.daddr, sizeof(h.daddr));
	set_known(f, FACT_NETWORK | FACT_TRANSPORT | FACT_ADDRESSES);
	if (ntohs(h.frag_off) & IP_OFFSET)
		set_absent(f, FACT_PORTS);
	else
		read_ports(f, p, total ? total - size : -1);
}

INLINE int is_extension(__u8 next)
{
	switch (next) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_FRAGMENT:
	case IPPROTO_AH:
	case IPPROTO_DSTOPTS:
	case IPPROTO_MH:
	case IPPROTO_HIP:
	case IPPROTO_SHIM6:
		return 1;
	}
	return 0;
}

INLINE void read_ipv6(struct facts *f, struct packet *p)
{
	struct ipv6hdr h;
	if (!read_bytes(p, &h, sizeof(h)) || h.version_class >> 4 != 6 || is_extension(h.nexthdr))
		return;
	__u32 left = ntohs(h.payload_len);
	f->network = ETH_P_IPV6;
	f->transport = h.nexthdr;
	__builtin_memcpy(f->src, h.saddr, sizeof(h.saddr));
	__builtin_memcpy(f->dst, h.daddr, sizeof(h.daddr));
	set_known(f, FACT_NETWORK | FACT_TRANSPORT | FACT_ADDRESSES);
	read_ports(f, p, left ? left : -1);
}

INLINE int is_tag(__u32 type)
{
	return type == ETH_P_8021Q || type == ETH_P_8021AD || type == ETH_P_QINQ1;
}

/* read_headers reads simple packets. The headers of others stay unknown. */
INLINE void read_headers(struct facts *f, struct packet *p)
{
	struct ethhdr h;
	if (p->link == LINK_NONE) {
		set_absent(f, FACT_HEADERS);
		return;
	}
	if (p->link == LINK_ETHERNET && (!read_bytes(p, &h, sizeof(h)) || ntohs(h.proto) != f->protocol))
		return;
	switch (f->protocol) {
	case ETH_P_IP:
		read_ipv4(f, p);
		return;
	case ETH_P_IPV6:
		read_ipv6(f, p);
		return;
	}
	if (f->protocol < ETH_P_802_3_MIN || is_tag(f->protocol) || !p->here)
		return;
	set_absent(f, FACT_TRANSPORT | FACT_PORTS);
	if (f->protocol != ETH_P_ARP) {
		set_absent(f, FACT_HEADERS);
		return;
	}
	f->network = ETH_P_ARP;
	set_known(f, FACT_NETWORK);
}

/* read_ifname reads the interface's name. It is unknown where the interface is
 * known but not found. */
INLINE void read_ifname(struct facts *f, struct drop *d)
{
	struct net_device *dev = device_of(d, f->ifindex);
	if (dev)
		probe_read(f->ifname, sizeof(f->ifname), dev->name);
	else if (f->ifindex)
		f->unknown |= FACT_IFNAME;
	else
		f->absent |= FACT_IFNAME;
}

/* is_address says that a key has a socket's address for want of its cookie. */
INLINE int is_address(__u64 socket)
{
	return socket >> 63;
}

INLINE void read_key(struct facts *f, struct key *k)
{
	f->location = k->location;
	f->socket = k->socket;
	f->reason = k->reason;
	f->ifindex = k->ifindex;
	f->netns = k->netns;
	f->protocol = k->protocol;
	if (!f->reason && !HAS(struct trace_event_raw_kfree_skb, reason)) /* another tracepoint may have given one */
		f->absent |= FACT_REASON;
	if (!f->ifindex)
		f->absent |= FACT_IFINDEX;
	if (!f->netns)
		f->unknown |= FACT_NETNS;
	if (!f->socket)
		f->absent |= FACT_SOCKET;
	if (is_address(f->socket))
		f->unknown |= FACT_SOCKET;
	if (!f->protocol)
		f->absent |= FACT_PROTOCOL;
	if (is_tag(f->protocol))
		f->unknown |= FACT_PROTOCOL;
}

/* wanted is replaced by the condition when the program is loaded. */
static __attribute__((noinline)) enum verdict wanted(const struct facts *f)
{
	enum verdict verdict = YES;
	asm volatile("" : "+r"(verdict) : "r"(f) : "memory");
	return verdict;
}

/* judge gives the verdict on facts at an address. As a global function it is verified
 * once: the verifier would go through the condition for each way that leads to it. */
__attribute__((noinline)) int judge(__u64 facts)
{
	struct facts f;
	if (probe_read(&f, sizeof(f), (void *)facts))
		return UNDECIDED;
	return wanted(&f);
}

/* verdict_on gives judge the address of the facts, which it takes as a number only. That a
 * pointer has been read from memory by a helper makes it one. */
INLINE enum verdict verdict_on(struct facts *f)
{
	__u64 address = 0;
	if (probe_read(&address, sizeof(address), &f))
		return UNDECIDED;
	return judge(address);
}

INLINE enum verdict decide(struct drop *d, struct key *k, const int direct)
{
	struct facts f = {};
	struct packet p;

	read_key(&f, k);
	if (tested & FACT_IFNAME)
		read_ifname(&f, d);
	if (tested & (FACT_LENGTH | FACT_HEADERS)) {
		find_packet(d, k->protocol, &p, direct);
		f.length = p.len;
	}
	if (tested & FACT_HEADERS) {
		f.unknown |= FACT_HEADERS;
		read_headers(&f, &p);
	}
	return verdict_on(&f);
}

#endif
