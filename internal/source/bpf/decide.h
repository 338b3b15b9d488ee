/* SPDX-License-Identifier: MIT
 *
 * What a condition tests of a packet that is being freed: its key, and its headers. */
#ifndef DECIDE_H
#define DECIDE_H

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
