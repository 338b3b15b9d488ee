package config

import (
	"fmt"
	"reflect"
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
}

// A place is where a file has a setting, or begins a table of settings.
type place struct {
	path  string         // as in "output" and, of the second alert, "alert.1.count"
	key   toml.Key       // the same without the number
	line  int            // from 1
	value *unstable.Node // nil for a table; valid until the next place
}

// wrong returns an error about a setting, with its line: that of the table which it would be in, if the file does
// not have it.
func (f *file) wrong(path string, err error) error {
	return fmt.Errorf("%s: %w", f.where(path), err)
}

// where returns the name and, if there is one, the line of a setting.
func (f *file) where(path string) string {
	lines := make(map[string]int)
	f.places(func(p place) bool {
		lines[p.path] = p.line
		return true
	})
	for ; path != ""; path = path[:max(0, strings.LastIndex(path, "."))] {
		if line := lines[path]; line > 0 {
			return fmt.Sprintf("%s:%d", f.name, line)
		}
	}
	return f.name
}

// unquoted returns the first setting of which a value should be a text and is none.
func (f *file) unquoted() (found place, ok bool) {
	f.places(func(p place) bool {
		found, ok = p, p.value != nil && unquoted(p.value, f.fieldAt(p.key))
		return !ok
	})
	return found, ok
}

// unquoted reports whether a value for a type, or an element of it, should be a text and is none.
func unquoted(value *unstable.Node, t reflect.Type) bool {
	switch {
	case t == nil:
		return false
	case isText(t):
		return value.Kind != unstable.String
	case value.Kind == unstable.KeyValue: // of a table in one line
		return unquoted(value.Value(), fieldOf(t, keyOf(value)))
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

// places calls yield with each place, in the order of the file, up to what is no TOML, while it returns true.
func (f *file) places(yield func(place) bool) {
	var p unstable.Parser
	p.Reset(f.text)
	var in place // the table
	tables := make(map[string]int)
	for p.NextExpression() {
		e := p.Expression()
		key := keyOf(e)
		now := place{path: strings.Join(key, "."), key: key, line: lineOf(&p, e)}
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
		if !yield(now) {
			return
		}
	}
}

// keyOf returns the key of a table or a setting, in its parts.
func keyOf(n *unstable.Node) (key toml.Key) {
	for it := n.Key(); it.Next(); {
		key = append(key, string(it.Node().Data))
	}
	return key
}

// lineOf returns the line of the key of a table or a setting.
func lineOf(p *unstable.Parser, n *unstable.Node) int {
	for it := n.Key(); it.Next(); {
		return p.Shape(it.Node().Raw).Start.Line
	}
	return 0
}
