package filter

import (
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/suggest"
)

// maxDepth is how deep an expression may nest, which bounds the recursion.
const maxDepth = 200

// A parser parses tokens by recursive descent.
type parser struct {
	text   string  // the expression, to show where an error is
	tokens []token // that were not consumed; the last one, end, stays
	depth  int     // of nesting
	last   *leaf   // the last comparison, for advice
}

// peek returns the next token without consuming it.
func (p *parser) peek() token { return p.tokens[0] }

// next consumes and returns a token. The end is never consumed.
func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

// accept consumes the next token if it is one of these words or symbols, and reports whether it was.
func (p *parser) accept(texts ...string) bool {
	ok := p.isNext(0, texts)
	if ok {
		p.next()
	}
	return ok
}

// fail returns an Error about a token.
func (p *parser) fail(t token, format string, args ...any) error {
	return &Error{Text: p.text, Start: t.start, End: t.end, Reason: fmt.Sprintf(format, args...)}
}

// expression parses all tokens.
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

// unexpected is the error for a token after a complete comparison. Users write icmp type 3 as in
// icmp.type == 3.
func (p *parser) unexpected(t token) error {
	if p.last != nil && p.last.op == exists && t.kind == word {
		if f, ok := fieldOf(p.last.name() + "." + strings.ToLower(t.text)); ok {
			return p.fail(t, "%s is not expected here: write %s", quoteForError(t.text), p.dotted(f, t))
		}
	}
	if p.last != nil && len(p.last.values) == 1 && strings.HasPrefix(p.last.values[0], "/") && t.kind != end {
		return p.fail(t, "%s is not expected here: quote the expression, as a shell makes a directory of ~", quoteForError(t.text))
	}
	return p.fail(t, "%s is not expected here: join comparisons with and, or", quoteForError(t.text))
}

// dotted returns a comparison with the value after a token, if there is one, and with field f.
func (p *parser) dotted(f *field, t token) string {
	i := slices.Index(p.tokens, t) + 1
	ops := f.kind.ops()
	if i >= len(p.tokens) || len(ops) == 0 || !p.isValue(p.tokens[i]) {
		return f.name
	}
	return fmt.Sprintf("%s %s %s", f.name, ops[0], event.Escape(p.tokens[i].text))
}

// andWords and orWords are what joins comparisons, in words and as pcap-filter(7)
// has it.
var andWords, orWords = []string{"and", "&&"}, []string{"or", "||"}

// or and and are the two levels of precedence: and binds more.
func (p *parser) or() (node, error) { return p.joined(true, p.and, orWords) }

func (p *parser) and() (node, error) { return p.joined(false, p.not, andWords) }

// joined parses operands with one of the words between them.
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

// not parses an operand of and, perhaps with not before it.
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

// nested parses what is one level deeper, behind the token t.
func (p *parser) nested(t token, read func() (node, error)) (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail(t, "nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	return read()
}

// primary parses an expression in parentheses, or a comparison.
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

// comparison parses a field, and perhaps an operator and values. Words of pcap-filter may stand for two
// fields.
func (p *parser) comparison() (node, error) {
	s := p.subject()
	var leaves []*leaf
	var nodes []node
	for _, name := range s.names {
		f, ok := fieldOf(s.prefix + name)
		if !ok {
			return nil, p.unknownField(s)
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

// unknownField suggests what to write instead of an unknown name.
func (p *parser) unknownField(s subject) error {
	name, advice := s.names[0], "dropwatch help filter lists them"
	question := suggest.Question(name, fieldNames())
	switch {
	case name == "":
		return p.fail(p.peek(), "a field is missing here, such as reason, symbol, host or port")
	case s.prefix != "":
		qualifier, rest, _ := strings.Cut(strings.Join(strings.Fields(p.text[s.start:s.end]), " "), " ")
		return p.fail(s.token, "%s does not go with %s: write %s and %s", qualifier, rest, qualifier, rest)
	case strings.Contains(name, "["):
		return p.fail(s.token, "the bytes of a packet have no offsets here: name a field, as in tcp.flags has syn")
	case question != "":
		advice = question
	case p.last != nil && p.last.op == equal:
		advice = fmt.Sprintf("for one of several values write %s in {%s, %s}",
			p.last.name(), strings.Join(p.last.values, ", "), event.Escape(s.text))
	}
	return p.fail(s.token, "unknown field %s: %s", quoteForError(name), advice)
}

// A subject is the beginning of a comparison: a field, or words of pcap-filter.
type subject struct {
	token           // from the first to the last of its words
	scope  scope    // whose headers are compared
	prefix string   // of the names of fields: "udp."
	names  []string // of the fields, without prefix; all are compared
	op     op       // that the words imply, such as less
}

// prefixes are the protocols that may precede words of pcap-filter, and the beginnings of the names of
// their fields.
var prefixes = map[string]string{
	"ether": "eth.", "ip": "ip.", "ip6": "ipv6.", "arp": "arp.", "tcp": "tcp.", "udp": "udp.", "sctp": "sctp.",
}

// Words of pcap-filter, and those that may follow a protocol.
var (
	directions = []string{"src", "dst"}
	types      = []string{"host", "net", "port", "portrange"}
	qualified  = slices.Concat(directions, types, []string{"proto", "broadcast", "multicast"})
)

// subject parses the name of a field, or words such as udp dst port.
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

// word consumes a word and makes it part of the subject. It returns the empty string if there is none.
func (p *parser) word(s *subject) string {
	t := p.peek()
	if t.kind != word || isKeyword(t.text) {
		return ""
	}
	s.end = p.next().end
	return strings.ToLower(t.text)
}

// scoped consumes a name, perhaps with inner or quoted before it, as a word or with a dot.
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

// isNext reports whether the token at an index, 0 for the next one, is one of the words or symbols.
func (p *parser) isNext(further int, words []string) bool {
	if further >= len(p.tokens) {
		return false
	}
	t := p.tokens[further]
	return (t.kind == word || t.kind == symbol) && slices.Contains(words, strings.ToLower(t.text))
}

// directed parses what may follow src or dst, such as or dst port.
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

// endsAt reports whether a comparison would end before the token at an index.
func (p *parser) endsAt(further int) bool {
	return further >= len(p.tokens) || p.tokens[further].kind == end ||
		p.isNext(further, andWords) || p.isNext(further, orWords) || p.isNext(further, []string{")"})
}

// endpoint returns the name, without prefix, of the field of a host or a port.
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

// compare parses an operator and values, for all leaves.
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

// bind sets operator and values of a leaf. If all values are numbers it compares the field byNumber.
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

// notDigits reports whether a value is not a number. A quoted number is a name.
func notDigits(t token) bool { return t.kind != word || !isDigits(t.text) }

// operators are the operators by what is written for them.
var operators = map[string]op{
	"==": equal, "=": equal, "in": equal, "!=": notEqual, "<": less, "<=": lessEqual, ">": greater, ">=": greaterEqual,
	"~": matches, "!~": notMatches, "has": has,
}

// operator parses an operator. Without one, the kind of the field decides: if a value follows, it is
// compared.
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
		return exists, p.fail(t, "%s has no %s: it takes %s", f.name, t.text, suggest.OneOf(opNames(able)))
	case len(able) > 0 && (p.isValue(t) || t.kind == symbol && t.text == "{"):
		return able[0], nil
	}
	return exists, nil
}

// opNames are operators for an error.
func opNames(ops []op) (names []string) {
	for _, o := range ops {
		names = append(names, string(o))
	}
	return names
}

// isValue reports whether a token can be a value.
func (p *parser) isValue(t token) bool {
	return t.kind == quote || t.kind == regex || t.kind == word && !isKeyword(t.text)
}

// values parses a value, or several in braces.
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
