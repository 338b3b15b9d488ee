package filter

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"
)

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
	form := "a number from 0 to " + k.digit(k.max)
	switch {
	case k.max == math.MaxUint64:
		return "a number such as " + k.digit(0x1a2)
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
	if meant := Meant(strings.ToLower(value), all); meant != "" && !k.only {
		reason += "; " + meant
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
		return fmt.Sprintf("no flag is named: for a packet without any write %s == 0", l.name())
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
