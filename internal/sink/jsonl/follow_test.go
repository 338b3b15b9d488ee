package jsonl_test

import (
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/flows"
	"dropwatch/internal/sink/jsonl"
)

// followLines are those of 3 packets that eth0 received in 2 buffers and delivered, of which one was dropped, and of one that
// waits there.
var followLines = []string{
	at("follow") + `"netns":{"inode":7,"name":"blue"},"ifindex":2,"ifname":"eth0","received":3,"delivered":3,"forwarded":0,"sent":0,` +
		`"waiting":1,"dropped":1,"harmless":0,"undecided":0,"received_buffers":2,"sent_buffers":0}`,
	at("followed") + `"netns":{"inode":7,"name":"blue"},"verdict":"lost","received":3,"delivered":3,"forwarded":0,"sent_own":0,` +
		`"waiting":1,"dropped":1,"text":"of 3 packets received on eth0, 3 delivered; 1 still in the queue of eth0; ` +
		`1 dropped here: 1 at - NO_SOCKET"}`,
}

// TestFollow: what is not known is left out.
func TestFollow(t *testing.T) {
	eth0 := flows.Interface{Netns: 7, IfIndex: 2}
	table := flows.New()
	table.Read(flows.Reading{Counts: []flows.Count{
		{Interface: eth0, What: flows.Received, IfName: "eth0", Packets: 3, Buffers: 2},
		{Interface: eth0, What: flows.Delivered, IfName: "eth0", Packets: 3, Buffers: 2},
		{Interface: eth0, What: flows.QueuedOwn, IfName: "eth0", Packets: 1, Buffers: 1},
	}})
	table.Drop(&event.Event{Kind: event.Drop, Count: 1, Reason: "NO_SOCKET", Netns: event.Netns{Inode: 7}, Port: event.Port{IfIndex: 2}})
	one := bare(func(*event.Event) {})
	f := jsonl.NewFollow(jsonl.Options{}, false, func(uint32) string { return "blue" })
	got := string(f.End(f.Second(nil, one.Time, table.Rows(), nil), one.Time, nil, table.Accounts(false, new(event.Ledger))))
	if want := followLines[0] + "\n" + followLines[1] + "\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	f = jsonl.NewFollow(jsonl.Options{}, true, func(uint32) string { return "" })
	want := at("followed") + `"verdict":"nothing seen","received":0,"forwarded":0,"sent_own":0,"waiting":0,` +
		`"dropped":0,"text":"no drop seen"}` + "\n"
	if got := string(f.End(nil, one.Time, nil, make([]flows.Account, 1))); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
