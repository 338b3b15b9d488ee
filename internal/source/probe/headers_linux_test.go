package probe

import (
	"testing"

	"dropwatch/internal/perf"
)

// recordID is the number of the record in these tests, and packet the address of one.
const recordID, packet = 10, 0x1000

// sourceOfHeaders has fakeSource's point at a call, whose argument is a packet, with a record of 8 bytes of its headers.
func sourceOfHeaders() (s *Source, p *pointEvent) {
	s = fakeSource()
	s.byID[recordID] = s.byID[entryID]
	p = s.points[s.byID[entryID]]
	p.facts[bufferAddress] = &p.args[0].formula
	p.before = &record{layout: layout{id: recordID, loads: p.layout.loads, headers: perf.Field{Offset: 8, Size: 8}, size: 16}}
	return s, p
}

// TestHeadersAreOfTheSamePacket: the headers that BPF has copied belong to the sample behind them, if that has the same packet.
// One whose condition was false, or that found no room, leaves them to none.
func TestHeadersAreOfTheSamePacket(t *testing.T) {
	const other, headers = 0x2000, 0x4500003c12344000
	s, p := sourceOfHeaders()
	d := &s.decoder
	raw := func(id uint16, address uint32, rest uint64) []byte {
		smp, ok := perf.ParseSample(sampleOf(id, 1, address, rest), false)
		if !ok {
			t.Fatal("no sample")
		}
		return smp.Raw
	}
	for name, tt := range map[string]struct {
		record []byte
		copied bool
	}{
		"the same packet": {raw(recordID, packet, headers), true},
		"another packet":  {raw(recordID, other, headers), false},
		"no record":       {nil, false},
	} {
		sample := raw(entryID, packet, 0)
		d.reset(len(p.loads))
		d.readHeaders(p, tt.record, sample)
		d.read(&p.layout, p.loads, sample)
		if (len(d.copied) > 0) != tt.copied || tt.copied && string(d.copied) != string(tt.record[8:16]) {
			t.Errorf("%s: copied %x", name, d.copied)
		}
		if got := p.facts.number(bufferAddress, d.values); got != packet {
			t.Errorf("%s: the packet is %#x, want that of the sample", name, got)
		}
	}
}

// TestHeadersAreUsedOnce: what was copied for one sample is not joined with the next.
func TestHeadersAreUsedOnce(t *testing.T) {
	s, _ := sourceOfHeaders()
	out, c, i := new(events), newCPU(0, 3), s.byID[entryID]
	s.sample(c, out, sampleOf(recordID, 10, packet, 1))
	if len(*out) != 0 || len(c.headers[i]) == 0 || c.records[i] != 1 || c.samples[i] != 0 {
		t.Fatalf("a record alone is %d events, %d samples", len(*out), c.samples[i])
	}
	for n := range 2 {
		s.sample(c, out, sampleOf(entryID, 20, packet, 0))
		if (s.decoder.copied != nil) != (n == 0) || len(c.headers[i]) != 0 {
			t.Errorf("sample %d: copied %x, kept %x", n, s.decoder.copied, c.headers[i])
		}
	}
	if len(*out) != 2 || c.samples[i] != 2 {
		t.Errorf("%d events, %d samples", len(*out), c.samples[i])
	}
}
