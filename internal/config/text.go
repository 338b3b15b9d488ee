package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"dropwatch/internal/event"
)

// Text returns a file with all settings at their defaults, each below what it means.
func Text() string {
	var b strings.Builder
	b.WriteString("# Configuration of dropwatch run. All settings are here, with their defaults.\n")
	s := defaults()
	appendTable(&b, reflect.ValueOf(s))
	return b.String()
}

// appendTable appends the settings of a struct.
func appendTable(b *strings.Builder, table reflect.Value) {
	for i := range table.NumField() {
		field := table.Type().Field(i)
		b.WriteByte('\n')
		b.WriteString(event.Wrap(field.Tag.Get("help"), "# ", "# ", event.Columns))
		fmt.Fprintf(b, "%s = %s\n", field.Tag.Get("toml"), value(table.Field(i)))
	}
}

// value formats a value as TOML.
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
