package probe

import (
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/suggest"
)

// A target is a function of the kernel.
type target struct {
	name  string      // with its module if it is of one, as kprobe events and package member have it
	frame event.Frame // its beginning
	alone bool        // the kernel and its modules have no other function of that name
}

// locate returns the function of a name, FUNCTION or MODULE:FUNCTION. The error is a *noFunction if there is none.
func locate(symbols Symbols, name string) (t target, err error) {
	module, function, ok := strings.Cut(name, ":")
	if !ok {
		module, function = "", name
	}
	everywhere := symbols.Everywhere(function)
	for _, at := range everywhere {
		s, _ := symbols.Lookup(at.Start)
		if module != "" && s.Module != module {
			continue
		}
		if t.name != "" {
			return t, fmt.Errorf("this kernel has several functions %s: none of them can be chosen", name)
		}
		t = target{function, event.Frame{PC: at.Start}, len(everywhere) == 1}
		if s.Module != "" {
			t.name = s.Module + ":" + function
		}
	}
	if t.name == "" {
		return t, &noFunction{symbols, module, function}
	}
	return t, nil
}

// A noFunction is the error of a function that is not there.
type noFunction struct {
	symbols          Symbols // in which a name like it may be
	module, function string  // module is empty for the kernel itself
}

// Error says that, and what is there instead, which is looked up now.
func (e *noFunction) Error() string {
	if e.module != "" {
		return fmt.Sprintf("module %s has no function %s, or is not loaded: try modprobe %s", e.module, e.function, e.module)
	}
	all := slices.Collect(e.symbols.Names())
	if copies := copiesOf(all, e.function); len(copies) > 0 {
		return fmt.Sprintf("this kernel has function %s only as %s, of which the compiler may have changed the arguments: name that in "+
			"the point if they are right", e.function, strings.Join(copies, " and "))
	}
	text := fmt.Sprintf("this kernel has no function %s: it may be inlined, or of a module that is not loaded", e.function)
	if question := suggest.Question(e.function, all); question != "" {
		text += "; " + question
	}
	return text
}

// copiesOf returns the copies of a function that the compiler made with its arguments: f.isra.0, f.constprop.0.
// Parts of a function (f.part.0, f.cold) have none.
func copiesOf(names []string, function string) (copies []string) {
	for _, name := range names {
		ending, ok := strings.CutPrefix(name, function+".")
		if ok && !strings.Contains(ending, "part") && !strings.Contains(ending, "cold") && !slices.Contains(copies, name) {
			copies = append(copies, name)
		}
	}
	return copies
}
