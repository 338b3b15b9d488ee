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

// An address is a field of IP addresses, which are compared with networks.
type address struct {
	get values[netip.Addr]
}

func (address) ops() []op { return []op{equal, notEqual} }

func (address) form() string {
	return "an address or a network such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32"
}

func (address) names() []string { return nil }

func (k address) add(l *leaf, t token) string {
	p, err := netip.ParsePrefix(t.text)
	if err != nil {
		var a netip.Addr
		if a, err = netip.ParseAddr(t.text); err == nil && a.Zone() == "" {
			p = netip.PrefixFrom(a, a.BitLen())
		}
	}
	if !p.IsValid() {
		return fmt.Sprintf("%s is no address: it is %s", quoteForError(t.text), k.form())
	}
	p = p.Masked()
	l.nets = append(l.nets, p)
	if p.IsSingleIP() {
		l.values = append(l.values, p.Addr().String())
	} else {
		l.values = append(l.values, p.String())
	}
	return ""
}

func (k address) bind(l *leaf) { l.test = test(l, k.get, l.nets.contain) }

type nets []netip.Prefix

func (n nets) contain(a netip.Addr) bool {
	for i := range n {
		if n[i].Contains(a) {
			return true
		}
	}
	return false
}

// A hardware is a field of Ethernet addresses.
type hardware struct {
	get values[event.MAC]
}

func (hardware) ops() []op { return []op{equal, notEqual} }

func (hardware) form() string { return "an Ethernet address such as 02:00:5e:00:53:01" }

func (hardware) names() []string { return nil }

func (k hardware) add(l *leaf, t token) string {
	a, err := net.ParseMAC(t.text)
	if err != nil || len(a) != len(event.MAC{}) {
		return fmt.Sprintf("%s is no address: it is %s", quoteForError(t.text), k.form())
	}
	l.macs = append(l.macs, event.MAC(a))
	l.values = append(l.values, event.MAC(a).String())
	return ""
}

func (k hardware) bind(l *leaf) { l.test = test(l, k.get, l.macs.contain) }

type macs []event.MAC

func (m macs) contain(a event.MAC) bool { return slices.Contains(m, a) }

// A raw is a field of bytes.
type raw struct {
	get values[[]byte]
}

func (raw) ops() []op { return []op{equal, notEqual} }

func (raw) form() string { return "bytes in hexadecimal, such as 0x00c0ffee" }

func (raw) names() []string { return nil }

func (k raw) add(l *leaf, t token) string {
	digits := strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(t.text), "0x"), ":", "")
	b, err := hex.DecodeString(digits)
	if err != nil || len(b) == 0 {
		return fmt.Sprintf("%s is no %s: it is %s", quoteForError(t.text), l.name(), k.form())
	}
	l.patterns = append(l.patterns, pattern{text: string(b)})
	l.values = append(l.values, "0x"+digits)
	return ""
}

func (k raw) bind(l *leaf) {
	l.test = test(l, k.get, func(b []byte) bool {
		return slices.ContainsFunc(l.patterns, func(p pattern) bool { return p.text == string(b) })
	})
}
