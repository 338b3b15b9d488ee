package top

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"dropwatch/internal/event"
)

func TestPrompt(t *testing.T) {
	tests := map[string]struct {
		keys string // separated by spaces
		want string // with | at the cursor
	}{
		"typed":                {"a space é", "a é|"},
		"in the middle":        {"a c left b", "ab|c"},
		"at the ends":          {"b home a end c home left ctrl+e right d", "abcd|"},
		"backspace":            {"a b c left backspace", "a|c"},
		"backspace at first":   {"a home backspace", "|a"},
		"delete":               {"a b c home delete", "|bc"},
		"delete at last":       {"a delete", "a|"},
		"to the begin":         {"a b c left ctrl+u", "|c"},
		"to the end":           {"a b c ctrl+b ctrl+b ctrl+k", "a|"},
		"a word":               {"a b space c d ctrl+w", "ab |"},
		"a word and spaces":    {"a b space c d space space ctrl+w ctrl+w", "|"},
		"a word of é":          {"é space é ctrl+w", "é |"},
		"letters of an editor": {"a b ctrl+a ctrl+f x ctrl+d ctrl+h", "a|"},
		"other keys":           {"a f5 up pgdown alt+x tab", "a|"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var p prompt
			for key := range strings.FieldsSeq(tt.keys) {
				p.press(key)
			}
			if got := string(p.text[:p.at]) + "|" + string(p.text[p.at:]); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPaste(t *testing.T) {
	p := prompt{label: "label: "}
	p.insert("ac")
	p.press("left")
	p.insert("世\x1b[5m\r\n\xffb")
	if got, want := string(p.text), "a世[5mbc"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := p.column(), len("label: a")+2+len("[5mb"); got != want {
		t.Errorf("cursor in column %d, want %d", got, want)
	}
}

// TestPromptIsLong: what is typed is in sight, and all of what is wrong with it.
func TestPromptIsLong(t *testing.T) {
	p := prompt{label: "label: "}
	p.insert("a text that is long")
	p.err = errors.New("column 1: this is no field\n  a text")
	if got, want := p.lines(15), []string{"column 1: this", "is no field", "  a text", "t that is long"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	p.err = nil
	p.press("home")
	if got, want := p.lines(15), []string{"label: a text that is long"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// FuzzPrompt: whatever is typed and pasted, the cursor is in the text, and the
// text can be shown.
func FuzzPrompt(f *testing.F) {
	f.Add("a b ctrl+w", "x y")
	f.Add("left delete backspace ctrl+k ctrl+u", "\x00\u202e")
	f.Fuzz(func(t *testing.T, keys, pasted string) {
		var p prompt
		p.insert(pasted)
		for key := range strings.SplitSeq(keys, " ") {
			p.press(key)
			if p.at < 0 || p.at > len(p.text) {
				t.Fatalf("cursor at %d of %d", p.at, len(p.text))
			}
		}
		if line := p.lines(20)[0]; !utf8.ValidString(line) || event.Escape(line) != line {
			t.Errorf("line %q", line)
		}
	})
}
