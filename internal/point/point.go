// Package point says what a drop point is: a function of the kernel, when it is of interest, and what is to
// be read there. The text is the same for every kernel; source probe reads it against the types of one.
package point

import (
	"fmt"
	"regexp"
	"slices"

	"dropwatch/internal/knowledge"
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

	// Layer and Module are where the point is in the tree of package knowledge. A point of a configuration
	// file has none.
	Layer  knowledge.Layer
	Module string

	Form        // the usual one
	Or   []Form // for kernels that lack what Form needs: see Forms

	Stack    bool     // the kernel stack is recorded
	Says     string   // what happened, in a sentence, with {name} for the value of that name: see Text
	Doubt    string   // what else it may have been: follows Says where the value Certain is false
	Counters []string // kernel counters that rise with each event, or with some of several, by the ID of package counters

	// Drops are the drops that it says more of, by their entries in package knowledge: the reason, or the function where
	// the kernel gives none. See Explaining.
	Drops []string
}

// A Form is what there is to probe of a point on some kernels.
type Form struct {
	// Functions are the names that the function has on different kernels, or functions with the same arguments
	// that do the same. Each that a kernel has is probed.
	Functions []string

	At   At
	When string // the condition, with $retval at Return; empty: always

	// Values is when all values are read of a point at Return, also those of its packet and its socket. That they are
	// read at Return, too, costs far less, as nothing is kept of a call: it is for functions that free nothing of what is
	// read, and change nothing of it that matters where the condition is true. Without BPF they are read at Entry all the same.
	Values At

	Args []Arg // what is read, in the order in which it is shown
}

// An Arg is a value that is read at a point.
type Arg struct {
	Name string // as in events, and in expressions behind "args."
	Expr string // of package member
}

// Forms returns the point once for each of its forms, without Or. The first for which a kernel has a function
// and all that the expressions name is the one to probe there.
func (p *Point) Forms() []Point {
	all := make([]Point, 1+len(p.Or))
	for i := range all {
		all[i] = *p
		all[i].Or = nil
		if i > 0 {
			all[i].Form = p.Or[i-1]
		}
	}
	return all
}

// MaxArgs is how many values a point may read: those that a line of a terminal has room for.
const MaxArgs = 16

// validName is what names of points must be: so they are never taken for expressions, files or numbers, and are valid
// names of events in tracefs.
var validName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// Check reports what is wrong with a point, on any kernel.
func (p *Point) Check() error {
	if !validName.MatchString(p.Name) {
		return fmt.Errorf("invalid name %q of a point: use up to 40 lower-case letters, digits and underscores, first a letter", p.Name)
	}
	for _, f := range p.Forms() {
		if err := f.check(); err != nil {
			return fmt.Errorf("point %s: %w", p.Name, err)
		}
	}
	return nil
}

// validFunction matches the name of a function, which may have its module before it, and behind it what the
// compiler added: nf_conntrack:init_conntrack.isra.0.
var validFunction = regexp.MustCompile(`^([A-Za-z0-9_]+:)?[A-Za-z_][A-Za-z0-9_.]*$`)

// check reports what is wrong with a form.
func (f *Form) check() error {
	if len(f.Functions) == 0 {
		return fmt.Errorf("it has no function: name one of the kernel, as in functions = [\"tcp_conn_request\"]")
	}
	for _, name := range f.Functions {
		if !validFunction.MatchString(name) {
			return fmt.Errorf("invalid name %q of a function: give it as in /proc/kallsyms", name)
		}
	}
	if f.At == Entry && f.Values == Return {
		return fmt.Errorf("its values cannot be read at the return, as it is at the entry: add at = \"return\"")
	}
	if len(f.Args) > MaxArgs {
		return fmt.Errorf("it reads %d values: at most %d are possible", len(f.Args), MaxArgs)
	}
	for i, a := range f.Args {
		switch {
		case !validName.MatchString(a.Name):
			return fmt.Errorf("invalid name %q of a value: use lower-case letters, digits and underscores", a.Name)
		case slices.ContainsFunc(f.Args[:i], func(b Arg) bool { return a.Name == b.Name }):
			return fmt.Errorf("it reads two values of the name %s: give them different names", a.Name)
		}
	}
	return nil
}

// Certain is the name of a value that some forms have: false, or 0, where it may not have happened as Says has it.
const Certain = "certain"

// hole matches a value in Says.
var hole = regexp.MustCompile(`\{(\w+)\}`)

// Text returns what happened, with the values of an event; ? stands for one that value does not know, such as the name
// of an interface where there is none. It ends with Doubt if that is called for.
func (p *Point) Text(value func(name string) (text string, ok bool)) string {
	says := p.Says
	if certain, _ := value(Certain); certain == "false" || certain == "0" {
		says += p.Doubt
	}
	return hole.ReplaceAllStringFunc(says, func(h string) string {
		text, ok := value(h[1 : len(h)-1])
		if !ok {
			return "?"
		}
		return text
	})
}
