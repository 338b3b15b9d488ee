package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// helpWidth is the number of columns of help. It does not depend on the terminal,
// so that help can be tested and quoted.
const helpWidth = 80

// PrintHelp prints the help of the verb with that name, or of the program for any
// other name.
func (p *Program) PrintHelp(name string) error {
	text := p.Help()
	if v := p.verb(name); v != nil {
		text = p.VerbHelp(v)
	}
	if _, err := io.WriteString(p.Out, text); err != nil {
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = pe.Err // without the name, which would be there twice
		}
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

// Help returns the text of --help.
func (p *Program) Help() string {
	var b strings.Builder
	b.WriteString(p.Short + "\n\nUsage:\n")
	for _, line := range p.Usage {
		b.WriteString("  " + line + "\n")
	}
	b.WriteString("\nCommands:\n")
	for _, v := range p.Verbs {
		fmt.Fprintf(&b, "  %-10s  %s\n", v.Name, v.Short)
	}
	b.WriteString("\nOptions:\n" + p.Global.FlagUsagesWrapped(helpWidth))
	b.WriteString("\n" + p.Footer)
	return b.String()
}

// VerbHelp returns the text of --help after a verb. Empty parts are left out with
// their headings.
func (p *Program) VerbHelp(v *Verb) string {
	var b strings.Builder
	if v.Long != "" {
		b.WriteString(v.Long + "\n\n")
	}
	b.WriteString("Usage:\n")
	usage := v.Usage
	if usage == nil {
		usage = []string{strings.TrimSpace(p.Name + " " + v.Name + " " + v.Args)}
	}
	for _, line := range usage {
		b.WriteString("  " + line + "\n")
	}
	if v.Notes != "" {
		b.WriteString("\n" + v.Notes + "\n")
	}
	if v.Flags != nil && v.Flags.HasFlags() {
		b.WriteString("\nOptions:\n" + v.Flags.FlagUsagesWrapped(helpWidth))
	}
	if len(v.Examples) > 0 {
		b.WriteString("\nExamples:\n")
	}
	for _, line := range v.Examples {
		b.WriteString("  " + line + "\n")
	}
	return b.String()
}
