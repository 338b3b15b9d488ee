package diagnose_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// full is a socket that has dropped a packet, and its receive buffer of that size.
func full(address string, inode, size uint64) []counters.Counter {
	drops := socket(address, inode, 1)
	buffer := drops
	buffer.Name, buffer.Part, buffer.Gauge, buffer.Value, buffer.Limit = "receive_buffer", false, true, size-700, size
	return []counters.Counter{drops, buffer}
}

func diagnoseSockets(t *testing.T, drop *event.Event, sockets ...[]counters.Counter) *diagnose.Diagnosis {
	t.Helper()
	after := new(counters.Snapshot)
	for _, s := range sockets {
		after.Counters = append(after.Counters, s...)
	}
	return diagnose.New(collect(t, drop), counters.NewReport(new(counters.Snapshot), after), nil)
}

// TestBufferOfTheProgram: a setting that does not decide how large the buffer of the full
// socket is says so.
func TestBufferOfTheProgram(t *testing.T) {
	h := host.FS(fstest.MapFS{
		"proc/sys/net/core/rmem_max":     {Data: []byte("212992\n")},
		"proc/sys/net/core/rmem_default": {Data: []byte("212000\n")},
	})
	const no = "not the limit: the buffer of this socket is "
	for size, want := range map[uint64][2]string{
		8192:   {no + "8192 bytes, as the program asked", no + "8192 bytes, as the program asked"},
		212000: {no + "212000 bytes, as it is unless the program asks for more", ""},
		425984: {"", no + "425984 bytes, as the program asked"},
	} {
		drop := udp("SOCKET_RCVBUFF", 40001)
		drop.Netns = event.Netns{}
		sockets := full("udp 0.0.0.0:53", 5, size)
		for i := range sockets {
			sockets[i].Netns = event.Netns{}
		}
		d := diagnoseSockets(t, drop, sockets)
		d.Ask(diagnose.NewHost(h, nil))
		for i, s := range d.Findings[0].Settings {
			if s.NotTheLimit != want[i] {
				t.Errorf("buffer of %d bytes: %s: got %q, want %q", size, s.Name, s.NotTheLimit, want[i])
			}
		}
		if n := len(d.Findings[0].Settings); n != 2 {
			t.Fatalf("%d settings", n)
		}
		var b strings.Builder
		if err := d.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		if limit := strings.Contains(b.String(), `"name":"net.core.rmem_max","value":"212992","limit":true`); limit != (want[0] == "") {
			t.Errorf("buffer of %d bytes: limit is %t in %s", size, limit, &b)
		}
	}
}

// TestSocketsOfTheFinding: of full sockets those are kept that the drops are of.
func TestSocketsOfTheFinding(t *testing.T) {
	sockets := [][]counters.Counter{
		full("udp 0.0.0.0:53", 5, 8192), full("udp 127.0.0.1:53", 6, 8192), full("udp [::]:99", 7, 8192),
	}
	owned := udp("SOCKET_RCVBUFF", 40001)
	owned.Owner.Socket = &event.Socket{Inode: 6}
	stranger := udp("SOCKET_RCVBUFF", 40001)
	stranger.Packet.Flow.DstPort = 7777
	for name, test := range map[string]struct {
		drop *event.Event
		want string
	}{
		"the owner's":          {owned, "[6 6]"},
		"those with the port":  {udp("SOCKET_RCVBUFF", 40001), "[5 6 5 6]"},
		"all, as none is like": {stranger, "[5 6 7 5 6 7]"},
	} {
		var got []uint64
		for _, o := range diagnoseSockets(t, test.drop, sockets...).Findings[0].Objects {
			got = append(got, o.Inode)
		}
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: got sockets %v, want %s", name, got, test.want)
		}
	}
}
