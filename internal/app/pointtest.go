package app

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"dropwatch/internal/capture"
	"dropwatch/internal/config"
	"dropwatch/internal/event"
	"dropwatch/internal/member"
	"dropwatch/internal/point"
)

// A typedPoint is a point as it can be probed on a kernel: a form of it, at one or more functions.
type typedPoint struct {
	point.Point
	at []typedFunction
}

// A typedFunction is a function with the expressions of a point, typed.
type typedFunction struct {
	*member.Function
	when *member.Expr // nil: always
	args []*member.Expr
}

// typed returns the form of a point that can be probed with these types, on a kernel that has these functions.
// The error is that of the first form with a function that the kernel has, or of the first.
func typed(p *point.Point, types *member.Types, has func(string) bool) (t typedPoint, err error) {
	var missing, fault error
	for _, form := range p.Forms() {
		switch t, err = typedForm(&form, types, has); {
		case err == nil:
			return t, nil
		case errors.Is(err, errNoFunction):
			missing = cmp.Or(missing, err)
		default:
			fault = cmp.Or(fault, err)
		}
	}
	return t, cmp.Or(fault, missing)
}

var errNoFunction = errors.New("it may be inlined, or of a module that is not loaded")

// typedForm types a point without other forms. The error wraps errNoFunction if the kernel has none of its
// functions.
func typedForm(p *point.Point, types *member.Types, has func(string) bool) (t typedPoint, err error) {
	t.Point = *p
	for _, name := range p.Functions {
		if !has(event.FunctionOf(name[strings.Index(name, ":")+1:])) {
			continue
		}
		f, err := typedAt(p, name, types)
		if err != nil {
			return t, err
		}
		t.at = append(t.at, f)
	}
	if len(t.at) == 0 {
		return t, fmt.Errorf("this kernel has no function %s: %w", strings.Join(p.Functions, " or "), errNoFunction)
	}
	return t, nil
}

// typedAt types the expressions of a point against one of its functions.
func typedAt(p *point.Point, name string, types *member.Types) (f typedFunction, err error) {
	if f.Function, err = types.Function(name); err != nil {
		return f, err
	}
	compile := func(of, text string) (e *member.Expr, err error) {
		if e, err = f.Compile(text); err != nil {
			return nil, fmt.Errorf("%s at %s: %w", of, name, err)
		}
		for _, l := range e.Loads {
			if l.Arg == member.ReturnValue && p.At != point.Return {
				return nil, fmt.Errorf("%s at %s: $retval is known at return only", of, name)
			}
		}
		return e, nil
	}
	if p.When != "" {
		if f.when, err = compile("condition", p.When); err != nil {
			return f, err
		}
	}
	for _, a := range p.Args {
		e, err := compile("value "+a.Name, a.Expr)
		if err != nil {
			return f, err
		}
		f.args = append(f.args, e)
	}
	return f, nil
}

// testPoints says for points, by their names or the files that have them, whether this kernel can probe them, and
// what is read there; without any, for all that are built in. It fails if one cannot be.
func (a *App) testPoints(words []string) error {
	if len(words) == 0 {
		words = []string{point.All}
	}
	all, err := a.namedPoints(words)
	if err != nil {
		return err
	}
	has, err := a.runner.KernelFunctions()
	if err != nil {
		return err
	}
	types, failed := member.Running(), 0
	verdict, cannot := "possible on this kernel", canProbe()
	if cannot != nil {
		verdict = "this kernel has what it reads"
	}
	var b strings.Builder
	for i := range all {
		p := &all[i]
		t, err := typed(p, types, has)
		if err != nil {
			failed++
			fmt.Fprintf(&b, "%s: not on this kernel: %s%s\n", p.Name, event.Escape(err.Error()), insteadOf(p))
			continue
		}
		t.appendTo(&b, verdict)
	}
	if err := a.write(b.String()); err != nil {
		return err
	}
	if cannot != nil {
		return fmt.Errorf("points test: no function can be probed: %w", cannot)
	}
	if failed > 0 {
		return fmt.Errorf("points test: %d of %d points are not possible on this kernel", failed, len(all))
	}
	return nil
}

// namedPoints returns the points of words that package point knows, and all of files; the last of each name. What has no
// effect in a file is noted.
func (a *App) namedPoints(words []string) (all []point.Point, err error) {
	for _, word := range words {
		found, err := point.Select(word)
		switch {
		case err != nil && isFileName(word):
			found, err = a.filePoints(word)
		case err != nil:
			err = &capture.SpecError{Err: err}
		}
		if err != nil {
			return nil, err
		}
		all = point.Add(all, found...)
	}
	return all, nil
}

// isFileName reports whether a word is the name of a file of points.
func isFileName(word string) bool { return strings.ContainsAny(word, "./") }

// filePoints returns the points of a file.
func (a *App) filePoints(path string) ([]point.Point, error) {
	file, err := config.ReadPoints(a.runner.Host, path)
	if err != nil {
		return nil, err
	}
	for _, text := range file.Notices {
		a.runner.Notices.Text(text)
	}
	return file.All, nil
}

// insteadOf names the built-in points at the functions of a point that is not one of them.
func insteadOf(p *point.Point) string {
	var names []string
	for _, b := range point.Builtin() {
		if b.Name == p.Name {
			return ""
		}
		for _, f := range p.Functions {
			if b.Functions[0] == f {
				names = append(names, b.Name)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; built-in points at this function: " + strings.Join(names, ", ")
}

// appendTo appends a verdict on a point, and what is read there.
func (t *typedPoint) appendTo(b *strings.Builder, verdict string) {
	fmt.Fprintf(b, "%s: %s\n", t.Name, verdict)
	for i := range t.at {
		f := &t.at[i]
		fmt.Fprintf(b, "  at %v of %s\n", t.At, f.Function)
		if f.when != nil {
			fmt.Fprintf(b, "  when %s\n", event.Escape(f.when.Text))
		}
		w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		for i, e := range f.args {
			fmt.Fprintf(w, "    %s\t%s\t%s\n", t.Args[i].Name, e.Type, loadsOf(f.Function, e))
		}
		_ = w.Flush() // to memory
	}
}

// loadsOf says what is read for an expression, as fetch arguments of kprobe events have it: +24(sk):u32 are the
// 4 bytes that are 24 bytes behind what sk points to.
func loadsOf(f *member.Function, e *member.Expr) string {
	all := make([]string, len(e.Loads))
	for i, l := range e.Loads {
		text := "$retval"
		if l.Arg != member.ReturnValue {
			text = cmp.Or(f.Args[l.Arg].Name, fmt.Sprintf("$arg%d", l.Arg+1))
		}
		for _, offset := range l.Offsets {
			text = fmt.Sprintf("%+d(%s)", offset, text)
		}
		all[i] = text + ":" + sizeOf(l)
	}
	return cmp.Or(strings.Join(all, " "), "constant")
}

func sizeOf(l member.Load) string {
	sign := "u"
	if l.Signed {
		sign = "s"
	}
	switch {
	case l.String:
		return fmt.Sprintf("string[%d]", l.Array)
	case l.Size == 0:
		return fmt.Sprintf("bytes[%d]", l.Array)
	case l.BitSize > 0:
		return fmt.Sprintf("b%d@%d/%d", l.BitSize, l.BitOffset, l.Size*8)
	}
	return fmt.Sprintf("%s%d", sign, l.Size*8)
}
