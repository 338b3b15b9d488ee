package filter

import (
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
)

// maxDepth bounds how deep an expression nests, and with it the stack.
const maxDepth = 200

// A parser reads tokens by recursive descent.
type parser struct {
	text   string
	tokens []token
	depth  int
	last   *leaf // the one read last, for advice
}

func (p *parser) peek() token { return p.tokens[0] }

// next takes a token, but leaves the end.
func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

// accept takes the next token if it is one of these words or symbols.
func (p *parser) accept(texts ...string) bool {
	ok := p.isNext(0, texts)
	if ok {
		p.next()
	}
	return ok
}

func (p *parser) fail(t token, format string, args ...any) error {
	return &Error{Text: p.text, Start: t.start, End: t.end, Reason: fmt.Sprintf(format, args...)}
}

func (p *parser) expression() (node, error) {
	if t := p.peek(); t.kind == end {
		return nil, p.fail(t, "an expression is missing, such as reason == NO_SOCKET or udp port 53")
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != end {
		return nil, p.unexpected(t)
	}
	return n, nil
}

func (p *parser) unexpected(t token) error {
	return p.fail(t, "%s is not expected here: join comparisons with and, or", quoteForError(t.text))
}

var andWords, orWords = []string{"and", "&&"}, []string{"or", "||"}

func (p *parser) or() (node, error) { return p.joined(true, p.and, orWords) }

func (p *parser) and() (node, error) { return p.joined(false, p.not, andWords) }

// joined reads operands with one of the words between them.
func (p *parser) joined(or bool, operand func() (node, error), words []string) (node, error) {
	var nodes []node
	for {
		n, err := operand()
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
		if !p.accept(words...) {
			return newList(or, nodes), nil
		}
	}
}

func (p *parser) not() (node, error) {
	t := p.peek()
	if !p.accept("not", "!") {
		return p.primary()
	}
	n, err := p.nested(t, p.not)
	if err != nil {
		return nil, err
	}
	return &negation{n}, nil
}

// nested reads what is one level deeper, behind t.
func (p *parser) nested(t token, read func() (node, error)) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(t, "nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	return read()
}

func (p *parser) primary() (node, error) {
	open := p.peek()
	if !p.accept("(") {
		return p.comparison()
	}
	n, err := p.nested(open, p.or)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); !p.accept(")") {
		if t.kind == end {
			return nil, p.fail(open, "this parenthesis is not closed")
		}
		return nil, p.unexpected(t)
	}
	return n, nil
}

// comparison reads a field, and perhaps an operator and values.
func (p *parser) comparison() (node, error) {
	s := p.subject()
	var leaves []*leaf
	var nodes []node
	for _, name := range s.names {
		f, ok := lookup[s.prefix+name]
		if !ok {
			return nil, p.noField(s)
		}
		if scope := strings.TrimSuffix(scopeNames[s.scope], "."); scope != "" && !f.headers {
			return nil, p.fail(s.token, "%s is of the drop, not of a packet: leave out %s", f.name, scope)
		}
		l := &leaf{field: f, scope: s.scope}
		leaves, nodes = append(leaves, l), append(nodes, l)
	}
	if err := p.compare(s, leaves); err != nil {
		return nil, err
	}
	return newList(false, nodes), nil
}

// noField says what to write instead of a name that is none.
func (p *parser) noField(s subject) error {
	name, advice := s.names[0], "dropwatch help filter lists them"
	meant := Meant(name, fieldNames())
	switch {
	case name == "":
		return p.fail(p.peek(), "a field is missing here, such as reason, symbol, host or port")
	case s.prefix != "":
		qualifier, rest, _ := strings.Cut(strings.Join(strings.Fields(p.text[s.start:s.end]), " "), " ")
		return p.fail(s.token, "%s does not go with %s: write %s and %s", qualifier, rest, qualifier, rest)
	case strings.Contains(name, "["):
		return p.fail(s.token, "the bytes of a packet have no offsets here: name a field, as in tcp.flags has syn")
	case meant != "":
		advice = meant
	case p.last != nil && p.last.op == equal:
		advice = fmt.Sprintf("for one of several values write %s in {%s, %s}",
			p.last.name(), strings.Join(p.last.values, ", "), event.Escape(s.text))
	}
	return p.fail(s.token, "%s is no field: %s", quoteForError(name), advice)
}

// A subject is what a comparison begins with.
type subject struct {
	token  // all of it
	scope  scope
	prefix string
	names  []string // of the fields, without prefix, which are all compared
	op     op       // that is in its words
}

// prefixes are the protocols that the words of pcap-filter may have before
// them, and how the names of their fields begin.
var prefixes = map[string]string{
	"ether": "eth.", "ip": "ip.", "ip6": "ipv6.", "arp": "arp.", "tcp": "tcp.", "udp": "udp.", "sctp": "sctp.",
}

var (
	directions = []string{"src", "dst"}
	types      = []string{"host", "net", "port", "portrange"}
	qualified  = slices.Concat(directions, types, []string{"proto", "broadcast", "multicast"})
)

// subject reads a field by its name, or by words as in udp dst port.
func (p *parser) subject() subject {
	s := subject{token: p.peek()}
	name := p.scoped(&s)
	if prefix := prefixes[name]; prefix != "" && p.isNext(0, qualified) {
		s.prefix, name = prefix, p.word(&s)
	}
	switch {
	case slices.Contains(directions, name):
		p.directed(&s, name)
	case slices.Contains(types, name):
		s.names = []string{endpoint(s.prefix, "", name)}
	case name == "less":
		s.names, s.op = []string{"len"}, lessEqual
	case name == "greater":
		s.names, s.op = []string{"len"}, greaterEqual
	default:
		s.names = []string{name}
	}
	return s
}

// word takes a word into the subject. It is empty if there is none.
func (p *parser) word(s *subject) string {
	t := p.peek()
	if t.kind != word || isKeyword(t.text) {
		return ""
	}
	s.end = p.next().end
	return strings.ToLower(t.text)
}

// scoped takes a name, which may be that of a packet in another.
func (p *parser) scoped(s *subject) string {
	name := p.word(s)
	for _, scope := range []scope{inner, quoted} {
		if rest, ok := strings.CutPrefix(name+".", scopeNames[scope]); ok {
			if s.scope = scope; rest == "" {
				return p.word(s)
			}
			return strings.TrimSuffix(rest, ".")
		}
	}
	return name
}

// isNext says whether the token that is so many further on is one of the words
// or symbols.
func (p *parser) isNext(further int, words []string) bool {
	if further >= len(p.tokens) {
		return false
	}
	t := p.tokens[further]
	return (t.kind == word || t.kind == symbol) && slices.Contains(words, strings.ToLower(t.text))
}

// directed reads what may follow src or dst, also as in src or dst port.
func (p *parser) directed(s *subject, direction string) {
	and, or := p.isNext(0, andWords), p.isNext(0, orWords)
	pair := (and || or) && p.isNext(1, directions) && !p.endsAt(2)
	if pair {
		p.next()
		p.word(s)
	}
	kind := "host"
	if p.isNext(0, types) {
		kind = p.word(s)
	}
	switch {
	case pair && or:
		s.names = []string{endpoint(s.prefix, "", kind)}
	case pair:
		s.names = []string{endpoint(s.prefix, "src", kind), endpoint(s.prefix, "dst", kind)}
	default:
		s.names = []string{endpoint(s.prefix, direction, kind)}
	}
}

// endsAt says that a comparison would end before a token.
func (p *parser) endsAt(further int) bool {
	return further >= len(p.tokens) || p.tokens[further].kind == end ||
		p.isNext(further, andWords) || p.isNext(further, orWords) || p.isNext(further, []string{")"})
}

// endpoint names the field of a host or a port, without its prefix.
func endpoint(prefix, direction, kind string) string {
	switch {
	case kind == "port" || kind == "portrange":
		return direction + "port"
	case direction != "":
		return direction
	case prefix != "":
		return "addr"
	}
	return "host"
}

// compare reads an operator and values for every leaf.
func (p *parser) compare(s subject, leaves []*leaf) error {
	f := leaves[0].field
	o, err := p.operator(s, f)
	if err != nil {
		return err
	}
	var values []token
	if o != exists {
		if values, err = p.values(f); err != nil {
			return err
		}
	}
	for _, l := range leaves {
		if err := p.bind(l, o, values); err != nil {
			return err
		}
		p.last = l
	}
	return nil
}

// bind gives a leaf its operator and values.
func (p *parser) bind(l *leaf, o op, values []token) error {
	l.op = o
	if len(values) > 0 && l.field.byNumber != "" && !slices.ContainsFunc(values, notDigits) {
		l.field = lookup[l.field.byNumber]
	}
	ordered := o != equal && o != notEqual && o != has
	for i, t := range values {
		if i > 0 && ordered {
			return p.fail(t, "%s takes one value: several go with == or !=", o)
		}
		if reason := l.field.kind.add(l, t); reason != "" {
			return p.fail(t, "%s", reason)
		}
	}
	l.field.kind.bind(l)
	return nil
}

func notDigits(t token) bool { return t.kind != word || !isDigits(t.text) }

// operators are the ways to write them.
var operators = map[string]op{
	"==": equal, "=": equal, "in": equal, "!=": notEqual, "<": less, "<=": lessEqual, ">": greater, ">=": greaterEqual,
	"~": matches, "!~": notMatches, "has": has,
}

// operator reads one, which may be left out before a value.
func (p *parser) operator(s subject, f *field) (op, error) {
	t, able := p.peek(), f.kind.ops()
	o, ok := operators[strings.ToLower(t.text)]
	switch {
	case s.op != exists:
		return s.op, nil
	case ok && t.kind != quote && slices.Contains(able, o):
		p.next()
		return o, nil
	case ok && t.kind != quote && len(able) == 0:
		return exists, p.fail(t, "%s is %s", f.name, f.kind.form())
	case ok && t.kind != quote:
		return exists, p.fail(t, "%s has no %s: it takes %s", f.name, t.text, oneOf(opNames(able)))
	case len(able) > 0 && (p.isValue(t) || t.kind == symbol && t.text == "{"):
		return able[0], nil
	}
	return exists, nil
}

func opNames(ops []op) (names []string) {
	for _, o := range ops {
		names = append(names, string(o))
	}
	return names
}

func (p *parser) isValue(t token) bool {
	return t.kind == quote || t.kind == regex || t.kind == word && !isKeyword(t.text)
}

// values reads a value, or several in braces.
func (p *parser) values(f *field) (values []token, err error) {
	open := p.peek()
	several := p.accept("{")
	for {
		t := p.peek()
		if !p.isValue(t) {
			return nil, p.fail(t, "a value is missing here: %s is %s", f.name, f.kind.form())
		}
		values = append(values, p.next())
		switch {
		case !several || p.accept("}"):
			return values, nil
		case !p.accept(",") && p.peek().kind == end:
			return nil, p.fail(open, "this brace is not closed")
		}
	}
}
