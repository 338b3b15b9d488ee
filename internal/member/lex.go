package member

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// A token is a word of an expression.
type token struct {
	kind     tokenKind // what it is
	text     string    // as it stands; of a string, what is in it
	from, to int       // where it stands
	number   uint64
	typ      Int // of a number
}

type tokenKind uint8

const (
	endToken tokenKind = iota
	nameToken
	numberToken
	textToken
	operatorToken
)

// operators are those of two characters; all others have one.
var operators = []string{"->", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||"}

// oneCharacter are the operators and marks of one character; those of two are tried first.
const oneCharacter = "+-*/%&|^~!<>().[],:"

// next reads the token that begins at from or behind spaces there.
func next(text string, from int) (token, error) {
	for from < len(text) && strings.IndexByte(" \t\n\r", text[from]) >= 0 {
		from++
	}
	t := token{from: from, to: from}
	if from == len(text) {
		return t, nil
	}
	c := text[from]
	switch {
	case isLetter(c) || c == '$':
		t.kind, t.to = nameToken, word(text, from+1)
	case isDigit(c):
		t.kind, t.to = numberToken, word(text, from)
	case c == '\'' || c == '"':
		return quoted(text, from)
	default:
		t.kind, t.to = operatorToken, operatorEnd(text, from)
	}
	if t.to == from {
		r, size := utf8.DecodeRuneInString(text[from:])
		return t, faultAt(text, 0, from+size, "unexpected character %q", r)
	}
	t.text = text[from:t.to]
	if t.kind == numberToken {
		var ok bool
		if t.number, t.typ, ok = number(t.text); !ok {
			return t, faultAt(text, from, t.to, "%s is not a number of C", t.text)
		}
	}
	return t, nil
}

// operatorEnd returns where an operator ends: where it begins, if none is there.
func operatorEnd(text string, from int) int {
	for _, op := range operators {
		if strings.HasPrefix(text[from:], op) {
			return from + len(op)
		}
	}
	if strings.IndexByte(oneCharacter, text[from]) >= 0 {
		return from + 1
	}
	return from
}

// word returns where a name or number ends.
func word(text string, from int) int {
	for from < len(text) && (isLetter(text[from]) || isDigit(text[from])) {
		from++
	}
	return from
}

func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// quoted reads a string or character. Only the escapes that Go and C share are known.
func quoted(text string, from int) (token, error) {
	quote := text[from]
	to := from + 1
	for to < len(text) && text[to] != quote {
		if text[to] == '\\' {
			to++
		}
		to++
	}
	if to >= len(text) {
		return token{}, faultAt(text, from, len(text), "missing closing %c", quote)
	}
	to++
	t := token{from: from, to: to}
	var err error
	if t.text, err = strconv.Unquote(text[from:to]); err != nil {
		return t, faultAt(text, from, to, "not a string or character of C")
	}
	if quote == '"' {
		t.kind = textToken
		return t, nil
	}
	if len(t.text) != 1 {
		return t, faultAt(text, from, to, "a character has one byte")
	}
	t.kind, t.number, t.typ = numberToken, uint64(t.text[0]), intType
	return t, nil
}

// number reads a number of C: 10, 0x1f, 017, with the suffixes U and L. It has the first type
// of int, unsigned int, long and unsigned long that holds it and that its form allows.
func number(text string) (n uint64, typ Int, ok bool) {
	digits := strings.TrimRight(strings.ToLower(text), "ul")
	suffix := strings.ToLower(text[len(digits):])
	switch suffix {
	case "", "u", "l", "ul", "lu", "ll", "ull", "llu":
	default:
		return 0, typ, false
	}
	if strings.Contains(digits, "_") || strings.HasPrefix(digits, "0o") {
		return 0, typ, false // which Go has, and C has not
	}
	n, err := strconv.ParseUint(digits, 0, 64)
	if err != nil {
		return 0, typ, false
	}
	unsigned, long := strings.Contains(suffix, "u"), strings.Contains(suffix, "l")
	decimal := digits[0] != '0'
	for _, typ := range []Int{intType, {4, false}, longType, {8, false}} {
		fits := normal(n, typ) == n && (!typ.Signed || int64(n) >= 0)
		if fits && !(unsigned && typ.Signed) && !(long && typ.Size == 4) && (typ.Signed || unsigned || !decimal || n > 1<<63-1) {
			return n, typ, true
		}
	}
	return n, Int{8, false}, true
}
