package diagnose_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// TestOnlyOnLoopback: a service that listens on the loopback alone is said to, and does harm if somebody tries again:
// then it is before findings that may matter.
func TestOnlyOnLoopback(t *testing.T) {
	const here, there = `{"local":"127.0.0.1:53","inode":1}`, `{"local":"10.9.9.9:53","inode":2}`
	syn := func(to uint16, flags event.TCPFlags) *event.Event {
		e := udp("NO_SOCKET", to)
		h := &e.Packet.Flow.Headers
		h.Transport, h.Protocol, h.TCPFlags = event.TCP, 6, flags
		h.Fields |= event.FieldProtocol | event.FieldTCPFlags
		return e
	}
	many := udp("NETFILTER_DROP", 40001)
	many.Count = 100
	again := []*event.Event{syn(40001, event.SYN), syn(40002, event.SYN)}
	first, last := []string{"NO_SOCKET", "NETFILTER_DROP"}, []string{"NETFILTER_DROP", "NO_SOCKET"}
	for name, test := range map[string]struct {
		drops     []*event.Event
		listeners string
		loopback  bool
		ids       []string // and of which severity the first is
		severity  knowledge.Severity
	}{
		"again":           {again, "[" + here + "]", true, first, knowledge.Harm},
		"IPv6 as well":    {again, "[" + here + `,{"local":"[::1]:53","inode":3}]`, true, first, knowledge.Harm},
		"once":            {again[:1:1], "[" + here + "]", true, last, knowledge.Maybe},
		"another address": {again, "[" + here + "," + there + "]", false, last, knowledge.Maybe},
		"late segments":   {[]*event.Event{syn(40001, event.ACK), syn(40001, event.ACK)}, "[" + here + "]", false, last, knowledge.Maybe},
	} {
		t.Run(name, func(t *testing.T) {
			d := diagnose.New(collect(t, append(slices.Clone(test.drops), many)...), new(counters.Report), nil)
			d.Ask(diagnose.RecordedHost(map[string]json.RawMessage{"listeners 7 tcp 53": json.RawMessage(test.listeners)}))
			var ids []string
			for i := range d.Findings {
				f := &d.Findings[i]
				ids = append(ids, f.ID)
				if f.Rank != i+1 {
					t.Errorf("%s has rank %d, and is number %d", f.ID, f.Rank, i+1)
				}
				c := f.Meaning.Case
				if loopback := c != nil && c.If == knowledge.OnLoopback|knowledge.TCP; f.ID == "NO_SOCKET" && loopback != test.loopback {
					t.Errorf("it listens on the loopback alone: %t: %s", loopback, f.Meaning.Cause)
				}
			}
			if !slices.Equal(ids, test.ids) || d.Worst() != test.severity {
				t.Errorf("%q, the worst %v", ids, d.Worst())
			}
		})
	}
}

// TestConnectedSocket: a socket of UDP with a peer gets no packets of others, whatever other sockets have the port.
func TestConnectedSocket(t *testing.T) {
	const (
		another   = `{"local":"10.0.0.2:53","remote":"10.0.0.9:7","inode":1}`
		elsewhere = `{"local":"10.0.0.3:53","remote":"10.0.0.9:7","inode":2}`
		sender    = `{"local":"10.0.0.2:53","remote":"10.0.0.1:40001","inode":3}`
	)
	for name, test := range map[string]struct {
		sockets string
		want    knowledge.Evidence
	}{
		"another peer":            {another, knowledge.OtherPeer},
		"the sender":              {another + "," + sender, knowledge.Listens},
		"of another address":      {elsewhere, knowledge.Elsewhere},
		"and one elsewhere":       {elsewhere + "," + another, knowledge.OtherPeer},
		"by another interface":    {`{"local":"10.0.0.2:53","remote":"10.0.0.9:7","ifname":"eth9","inode":1}`, knowledge.OnDevice},
		"and one with no address": {another + `,{"local":"0.0.0.0:53","inode":4}`, knowledge.Listens},
	} {
		e := udp("NO_SOCKET", 40001)
		e.Packet.Flow.Protocol, e.Packet.Flow.Fields = 17, e.Packet.Flow.Fields|event.FieldProtocol
		d := diagnose.New(collect(t, e), new(counters.Report), nil)
		d.Ask(diagnose.RecordedHost(map[string]json.RawMessage{"listeners 7 udp 53": json.RawMessage("[" + test.sockets + "]")}))
		if c := d.Findings[0].Meaning.Case; c == nil || c.If != test.want|knowledge.UDP {
			t.Errorf("%s: %s", name, d.Findings[0].Meaning.Cause)
		}
	}
}

// TestVRF: a service that is bound to no interface gets no packets that arrive in a VRF, unless the setting lets it.
func TestVRF(t *testing.T) {
	const outside, bound = `{"local":"0.0.0.0:53","inode":5}`, `{"local":"0.0.0.0:53","ifname":"lo","inode":6}`
	for name, test := range map[string]struct {
		vrf, setting, sockets string
		want                  knowledge.Evidence
		says                  bool // of a socket that it is not in the VRF
	}{
		"outside of the VRF": {"true", "0", outside, knowledge.OnDevice, true},
		"in all VRFs":        {"true", "1", outside, knowledge.Listens, false},
		"also in the VRF":    {"true", "0", outside + "," + bound, knowledge.Listens, true},
		"no VRF":             {"false", "0", outside, knowledge.Listens, false},
		"another address":    {"true", "0", `{"local":"10.0.0.3:53","inode":5}`, knowledge.Elsewhere, false},
	} {
		e := udp("NO_SOCKET", 40001)
		e.Packet.Flow.Protocol, e.Packet.Flow.Fields = 17, e.Packet.Flow.Fields|event.FieldProtocol
		d := diagnose.New(collect(t, e), new(counters.Report), nil)
		d.Ask(diagnose.RecordedHost(map[string]json.RawMessage{
			"listeners 7 udp 53": json.RawMessage("[" + test.sockets + "]"), "VRF 7 lo": json.RawMessage(test.vrf),
			"setting 7 net.ipv4.udp_l3mdev_accept ": json.RawMessage(setting("net.ipv4.udp_l3mdev_accept", test.setting, "")),
		}))
		if c := d.Findings[0].Meaning.Case; c == nil || c.If != test.want|knowledge.UDP {
			t.Errorf("%s: %s", name, d.Findings[0].Meaning.Cause)
		}
		if says := strings.Contains(textOf(t, d), "but not in the VRF"); says != test.says {
			t.Errorf("%s: the socket is said not to be in the VRF: %t", name, says)
		}
	}
}
