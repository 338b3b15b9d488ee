package pcap_test

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// resent are the names of what was sent again.
var resent = []string{"retransmission", "fast", "spurious"}

// A score says how well segments that were sent again are told from others.
type score struct{ right, missed, wrong int }

// precision is the share of what was found that was sent again, recall that of what was sent again that was
// found.
func (s score) precision() float64 { return float64(s.right) / float64(s.right+s.wrong) }
func (s score) recall() float64    { return float64(s.right) / float64(s.right+s.missed) }

func (s score) String() string {
	return fmt.Sprintf("precision %.3f, recall %.3f of %d", s.precision(), s.recall(), s.right+s.missed)
}

// check fails if precision or recall is below a bound.
func (s score) check(t *testing.T, bound float64) {
	t.Helper()
	if s.right == 0 || s.precision() < bound || s.recall() < bound {
		t.Errorf("%v, want %v", s, bound)
	}
}

// add adds another.
func (s *score) add(other score) {
	s.right, s.missed, s.wrong = s.right+other.right, s.missed+other.missed, s.wrong+other.wrong
}

// scoresOf compares what is said with what the senders did: of what the recording end sent, which it sees whole,
// and of what it received, of which it may not see the first transmission. Copies of what was sent again count
// neither way, and other copies are not to be found, if they can be told from it.
func scoresOf(truth []verdict, copiesKnown bool, said judgement) (own, others score) {
	for i, v := range truth {
		s := &others
		if v.own {
			s = &own
		}
		found := said.found(i + 1)
		switch {
		case v.copied && (v.again || !copiesKnown):
		case v.again && found:
			s.right++
		case v.again:
			s.missed++
		case found:
			s.wrong++
		}
	}
	return own, others
}

// found reports whether a judgement says of a packet that it was sent again.
func (j judgement) found(frame int) bool {
	return slices.ContainsFunc(j[uint64(frame)], func(said string) bool { return slices.Contains(resent, said) })
}

// TestAccuracy measures how many retransmissions are found, and how many are none, at the sender and at the
// receiver, by what the senders did. What is missed is mostly the second SYN or FIN, if the first was lost. With
// neither timestamps nor numbers of packets, only the time tells, which a busy machine changes.
func TestAccuracy(t *testing.T) {
	const bound, byTime = 0.98, 0.95
	var sent, received score // if not by time
	for name, p := range map[string]*path{
		"IPv4":                    {},
		"IPv4 without timestamps": {noTimestamps: true},
		"IPv6":                    {ipv6: true},
		"IPv6 without timestamps": {ipv6: true, noTimestamps: true},
	} {
		t.Run(name, func(t *testing.T) {
			p.lose, p.repeat, p.reorder, p.delay, p.size = 0.03, 0.01, 0.03, 10*time.Millisecond, 1<<20
			newPath(t, p).load(t)
			own, others := p.scores(t)
			t.Logf("at the sender: %v; at the receiver: %v", own, others)
			if sent.add(own); p.ipv6 && p.noTimestamps {
				others.check(t, byTime)
			} else {
				received.add(others)
			}
		})
	}
	sent.check(t, bound)
	received.check(t, bound)
}

// scores are those of what is said of both ends of a path.
func (p *path) scores(t *testing.T) (own, others score) {
	t.Helper()
	for end := range p.ends {
		file, truth := p.save(t, end)
		here, there := scoresOf(truth, !p.ipv6, weSay(t, file))
		own.add(here)
		others.add(there)
	}
	return own, others
}
