package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"dropwatch/internal/capture"
)

// A mistake is what is wrong in a file.
type mistake struct {
	line int    // 0: not known
	path string // of the setting, as in place; empty: not known
	err  error  // without the place
}

// maxMistakes is how many mistakes of a file are looked for: each takes another reading of it.
const maxMistakes = 20

// wrong adds what is wrong with a setting, of which err may have several errors. The line is that of the table which it would
// be in, if the file does not have it.
func (f *file) wrong(path string, err error) {
	line := f.lineAt(path)
	for _, err := range capture.SplitErrors(err) {
		f.mistakes = append(f.mistakes, mistake{line, path, err})
	}
}

// wrongAt adds what is wrong at a line.
func (f *file) wrongAt(line int, text string) {
	f.mistakes = append(f.mistakes, mistake{line, f.pathAt(line), errors.New(text)})
}

// hasWrong reports whether something is wrong with the settings of a path, those below it, or the one that they are in.
// What follows from them is not known then.
func (f *file) hasWrong(path string) bool {
	return slices.ContainsFunc(f.mistakes, func(m mistake) bool {
		return strings.HasPrefix(m.path+".", path+".") || strings.HasPrefix(path+".", m.path+".")
	})
}

// hasWrongRun reports whether something is wrong with the settings of the run: those in no list of tables.
func (f *file) hasWrongRun() bool {
	return slices.ContainsFunc(f.mistakes, func(m mistake) bool {
		return !strings.HasPrefix(m.path, "alert.") && !strings.HasPrefix(m.path, "point.")
	})
}

// err returns all that is wrong, in the order of lines. Each error has the name and, where it is known, the line. They may have
// lines, and bytes of the file that are not escaped.
func (f *file) err() error {
	slices.SortStableFunc(f.mistakes, func(a, b mistake) int { return cmp.Compare(a.line, b.line) })
	var errs []error
	for i, m := range f.mistakes {
		where := f.name
		if m.line > 0 {
			where = fmt.Sprintf("%s:%d", f.name, m.line)
		}
		if i == maxMistakes {
			errs = append(errs, fmt.Errorf("%s: and more is wrong: correct this first", where))
			break
		}
		errs = append(errs, fmt.Errorf("%s: %w", where, m.err))
	}
	return errors.Join(errs...)
}

// decode decodes a file into settings, which fresh makes with the defaults, and adds all mistakes. A setting that is wrong is left
// out, and the rest decoded again, unless too much is wrong: go-toml takes time with the square of the number of keys.
func decode[T any](f *file, fresh func() T) T {
	rest := *f
	for _, p := range f.unknown() {
		f.wrongAt(p.line, f.unknownKey(p.key))
		rest.blank(p.at)
	}
	settings := fresh()
	for len(f.mistakes) <= maxMistakes && f.leaveOut(&rest, toml.Unmarshal(rest.text, &settings)) {
		settings = fresh()
	}
	return settings
}

// leaveOut adds what an error says of the rest of the file, and leaves it out of that. It returns false if nothing of it is to be
// decoded again.
func (f *file) leaveOut(rest *file, err error) (again bool) {
	if wrong, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, column := wrong.Position()
		f.wrongAt(line, f.explain(wrong))
		return rest.blank(offsetOf(rest.text, line, column))
	}
	unquoted := rest.unquoted() // go-toml has a type that parses texts parse a number as well
	for _, p := range unquoted {
		key := strings.Join(p.key, ".")
		f.wrong(p.path, fmt.Errorf("invalid value for %s: %s", key, wanted(key, f.fieldAt(p.key))))
		again = rest.blank(p.at)
	}
	if err != nil && !again {
		f.mistakes = append(f.mistakes, mistake{err: err})
	}
	return again
}

// blank has spaces instead of the value at an offset: an element of a list, or else the setting. It returns false if there is none,
// as where the text is no TOML.
func (f *file) blank(at int) bool {
	var p unstable.Parser
	p.Reset(f.text)
	for p.NextExpression() {
		e := p.Expression()
		if e.Kind != unstable.KeyValue || !covers(e.Raw, at) {
			continue
		}
		begin, end := elementAt(f.text, e, at)
		f.text = bytes.Clone(f.text)
		for i := begin; i < end; i++ {
			if f.text[i] != '\n' {
				f.text[i] = ' '
			}
		}
		return true
	}
	return false
}

// offsetOf returns where in a text a position is, of which line and column are from 1, in bytes.
func offsetOf(text []byte, line, column int) (at int) {
	for range line - 1 {
		at += bytes.IndexByte(text[at:], '\n') + 1
	}
	return at + column - 1
}

// covers reports whether a byte of the file is in a range.
func covers(r unstable.Range, at int) bool {
	return int(r.Offset) <= at && at < int(r.Offset+r.Length)
}

// elementAt returns where the element of a list is that a setting has at an offset, with the comma after it. It returns where the
// setting is if that is no list, or the comma is behind a comment.
func elementAt(text []byte, setting *unstable.Node, at int) (begin, end int) {
	begin, end = int(setting.Raw.Offset), int(setting.Raw.Offset+setting.Raw.Length)
	if setting.Value().Kind != unstable.Array {
		return begin, end
	}
	for it := setting.Value().Children(); it.Next(); {
		r := it.Node().Raw
		if !covers(r, at) {
			continue
		}
		switch after := bytes.TrimLeft(text[r.Offset+r.Length:], " \t\r\n"); {
		case bytes.HasPrefix(after, []byte(",")):
			return int(r.Offset), len(text) - len(after) + 1
		case bytes.HasPrefix(after, []byte("]")):
			return int(r.Offset), int(r.Offset + r.Length)
		}
	}
	return begin, end
}
