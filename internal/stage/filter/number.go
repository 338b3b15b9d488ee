package filter

import (
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/suggest"
)

// An integer is a field whose values are numbers, some of which may have names.
type integer struct {
	get   values[uint64]
	max   uint64  // the largest value
	known []named // the names
	only  bool    // only values with names are allowed, and they have no order
	hex   bool    // numbers are printed in hexadecimal
	port  bool    // names of services are allowed
}

// A named is a name of a number. If a number has several, the first one is printed.
type named struct {
	name   string
	number uint64
}

// ops: what has only names has no order.
func (k integer) ops() []op {
	if k.only {
		return []op{equal, notEqual}
	}
	return []op{equal, notEqual, less, lessEqual, greater, greaterEqual}
}

// form describes what is accepted: the names alone, if no other number has a meaning; otherwise the range, and the names
// beside it.
func (k integer) form() string {
	if k.only {
		return suggest.OneOf(k.names())
	}
	form := "a number from 0 to " + k.digit(k.max)
	switch {
	case k.max == math.MaxUint64:
		return "a number such as " + k.digit(0x1a2)
	case k.port:
		return form + ", a range such as 8000-8080, or a service such as domain"
	case len(k.known) > 6:
		return form + ", or a name such as " + suggest.OneOf(k.names()[:3])
	case len(k.known) > 0:
		return form + ", or " + suggest.OneOf(k.names())
	}
	return form
}

// names returns the names that are printed.
func (k integer) names() (names []string) {
	for i, n := range k.known {
		if !slices.ContainsFunc(k.known[:i], func(m named) bool { return m.number == n.number }) {
			names = append(names, n.name)
		}
	}
	return names
}

// add adds a number or, for == and !=, a range.
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

// wrong explains why a value is invalid.
func (k integer) wrong(l *leaf, value string) string {
	reason := fmt.Sprintf("invalid %s %s: it is %s", l.name(), quoteForError(value), k.form())
	all := make([]string, len(k.known))
	for i, n := range k.known {
		all[i] = n.name
	}
	if question := suggest.Question(strings.ToLower(value), all); question != "" && !k.only {
		reason += "; " + question
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

// value reads a name or a number.
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

// service returns the port of a service, from /etc/services.
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

// show returns a value as an expression has it.
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

// digit returns the digits of a number.
func (k integer) digit(n uint64) string {
	if k.hex {
		return "0x" + strconv.FormatUint(n, 16)
	}
	return strconv.FormatUint(n, 10)
}

// bind makes the test. That of a single number is the most frequent and the fastest.
func (k integer) bind(l *leaf) {
	l.numbers = l.numbers.ordered(l.op)
	if set := l.numbers; len(set) == 1 && set[0].lo == set[0].hi {
		l.test = test(l, k.get, func(n uint64) bool { return n == set[0].lo })
		return
	}
	l.test = test(l, k.get, l.numbers.contain)
}

// A span is the numbers from lo to hi, both included. Lo is never above hi.
type span struct{ lo, hi uint64 }

// spans are the values of a leaf on numbers.
type spans []span

// contain reports whether a number is in one of the spans.
func (s spans) contain(n uint64) bool {
	for _, span := range s {
		if span.lo <= n && n <= span.hi {
			return true
		}
	}
	return false
}

// ordered returns the numbers for which a comparison by o with the only number in s is true. For operators
// without an order it returns s.
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

// A bits is a field whose values are sets of flags: syn+ack.
type bits struct {
	get   values[uint64]
	known []named
	max   uint64
}

// ops: a value without an operator means that these flags are set, whatever others
// are.
func (bits) ops() []op { return []op{has, equal, notEqual} }

// form lists the names of the bits, which + joins.
func (k bits) form() string { return "flags such as syn or syn+ack: " + suggest.OneOf(k.names()) }

func (k bits) names() []string { return integer{known: k.known}.names() }

// add adds a set of flags. Like pcap-filter(7) it allows tcp- before their names.
func (k bits) add(l *leaf, t token) string {
	var set uint64
	flag := integer{known: k.known, max: k.max}
	for part := range strings.SplitSeq(strings.ToLower(t.text), "+") {
		n, ok := flag.value(strings.TrimPrefix(part, "tcp-"))
		if !ok {
			return fmt.Sprintf("invalid %s %s: it is %s", l.name(), quoteForError(t.text), k.form())
		}
		set |= n
	}
	if set == 0 && l.op == has {
		return fmt.Sprintf("no flag given: for packets without flags write %s == 0", l.name())
	}
	l.numbers = append(l.numbers, span{set, set})
	l.values = append(l.values, k.show(set))
	return ""
}

// show returns a set as an expression has it; as a number if a flag has no name.
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

// bind makes the test: has is true if all flags of a value are set.
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
