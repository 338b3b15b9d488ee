package diagnose

import (
	"cmp"
	"net/netip"
	"slices"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// Resent is what a finding says of segments that TCP sent again and this host did not drop before, or of
// which that is not known. What this host dropped is of the finding of these drops: see [Finding].SentAgain.
type Resent struct {
	Sent     uint64     // segments that TCP sent besides: all (TcpOutSegs), or to Peers if an expression selects; 0 if not known
	Peers    []Peer     // to whom they were sent, the most first
	Doubts   []Doubt    // why it is not known of some whether this host dropped them
	LostHere []LostHere // others, by the findings of the drops
	Arrived  uint64     // segments that had arrived when they were sent again, as peers say (TcpExtTCPDSACKRecv)
	Received uint64     // that peers sent again, and that had arrived
}

// A Peer is to whom TCP sent segments again.
type Peer struct {
	Addr       netip.Addr // not valid: peers for which there was no room
	Beyond     uint64     // segments that were lost beyond this host, or acknowledged too late
	Unknown    uint64     // that were lost here or beyond
	Hidden     uint64     // that this host dropped, by drops of no finding: an expression leaves them out
	Handshakes uint64     // of these, those that open a connection
	Here       uint64     // besides, that this host dropped: those are of the findings of these drops
	Spurious   uint64     // that had arrived when they were sent again, as the peer says (tcpi_dsack_dups): of all
	Sent       uint64     // all that was sent to it, also again; 0 if that is not known
}

// Percent is the part of what was sent to the peer that was sent again; 0 if that is not known.
func (p *Peer) Percent() float64 {
	again := p.Segments() + p.Here
	if p.Sent < again || p.Sent == 0 {
		return 0
	}
	return 100 * float64(again) / float64(p.Sent)
}

// Segments are those that the finding is about.
func (p *Peer) Segments() uint64 { return p.Beyond + p.Unknown + p.Hidden }

// A Doubt is why it is not known where segments were lost.
type Doubt struct {
	Why      string `json:"why"`
	Segments uint64 `json:"segments"`
}

// LostHere are segments that this host dropped before they were sent again, by the finding of the drops.
type LostHere struct {
	ID       string `json:"id"`
	Rank     int    `json:"rank,omitempty"` // noise has none
	Segments uint64 `json:"segments"`
}

// SentAgain are segments to a peer that TCP sent again for the drops of a finding.
type SentAgain struct {
	Peer     netip.Addr
	Segments uint64
}

// What of a finding makes it one that may matter: fewer segments, and a smaller part of what was sent, are
// lost on any path through the Internet.
const (
	fewResent     = 10
	usualPermille = 10
)

// IDs of counters.
const (
	retransSegs = "TcpRetransSegs"
	synRetrans  = "TcpExtTCPSynRetrans"
	outSegs     = "TcpOutSegs"
	dsackRecv   = "TcpExtTCPDSACKRecv"

	listenOverflows = "TcpExtListenOverflows"
)

// retransmitted makes a finding for each network namespace in which segments were sent again that no drop
// of the other findings explains.
func (d *Diagnosis) retransmitted(c *Collector, others []Finding, rows []counters.Row) (all []Finding) {
	if c.resent == nil {
		return nil
	}
	byNetns := make(map[uint32]*Finding)
	var order []uint32
	for e := range c.resent.All {
		f := byNetns[e.Key.netns]
		if f == nil {
			f = &Finding{ID: "retransmissions", Netns: e.Value, Resent: new(Resent)}
			byNetns[e.Key.netns] = f
			order = append(order, e.Key.netns)
		}
		f.addResent(&e.Key, e.Count, findingOf(&e.Key, others) != nil)
	}
	for _, netns := range order {
		if f := byNetns[netns]; f.Count > 0 {
			f.Resent.addSent(netns, c.sent)
			f.completeResent(rows, d.Selected)
			f.Rate = d.rate(f.Count)
			all = append(all, *f)
		}
	}
	return all
}

// addResent adds n segments. Those that this host dropped are of another finding, if there is one.
func (f *Finding) addResent(k *resentKey, n uint64, ofOther bool) {
	r := f.Resent
	switch {
	case k.incoming:
		r.Received += n
	case ofOther:
		r.joinPeer(Peer{Addr: k.peer, Here: n})
	default:
		f.Count += n
		f.Segments += n
		r.addPeer(k, n)
	}
}

// addPeer adds n segments of no other finding to those of their peer.
func (r *Resent) addPeer(k *resentKey, n uint64) {
	p := Peer{Addr: k.peer}
	switch k.fate {
	case event.LostHere:
		p.Hidden = n
	case event.NotLostHere:
		p.Beyond = n
	default:
		p.Unknown = n
		r.addDoubt(cmp.Or(k.doubt, "drops were not watched"), n)
	}
	if k.handshake {
		p.Handshakes = n
	}
	r.joinPeer(p)
}

// joinPeer adds a peer, or its segments to those of the same address.
func (r *Resent) joinPeer(p Peer) {
	i := slices.IndexFunc(r.Peers, func(o Peer) bool { return o.Addr == p.Addr })
	if i < 0 {
		r.Peers = append(r.Peers, p)
		return
	}
	r.Peers[i].add(&p)
}

// add adds the segments of another peer, or more of the same.
func (p *Peer) add(o *Peer) {
	p.Beyond, p.Unknown, p.Hidden = p.Beyond+o.Beyond, p.Unknown+o.Unknown, p.Hidden+o.Hidden
	p.Handshakes, p.Here, p.Spurious, p.Sent = p.Handshakes+o.Handshakes, p.Here+o.Here, p.Spurious+o.Spurious, p.Sent+o.Sent
}

// addSent adds what was sent to the peers.
func (r *Resent) addSent(netns uint32, sent map[peerKey]sentTo) {
	for i := range r.Peers {
		p := &r.Peers[i]
		to := sent[peerKey{netns, p.Addr}]
		p.Sent, p.Spurious = to.segments, to.arrived
	}
}

// addDoubt counts segments of which it is not known where they were lost, by why.
func (r *Resent) addDoubt(why string, n uint64) {
	i := slices.IndexFunc(r.Doubts, func(o Doubt) bool { return o.Why == why })
	if i < 0 {
		i = len(r.Doubts)
		r.Doubts = append(r.Doubts, Doubt{Why: why})
	}
	r.Doubts[i].Segments += n
}

// add adds the segments of another network namespace.
func (r *Resent) add(o *Resent) {
	r.Sent, r.Arrived, r.Received = r.Sent+o.Sent, r.Arrived+o.Arrived, r.Received+o.Received
	for _, p := range o.Peers {
		r.joinPeer(p)
	}
	for _, doubt := range o.Doubts {
		r.addDoubt(doubt.Why, doubt.Segments)
	}
	r.sortPeers()
}

// total returns the segments of all peers as those of one.
func (r *Resent) total() (all Peer) {
	for i := range r.Peers {
		all.add(&r.Peers[i])
	}
	return all
}

// sortPeers puts the peers with the most segments first.
func (r *Resent) sortPeers() {
	slices.SortStableFunc(r.Peers, func(a, b Peer) int { return cmp.Compare(b.Segments(), a.Segments()) })
}

// completeResent adds what was counted beside the segments, and what they mean. If an expression selected them, counters
// are of others, too.
func (f *Finding) completeResent(rows []counters.Row, selected bool) {
	r := f.Resent
	r.sortPeers()
	for i := range r.Peers {
		if p := &r.Peers[i]; selected && p.Percent() > 0 {
			r.Sent, r.Arrived = r.Sent+p.Sent-p.Segments(), r.Arrived+p.Spurious
		}
	}
	for i := range rows {
		if row := &rows[i]; row.Netns.Inode == f.Netns.Inode && !row.Part {
			switch id := row.ID(); {
			case id == outSegs && !selected:
				r.Sent = row.Delta
			case id == dsackRecv && !selected:
				r.Arrived = row.Delta
			case id == retransSegs:
				f.Counters = append(f.Counters, *row)
			}
		}
	}
	f.Meaning = knowledge.Resent(f.eventOfPeer(), f.handshakesOnly(), r.total().Hidden > 0)
	if f.isUsual() {
		f.Meaning.Severity = knowledge.Noise
	}
}

// eventOfPeer is of the peer with the most segments, for the commands.
func (f *Finding) eventOfPeer() *event.Event {
	e := &event.Event{Netns: f.Netns}
	if peer := f.Resent.Peers[0].Addr; peer.IsValid() {
		e.Packet.Flow = &event.Flow{Headers: event.Headers{Fields: event.FieldSrc | event.FieldDst, Src: peer, Dst: peer}}
	}
	return e
}

// handshakesOnly reports whether no segment was of a connection that is open.
func (f *Finding) handshakesOnly() bool {
	return !slices.ContainsFunc(f.Resent.Peers, func(p Peer) bool { return p.Handshakes < p.Segments() })
}

// isUsual reports whether so much is sent again on any path.
func (f *Finding) isUsual() bool {
	sent := f.Resent.Sent
	return f.Count < fewResent || sent > 0 && f.Count*1000 < usualPermille*(sent+f.Count)
}

// resentBy returns how many segments were seen that raise a counter.
func (c *Collector) resentBy(r *counters.Row) (n uint64) {
	id := r.ID()
	if c.resent == nil || id != retransSegs && id != synRetrans {
		return 0
	}
	for e := range c.resent.All {
		if k := &e.Key; k.netns == r.Netns.Inode && !k.incoming && (k.handshake || id == retransSegs) {
			n += e.Count
		}
	}
	return n
}

// findingOf returns the finding of the drops by which segments were lost here; nil if there is none. Of
// several of the same cause it is that of the same interface and network namespace. A SYN that waits for a next hop is
// dropped when that has not answered for seconds, after it was sent again; one for which the accept queue is full is freed
// without an event.
func findingOf(k *resentKey, all []Finding) (found *Finding) {
	best := 0
	for i := range all {
		score := 0
		switch {
		case k.fate == event.LostHere:
			score = k.by.matches(&all[i])
		case k.handshake && !k.incoming && (all[i].isUnanswered(k.netns, k.peer) || k.local && all[i].refuses(k.netns)):
			score = 1
		}
		if score > best {
			found, best = &all[i], score
		}
	}
	return found
}

// isUnanswered reports whether the drops are of packets whose next hop does not answer, among them segments of a network
// namespace to a peer.
func (f *Finding) isUnanswered(netns uint32, peer netip.Addr) bool {
	return slices.Contains(f.Meaning.PartOf, "NEIGH_FAILED") && f.isOfNetns(netns) &&
		slices.ContainsFunc(f.Flows, func(c FlowCount) bool { return c.Flow.Protocol == "tcp" && c.Flow.Dst.Addr() == peer })
}

// refuses reports whether accept queues of a network namespace were full.
func (f *Finding) refuses(netns uint32) bool {
	return f.isOfNetns(netns) && slices.ContainsFunc(f.Counters, func(r counters.Row) bool { return r.ID() == listenOverflows })
}

// isOfNetns reports whether the finding is of a network namespace, perhaps beside others.
func (f *Finding) isOfNetns(netns uint32) bool {
	return f.Netns.Inode == netns || slices.ContainsFunc(f.Namespaces, func(n NetnsCount) bool { return n.Netns.Inode == netns })
}

// matches returns how well the drop is one of a finding: 0 if it is of another cause.
func (l *lossAt) matches(f *Finding) (score int) {
	isPart := func(p Part) bool { return p.ID == l.reason || p.ID == l.location }
	if f.ByCounter() || (f.Reason != l.reason || f.Location != l.location) && !slices.ContainsFunc(f.Parts, isPart) {
		return 0
	}
	score = 1
	if f.IfName == l.ifname {
		score++
	}
	if f.isOfNetns(l.netns) {
		score += 2
	}
	return score
}

// linkResent joins what was sent again, because this host had dropped it, with the findings of these drops.
// It is called when these have their ranks.
func (d *Diagnosis) linkResent(c *Collector) {
	if c.resent == nil {
		return
	}
	for e := range c.resent.All {
		f := findingOf(&e.Key, d.Findings)
		if f == nil {
			f = findingOf(&e.Key, d.Noise)
		}
		if f == nil {
			continue
		}
		f.addSentAgain(e.Key.peer, e.Count)
		if r := d.resentOf(e.Key.netns); r != nil {
			r.addLostHere(f, e.Count)
		}
	}
}

// resentOf returns what the finding of retransmissions in a network namespace says, nil if there is none.
func (d *Diagnosis) resentOf(netns uint32) *Resent {
	is := func(f Finding) bool { return f.Resent != nil && f.isOfNetns(netns) }
	for _, findings := range [][]Finding{d.Findings, d.Noise} {
		if i := slices.IndexFunc(findings, is); i >= 0 {
			return findings[i].Resent
		}
	}
	return nil
}

// addSentAgain counts segments that were sent again to a peer because of the drops.
func (f *Finding) addSentAgain(peer netip.Addr, n uint64) {
	i := slices.IndexFunc(f.SentAgain, func(s SentAgain) bool { return s.Peer == peer })
	if i < 0 {
		i = len(f.SentAgain)
		f.SentAgain = append(f.SentAgain, SentAgain{Peer: peer})
	}
	f.SentAgain[i].Segments += n
}

// addLostHere counts segments that were lost by the drops of another finding.
func (r *Resent) addLostHere(f *Finding, n uint64) {
	i := slices.IndexFunc(r.LostHere, func(l LostHere) bool { return l.ID == f.ID && l.Rank == f.Rank })
	if i < 0 {
		i = len(r.LostHere)
		r.LostHere = append(r.LostHere, LostHere{ID: f.ID, Rank: f.Rank})
	}
	r.LostHere[i].Segments += n
}
