package top

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/event"
)

// A prompt is a line that the user types.
type prompt struct {
	label string // in front of the text
	text  []rune
	at    int                     // the cursor, as an index of text
	done  func(text string) error // is called with the text; after an error the prompt stays
	err   error                   // what done returned for this text
}

// insert types text at the cursor. Characters that are not printable are left out:
// pasted text can hold any.
func (p *prompt) insert(text string) {
	p.err = nil
	for _, r := range text {
		if unicode.IsPrint(r) && r != utf8.RuneError {
			p.text = append(p.text[:p.at], append([]rune{r}, p.text[p.at:]...)...)
			p.at++
		}
	}
}

// press handles a key as the line editors of shells do.
func (p *prompt) press(key string) {
	switch key {
	case "left", "ctrl+b":
		p.at = max(0, p.at-1)
	case "right", "ctrl+f":
		p.at = min(len(p.text), p.at+1)
	case "home", "ctrl+a":
		p.at = 0
	case "end", "ctrl+e":
		p.at = len(p.text)
	case "backspace", "ctrl+h":
		p.remove(max(0, p.at-1), p.at)
	case "delete", "ctrl+d":
		p.remove(p.at, min(len(p.text), p.at+1))
	case "ctrl+u":
		p.remove(0, p.at)
	case "ctrl+k":
		p.remove(p.at, len(p.text))
	case "ctrl+w":
		p.remove(p.word(), p.at)
	case "space":
		p.insert(" ")
	default:
		if utf8.RuneCountInString(key) == 1 {
			p.insert(key)
		}
	}
}

// remove removes characters, and puts the cursor where they were.
func (p *prompt) remove(from, to int) {
	p.err = nil
	p.text = append(p.text[:from], p.text[to:]...)
	p.at = from
}

// word returns where the word before the cursor begins.
func (p *prompt) word() int {
	before := strings.TrimRight(string(p.text[:p.at]), " ")
	return utf8.RuneCountInString(before[:strings.LastIndexByte(before, ' ')+1])
}

// lines returns the error, if there is one, and the part of the line around the
// cursor that has room in width columns.
func (p *prompt) lines(width int) []string {
	var lines []string
	if p.err != nil {
		for line := range strings.SplitSeq(p.err.Error(), "\n") {
			lines = append(lines, strings.Split(ansi.Wrap(event.Escape(line), max(1, width), ""), "\n")...)
		}
	}
	line := p.label + string(p.text)
	return append(lines, ansi.TruncateLeft(line, max(0, p.column()-width+1), ""))
}

// column returns the column of the cursor in the whole line.
func (p *prompt) column() int { return ansi.StringWidth(p.label + string(p.text[:p.at])) }
