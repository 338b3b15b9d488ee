// Package point says what a drop point is: a function of the kernel, when it is of interest, and what is to
// be read there. The text is the same for every kernel; source probe reads it against the types of one.
package point

import (
	"fmt"
	"regexp"
)

// At says at which end of a function a point is.
type At uint8

const (
	Entry  At = iota // when it is called
	Return           // when it returns, with the arguments that it was called with
)

// String returns the word of the configuration file.
func (a At) String() string { return [...]string{"entry", "return"}[min(a, Return)] }

// A Point is a drop point. Expressions are those of package member: C, over the arguments of the function by
// their names in the kernel's source.
type Point struct {
	Name string // unique, of lower-case letters, digits and underscores, as it is in events

	// Functions are the names that the function has on different kernels. Each that a kernel has is probed.
	Functions []string

	At   At
	When string // the condition, with $retval at Return; empty: always
	Args []Arg  // what is read, in the order in which it is shown

	Stack bool // the kernel stack is recorded
}

// An Arg is a value that is read at a point.
type Arg struct {
	Name string // as in events, and in expressions behind "args."
	Expr string
}

// maxArgs is how many values a point may read: those that a line of a terminal has room for.
const maxArgs = 16

var validName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// Check reports what is wrong with a point, on any kernel.
func (p *Point) Check() error {
	if !validName.MatchString(p.Name) {
		return fmt.Errorf("invalid name %q of a point: use up to 40 lower-case letters, digits and underscores, first a letter", p.Name)
	}
	if len(p.Functions) == 0 {
		return fmt.Errorf("point %s has no function: name one of the kernel, as in functions = [\"tcp_conn_request\"]", p.Name)
	}
	if len(p.Args) > maxArgs {
		return fmt.Errorf("point %s reads %d values: at most %d are possible", p.Name, len(p.Args), maxArgs)
	}
	seen := make(map[string]bool)
	for _, a := range p.Args {
		switch {
		case !validName.MatchString(a.Name):
			return fmt.Errorf("point %s: invalid name %q of a value: use lower-case letters, digits and underscores", p.Name, a.Name)
		case seen[a.Name]:
			return fmt.Errorf("point %s reads two values of the name %s: give them different names", p.Name, a.Name)
		}
		seen[a.Name] = true
	}
	return nil
}
