package diagnose_test

import (
	"encoding/json"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// TestSender: of packets that no socket accepts the sender is said if one network namespace of this
// host has their source address, with its process if one socket has the port.
func TestSender(t *testing.T) {
	const local = "  |-- 10.0.0.1\n     /32 host LOCAL\n"
	sockets := func(lines ...string) string {
		text := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
		for _, l := range lines {
			text += "  1: " + l + "\n"
		}
		return text
	}
	const (
		unconnected = "00000000:9C41 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 501 2 0 0"
		connected   = "0100000A:9C41 0200000A:0035 01 00000000:00000000 00:00000000 00000000     0        0 501 2 0 0"
		elsewhere   = "0100000A:9C41 0300000A:0035 01 00000000:00000000 00:00000000 00000000     0        0 502 2 0 0"
		otherPort   = "00000000:9C42 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 503 2 0 0"
	)
	for name, test := range map[string]struct {
		routes, others, udp string
		want                string
	}{
		"a socket":        {local, "", sockets(unconnected, otherPort), "   sender    ntpd/42 in network namespace 9 of this host\n"},
		"one to the peer": {local, "", sockets(connected, elsewhere), "   sender    ntpd/42 in network namespace 9 of this host\n"},
		"several sockets": {local, "", sockets(unconnected, connected), "   sender    network namespace 9 of this host\n"},
		"no socket":       {local, "", sockets(otherPort), "   sender    network namespace 9 of this host\n"},
		"another host":    {"", "", sockets(unconnected), ""},
		"two with address": {
			local, local, sockets(otherPort),
			"   sender    one of the network namespaces 9, 10 of this host\n",
		},
		"one of two with a socket": {local, local, sockets(unconnected), "   sender    ntpd/42 in network namespace 9 of this host\n"},
	} {
		t.Run(name, func(t *testing.T) {
			link := func(n string) *fstest.MapFile {
				return &fstest.MapFile{Data: []byte("net:[" + n + "]"), Mode: 0o777 | fs.ModeSymlink}
			}
			file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
			live := diagnose.NewHost(host.FS(fstest.MapFS{
				"proc/self/ns/net": link("1"), "proc/42/ns/net": link("9"), "proc/43/ns/net": link("10"),
				"proc/42/net/fib_trie": file(test.routes), "proc/43/net/fib_trie": file(test.others), "proc/42/net/udp": file(test.udp),
			}), func(inode uint64) event.Owner {
				if inode != 501 {
					return event.Owner{}
				}
				return event.Owner{Process: event.Process{PID: 42, Comm: "ntpd", Confidence: event.Certain}}
			})
			answers := make(map[string]json.RawMessage)
			live.Keep(func(question string, answer []byte) { answers[question] = answer })
			e := udp("NO_SOCKET", 40001)
			e.Packet.Flow.Protocol, e.Packet.Flow.Fields = 17, e.Packet.Flow.Fields|event.FieldProtocol
			text := reportOf(t, e, live)
			if test.want == "" && strings.Contains(text, "sender    ") || !strings.Contains(text, test.want) {
				t.Errorf("want %q in\n%s", test.want, text)
			}
			if got := reportOf(t, e, diagnose.RecordedHost(answers)); got != text {
				t.Errorf("a recording says\n%s\nand not\n%s", got, text)
			}
		})
	}
	loopback := udp("NO_SOCKET", 40001)
	loopback.Packet.Flow.Src = netip.MustParseAddr("127.0.0.1")
	if text := reportOf(t, loopback, ownersOnly(nil)); strings.Contains(text, "sender    ") {
		t.Errorf("an address that each namespace has: %s", text)
	}
}

func reportOf(t *testing.T, e *event.Event, h *diagnose.Host) string {
	t.Helper()
	d := diagnose.New(collect(t, e), report("UdpNoPorts", 0), nil)
	d.Ask(h)
	return textOf(t, d)
}
