package member

import (
	"fmt"
	"slices"
	"strings"
)

// maxDepth bounds how deep expressions are nested.
const maxDepth = 64

// A syntax is a part of an expression as it was written.
type syntax struct {
	kind     syntaxKind
	from, to int    // where it stands in the text
	text     string // the name, operator, string, or name of the type without stars
	stars    int    // of the type of a cast
	number   uint64
	typ      Int     // of number
	x, y     *syntax // its operands; y is nil of a unary one
}

type syntaxKind uint8

const (
	nameSyntax   syntaxKind = iota
	numberSyntax            // or a character
	textSyntax
	memberSyntax // x.text or x->text, with the operator in y.text
	indexSyntax  // x[y]
	callSyntax   // text(x)
	castSyntax   // (text)x
	unarySyntax  // text x
	binarySyntax // x text y
)

// A parser reads an expression of C, without assignments, calls other than of known names, and sizeof. It goes on after
// an error, and reports the first.
type parser struct {
	text  string
	tok   token // the next one
	to    int   // where the one before ended
	depth int   // of parentheses and unary operators, which is bounded as texts come from files
	err   error // the first
}

// precedence of binary operators, as in C.
var precedence = map[string]int{
	"||": 1, "&&": 2, "|": 3, "^": 4, "&": 5, "==": 6, "!=": 6, "<": 7, "<=": 7, ">": 7, ">=": 7,
	"<<": 8, ">>": 8, "+": 9, "-": 9, "*": 10, "/": 10, "%": 10,
}

// parse reads an expression, and the display at its end if there is one.
func parse(text string) (tree *syntax, display token, err error) {
	if len(text) > MaxText {
		return nil, display, fmt.Errorf("the expression has %d bytes, more than %d", len(text), MaxText)
	}
	p := &parser{text: text}
	p.advance()
	tree = p.binary(1)
	if p.accept(":") {
		display = p.tok
		p.expectName("a display behind the colon: " + strings.Join(displayNames(), ", "))
	}
	if p.err == nil && p.tok.kind != endToken {
		p.unexpected("an operator or the end")
	}
	return tree, display, p.err
}

// advance goes to the next token; after an error the text ends.
func (p *parser) advance() {
	p.to = p.tok.to
	if p.err != nil {
		p.tok = token{from: p.to, to: p.to}
		return
	}
	p.tok, p.err = next(p.text, p.to)
	if p.err != nil {
		p.tok = token{}
	}
}

// is reports whether the next token is one of some operators.
func (p *parser) is(operators ...string) bool {
	return p.tok.kind == operatorToken && slices.Contains(operators, p.tok.text)
}

// accept skips an operator if it is next.
func (p *parser) accept(operator string) bool {
	if !p.is(operator) {
		return false
	}
	p.advance()
	return true
}

// expect skips an operator, which must be next.
func (p *parser) expect(operator string) {
	if !p.accept(operator) {
		p.unexpected(operator)
	}
}

// expectName skips a name, which must be next, and returns it. What it is for is said in the error.
func (p *parser) expectName(what string) string {
	name := p.tok.text
	if p.tok.kind != nameToken {
		p.unexpected(what)
	} else {
		p.advance()
	}
	return name
}

// unexpected says that something else should be next.
func (p *parser) unexpected(want string) {
	if p.err != nil {
		return
	}
	got := "the end of the expression"
	if p.tok.kind != endToken {
		got = p.text[p.tok.from:p.tok.to]
	}
	p.err = faultAt(p.text, 0, p.tok.to, "unexpected %s: expected %s", got, want)
}

// enter reports whether it may go one level deeper; leave goes back.
func (p *parser) enter() bool {
	if p.depth++; p.depth > maxDepth && p.err == nil {
		p.err = faultAt(p.text, 0, p.tok.from, "the expression is nested deeper than %d levels", maxDepth)
		p.tok = token{}
	}
	return p.err == nil
}

func (p *parser) leave() { p.depth-- }

// binary reads operands joined by operators that bind at least as tightly as lowest.
func (p *parser) binary(lowest int) *syntax {
	defer p.leave()
	if !p.enter() {
		return &syntax{}
	}
	x := p.unary()
	for p.tok.kind == operatorToken && precedence[p.tok.text] >= lowest {
		op := p.tok.text
		p.advance()
		y := p.binary(precedence[op] + 1)
		x = &syntax{kind: binarySyntax, from: x.from, to: p.to, text: op, x: x, y: y}
	}
	return x
}

// unary reads an operand with what stands before it.
func (p *parser) unary() *syntax {
	defer p.leave()
	if !p.enter() {
		return &syntax{}
	}
	from := p.tok.from
	if p.is("-", "+", "!", "~", "*", "&") {
		op := p.tok.text
		p.advance()
		x := p.unary()
		return &syntax{kind: unarySyntax, from: from, to: p.to, text: op, x: x}
	}
	if typ, stars, ok := p.cast(); ok {
		x := p.unary()
		return &syntax{kind: castSyntax, from: from, to: p.to, text: typ, stars: stars, x: x}
	}
	return p.postfix(p.primary())
}

// primary reads a name, a number, a string or an expression in parentheses.
func (p *parser) primary() *syntax {
	t := p.tok
	s := &syntax{from: t.from, to: t.to, text: t.text, number: t.number, typ: t.typ}
	switch {
	case p.accept("("):
		s = p.binary(1)
		p.expect(")")
		s.from, s.to = t.from, p.to
		return s
	case t.kind == nameToken:
		s.kind = nameSyntax
	case t.kind == numberToken:
		s.kind = numberSyntax
	case t.kind == textToken:
		s.kind = textSyntax
	default:
		p.unexpected("a name, a number or a string")
	}
	p.advance()
	return s
}

// postfix reads what follows an operand: members, indices, and the argument of a call.
func (p *parser) postfix(x *syntax) *syntax {
	for p.err == nil {
		op := p.tok.text
		switch {
		case p.accept("."), p.accept("->"):
			name := p.expectName("the name of a member behind " + op)
			x = &syntax{kind: memberSyntax, from: x.from, to: p.to, text: name, x: x, y: &syntax{text: op}}
		case p.accept("["):
			y := p.binary(1)
			p.expect("]")
			x = &syntax{kind: indexSyntax, from: x.from, to: p.to, x: x, y: y}
		case x.kind == nameSyntax && p.accept("("):
			y := p.binary(1)
			p.expect(")")
			x = &syntax{kind: callSyntax, from: x.from, to: p.to, text: x.text, x: y}
		default:
			return x
		}
	}
	return x
}

// cast reads a type in parentheses, as (struct tcp_sock *), if one is next.
func (p *parser) cast() (name string, stars int, ok bool) {
	if !p.is("(") {
		return "", 0, false
	}
	ahead := *p
	ahead.advance()
	var words []string
	for ahead.tok.kind == nameToken {
		if w := ahead.tok.text; w != "const" && w != "volatile" {
			words = append(words, w)
		}
		ahead.advance()
	}
	for ahead.accept("*") {
		stars++
		for ahead.tok.kind == nameToken && ahead.tok.text == "const" {
			ahead.advance()
		}
	}
	name = strings.Join(words, " ")
	if len(words) == 0 || !ahead.accept(")") || stars == 0 && !isType(words) && !ahead.operandFollows() {
		return "", 0, false
	}
	*p = ahead
	return name, stars, true
}

// operandFollows reports whether what is next can only be what is cast, so that the name in
// parentheses before it is one of a type.
func (p *parser) operandFollows() bool {
	return p.tok.kind != endToken && p.tok.kind != operatorToken || p.is("(", "!", "~")
}

// isType reports whether words name a type, whatever the kernel has.
func isType(words []string) bool {
	_, ok := keywordInts[strings.Join(words, " ")]
	return ok || len(words) > 1
}
