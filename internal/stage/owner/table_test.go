package owner

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// The lines of tables here are those of a little-endian host.
const (
	tcpHead = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	rest    = " 00000000:00000000 00:00000000 00000000     0        0 "
)

const fibTrie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.1
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
Local:
     |-- 127.0.0.0
        /8 host LOCAL
     |-- 192.0.2.1
        /32 host LOCAL
     |-- 300.0.0.1
        /32 host LOCAL
`

// netFiles are those of a host where the namespace 77, that of process 30, has
// sockets of each kind.
func netFiles() map[string]string {
	files := hostFiles()
	files["proc/30/ns/net"] = "->net:[77]"
	net := map[string]string{
		"tcp": tcpHead +
			"   0: 010200C0:0050 00000000:0000 0A" + rest + "11 1 0000000000000000 100 0 0 10 0\n" + // 192.0.2.1:80 listens
			"   1: 00000000:0016 00000000:0000 0A" + rest + "12 1\n" + // any:22 listens
			"   2: 010200C0:0050 090200C0:1388 01" + rest + "13 1\n" + // 192.0.2.1:80 with 192.0.2.9:5000
			"   3: 010200C0:0050 090200C0:1389 06" + rest + "0 3\n" + // in TIME_WAIT
			"   4: 010200C0:9C40 090200C0:0050 01" + rest + "14 1\n" + // 192.0.2.1:40000 to 192.0.2.9:80
			"   5: 010200C0:0050 00000000:0000 0A" + rest + "15 1\n" + // 192.0.2.1:80 with SO_REUSEPORT
			"   8: 010200C0:0050 090200C0:138B 03" + rest + "0 0\n" + // 192.0.2.1:80 with 192.0.2.9:5003, half open
			"   6: 010200C0 junk\n   7: 010200C0:0051 00000000:0000 ZZ" + rest + "16 1\n\n",
		"tcp6": tcpHead +
			"   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A" + rest + "21 1\n" + // any:8080
			"   1: 0000000000000000FFFF0000010200C0:0050 0000000000000000FFFF0000090200C0:138A 01" +
			rest + "22 1\n", // 192.0.2.1:80 with 192.0.2.9:5002
		"udp": tcpHead +
			"  10: 00000000:0035 00000000:0000 07" + rest + "31 2\n", // any:53
		"udp6": tcpHead +
			"  10: B80D0120000000000000000001000000:0035 00000000000000000000000000000000:0000 07" + rest + "41 2\n", // 2001:db8::1
		"raw": tcpHead +
			" 112: 00000000:0070 00000000:0000 07" + rest + "51 2\n", // VRRP
		"fib_trie": fibTrie,
		"if_inet6": "20010db8000000000000000000000001 02 40 00 80     eth0\nnone\n",
	}
	for name, text := range net {
		files["proc/30/net/"+name] = text
	}
	return files
}

// packetOf has what a decoder reads of a packet.
func packetOf(src string, srcPort uint16, dst string, dstPort uint16, protocol uint8) *event.Flow {
	const ip = event.FieldSrc | event.FieldDst | event.FieldProtocol
	f := &event.Flow{Headers: event.Headers{
		Fields: ip, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), Protocol: protocol, SrcPort: srcPort, DstPort: dstPort,
	}}
	if srcPort != 0 {
		f.Fields |= event.FieldSrcPort | event.FieldDstPort
	}
	return f
}

func TestStageFindsTheSocketByTheFlow(t *testing.T) {
	socket := func(inode uint64, protocol, family uint16, state event.SocketState, local, remote string) *event.Socket {
		return &event.Socket{
			Inode: inode, Protocol: protocol, Family: family, State: state, Confidence: event.Likely, Receiver: true,
			Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote),
		}
	}
	sender := func(s *event.Socket) *event.Socket {
		s.Receiver = false
		return s
	}
	const listen, established, unconnected, timeWait = 10, 1, 7, 6
	tests := map[string]struct {
		flow   *event.Flow
		reason string
		want   *event.Socket
	}{
		"connected": {
			flow: packetOf("192.0.2.9", 5000, "192.0.2.1", 80, tcp),
			want: socket(13, tcp, inet, established, "192.0.2.1:80", "192.0.2.9:5000"),
		},
		"connected, of IPv6 with IPv4": {
			flow: packetOf("192.0.2.9", 5002, "192.0.2.1", 80, tcp),
			want: socket(22, tcp, inet6, established, "[::ffff:192.0.2.1]:80", "[::ffff:192.0.2.9]:5002"),
		},
		"a dead connection": {
			flow: packetOf("192.0.2.9", 5001, "192.0.2.1", 80, tcp),
			want: socket(0, tcp, inet, timeWait, "192.0.2.1:80", "192.0.2.9:5001"),
		},
		"half open": {
			flow: packetOf("192.0.2.9", 5003, "192.0.2.1", 80, tcp),
			want: socket(11, tcp, inet, listen, "192.0.2.1:80", "0.0.0.0:0"),
		},
		"bound, the first of two": {
			flow: packetOf("192.0.2.9", 6000, "192.0.2.1", 80, tcp),
			want: socket(11, tcp, inet, listen, "192.0.2.1:80", "0.0.0.0:0"),
		},
		"bound to no address": {
			flow: packetOf("192.0.2.9", 6000, "192.0.2.1", 22, tcp),
			want: socket(12, tcp, inet, listen, "0.0.0.0:22", "0.0.0.0:0"),
		},
		"of IPv6, bound to no address": {
			flow: packetOf("192.0.2.9", 6000, "127.1.2.3", 8080, tcp),
			want: socket(21, tcp, inet6, listen, "[::]:8080", "[::]:0"),
		},
		"IPv6": {
			flow: packetOf("2001:db8::9", 6000, "2001:db8::1", 8080, tcp),
			want: socket(21, tcp, inet6, listen, "[::]:8080", "[::]:0"),
		},
		"UDP of IPv6": {
			flow: packetOf("2001:db8::9", 6000, "2001:db8::1", 53, udp),
			want: socket(41, udp, inet6, unconnected, "[2001:db8::1]:53", "[::]:0"),
		},
		"broadcast": {
			flow: packetOf("192.0.2.9", 6000, "192.0.2.255", 53, udp),
			want: socket(31, udp, inet, unconnected, "0.0.0.0:53", "0.0.0.0:0"),
		},
		"broadcast to all": {
			flow: packetOf("192.0.2.9", 6000, "255.255.255.255", 53, udp),
			want: socket(31, udp, inet, unconnected, "0.0.0.0:53", "0.0.0.0:0"),
		},
		"multicast": {
			flow: packetOf("192.0.2.9", 6000, "224.0.0.251", 53, udp),
			want: socket(31, udp, inet, unconnected, "0.0.0.0:53", "0.0.0.0:0"),
		},
		"raw": {
			flow: packetOf("192.0.2.9", 0, "224.0.0.18", 0, 112),
			want: socket(51, 112, inet, unconnected, "0.0.0.0:112", "0.0.0.0:0"),
		},
		"sent": {
			flow: packetOf("192.0.2.1", 40000, "192.0.2.9", 80, tcp),
			want: sender(socket(14, tcp, inet, established, "192.0.2.1:40000", "192.0.2.9:80")),
		},
		"sent from any": {
			flow: packetOf("192.0.2.1", 53, "192.0.2.9", 6000, udp),
			want: sender(socket(31, udp, inet, unconnected, "0.0.0.0:53", "0.0.0.0:0")),
		},
		"no socket, says kernel": {flow: packetOf("192.0.2.9", 6000, "192.0.2.1", 53, udp), reason: noSocket},
		"no socket, sent from here": {
			flow: packetOf("192.0.2.1", 53, "127.0.0.1", 53, udp), reason: noSocket,
			want: sender(socket(31, udp, inet, unconnected, "0.0.0.0:53", "0.0.0.0:0")),
		},
		"a closed port":         {flow: packetOf("192.0.2.9", 6000, "192.0.2.1", 81, tcp)},
		"another protocol":      {flow: packetOf("192.0.2.9", 6000, "192.0.2.1", 22, udp)},
		"forwarded":             {flow: packetOf("192.0.2.9", 6000, "198.51.100.1", 53, udp)},
		"forwarded, IPv6":       {flow: packetOf("2001:db8::9", 6000, "2001:db8::2", 8080, tcp)},
		"IPv6, a socket of 4":   {flow: packetOf("2001:db8::9", 6000, "2001:db8::1", 22, tcp)},
		"a later fragment":      {flow: packetOf("192.0.2.9", 0, "192.0.2.1", 0, udp)},
		"ICMP":                  {flow: packetOf("192.0.2.9", 0, "192.0.2.1", 0, icmp)},
		"headers not read":      {flow: nil},
		"headers without an IP": {flow: &event.Flow{}},
	}
	root := tree(t, netFiles())
	for name, tt := range tests {
		e := event.Event{Count: 1, Individual: true, Reason: tt.reason, Netns: event.Netns{Inode: 77}}
		e.Packet.Flow = tt.flow
		fill(t, root, &e)
		switch got := e.Owner.Socket; {
		case (got == nil) != (tt.want == nil):
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		case got != nil && *got != *tt.want:
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, *got, *tt.want)
		}
	}
}

// TestStageTellsNamespacesApart: the same addresses, in a namespace that has no
// such socket, and in one that nothing is known of.
func TestStageTellsNamespacesApart(t *testing.T) {
	files := netFiles()
	files["proc/40/ns/net"] = "->net:[88]"
	files["proc/40/net/tcp"] = tcpHead
	files["proc/40/net/fib_trie"] = fibTrie
	root := tree(t, files)
	synctest.Test(t, func(t *testing.T) {
		stage := Stage(host.New(root))
		for netns, want := range map[uint32]bool{77: true, 88: false, 99: false, 0: false} {
			e := event.Event{Count: 1, Netns: event.Netns{Inode: netns}}
			e.Packet.Flow = packetOf("192.0.2.9", 5000, "192.0.2.1", 80, tcp)
			if stage(&e); (e.Owner.Socket != nil) != want {
				t.Errorf("in %d: %+v", netns, e.Owner.Socket)
			}
		}
	})
}
