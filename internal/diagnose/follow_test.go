package diagnose_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/flows"
)

// from is a drop of a datagram of a host, at a time after the first one.
func from(host string, reason string, after time.Duration) *event.Event {
	e := udp(reason, 40000)
	e.Time = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(after)
	e.Packet.Flow.Src = netip.MustParseAddr(host)
	return e
}

// TestFollow: the first flow that loses packets is followed at once, and then the largest at intervals, but not those of noise.
func TestFollow(t *testing.T) {
	var followed []string
	c := &diagnose.Collector{Follow: func(f diagnose.Flow) { followed = append(followed, f.Src.Addr().String()) }}
	for _, e := range []*event.Event{
		from("10.0.0.9", "SOCKET_FILTER", 0), from("10.0.0.1", "SOCKET_RCVBUFF", 0), from("10.0.0.2", "SOCKET_RCVBUFF", 1),
		from("10.0.0.3", "NO_SOCKET", 2), from("10.0.0.3", "NO_SOCKET", 3), from("10.0.0.2", "SOCKET_RCVBUFF", time.Second),
		from("10.0.0.3", "NO_SOCKET", time.Second+1), from("10.0.0.2", "NO_SOCKET", 2*time.Second),
		from("10.0.0.4", "NO_SOCKET", time.Minute), from("10.0.0.5", "NO_SOCKET", time.Hour),
	} {
		if err := c.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}; !slices.Equal(followed, want) {
		t.Errorf("%q, want %q", followed, want)
	}
}

// sentAccount is what became of packets that a network namespace made.
func sentAccount(n event.Netns, sent uint64) diagnose.FollowedIn {
	return diagnose.FollowedIn{Netns: n, Account: flows.Account{Netns: n.Inode, Own: sent}}
}

// TestFollowedResent: of segments that were lost beyond this host, the finding says how many it sent and did not drop.
func TestFollowedResent(t *testing.T) {
	segment := again(1, "", event.Segment{Fate: event.NotLostHere})
	var asked []diagnose.Flow
	c := &diagnose.Collector{Follow: func(f diagnose.Flow) { asked = append(asked, f) }}
	for range 20 {
		if err := c.Write(segment); err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) != 1 || asked[0].Dst.Addr() != segment.Packet.Flow.Dst {
		t.Fatalf("%v", asked)
	}
	d := diagnose.New(c, rose(), nil)
	d.AddFollowed([]diagnose.Followed{
		{Flow: asked[0], In: []diagnose.FollowedIn{sentAccount(segment.Netns, 300), sentAccount(event.Netns{Inode: 9}, 0)}},
	})
	text := strings.Join(strings.Fields(textOf(t, d)), " ")
	if want := asked[0].String() + ": 300 packets made here and sent; no drop seen"; strings.Count(text, "followed") != 1 ||
		!strings.Contains(text, "followed "+want) {
		t.Errorf("%s, want %q", text, want)
	}
	var b strings.Builder
	if err := d.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	const want = `"verdict":"no drop seen","received":0,"delivered":0,"forwarded":0,"sent_own":300,"waiting":0,"dropped":0,`
	if !strings.Contains(b.String(), want) {
		t.Errorf("%s, want %s", b.String(), want)
	}
}

// TestFollowedElsewhere: what passed in another network namespace is said with that, and a flow of no finding is left out.
func TestFollowedElsewhere(t *testing.T) {
	drop := from("10.0.0.1", "SOCKET_RCVBUFF", 0)
	d := diagnose.New(collect(t, drop), rose(), nil)
	flow := d.Findings[0].Flows[0].Flow
	other := flow
	other.Src = netip.MustParseAddrPort("10.0.0.8:0")
	green := event.Netns{Inode: 8, Name: "green"}
	d.AddFollowed([]diagnose.Followed{
		{Flow: other, In: []diagnose.FollowedIn{sentAccount(blue, 1)}},
		{Flow: flow, In: []diagnose.FollowedIn{
			sentAccount(green, 5),
			{Netns: event.Netns{Inode: 9, Name: "red"}, Account: flows.Account{Doubts: []string{"5 packets at lo that may be"}}},
		}},
	})
	text := strings.Join(strings.Fields(textOf(t, d)), " ")
	if want := flow.String() + " in network namespace green: 5 packets made here and sent"; !strings.Contains(text, want) ||
		strings.Contains(text, "10.0.0.8") || strings.Contains(text, "red") {
		t.Errorf("%s, want %q", text, want)
	}
}

// TestFollowedLoopback: packets from a loopback address in another network namespace are others.
func TestFollowedLoopback(t *testing.T) {
	d := diagnose.New(collect(t, from("127.0.0.1", "SOCKET_RCVBUFF", 0)), rose(), nil)
	flow := d.Findings[0].Flows[0].Flow
	d.AddFollowed([]diagnose.Followed{{Flow: flow, In: []diagnose.FollowedIn{sentAccount(event.Netns{Inode: 8}, 5), sentAccount(blue, 3)}}})
	if f := d.Findings[0].Followed; len(f) != 1 || len(f[0].In) != 1 || f[0].In[0].Own != 3 {
		t.Errorf("%+v", f)
	}
}
