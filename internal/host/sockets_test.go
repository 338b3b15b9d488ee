package host

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

const socketHead = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// The lines are those of a little-endian host.
const socketRest = " 00000000:00000000 00:00000000 00000000     0        0 "

func endpoint(s string) Endpoint {
	a := netip.MustParseAddrPort(s)
	return Endpoint{a.Addr().As16(), a.Port()}
}

func TestParseSockets(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		ipv6 bool
		want []Socket
	}{
		"IPv4": {socketHead + "   2: 010200C0:0050 090200C0:1388 01" + socketRest + "13 1\n" +
			"   0: 00000000:0016 00000000:0000 0A" + socketRest + "12 1 0\n", false, []Socket{
			{endpoint("192.0.2.1:80"), endpoint("192.0.2.9:5000"), 1, 13}, {endpoint("0.0.0.0:22"), endpoint("0.0.0.0:0"), 10, 12},
		}},
		"IPv6": {"  10: B80D0120000000000000000001000000:0035 00000000000000000000000000000000:0000 07" +
			socketRest + "41 2\n", true, []Socket{
			{endpoint("[2001:db8::1]:53"), endpoint("[::]:0"), 7, 41},
		}},
		"junk": {"   6: 010200C0 junk\n   7: 010200C0:0051 00000000:0000 ZZ" + socketRest + "16 1\n\n" +
			"1: 010200C0:1 00:0 0A" + socketRest + "1\n", false, nil},
	} {
		var got []Socket
		ParseSockets(strings.NewReader(tt.text), tt.ipv6, func(s Socket) { got = append(got, s) })
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s:\ngot  %v\nwant %v", name, got, tt.want)
		}
	}
}

func TestParseSocketsIsBounded(t *testing.T) {
	line, n := " 1: 010200C0:0050 0A000001:0400 01"+socketRest+"1 1\n", 0
	ParseSockets(strings.NewReader(strings.Repeat(line, maxSockets+10)), false, func(Socket) { n++ })
	if n != maxSockets {
		t.Errorf("%d sockets, want %d", n, maxSockets)
	}
}

const fibTrie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.1
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
     |-- 127.0.0.0
        /8 host LOCAL
     |-- 300.0.0.1
        /32 host LOCAL
`

// parseAddresses reads the texts of fib_trie and if_inet6.
func parseAddresses(routes, ipv6 string) *Addresses {
	a := &Addresses{own: make(map[[16]byte]bool)}
	a.parseRoutes(strings.NewReader(routes))
	a.parseIPv6(strings.NewReader(ipv6))
	return a
}

func TestAddresses(t *testing.T) {
	a := parseAddresses(fibTrie, "20010db8000000000000000000000001 02 40 00 80     eth0\nnone\n")
	for addr, want := range map[string]bool{
		"192.0.2.1": true, "192.0.2.255": true, "192.0.2.9": false, "127.9.9.9": true, "224.0.0.251": true, "255.255.255.255": true,
		"2001:db8::1": true, "2001:db8::2": false, "ff02::1": true, "0.0.0.0": false,
	} {
		if got := a.Has(netip.MustParseAddr(addr).As16()); got != want {
			t.Errorf("%s: %t, want %t", addr, got, want)
		}
	}
}

// FuzzSockets: the files are the kernel's, and yet no line makes it panic.
func FuzzSockets(f *testing.F) {
	f.Add([]byte("   2: 010200C0:0050 090200C0:1388 01" + socketRest + "13 1"))
	f.Add([]byte(fibTrie))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, ipv6 := range []bool{false, true} {
			ParseSockets(strings.NewReader(string(text)), ipv6, func(Socket) {})
		}
		parseAddresses(string(text), string(text)).Has([16]byte{1})
	})
}
