/* SPDX-License-Identifier: MIT
 *
 * The facts about a packet that a condition tests, what its headers say of them, and
 * the condition itself, which the loader puts in: ReplaceWanted of package bpfprog. */
#ifndef BPFPROG_FACTS_H
#define BPFPROG_FACTS_H

enum {
	/* include/uapi/linux/if_ether.h */
	ETH_P_802_3_MIN = 0x0600,
	ETH_P_IP = 0x0800,
	ETH_P_ARP = 0x0806,
	ETH_P_8021Q = 0x8100,
	ETH_P_IPV6 = 0x86dd,
	ETH_P_8021AD = 0x88a8,
	ETH_P_QINQ1 = 0x9100,

	/* include/uapi/linux/in.h and in6.h */
	IPPROTO_HOPOPTS = 0,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_DCCP = 33,
	IPPROTO_ROUTING = 43,
	IPPROTO_FRAGMENT = 44,
	IPPROTO_AH = 51,
	IPPROTO_DSTOPTS = 60,
	IPPROTO_SCTP = 132,
	IPPROTO_MH = 135,
	IPPROTO_UDPLITE = 136,
	IPPROTO_HIP = 139,
	IPPROTO_SHIM6 = 140,

	IP_OFFSET = 0x1fff, /* include/net/ip.h */
};

enum link {
	LINK_NONE, /* no bytes */
	LINK_ETHERNET,
	LINK_RAW,
};

/* A packet is the bytes that can be read of it, the rest being in pages. */
struct packet {
	unsigned char *start;
	__u32 here; /* bytes from start on */
	__u32 len;
	enum link link;
};

/* A fact is something that a condition can test. struct facts has its value,
 * unless the fact is unknown or absent. Values are those that packet.Decode gives for
 * the same bytes. Types Fact and Facts of package bpfprog have the same values and fields. */
enum fact {
	FACT_REASON = 1 << 0,
	FACT_IFINDEX = 1 << 1,
	FACT_NETNS = 1 << 2,
	FACT_PROTOCOL = 1 << 3,
	FACT_LENGTH = 1 << 4,
	FACT_NETWORK = 1 << 5,
	FACT_TRANSPORT = 1 << 6,
	FACT_SRC_PORT = 1 << 7,
	FACT_DST_PORT = 1 << 8,
	FACT_SRC = 1 << 9,
	FACT_DST = 1 << 10,
	FACT_IFNAME = 1 << 11,
	FACT_LOCATION = 1 << 12,
	FACT_SOCKET = 1 << 13,
	FACT_PORTS = FACT_SRC_PORT | FACT_DST_PORT,
	FACT_ADDRESSES = FACT_SRC | FACT_DST,
	FACT_HEADERS = FACT_NETWORK | FACT_TRANSPORT | FACT_PORTS | FACT_ADDRESSES,
};

struct facts {
	__u64 location, socket;
	__u32 unknown, absent; /* sets of enum fact */
	__u32 reason, ifindex, netns;
	__u32 protocol, length, network, transport, src_port, dst_port;
	__u8 src[16], dst[16]; /* IPv4 uses the first four bytes */
	char ifname[16];
	__u32 pad;
};

enum verdict {
	NO,
	YES,
	UNDECIDED,
};

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

#endif
