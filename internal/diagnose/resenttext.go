package diagnose

import (
	"fmt"
	"net/netip"
	"strings"

	"dropwatch/internal/event"
)

// maxPeers is how many peers the text of a finding names.
const maxPeers = 5

// resentAmount is how many segments were sent again, and their part of all that was sent.
func (f *Finding) resentAmount() string {
	text := event.Plural(f.Count, "segment") + " sent again"
	if share := f.ofSent(); share != "" {
		text += ", " + share
	}
	return text
}

// ofSent is the part of what was sent, as "1.25 % of 4000 sent"; empty if it is not known.
func (f *Finding) ofSent() string {
	if f.Resent == nil || f.Resent.Sent == 0 {
		return ""
	}
	all := f.Resent.Sent + f.Count
	return fmt.Sprintf("%.2f %% of %d sent", 100*float64(f.Count)/float64(all), all)
}

// appendResent appends where segments were lost that were sent again, and to whom they went.
func (f *Finding) appendResent(p *paragraph) {
	p.prose("again", f.sentAgain())
	r := f.Resent
	if r == nil {
		return
	}
	all := r.total()
	if all.Beyond > 0 {
		p.prose("lost", fmt.Sprintf("%d beyond this host", all.Beyond))
	}
	for _, d := range r.Doubts {
		p.prose("unknown", fmt.Sprintf("%d lost here or beyond: %s", d.Segments, event.Escape(d.Why)))
	}
	if all.Hidden > 0 {
		p.prose("lost here", fmt.Sprintf("%d by drops that are not shown", all.Hidden))
	}
	for i := range r.LostHere {
		p.prose("lost here", r.LostHere[i].text())
	}
	p.prose("spurious", r.spurious())
	f.appendPeers(p)
}

// sentAgain is what TCP sent again because of the drops: "7 segments of TCP, to 192.0.2.1 and 192.0.2.2".
func (f *Finding) sentAgain() string {
	if len(f.SentAgain) == 0 {
		return ""
	}
	var n uint64
	var peers []string
	for i, s := range f.SentAgain {
		n += s.Segments
		if i < maxPeers {
			peers = append(peers, peerName(s.Peer))
		}
	}
	if more := len(f.SentAgain) - maxPeers; more > 0 {
		peers = append(peers, fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("TCP sent %s again that these drops had lost, to %s", event.Plural(n, "segment"), strings.Join(peers, ", "))
}

// text is "5 more, by drops of finding 2 (NETFILTER_DROP)".
func (l *LostHere) text() string {
	of := "noise"
	if l.Rank > 0 {
		of = fmt.Sprintf("finding %d", l.Rank)
	}
	return fmt.Sprintf("%d more, by drops of %s (%s)", l.Segments, of, event.Escape(l.ID))
}

// spurious is what was sent again although it had arrived.
func (r *Resent) spurious() string {
	var parts []string
	if r.Arrived > 0 {
		parts = append(parts, fmt.Sprintf("%d that this host sent again had arrived (TCPDSACKRecv)", r.Arrived))
	}
	if r.Received > 0 {
		parts = append(parts, fmt.Sprintf("%d that peers sent again had arrived", r.Received))
	}
	return strings.Join(parts, "; ")
}

// appendPeers appends those with the most segments.
func (f *Finding) appendPeers(p *paragraph) {
	label := "peers"
	for i := range f.Resent.Peers {
		if i == maxPeers {
			p.field("", fmt.Sprintf("and %d more", len(f.Resent.Peers)-i))
			break
		}
		peer := &f.Resent.Peers[i]
		p.field(label, fmt.Sprintf("%s  %s", peerName(peer.Addr), peer.text()))
		label = ""
	}
}

// text is "25, 5 of them to open connections; with 10 lost here 3.50 % of 1000 sent; 2 had arrived".
func (p *Peer) text() string {
	text := fmt.Sprint(p.Segments())
	if p.Handshakes > 0 {
		text += fmt.Sprintf(", %d of them to open connections", p.Handshakes)
	}
	switch percent := p.Percent(); {
	case percent > 0 && p.Here > 0:
		text += fmt.Sprintf("; with %d lost here %.2f %% of %d sent", p.Here, percent, p.Sent)
	case percent > 0:
		text += fmt.Sprintf(", %.2f %% of %d sent", percent, p.Sent)
	case p.Here > 0:
		text += fmt.Sprintf("; %d lost here besides", p.Here)
	}
	if p.Spurious > 0 {
		text += fmt.Sprintf("; %d had arrived", p.Spurious)
	}
	return text
}

// peerName is the address of a peer, and others for those that had no room of their own.
func peerName(a netip.Addr) string {
	if !a.IsValid() {
		return "others"
	}
	return a.String()
}
