package filter

import (
	"cmp"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/suggest"
)

// A label is a field whose values are texts.
type label struct {
	get     values[string] // in the letters that the event has
	what    string         // what a value is: "a name such as web"
	several bool           // a drop may have several, so that the operator has is allowed

	// normal returns the text to compare for a value, or why the value is invalid.
	normal  func(string) (text, reason string)
	anyCase bool // regular expressions ignore case

	isStart func(string) bool // reports whether a value is compared as a beginning

	known func() []string // all texts that there are, in lower case; nil: any
}

// ops: has is for a field with several texts, such as the functions of a stack.
func (k label) ops() []op {
	ops := []op{equal, notEqual, matches, notMatches}
	if k.several {
		ops = append(ops, has)
	}
	return ops
}

func (k label) form() string { return k.what + ", with * for anything, or after ~ a regexp" }

// names are all values that there can be, for completion and advice; nil if any text is one.
func (k label) names() []string {
	if k.known == nil {
		return nil
	}
	return k.known()
}

// add adds a text, a glob or a regular expression.
func (k label) add(l *leaf, t token) string {
	if l.op == has {
		l.op = equal
	}
	switch {
	case l.op == matches || l.op == notMatches:
		return k.addRegexp(l, t.text)
	case t.text == "":
		return fmt.Sprintf("an empty %s matches nothing: for drops without one write not %s", l.name(), l.name())
	}
	p := pattern{text: t.text, glob: t.kind != quote && strings.Contains(t.text, "*")}
	if k.normal != nil {
		var reason string
		if p.text, reason = k.normal(t.text); reason != "" {
			return reason
		}
	}
	if k.known != nil && !p.glob {
		if p.text = strings.ToLower(p.text); !slices.Contains(k.known(), p.text) {
			return k.unknown(l, p.text)
		}
	}
	p.start = k.isStart != nil && k.isStart(p.text)
	l.patterns = append(l.patterns, p)
	l.values = append(l.values, p.written())
	return ""
}

// unknown explains that there is no such text, and what may be meant.
func (k label) unknown(l *leaf, text string) string {
	reason := fmt.Sprintf("unknown %s %s", l.name(), quoteForError(text))
	if question := suggest.Question(text, k.known()); question != "" {
		return reason + ": " + question
	}
	return reason + ": it is one of " + strings.Join(k.known(), ", ")
}

// addRegexp adds a regular expression.
func (k label) addRegexp(l *leaf, text string) string {
	flags := ""
	if k.anyCase {
		flags = "(?i)"
	}
	re, err := regexp.Compile(flags + text)
	if err != nil {
		return "invalid regular expression: " + event.Escape(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	l.patterns = append(l.patterns, pattern{text: text, re: re})
	l.values = append(l.values, inQuotes(text))
	return ""
}

// reasonPrefix begins every name of enum skb_drop_reason.
const reasonPrefix = "SKB_DROP_REASON_"

// reasonName returns the name of a reason as events have it: in capitals and without the prefix, or a
// number such as 0x20005 for one without a name.
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

// unitTypes are the types of systemd.unit(5) that have processes.
var unitTypes = []string{".service", ".scope", ".slice", ".socket", ".mount", ".swap"}

// unitName returns the full name of a unit. As for systemctl(1), one without a type is a service.
func unitName(text string) (name, reason string) {
	if strings.Contains(text, "*") || slices.Contains(unitTypes, path.Ext(text)) {
		return text, ""
	}
	return text + ".service", ""
}

// shortID is how many hexadecimal digits of a container's ID are printed.
const shortID = 12

// isShortID reports whether text is the beginning of a container's ID, long enough to be compared.
func isShortID(text string) bool {
	return len(text) >= shortID && strings.Trim(text, "0123456789abcdef") == ""
}

// bind makes the test: the text matches one of the patterns.
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

// A pattern is a text, a beginning, a glob or a regular expression.
type pattern struct {
	text  string         // in the form that is compared, see label.normal
	start bool           // what begins with text matches
	glob  bool           // a * in text matches anything
	re    *regexp.Regexp // nil unless the pattern is one
}

// match reports whether a text matches.
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

// written returns the pattern as an expression has it, but no regular expression.
func (p *pattern) written() string {
	switch {
	case p.glob:
		return p.text
	case isDigits(p.text): // without quotes it would be a number
		return inQuotes(p.text)
	}
	return written(p.text)
}

// globs reports whether a pattern, in which * matches anything, matches all of s. Its time is bounded by
// the product of the lengths.
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

// A point is the location of a drop: its function, perhaps with an offset, or the trap of a hardware drop. An event
// at a point that is probed has the name of that, too.
type point struct{}

// anywhere is the offset of a value without one.
var anywhere = span{0, math.MaxUint64}

func (point) ops() []op { return []op{equal, notEqual} }

// form says what values are, in errors and in help.
func (point) form() string {
	return "a function, function+0x1a2, a trap or a point, with * for anything"
}

func (point) names() []string { return nil }

// add adds a function, with all of its offsets or a single one, or a trap.
func (k point) add(l *leaf, t token) string {
	name, offset, hasOffset := strings.Cut(t.text, "+")
	p := pattern{text: name, glob: t.kind != quote && strings.Contains(name, "*")}
	at, ok := anywhere, true
	if hasOffset {
		at.lo, ok = integer{max: math.MaxUint64}.digits(strings.ToLower(offset))
		at.hi = at.lo
	}
	if !ok || name == "" {
		return fmt.Sprintf("invalid location %s: it is %s", quoteForError(t.text), k.form())
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

// bind makes the test. Only a value without an offset matches a trap, or the name of a point.
func (point) bind(l *leaf) {
	l.test = test(l, place, func(e *event.Event) bool {
		symbol, offset, _, ok := e.Where.Name()
		other := cmp.Or(e.Where.Trap, e.Point)
		for i := range l.patterns {
			p, at := &l.patterns[i], l.numbers[i]
			if ok && at.lo <= offset && offset <= at.hi && p.match(symbol) {
				return true
			}
			if other != "" && at == anywhere && p.match(other) {
				return true
			}
		}
		return false
	})
}

// place is the values function of point.
func place(e *event.Event, _ *event.Headers, is func(*event.Event) bool) (has, found bool) {
	_, _, _, ok := e.Where.Name()
	has = ok || e.Where.Trap != "" || e.Point != ""
	return has, has && is(e)
}
