package filter

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"dropwatch/internal/event"
)

// An address is a field whose values are IP addresses. They are compared with networks.
type address struct {
	get values[netip.Addr] // false for an event that has none
}

func (address) ops() []op { return []op{equal, notEqual} }

// form says what values are, in errors and in help.
func (address) form() string {
	return "an address or a network such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32"
}

func (address) names() []string { return nil }

// add adds a network, or a single address as a network of one.
func (k address) add(l *leaf, t token) string {
	p := parseNetwork(t.text)
	if !p.IsValid() {
		return fmt.Sprintf("invalid address %s: it is %s", quoteForError(t.text), k.form())
	}
	l.nets = append(l.nets, p)
	if p.IsSingleIP() {
		l.values = append(l.values, p.Addr().String())
	} else {
		l.values = append(l.values, p.String())
	}
	return ""
}

// parseNetwork reads a network or a single address. ::ffff:192.0.2.1, which programs with one socket
// for both families log, becomes the IPv4 address that packets have. If text is neither, the result
// is not valid.
func parseNetwork(text string) netip.Prefix {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	const mappedBits = 96 // of ::ffff:0:0/96, RFC 4291, 2.5.5.2
	if p.Addr().Is4In6() && p.Bits() >= mappedBits {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p.Masked()
}

// bind makes the test: the address is in one of the networks.
func (k address) bind(l *leaf) { l.test = test(l, k.get, l.nets.contain) }

// nets are the values of a leaf on IP addresses.
type nets []netip.Prefix

// contain reports whether an address is in one of the networks. IPv4 and IPv6 never
// match each other.
func (n nets) contain(a netip.Addr) bool {
	for i := range n {
		if n[i].Contains(a) {
			return true
		}
	}
	return false
}

// A hardware is a field whose values are Ethernet addresses.
type hardware struct {
	get values[event.MAC]
}

func (hardware) ops() []op { return []op{equal, notEqual} }

func (hardware) form() string { return "an Ethernet address such as 02:00:5e:00:53:01" }

func (hardware) names() []string { return nil }

// add adds an address, in any form that net.ParseMAC accepts, of six bytes.
func (k hardware) add(l *leaf, t token) string {
	a, err := net.ParseMAC(t.text)
	if err != nil || len(a) != len(event.MAC{}) {
		return fmt.Sprintf("invalid address %s: it is %s", quoteForError(t.text), k.form())
	}
	l.macs = append(l.macs, event.MAC(a))
	l.values = append(l.values, event.MAC(a).String())
	return ""
}

// bind makes the test: the address is one of the values. A prefix cannot be given.
func (k hardware) bind(l *leaf) { l.test = test(l, k.get, l.macs.contain) }

// macs are the values of a leaf on Ethernet addresses.
type macs []event.MAC

func (m macs) contain(a event.MAC) bool { return slices.Contains(m, a) }

// A raw is a field whose values are bytes.
type raw struct {
	get values[[]byte]
}

func (raw) ops() []op { return []op{equal, notEqual} }

func (raw) form() string { return "bytes in hexadecimal, such as 0x00c0ffee" }

func (raw) names() []string { return nil }

// add adds bytes in hexadecimal, perhaps with 0x before or colons between them.
func (k raw) add(l *leaf, t token) string {
	digits := strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(t.text), "0x"), ":", "")
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) == 0 {
		return fmt.Sprintf("invalid %s %s: it is %s", l.name(), quoteForError(t.text), k.form())
	}
	l.patterns = append(l.patterns, pattern{text: string(b)})
	l.values = append(l.values, "0x"+digits)
	return ""
}

// bind makes the test: all bytes are equal.
func (k raw) bind(l *leaf) {
	l.test = test(l, k.get, func(b []byte) bool {
		return slices.ContainsFunc(l.patterns, func(p pattern) bool { return p.text == string(b) })
	})
}
