package config

import (
	"cmp"
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"dropwatch/internal/suggest"
)

// ofRuns are what to do instead of options of watch that are no keys, as a service has no end.
var ofRuns = map[string]string{
	"follow": "packets are followed for as long as one run, which says at its end whether any was lost: dropwatch watch --follow",
}

// unknownKey says that there is no such key, and which ones there are.
func (f *file) unknownKey(key toml.Key) string {
	for i, part := range key {
		known := keysOf(f.fieldAt(key[:i]))
		if slices.Contains(known, part) {
			continue
		}
		fix := cmp.Or(ofRuns[part], f.all)
		if question := suggest.Question(part, known); question != "" {
			fix = question
		}
		return fmt.Sprintf("unknown key %s: %s", strings.Join(key[:i+1], "."), fix)
	}
	return fmt.Sprintf("unknown key %s", strings.Join(key, "."))
}

// explain says why a value cannot be used. What is wrong with its type is said without types of Go,
// which are in the texts of go-toml: it has no other way to tell a value of the wrong type, or one that
// is too large, from one that the type has refused.
func (f *file) explain(wrong *toml.DecodeError) string {
	text := strings.TrimPrefix(wrong.Error(), "toml: ")
	key := strings.Join(wrong.Key(), ".")
	ofType := strings.HasPrefix(text, "cannot ") || strings.Contains(text, " cannot be stored")
	switch t := f.fieldAt(wrong.Key()); {
	case key == "", strings.Contains(text, "already defined"):
		return text
	case t == nil:
		return f.unknownKey(wrong.Key())
	case ofType:
		text = wanted(key, t)
	}
	return fmt.Sprintf("invalid value for %s: %s", key, text)
}

// wanted says what values a setting of a type has.
func wanted(name string, t reflect.Type) string {
	if isText(t) {
		return `give a text in quotes, as in "text"`
	}
	switch t.Kind() {
	case reflect.Bool:
		return "give true or false"
	case reflect.Uint32:
		return "give a whole number from 0 to 4294967295"
	case reflect.Slice:
		if tableOf(t) != nil {
			return "give its settings below a line [[" + name + "]]"
		}
		return `give a list of texts, as in ["one", "two"]`
	}
	return "give its settings below a line [" + name + "]"
}

// isText reports whether values of a type are texts. The types with a syntax of their own, such as an
// expression, parse themselves, so that their errors have a line.
func isText(t reflect.Type) bool {
	return t.Kind() == reflect.String || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// fieldAt returns the type of the field of settings with that key; nil if there is none. The empty
// key is that of all settings.
func (f *file) fieldAt(key toml.Key) reflect.Type { return fieldOf(f.root, key) }

// fieldOf returns the type of the field with that key of a table of settings. A value of any type may have all keys.
func fieldOf(t reflect.Type, key toml.Key) reflect.Type {
	for _, part := range key {
		if t != nil && t.Kind() == reflect.Interface {
			return t
		}
		t = tableOf(t)
		if t == nil {
			return nil
		}
		i := slices.Index(keysOf(t), part)
		if i < 0 {
			return nil
		}
		t = fieldsOf(t)[i].Type
	}
	return t
}

// keysOf returns the names of the settings in a table, in the order of its fields; nil if the type is
// no table.
func keysOf(t reflect.Type) (names []string) {
	if t = tableOf(t); t == nil {
		return nil
	}
	for _, f := range fieldsOf(t) {
		names = append(names, f.Tag.Get("toml"))
	}
	return names
}

// fieldsOf returns the fields of a struct, those of embedded structs in their place.
func fieldsOf(t reflect.Type) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.Anonymous })
}

// tableOf returns the struct that a table or a list of tables is decoded into; nil for other types.
func tableOf(t reflect.Type) reflect.Type {
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer) {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct || isText(t) {
		return nil
	}
	return t
}
