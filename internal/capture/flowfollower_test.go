package capture

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/flows"
	"dropwatch/internal/source/follow"
)

// A flowCounter counts that eth0 received 10 packets, of which 7 were delivered, and what is done with it.
type flowCounter struct {
	started, stopped, closed atomic.Bool
	err                      error // of Read
}

func (c *flowCounter) Start() error {
	c.started.Store(true)
	return nil
}

func (c *flowCounter) Covers(time.Time) bool { return c.started.Load() && !c.stopped.Load() }

func (c *flowCounter) Read() (flows.Reading, error) {
	eth0 := flows.Interface{Netns: 7, IfIndex: 2}
	return flows.Reading{Counts: []flows.Count{
		{Interface: eth0, What: flows.Received, IfName: "eth0", Packets: 10}, {Interface: eth0, What: flows.Delivered, Packets: 7},
	}}, c.err
}

func (c *flowCounter) Blind() string { return "" }

func (c *flowCounter) Stop() error {
	c.stopped.Store(true)
	return nil
}

func (c *flowCounter) Close() error {
	c.closed.Store(true)
	return nil
}

// dns is a flow to a server of DNS, and dnsDrop a drop of it, which the source only counted if there is no client.
var dns = diagnose.Flow{
	Protocol: "udp", Src: netip.MustParseAddrPort("192.0.2.1:0"), Dst: netip.MustParseAddrPort("192.0.2.53:53"),
}

func dnsDrop(client string) *event.Event {
	e := &event.Event{
		Kind: event.Drop, Count: 1, Reason: "NO_SOCKET", Netns: event.Netns{Inode: 7}, Port: event.Port{IfIndex: 2, IfName: "eth0"},
		Packet: event.Packet{Proto: event.EtherIPv4, HasProto: true}, Aggregate: client == "", Individual: client != "",
	}
	if client != "" {
		e.Packet.Flow = &event.Flow{Headers: event.Headers{
			Fields:  event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
			Network: event.IPv4, Transport: event.UDP, SrcPort: 40000, DstPort: 53,
			Src: netip.MustParseAddr(client), Dst: dns.Dst.Addr(),
		}}
	}
	return e
}

// runFollower has a flow followed in a run that ends after some drops, and returns the FlowFollower.
func runFollower(t *testing.T, r *Runner, source string, dropped ...*event.Event) *FlowFollower {
	t.Helper()
	f := new(FlowFollower)
	run := &run{Runner: r, spec: &Spec{Input: Input{Follower: f}}, source: &openedSource{candidate: source}}
	ctx, stop := context.WithCancel(t.Context())
	out, ended := make(emitted), make(chan error)
	counting := run.withFollower(&scripted{kind: event.Drop})
	go func() { ended <- counting.Run(ctx, out) }()
	<-out
	f.Follow(dns)
	f.opening.Wait()
	for _, e := range dropped {
		if err := f.Write(e); err != nil {
			t.Error(err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	f.Follow(dns) // nothing is counted any more
	_ = f.Write(dnsDrop("192.0.2.1"))
	f.finish()
	return f
}

// TestFlowFollower: the packets of a flow are counted until the run ends, and with them its drops, those that may be of it apart.
func TestFlowFollower(t *testing.T) {
	r, _ := namesRunner(t)
	c := new(flowCounter)
	r.OpenFlows = func(o follow.Options) (FlowCounter, error) {
		if o.Condition == nil {
			t.Error("no condition")
		}
		return c, nil
	}
	f := runFollower(t, r, "bpf", dnsDrop("192.0.2.1"), dnsDrop("192.0.2.1"), dnsDrop("192.0.2.2"), dnsDrop(""))
	all := f.Followed(r, event.Ledger{})
	if len(all) != 1 || len(all[0].In) != 1 || !c.closed.Load() || !c.stopped.Load() {
		t.Fatalf("%+v, %+v", all, c)
	}
	const want = "of 10 packets received on eth0, 7 delivered; 2 dropped here: 2 at - NO_SOCKET; 1 not accounted for"
	if text := all[0].In[0].Text(); !strings.HasPrefix(text, want) || !strings.HasSuffix(text, "1 drop that may be of the flows") {
		t.Errorf("%q", text)
	}
}

// TestFlowFollowerCannot: where packets cannot be counted, or another source than bpf reports drops, nothing is said; a counter
// that fails is noted.
func TestFlowFollowerCannot(t *testing.T) {
	r, notes := namesRunner(t)
	r.OpenFlows = func(follow.Options) (FlowCounter, error) { return nil, errors.New("no BTF") }
	if all := runFollower(t, r, "bpf").Followed(r, event.Ledger{}); all != nil || notes.Len() > 0 {
		t.Errorf("%+v, %s", all, notes)
	}
	r.OpenFlows = func(follow.Options) (FlowCounter, error) { return &flowCounter{err: errors.New("no map")}, nil }
	if all := runFollower(t, r, "netdm").Followed(r, event.Ledger{}); all != nil || notes.Len() > 0 {
		t.Errorf("%+v, %s", all, notes)
	}
	all := runFollower(t, r, "bpf").Followed(r, event.Ledger{})
	if all != nil || !strings.Contains(notes.String(), "is not known: no map") {
		t.Errorf("%+v, %s", all, notes)
	}
}

// TestExpressionOf: a flow is selected by all that it says.
func TestExpressionOf(t *testing.T) {
	for want, f := range map[string]diagnose.Flow{
		"udp and src 192.0.2.1 and dst 192.0.2.53 and dstport 53": dns,
		"tcp and src 2001:db8::1 and dst 2001:db8::2 and srcport 443": {
			Protocol: "tcp", Src: netip.MustParseAddrPort("[2001:db8::1]:443"), Dst: netip.MustParseAddrPort("[2001:db8::2]:0"),
		},
	} {
		if got := expressionOf(f); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
