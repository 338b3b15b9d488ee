package app

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"dropwatch/internal/capture"
	"dropwatch/internal/config"
	"dropwatch/internal/event"
	"dropwatch/internal/member"
	"dropwatch/internal/point"
	"dropwatch/internal/source/probe"
)

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
	typed, err := a.runner.KernelPoints()
	if err != nil {
		return err
	}
	cannot := canProbe()
	failed := 0
	var b strings.Builder
	for i := range all {
		p := &all[i]
		switch t, err := typed(p); {
		case err != nil:
			failed++
			fmt.Fprintf(&b, "%s: not on this kernel: %s%s\n", p.Name, event.Escape(err.Error()), insteadOf(p))
		case cannot != nil:
			appendTyped(&b, t, "this kernel has what it reads", nil)
		default:
			appendTyped(&b, t, "possible on this kernel", t.Testers())
		}
	}
	if err := a.write(b.String()); err != nil {
		return err
	}
	switch {
	case cannot != nil:
		return fmt.Errorf("points test: no function can be probed: %w", cannot)
	case failed > 0:
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

// isFileName reports whether a word is the name of a file of points. Names of points have neither character, so that the
// two cannot be mixed up.
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

// appendTyped appends a verdict on a point, and what is read there; at its functions by so many of these testers as are
// known.
func appendTyped(b *strings.Builder, t *probe.Typed, verdict string, testers []probe.Tester) {
	fmt.Fprintf(b, "%s: %s\n", t.Name, verdict)
	for i, f := range t.Probed {
		fmt.Fprintf(b, "  at %v of %s\n", t.At, f.Function)
		if i < len(testers) {
			fmt.Fprintf(b, "  by %s%s\n", testerText(testers[i], t.At), valuesText(testers[i], &t.Form))
		}
		if f.When != nil {
			fmt.Fprintf(b, "  when %s\n", event.Escape(f.When.Text))
		}
		w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		for i, e := range f.Args {
			fmt.Fprintf(w, "    %s\t%s\t%s\n", t.Args[i].Name, e.Type, loadsOf(f.Function, e))
		}
		_ = w.Flush() // to memory
	}
}

// testerText names what tests a condition, as a kernel developer knows it.
func testerText(by probe.Tester, at point.At) string {
	switch {
	case by == probe.Filters:
		return "a kprobe event and the kernel's filter"
	case by == probe.BPF:
		return "a kprobe event and BPF"
	case at == point.Return:
		return "BPF attached to the function (fexit)"
	}
	return "BPF attached to the function (fentry)"
}

// valuesText says when a tester has values read of a point at the return of a function.
func valuesText(by probe.Tester, f *point.Form) string {
	switch {
	case f.At == point.Entry:
		return ""
	case f.Values == point.Return && by != probe.Filters:
		return ", values read at the return"
	}
	return ", values kept from the call"
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

// sizeOf is the type of a load as fetch arguments of kprobe events have it (Documentation/trace/kprobetrace.rst): a bit field
// of 3 bits from bit 5 on in 32 bits is b3@5/32.
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
