package diagnose

import "math"

// resentJSON is what TCP sent again.
type resentJSON struct {
	Sent     uint64     `json:"sent,omitempty"` // besides
	Peers    []peerJSON `json:"peers"`
	Unknown  []Doubt    `json:"unknown,omitempty"`          // why, and how many
	LostHere []LostHere `json:"lost_here,omitempty"`        // others, by the findings of the drops
	Hidden   uint64     `json:"lost_here_hidden,omitempty"` // lost here, by drops that are not shown
	Arrived  uint64     `json:"arrived,omitempty"`          // spurious: the peers had them
	Received uint64     `json:"received,omitempty"`         // that peers sent again, and that had arrived
}

// peerJSON is a peer to which segments were sent again.
type peerJSON struct {
	Peer       string `json:"peer"`
	Beyond     uint64 `json:"beyond"`                     // lost beyond this host
	Unknown    uint64 `json:"unknown,omitempty"`          // lost here or beyond
	Hidden     uint64 `json:"lost_here_hidden,omitempty"` // lost here, by drops that are not shown
	Handshakes uint64 `json:"handshakes,omitempty"`

	Here     uint64  `json:"here,omitempty"`     // lost here, by drops of other findings
	Spurious uint64  `json:"spurious,omitempty"` // that had arrived
	Sent     uint64  `json:"sent,omitempty"`     // all that was sent to it
	Percent  float64 `json:"percent,omitempty"`  // of that, what was sent again
}

// sentAgainJSON is what was sent again because of the drops of a finding.
type sentAgainJSON struct {
	Peer     string `json:"peer"`
	Segments uint64 `json:"segments"`
}

// json is nil for a finding of anything else.
func (r *Resent) json() *resentJSON {
	if r == nil {
		return nil
	}
	return &resentJSON{
		Sent: r.Sent, Peers: each(r.Peers, (*Peer).json), Unknown: r.Doubts, LostHere: r.LostHere, Hidden: r.total().Hidden,
		Arrived: r.Arrived, Received: r.Received,
	}
}

// json has the percentage in hundredths.
func (p *Peer) json() peerJSON {
	return peerJSON{
		Peer: peerName(p.Addr), Beyond: p.Beyond, Unknown: p.Unknown, Hidden: p.Hidden, Handshakes: p.Handshakes,
		Here: p.Here, Spurious: p.Spurious, Sent: p.Sent, Percent: math.Round(100*p.Percent()) / 100,
	}
}

func (s *SentAgain) json() sentAgainJSON { return sentAgainJSON{peerName(s.Peer), s.Segments} }
