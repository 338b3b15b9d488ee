package nftables

import (
	"testing"

	"github.com/mdlayher/netlink/nlenc"

	"dropwatch/internal/event"
	"dropwatch/internal/kernel"
)

// recordedRuleset is one that nft made, without the kernel: a chain at INPUT with policy
// drop, four rules, and two anonymous sets with intervals.
func recordedRuleset(t testing.TB) (*Ruleset, map[string][][]byte) {
	t.Helper()
	all := messagesOf(t, "testdata/sets.txt")
	return rulesetFrom(t, all["chain"], all["rule"], all["set"], all["elements"]), all
}

// rulesetFrom makes one of messages. Those that are malformed are left out.
func rulesetFrom(t testing.TB, chains, rules, sets, elements [][]byte) *Ruleset {
	t.Helper()
	r := newRuleset()
	for _, m := range chains {
		_ = r.addChain(m)
	}
	for _, m := range rules {
		_ = r.addRule(m)
	}
	for _, m := range sets {
		_ = r.addSet(m)
	}
	r.dump = func(s *set, use func([]byte) error) error {
		for _, m := range elements {
			_, attributes, _ := parseNfgenmsg(m)
			if nlenc.String(kernel.Attribute(attributes, nftaElemListSet)) == s.name {
				if err := use(m); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return r
}

// received is a datagram of IPv4 for a port, from an address that begins with three bytes.
func received(network [3]byte, port uint16) *event.Event {
	e := &event.Event{Port: event.Port{IfIndex: 2, IfName: "eth0"}}
	e.Packet = event.Packet{Proto: event.EtherIPv4, HasProto: true, HasData: true, HasLen: true, Len: 28, Link: event.LinkRaw}
	e.Packet.Data = []byte{
		0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, network[0], network[1], network[2], 1, 198, 51, 100, 2,
		0x9c, 0x40, byte(port >> 8), byte(port), 0, 8, 0, 0,
	}
	return e
}

// TestRecordedRules: what the kernel sent once is read the same without it.
func TestRecordedRules(t *testing.T) {
	r, _ := recordedRuleset(t)
	for _, test := range []struct {
		network [3]byte
		port    uint16
		want    int    // suspects
		first   string // the object of the first
	}{
		{[3]byte{192, 0, 2}, 7, 0, ""},
		{[3]byte{192, 0, 3}, 7, 1, "inet t c handle 5"},
		{[3]byte{192, 0, 3}, 11, 0, ""},
		{[3]byte{192, 0, 3}, 13, 2, "inet t c handle 6"}, // by its mark, or by the policy
	} {
		p, ok := NewPacket(received(test.network, test.port))
		got, err := r.Suspects("INPUT", &p)
		if err != nil || !ok || len(got) != test.want || len(got) > 0 && got[0].Object != test.first {
			t.Errorf("port %d from %v: %v, %v, want %d from %s", test.port, test.network, got, err, test.want, test.first)
		}
	}
}

// TestSuspectsGivesUp: after some 200,000 rules.
func TestSuspectsGivesUp(t *testing.T) {
	r, all := recordedRuleset(t)
	rule, err := parseRule(all["rule"][0])
	if err != nil {
		t.Fatal(err)
	}
	for range 200_000 {
		r.rules[rule.chain] = append(r.rules[rule.chain], &rule)
	}
	p, _ := NewPacket(received([3]byte{192, 0, 3}, 13))
	if got, err := r.Suspects("INPUT", &p); err == nil {
		t.Errorf("got %d, want an error", len(got))
	}
}

// FuzzSuspects: no message and no packet makes it fail, and nothing drops that was not
// said to.
func FuzzSuspects(f *testing.F) {
	_, all := recordedRuleset(f)
	for _, rule := range all["rule"] {
		for i, set := range all["set"] { // of which each has a message with all of its elements, and an empty one
			f.Add(all["chain"][0], rule, set, all["elements"][2*i], received([3]byte{192, 0, 2}, 9).Packet.Data, uint16(event.EtherIPv4))
		}
	}
	f.Fuzz(func(t *testing.T, chain, rule, set, elements, data []byte, proto uint16) {
		r := rulesetFrom(t, [][]byte{chain}, [][]byte{rule}, [][]byte{set}, [][]byte{elements})
		e := event.Event{Packet: event.Packet{Proto: proto, HasProto: true, Data: data, HasData: true, Link: event.LinkRaw}}
		p, ok := NewPacket(&e)
		if !ok {
			return
		}
		for _, rules := range r.rules {
			for _, rule := range rules {
				r.Detail(rule.name(), "INPUT", &p)
			}
		}
		for _, c := range r.base() {
			got, err := r.Suspects(c.hook, &p)
			if err != nil || len(got) > 2 {
				t.Errorf("%v, %v of one rule and one policy", got, err)
			}
		}
	})
}
