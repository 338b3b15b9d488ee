package filter

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A tokenKind says what a token is.
type tokenKind uint8

const (
	end    tokenKind = iota
	word             // a name, a keyword, or a value without quotes
	quote            // a value that was quoted
	regex            // what follows ~, without quotes
	symbol           // an operator, a parenthesis, a brace or a comma
)

// A token is a part of an expression.
type token struct {
	kind       tokenKind // of which end is the last
	text       string    // of a quoted value without quotes and backslashes
	start, end int       // offsets in the expression, in bytes
}

// symbols are ordered so that none begins with an earlier one.
var symbols = []string{"==", "!=", "!~", "<=", ">=", "&&", "||", "=", "<", ">", "~", "!", "&", "|", "(", ")", "{", "}", ","}

// wordEnds are the characters that end a word.
const wordEnds = `()!=<>~&|,{}"'`

// inWord reports whether a character can be in a word without quotes.
func inWord(r rune) bool { return !unicode.IsSpace(r) && !strings.ContainsRune(wordEnds, r) }

// isWord reports whether text, without quotes, is one word.
func isWord(text string) bool {
	return text != "" && hiddenAt(text) < 0 && strings.IndexFunc(text, func(r rune) bool { return !inWord(r) }) < 0
}

// lex splits an expression into tokens. The last one is empty, of the kind end.
func lex(text string) ([]token, error) {
	if at := hiddenAt(text); at >= 0 {
		_, size := utf8.DecodeRuneInString(text[at:])
		return nil, &Error{text, at, at + size, "a character that cannot be shown: in a regexp, write \\x1b and the like"}
	}
	var tokens []token
	for at := 0; ; {
		at += len(text[at:]) - len(strings.TrimLeftFunc(text[at:], unicode.IsSpace))
		t, reason := next(text[at:], afterTilde(tokens))
		t.start, t.end = at, at+t.end
		if reason != "" {
			return nil, &Error{text, t.start, t.end, reason}
		}
		tokens = append(tokens, t)
		if t.kind == end {
			return tokens, nil
		}
		at = t.end
	}
}

// hiddenAt returns the offset of the first character that is neither printable nor a space; -1 if there
// is none.
func hiddenAt(text string) int {
	for i, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) && !strings.ContainsRune("\t\n\r", r) {
			return i
		}
	}
	return -1
}

// afterTilde reports whether the next token is a regular expression.
func afterTilde(tokens []token) bool {
	if len(tokens) == 0 {
		return false
	}
	last := tokens[len(tokens)-1]
	return last.kind == symbol && (last.text == "~" || last.text == "!~")
}

// next returns the first token of text, with its length as its end.
func next(text string, wantRegex bool) (t token, reason string) {
	switch {
	case text == "":
		return token{kind: end}, ""
	case text[0] == '"' || text[0] == '\'':
		return nextQuote(text)
	case wantRegex:
		if n := regexLen(text); n > 0 {
			return token{kind: regex, text: text[:n], end: n}, ""
		}
	}
	for _, s := range symbols {
		if strings.HasPrefix(text, s) {
			return token{kind: symbol, text: s, end: len(s)}, ""
		}
	}
	n := strings.IndexFunc(text, func(r rune) bool { return !inWord(r) })
	if n < 0 {
		n = len(text)
	}
	return token{kind: word, text: text[:n], end: n}, ""
}

// nextQuote reads a quoted value. A backslash before a quote or a backslash is an escape; before other
// characters it stands for itself.
func nextQuote(text string) (token, string) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == text[0]:
			return token{kind: quote, text: b.String(), end: i + 1}, ""
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == text[0] || text[i+1] == '\\'):
			i++
		}
		b.WriteByte(text[i])
	}
	return token{end: len(text)}, "this quote has no end"
}

// regexLen returns the length of a regular expression without quotes, which ends before a space or a
// parenthesis that it did not open.
func regexLen(text string) int {
	open := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '(':
			open++
		case ')':
			if open--; open < 0 {
				return i
			}
		case ' ', '\t', '\n', '\r':
			return i
		}
	}
	return len(text)
}

// keywords are the words that are values only if they are quoted.
var keywords = []string{"and", "or", "not", "in", "has"}

// inQuotes returns text in quotes, for nextQuote.
func inQuotes(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// written returns a value as an expression has it, in quotes if it would mean something else without.
func written(text string) string {
	if !isWord(text) || strings.Contains(text, "*") || isKeyword(text) {
		return inQuotes(text)
	}
	return text
}

// isDigits reports whether text is a decimal number, or empty.
func isDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }

// isKeyword reports whether text has a meaning of its own. Case is ignored.
func isKeyword(text string) bool { return slices.Contains(keywords, strings.ToLower(text)) }
