package filter

import (
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/event"
)

// A label is a field that is text.
type label struct {
	get     values[string]
	what    string // a value is
	several bool   // a drop may have several

	// normal gives the text that a value stands for, or says why it is none.
	normal  func(string) (text, reason string)
	anyCase bool // regexps do not tell small letters from capitals

	isStart func(string) bool // a value that may go on
}

func (k label) ops() []op {
	ops := []op{equal, notEqual, matches, notMatches}
	if k.several {
		ops = append(ops, has)
	}
	return ops
}

func (k label) form() string { return k.what + ", with * for anything, or after ~ a regexp" }

func (label) names() []string { return nil }

func (k label) add(l *leaf, t token) string {
	if l.op == has {
		l.op = equal
	}
	switch {
	case l.op == matches || l.op == notMatches:
		return k.addRegexp(l, t.text)
	case t.text == "":
		return fmt.Sprintf("no text is no %s: for a drop without one write not %s", l.name(), l.name())
	}
	p := pattern{text: t.text, glob: t.kind != quote && strings.Contains(t.text, "*")}
	if k.normal != nil {
		var reason string
		if p.text, reason = k.normal(t.text); reason != "" {
			return reason
		}
	}
	p.start = k.isStart != nil && k.isStart(p.text)
	l.patterns = append(l.patterns, p)
	l.values = append(l.values, p.written())
	return ""
}

func (k label) addRegexp(l *leaf, text string) string {
	flags := ""
	if k.anyCase {
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

// reasonPrefix is what enum skb_drop_reason has before every name.
const reasonPrefix = "SKB_DROP_REASON_"

// reasonName gives the name of a reason as the kernel has it: in capitals and
// without a prefix, or 0x20005 for one that it has no name for.
func reasonName(text string) (name, reason string) {
	name = strings.ToUpper(text)
	for strings.HasPrefix(name, reasonPrefix) {
		name = name[len(reasonPrefix):]
	}
	if isDigits(name) {
		return "", "the numbers of reasons differ between kernels: give a name such as NO_SOCKET"
	}
	digits, ok := strings.CutPrefix(name, "0X")
	if !ok {
		return name, ""
	}
	if n, err := strconv.ParseUint(digits, 16, 64); err == nil {
		return "0x" + strconv.FormatUint(n, 16), ""
	}
	return "0x" + strings.ToLower(digits), ""
}

// unitTypes are those of systemd.unit(5) that have processes.
var unitTypes = []string{".service", ".scope", ".slice", ".socket", ".mount", ".swap"}

// unitName gives the name of a unit, as systemctl(1) takes it: without a type it
// is a service.
func unitName(text string) (name, reason string) {
	if strings.Contains(text, "*") || slices.Contains(unitTypes, path.Ext(text)) {
		return text, ""
	}
	return text + ".service", ""
}

// shortID is how many hexadecimal digits of a container's ID are shown for it.
const shortID = 12

func isShortID(text string) bool {
	return len(text) >= shortID && strings.Trim(text, "0123456789abcdef") == ""
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
	text  string
	start bool // the text may go on
	glob  bool
	re    *regexp.Regexp
}

func (p *pattern) match(s string) bool {
	switch {
	case p.re != nil:
		return p.re.MatchString(s)
	case p.glob:
		return globs(p.text, s)
	case p.start:
		return strings.HasPrefix(s, p.text)
	}
	return p.text == s
}

func (p *pattern) written() string {
	switch {
	case p.glob:
		return p.text
	case isDigits(p.text): // that is not to be taken for a number
		return inQuotes(p.text)
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
