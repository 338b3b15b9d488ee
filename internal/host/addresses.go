package host

import (
	"bytes"
	"encoding/hex"
	"io"
	"math"
	"net/netip"
	"slices"
	"strconv"
)

// Addresses are the addresses of a network namespace: packets to them are received there.
type Addresses struct {
	own      map[[16]byte]bool // those of IPv4 as ::ffff:192.0.2.1
	prefixes []netip.Prefix    // of which every address is local, such as 127.0.0.0/8
}

// Addresses reads the addresses of the network namespace of a process, from fib_trie and
// if_inet6 (proc_pid_net(5)). A file that cannot be read adds none.
func (h *Host) Addresses(pid uint32) *Addresses {
	a := &Addresses{own: make(map[[16]byte]bool)}
	for file, parse := range map[string]func(io.Reader){"fib_trie": a.parseRoutes, "if_inet6": a.parseIPv6} {
		if f, err := h.open(proc(pid, "net/"+file)); err == nil {
			parse(f)
			f.Close()
		}
	}
	return a
}

// Has reports whether packets to an address are received in the namespace: it is an address
// of its own, of multicast or of broadcast. An IPv4 address is given as ::ffff:192.0.2.1.
func (a *Addresses) Has(addr [16]byte) bool {
	ip := netip.AddrFrom16(addr).Unmap()
	return a.own[addr] || ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) ||
		slices.ContainsFunc(a.prefixes, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// parseIPv6 reads if_inet6: each line begins with an address of 32 hexadecimal digits.
func (a *Addresses) parseIPv6(r io.Reader) {
	eachLine(r, math.MaxInt64, func(line []byte) bool {
		var addr [16]byte
		if n, err := hex.Decode(addr[:], line[:min(2*len(addr), len(line))]); err == nil && n == len(addr) {
			a.own[addr] = true
		}
		return true
	})
}

// parseRoutes reads fib_trie, no more than maxRoutes bytes of it.
func (a *Addresses) parseRoutes(r io.Reader) {
	var last netip.Addr
	eachLine(r, maxRoutes, func(line []byte) bool {
		last = a.addRoute(line, last)
		return true
	})
}

// addRoute reads a line of fib_trie: an address, which it returns, or a prefix length of the
// address before it, last: "|-- 127.0.0.0", "/8 host LOCAL".
func (a *Addresses) addRoute(line []byte, last netip.Addr) netip.Addr {
	line = bytes.TrimLeft(line, " ")
	if s, ok := bytes.CutPrefix(line, []byte("|-- ")); ok {
		last, _ = netip.ParseAddr(string(s))
		return last
	}
	length, kind, _ := bytes.Cut(bytes.TrimPrefix(line, []byte("/")), []byte(" "))
	if !bytes.HasSuffix(kind, []byte(" LOCAL")) && !bytes.HasSuffix(kind, []byte(" BROADCAST")) {
		return last
	}
	bits, _ := strconv.Atoi(string(length))
	switch p, err := last.Prefix(bits); {
	case err != nil || !p.IsValid():
	case p.IsSingleIP():
		a.own[last.As16()] = true
	case !slices.Contains(a.prefixes, p): // each routing table has the trie again
		a.prefixes = append(a.prefixes, p)
	}
	return last
}
