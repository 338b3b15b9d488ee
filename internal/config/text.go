package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"dropwatch/internal/event"
)

// Text returns a file with all settings at their defaults, each below what it means. What has no
// default, such as an alert, is an example in comments: with one # less it is a setting.
func Text() string {
	s := defaults()
	s.Alert = []alertSettings{exampleAlert()}
	return "# Configuration of dropwatch run. All settings are here, with their defaults.\n" + table(reflect.ValueOf(s))
}

// table formats the settings of a struct, each after an empty line and below what it means. A list of
// tables must have one, which is the example.
func table(of reflect.Value) string {
	var b strings.Builder
	for i := range of.NumField() {
		name, tag := of.Type().Field(i).Tag.Get("toml"), of.Type().Field(i).Tag.Get("help")
		b.WriteString("\n" + event.Wrap(tag, "# ", "# ", event.Columns-1))
		switch v := of.Field(i); {
		case v.Type() == reflect.TypeFor[pointTables]():
			b.WriteString(comment(pointText(&examplePoint)))
		case tableOf(v.Type()) != nil:
			b.WriteString(comment("[[" + name + "]]" + strings.ReplaceAll(table(v.Index(0)), "\n\n", "\n")))
		default:
			fmt.Fprintf(&b, "%s = %s\n", name, value(v))
		}
	}
	return b.String()
}

// comment makes a comment of settings: an example without empty lines is one thing, to be copied.
func comment(text string) string {
	return "#" + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n#") + "\n"
}

// value formats a value as TOML. Texts are ASCII, for which the syntax of Go is the same.
func value(v reflect.Value) string {
	if isText(v.Type()) {
		return strconv.Quote(fmt.Sprint(v.Interface()))
	}
	if v.Kind() != reflect.Slice {
		return fmt.Sprint(v.Interface())
	}
	all := make([]string, v.Len())
	for i := range all {
		all[i] = value(v.Index(i))
	}
	return "[" + strings.Join(all, ", ") + "]"
}
