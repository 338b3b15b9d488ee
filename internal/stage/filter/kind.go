package filter

import (
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/event"
)

// A kind of fields knows what they can be compared with.
type kind interface {
	ops() []op    // the first is that of a value without an operator
	form() string // what a value is: "a number from 0 to 255"
	names() []string

	// add gives the leaf a value, or says why not.
	add(l *leaf, t token) (reason string)

	// bind makes the test of a leaf that has all its values.
	bind(l *leaf)
}

// A yesNo is a field that is there or not.
type yesNo struct {
	is func(*event.Event, *event.Headers) bool
}

func (yesNo) ops() []op               { return nil }
func (yesNo) form() string            { return "yes or no, and takes no value" }
func (yesNo) names() []string         { return nil }
func (yesNo) add(*leaf, token) string { return "" }
func (k yesNo) bind(l *leaf)          { l.test = k.is }

// A carried is whether the packet is of an ethertype.
type carried struct {
	proto uint16
	layer event.Layer
}

func (carried) ops() []op               { return nil }
func (carried) form() string            { return yesNo{}.form() }
func (carried) names() []string         { return nil }
func (carried) add(*leaf, token) string { return "" }

func (k carried) bind(l *leaf) {
	if l.scope != outermost {
		l.test = func(_ *event.Event, h *event.Headers) bool { return h.Network == k.layer }
		return
	}
	l.numbers = spans{{uint64(k.proto), uint64(k.proto)}}
	l.test = func(e *event.Event, _ *event.Headers) bool {
		t, ok := ethertype(e)
		return ok && t == uint64(k.proto)
	}
}

// An integer is a field that is a number, some of which may have names.
type integer struct {
	get   values[uint64]
	max   uint64
	known []named
	only  bool // there are no others, and no order
	hex   bool
	port  bool // names are those of services
}

// A named stands for a number. The first of several is the one that is shown.
type named struct {
	name   string
	number uint64
}

func (k integer) ops() []op {
	if k.only {
		return []op{equal, notEqual}
	}
	return []op{equal, notEqual, less, lessEqual, greater, greaterEqual}
}

func (k integer) form() string {
	if k.only {
		return oneOf(k.names())
	}
	form := "a number from 0 to " + strconv.FormatUint(k.max, 10)
	if k.hex {
		form = "a number such as 0x1a2"
	}
	switch {
	case k.port:
		return form + ", a range such as 8000-8080, or a service such as domain"
	case len(k.known) > 6:
		return form + ", or a name such as " + oneOf(k.names()[:3])
	case len(k.known) > 0:
		return form + ", or " + oneOf(k.names())
	}
	return form
}

// names are those that are shown.
func (k integer) names() (names []string) {
	for i, n := range k.known {
		if !slices.ContainsFunc(k.known[:i], func(m named) bool { return m.number == n.number }) {
			names = append(names, n.name)
		}
	}
	return names
}

func (k integer) add(l *leaf, t token) string {
	s, ok := k.span(strings.ToLower(t.text))
	if !ok {
		return k.wrong(l, t.text)
	}
	if s.lo != s.hi && l.op != equal && l.op != notEqual {
		return fmt.Sprintf("a range does not go with %s: give a number", l.op)
	}
	l.numbers = append(l.numbers, s)
	l.values = append(l.values, k.show(s))
	return ""
}

// wrong says why a value is none.
func (k integer) wrong(l *leaf, value string) string {
	reason := fmt.Sprintf("%s is no %s: it is %s", quoteForError(value), l.name(), k.form())
	all := make([]string, len(k.known))
	for i, n := range k.known {
		all[i] = n.name
	}
	if near := nearest(strings.ToLower(value), all); len(near) > 0 && !k.only {
		reason += "; is " + oneOf(near) + " meant?"
	}
	return reason
}

// span reads a name, a number, or a range of numbers.
func (k integer) span(text string) (span, bool) {
	if n, ok := k.value(text); ok {
		return span{n, n}, true
	}
	low, high, ok := strings.Cut(text, "-")
	lo, loOK := k.digits(low)
	hi, hiOK := k.digits(high)
	return span{lo, hi}, ok && loOK && hiOK && lo <= hi && !k.only
}

func (k integer) value(text string) (uint64, bool) {
	for _, n := range k.known {
		if n.name == text {
			return n.number, true
		}
	}
	if n, ok := k.digits(text); ok || !k.port {
		return n, ok && !k.only
	}
	return service(text)
}

// digits reads a number in decimal, or in hexadecimal behind 0x.
func (k integer) digits(text string) (uint64, bool) {
	base := 10
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		text, base = digits, 16
	}
	n, err := strconv.ParseUint(text, base, 64)
	return n, err == nil && n <= k.max
}

// service gives the port of a service, as /etc/services names it.
func service(name string) (uint64, bool) {
	if name == "" || name[0] < 'a' || name[0] > 'z' {
		return 0, false
	}
	for _, network := range []string{"tcp", "udp"} {
		if port, err := net.LookupPort(network, name); err == nil {
			return uint64(port), true
		}
	}
	return 0, false
}

func (k integer) show(s span) string {
	if s.lo != s.hi {
		return k.digit(s.lo) + "-" + k.digit(s.hi)
	}
	for _, n := range k.known {
		if n.number == s.lo {
			return n.name
		}
	}
	return k.digit(s.lo)
}

func (k integer) digit(n uint64) string {
	if k.hex {
		return "0x" + strconv.FormatUint(n, 16)
	}
	return strconv.FormatUint(n, 10)
}

func (k integer) bind(l *leaf) {
	l.numbers = l.numbers.ordered(l.op)
	if set := l.numbers; len(set) == 1 && set[0].lo == set[0].hi {
		l.test = test(l, k.get, func(n uint64) bool { return n == set[0].lo })
		return
	}
	l.test = test(l, k.get, l.numbers.contain)
}

// A span is the numbers from lo to hi.
type span struct{ lo, hi uint64 }

type spans []span

func (s spans) contain(n uint64) bool {
	for _, span := range s {
		if span.lo <= n && n <= span.hi {
			return true
		}
	}
	return false
}

// ordered gives the numbers that an op finds by the only one in s. Those of the
// ops without an order are s itself.
func (s spans) ordered(o op) spans {
	switch o {
	case less, lessEqual:
		if n := s[0].lo; o == lessEqual {
			return spans{{0, n}}
		} else if n > 0 {
			return spans{{0, n - 1}}
		}
		return nil
	case greater, greaterEqual:
		if n := s[0].lo; o == greaterEqual {
			return spans{{n, math.MaxUint64}}
		} else if n < math.MaxUint64 {
			return spans{{n + 1, math.MaxUint64}}
		}
		return nil
	}
	return s
}

// A bits is a field of flags, which + joins.
type bits struct {
	get   values[uint64]
	known []named
	max   uint64
}

func (bits) ops() []op { return []op{has, equal, notEqual} }

func (k bits) form() string { return "flags such as syn or syn+ack: " + oneOf(k.names()) }

func (k bits) names() []string { return integer{known: k.known}.names() }

func (k bits) add(l *leaf, t token) string {
	var set uint64
	flag := integer{known: k.known, max: k.max}
	for part := range strings.SplitSeq(strings.ToLower(t.text), "+") {
		n, ok := flag.value(strings.TrimPrefix(part, "tcp-"))
		if !ok {
			return fmt.Sprintf("%s is no %s: it is %s", quoteForError(t.text), l.name(), k.form())
		}
		set |= n
	}
	if set == 0 && l.op == has {
		return fmt.Sprintf("every packet has no flag: write %s == 0", l.name())
	}
	l.numbers = append(l.numbers, span{set, set})
	l.values = append(l.values, k.show(set))
	return ""
}

func (k bits) show(set uint64) string {
	var names []string
	rest := set
	for _, n := range k.known {
		if rest&n.number != 0 {
			names, rest = append(names, n.name), rest&^n.number
		}
	}
	if rest != 0 || len(names) == 0 {
		return "0x" + strconv.FormatUint(set, 16)
	}
	return strings.Join(names, "+")
}

func (k bits) bind(l *leaf) {
	if l.op != has {
		l.test = test(l, k.get, l.numbers.contain)
		return
	}
	l.test = test(l, k.get, func(n uint64) bool {
		for _, set := range l.numbers {
			if n&set.lo == set.lo {
				return true
			}
		}
		return false
	})
}

// A label is a field that is text.
type label struct {
	get   values[string]
	what  string // a value is
	upper bool   // it is in capitals, and a value need not be
	trim  string // what a value may begin with
}

func (label) ops() []op { return []op{equal, notEqual, matches, notMatches, has} }

func (k label) form() string { return k.what + ", with * for anything, or after ~ a regexp" }

func (label) names() []string { return nil }

func (k label) add(l *leaf, t token) string {
	if l.op == has {
		l.op = equal
	}
	if l.op == matches || l.op == notMatches {
		return k.addRegexp(l, t.text)
	}
	text := t.text
	switch {
	case text == "":
		return fmt.Sprintf("no text is no %s: for a drop without one write not %s", l.name(), l.name())
	case k.upper && !strings.HasPrefix(text, "0x"):
		text = strings.TrimPrefix(strings.ToUpper(text), k.trim)
	}
	p := pattern{text: text, glob: t.kind != quote && strings.Contains(text, "*")}
	l.patterns = append(l.patterns, p)
	l.values = append(l.values, p.written())
	return ""
}

func (k label) addRegexp(l *leaf, text string) string {
	flags := ""
	if k.upper {
		flags = "(?i)"
	}
	re, err := regexp.Compile(flags + text)
	if err != nil {
		return "no regexp: " + event.Escape(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	l.patterns = append(l.patterns, pattern{text: text, re: re})
	l.values = append(l.values, inQuotes(text))
	return ""
}

func (k label) bind(l *leaf) {
	is := func(s string) bool {
		for i := range l.patterns {
			if l.patterns[i].match(s) {
				return true
			}
		}
		return false
	}
	if len(l.patterns) == 1 {
		is = l.patterns[0].match
	}
	l.test = test(l, k.get, is)
}

// A pattern is a text, a glob or a regexp.
type pattern struct {
	text string
	glob bool
	re   *regexp.Regexp
}

func (p *pattern) match(s string) bool {
	switch {
	case p.re != nil:
		return p.re.MatchString(s)
	case p.glob:
		return globs(p.text, s)
	}
	return p.text == s
}

func (p *pattern) written() string {
	if p.glob {
		return p.text
	}
	return written(p.text)
}

// globs says whether a pattern, with * for anything, fits the whole of s.
func globs(pattern, s string) bool {
	star, resume := -1, 0
	p := 0
	for i := 0; i < len(s); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			resume++
			p, i = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// A point is the place of a drop: its function, perhaps with an offset, or the
// trap of a hardware drop.
type point struct{}

// anywhere are the offsets of a point without one.
var anywhere = span{0, math.MaxUint64}

func (point) ops() []op { return []op{equal, notEqual} }

func (point) form() string { return "a function, function+0x1a2 or a trap, with * for anything" }

func (point) names() []string { return nil }

func (k point) add(l *leaf, t token) string {
	name, offset, hasOffset := strings.Cut(t.text, "+")
	p := pattern{text: name, glob: t.kind != quote && strings.Contains(name, "*")}
	at, ok := anywhere, true
	if hasOffset {
		at.lo, ok = integer{max: math.MaxUint64}.digits(strings.ToLower(offset))
		at.hi = at.lo
	}
	if !ok || name == "" {
		return fmt.Sprintf("%s is no drop point: it is %s", quoteForError(t.text), k.form())
	}
	value := p.text
	if hasOffset {
		value += "+0x" + strconv.FormatUint(at.lo, 16)
	}
	whole := pattern{text: value, glob: p.glob}
	l.patterns, l.numbers = append(l.patterns, p), append(l.numbers, at)
	l.values = append(l.values, whole.written())
	return ""
}

func (point) bind(l *leaf) {
	l.test = test(l, place, func(w *event.Where) bool {
		symbol, offset, _, ok := w.Name()
		for i := range l.patterns {
			p, at := &l.patterns[i], l.numbers[i]
			if ok && at.lo <= offset && offset <= at.hi && p.match(symbol) {
				return true
			}
			if w.Trap != "" && at == anywhere && p.match(w.Trap) {
				return true
			}
		}
		return false
	})
}

func place(e *event.Event, _ *event.Headers, is func(*event.Where) bool) (has, found bool) {
	_, _, _, ok := e.Where.Name()
	has = ok || e.Where.Trap != ""
	return has, has && is(&e.Where)
}

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
