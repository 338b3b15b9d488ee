package app

import (
	"slices"

	"dropwatch/internal/stage/filter"
)

// expressionWords completes an expression: with fields and operators, or with the values of the field before the cursor.
// An expression that is not valid is
// completed as far as it is known.
func (a *App) expressionWords(before []string) []string {
	if n := len(before); n > 0 {
		if values := a.fieldValues(before[n-1]); len(values) > 0 {
			return append(slices.Clip(values), "==", "!=")
		}
		if n > 1 && (before[n-1] == "==" || before[n-1] == "!=") {
			return a.fieldValues(before[n-2])
		}
	}
	words := []string{"and", "or", "not"}
	for _, f := range filter.Fields() {
		words = append(words, f.Name)
	}
	return words
}

// expressionAfterFile completes the arguments after the name of a file. Before has at least the file.
func (a *App) expressionAfterFile(before []string) []string { return a.expressionWords(before[1:]) }

// fieldNames returns the fields of an expression, with their other names.
func fieldNames() (names []string) {
	for _, f := range filter.Fields() {
		names = append(append(names, f.Name), f.Aliases...)
	}
	return names
}

// fieldValues returns the values of a field: those that exist on this host, or else
// those that it can have at all; none if they cannot be listed.
func (a *App) fieldValues(name string) []string {
	if values := a.runner.Values(name); len(values) > 0 {
		return values
	}
	for _, f := range filter.Fields() {
		if f.Name == name {
			return f.Values
		}
	}
	return nil
}
