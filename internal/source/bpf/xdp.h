/* SPDX-License-Identifier: MIT
 *
 * Frames that XDP loses in a driver, where they are no packets and skb:kfree_skb does not
 * report them. Where XDP runs on packets, they are freed next, and this is a detail. */
#ifndef XDP_H
#define XDP_H

enum {
	ACTION_REDIRECT = 4, /* XDP_REDIRECT of include/uapi/linux/bpf.h */
};

INLINE __u32 program_id(struct bpf_prog *prog)
{
	struct bpf_prog_aux *aux = READ(prog, aux);
	return READ(aux, id);
}

INLINE int is_generic(struct net_device *dev, struct bpf_prog *prog)
{
	return READ(dev, xdp_prog) == prog;
}

/* is_veth: its driver has packets, but for frames that were redirected to it. */
INLINE int is_veth(struct net_device *dev)
{
	struct rtnl_link_ops *ops = READ(dev, rtnl_link_ops);
	char kind[5] = {};
	probe_read(kind, sizeof(kind), READ(ops, kind));
	return kind[0] == 'v' && kind[1] == 'e' && kind[2] == 't' && kind[3] == 'h' && !kind[4];
}

INLINE int explain_packet(struct pending *p, struct net_device *dev, enum xdp_reason reason, struct detail *detail)
{
	set_pending(p, 0, 0, (__u64)dev);
	p->time = ktime_get_ns();
	p->detail = *detail;
	p->detail.kind = DETAIL_XDP;
	p->detail.reason = reason;
	return 0;
}

/* send_frames is false if the ring has no room. */
INLINE int send_frames(struct net_device *dev, struct key *k, struct detail *detail, __u32 frames)
{
	struct record *r = ringbuf_reserve(&ring, sizeof(*r), 0);
	if (!r)
		return 0;
	__builtin_memset(r, 0, sizeof(*r));
	r->key = *k;
	r->time = ktime_get_ns();
	r->pid_tgid = current_pid_tgid();
	r->cpu = smp_processor_id();
	r->segments = r->count = frames;
	r->detail = *detail;
	current_comm(r->comm, sizeof(r->comm));
	if (dev)
		probe_read(r->ifname, sizeof(r->ifname), dev->name);
	ringbuf_submit(r, wakeup(&ring));
	return 1;
}

INLINE void add_frames(struct tally *t, __u32 frames)
{
	if (t)
		__sync_fetch_and_add(&t->counted, frames);
}

/* decide_frames tests the condition on frames, of which there are no headers. */
INLINE enum verdict decide_frames(struct net_device *dev, struct key *k)
{
	struct drop d = {.dev = dev};
	struct facts f = {};
	read_key(&f, k);
	if (tested & FACT_IFNAME)
		read_ifname(&f, &d);
	f.absent |= FACT_HEADERS | FACT_LENGTH;
	return verdict_on(&f);
}

/* lose accounts for frames of a device, if that is known: as a record, or in a tally. */
INLINE int lose(struct net_device *dev, enum xdp_reason reason, struct detail *detail, __u32 frames)
{
	struct key k = {.reason = reason};
	struct tally *t = 0;

	if (!frames)
		return 0;
	if (dev) {
		k.ifindex = READ(dev, ifindex);
		k.netns = netns_of(READ(dev, nd_net.net));
	}
	if (conditional) {
		enum verdict verdict = decide_frames(dev, &k);
		enum overflow why = verdict == NO ? REJECTED : UNDECIDED_UNSENT;
		if (verdict != YES) {
			add_frames(map_lookup(&overflow, &why), frames);
			return 0;
		}
	}
	detail->kind = DETAIL_XDP;
	if (sample)
		t = tally_of(&k);
	if ((!t || in_sample(t)) && send_frames(dev, &k, detail, frames))
		return 0;
	add_frames(t ? t : tally_of(&k), frames);
	return 0;
}

/* (dev, prog, action). Many drivers report a redirect that failed here, too. */
SEC("raw_tp/xdp_exception")
int xdp_exception(__u64 *ctx)
{
	struct net_device *dev = (void *)ctx[0];
	struct bpf_prog *prog = (void *)ctx[1];
	__u32 action = ctx[2];
	struct pending *p = pending_detail();
	if (!p)
		return 0;
	if (action == ACTION_REDIRECT && p->redirect == ctx[1]) {
		p->redirect = 0;
		return 0;
	}
	struct detail detail = {.numbers = {program_id(prog), action + 1}};
	if (is_generic(dev, prog) || is_veth(dev))
		return explain_packet(p, dev, XDP_EXCEPTION, &detail);
	return lose(dev, XDP_EXCEPTION, &detail, 1);
}

INLINE int redirect_failed(__u64 *ctx)
{
	struct net_device *dev = (void *)ctx[0];
	struct bpf_prog *prog = (void *)ctx[1];
	struct pending *p = pending_detail();
	if (!p)
		return 0;
	p->redirect = ctx[1];
	struct detail detail = {.numbers = {program_id(prog), 0, (__u32) - (__s32)ctx[3]}};
	if (is_generic(dev, prog))
		return explain_packet(p, dev, XDP_REDIRECT_ERR, &detail);
	return lose(dev, XDP_REDIRECT_ERR, &detail, 1);
}

/* (dev, prog, target, error, ...) */
SEC("raw_tp/xdp_redirect_err")
int xdp_redirect_err(__u64 *ctx)
{
	return redirect_failed(ctx);
}

/* The same for maps, in some kernels. */
SEC("raw_tp/xdp_redirect_map_err")
int xdp_redirect_map_err(__u64 *ctx)
{
	return redirect_failed(ctx);
}

/* (from device, to device, sent, dropped, error) */
SEC("raw_tp/xdp_devmap_xmit")
int xdp_devmap_xmit(__u64 *ctx)
{
	struct net_device *to = (void *)ctx[1];
	__s32 dropped = ctx[3];
	struct detail detail = {.numbers = {0, 0, (__u32) - (__s32)ctx[4]}};
	if (dropped <= 0)
		return 0;
	probe_read(detail.name, sizeof(detail.name), to->name);
	return lose((void *)ctx[0], XDP_DEVMAP_XMIT, &detail, dropped);
}

/* (map, processed, dropped, CPU) */
SEC("raw_tp/xdp_cpumap_enqueue")
int xdp_cpumap_enqueue(__u64 *ctx)
{
	struct detail detail = {.numbers = {0, 0, 0, (__u32)ctx[0], (__u32)ctx[3] + 1}};
	return lose(0, XDP_CPUMAP_ENQUEUE, &detail, ctx[2]);
}

/* (map, processed, dropped, ...), on the CPU of the map's entry */
SEC("raw_tp/xdp_cpumap_kthread")
int xdp_cpumap_kthread(__u64 *ctx)
{
	struct detail detail = {.numbers = {0, 0, 0, (__u32)ctx[0], smp_processor_id() + 1}};
	return lose(0, XDP_CPUMAP_KTHREAD, &detail, ctx[2]);
}

#endif
