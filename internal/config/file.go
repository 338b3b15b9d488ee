package config

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// A file is the text of a configuration, which errors call by its name.
type file struct {
	name string // escaped
	text []byte
	root reflect.Type // the struct of all settings of such files
	all  string       // what shows all of them

	mistakes []mistake
}

// A place is where a file has a setting, or begins a table of settings.
type place struct {
	path  string         // as in "output" and, of the second alert, "alert.1.count"
	key   toml.Key       // the same without the number
	line  int            // from 1
	at    int            // where its key begins in the text
	value *unstable.Node // nil for a table; valid until the next place
}

// lineAt returns the line of a setting, or of the table which it would be in; 0 if there is none.
func (f *file) lineAt(path string) int {
	lines := make(map[string]int)
	f.places(func(p place) { lines[p.path] = p.line })
	for ; path != ""; path = path[:max(0, strings.LastIndex(path, "."))] {
		if line := lines[path]; line > 0 {
			return line
		}
	}
	return 0
}

// pathAt returns the path of the setting that a line is of; empty if there is none.
func (f *file) pathAt(line int) (path string) {
	f.places(func(p place) {
		if p.line <= line {
			path = p.path
		}
	})
	return path
}

// where returns the name and, if there is one, the line of a setting.
func (f *file) where(path string) string {
	if line := f.lineAt(path); line > 0 {
		return fmt.Sprintf("%s:%d", f.name, line)
	}
	return f.name
}

// unquoted returns the settings of which a value should be a text and is none.
func (f *file) unquoted() (found []place) {
	f.places(func(p place) {
		if p.value != nil && unquoted(p.value, f.fieldAt(p.key)) {
			found = append(found, p)
		}
	})
	return found
}

// unquoted reports whether a value for a type, or an element of it, should be a text and is none.
func unquoted(value *unstable.Node, t reflect.Type) bool {
	switch {
	case t == nil:
		return false
	case isText(t):
		return value.Kind != unstable.String
	case value.Kind == unstable.KeyValue: // of a table in one line
		key, _ := keyOf(value)
		return unquoted(value.Value(), fieldOf(t, key))
	case value.Kind == unstable.Array && t.Kind() == reflect.Slice:
		t = t.Elem()
	}
	for it := value.Children(); it.Next(); {
		if unquoted(it.Node(), t) {
			return true
		}
	}
	return false
}

// unknown returns the first settings and tables whose keys are not known, one more than maxMistakes at most. What is in such a
// table is not among them.
func (f *file) unknown() (found []place) {
	var outer toml.Key // the last that is not known
	add := func(key toml.Key, at int) {
		inside := len(outer) > 0 && len(key) > len(outer) && slices.Equal(key[:len(outer)], outer)
		if len(found) > maxMistakes || inside || f.fieldAt(key) != nil {
			return
		}
		outer = key
		found = append(found, place{key: key, line: 1 + bytes.Count(f.text[:at], []byte("\n")), at: at})
	}
	f.places(func(p place) {
		if add(p.key, p.at); p.value != nil {
			eachKey(p.key, p.value, add)
		}
	})
	return found
}

// eachKey calls yield with each key of the tables in one line that a value has, below the key of the value, and where it begins.
func eachKey(of toml.Key, value *unstable.Node, yield func(key toml.Key, at int)) {
	for it := value.Children(); it.Next(); {
		n, key := it.Node(), of
		if n.Kind == unstable.KeyValue {
			own, at := keyOf(n)
			key, n = slices.Concat(of, own), n.Value()
			yield(key, at)
		}
		eachKey(key, n, yield)
	}
}

// places calls yield with each place, in the order of the file, up to what is no TOML.
func (f *file) places(yield func(place)) {
	var p unstable.Parser
	p.Reset(f.text)
	var in place // the table
	tables := make(map[string]int)
	line, counted := 1, 0 // the line of an offset
	for p.NextExpression() {
		e := p.Expression()
		key, begin := keyOf(e)
		line, counted = line+bytes.Count(f.text[counted:begin], []byte("\n")), begin
		now := place{path: strings.Join(key, "."), key: key, line: line, at: begin}
		switch e.Kind {
		case unstable.ArrayTable:
			number := tables[now.path]
			tables[now.path]++
			now.path = fmt.Sprintf("%s.%d", now.path, number)
			in = now
		case unstable.Table:
			in = now
		case unstable.KeyValue:
			now.path = strings.TrimPrefix(in.path+"."+now.path, ".")
			now.key, now.value = append(in.key[:len(in.key):len(in.key)], key...), e.Value()
		}
		yield(now)
	}
}

// keyOf returns the key of a table or a setting, in its parts, and where it begins in the text.
func keyOf(n *unstable.Node) (key toml.Key, begin int) {
	for it := n.Key(); it.Next(); {
		if len(key) == 0 {
			begin = int(it.Node().Raw.Offset)
		}
		key = append(key, string(it.Node().Data))
	}
	return key, begin
}
