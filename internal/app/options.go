package app

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dropwatch/netlink"
)

// A method is a way to name the place of a drop.
type method struct{ name, help, greeting string }

var methods = []method{
	{"kas", "use /proc/kallsyms", "Initializing kallsyms db"},
	{"none", "show raw addresses", "Initializing null lookup method"},
}

// globalOptions are those that stand before the command.
type globalOptions struct {
	methodName string
	method     method
	demangle   bool
	takeover   bool
	version    bool
}

func (o *globalOptions) flags() *pflag.FlagSet {
	f := newFlags("") // no command's
	f.SetInterspersed(false)
	f.StringVarP(&o.methodName, "lmethod", "l", methods[0].name, "name the place of a drop by this `method`: kas (/proc/kallsyms), none (raw addresses); list prints them")
	offer(f, "lmethod", append(methodNames(), "list")...)
	f.BoolVar(&o.demangle, "demangle", false, "show Rust and C++ names as their source has them")
	f.BoolVar(&o.takeover, "takeover", false, "stop monitoring that others have left on, without asking")
	f.BoolVarP(&o.version, "version", "V", false, "print the version")
	return f
}

// lookup gives the symbol table that the method asks for, or nil.
func (o *globalOptions) lookup() *lookup {
	if o.method.name != "kas" {
		return nil
	}
	return &lookup{demangle: o.demangle}
}

// errDone: the command line asked for something that was printed already.
var errDone = errors.New("done")

// parseGlobal reads the options before the command, and gives the rest.
func (a *App) parseGlobal(args []string) (o globalOptions, rest []string, err error) {
	f := o.flags()
	if err := a.parseFlags(f, args, globalHelp(f)); err != nil {
		return o, nil, err
	}
	if o.version {
		return o, nil, a.printVersion()
	}
	o.method, err = a.method(o.methodName)
	return o, f.Args(), err
}

func methodNames() (names []string) {
	for _, m := range methods {
		names = append(names, m.name)
	}
	return names
}

// method finds a look-up method by its name, or lists them.
func (a *App) method(name string) (method, error) {
	if name == "list" {
		var b strings.Builder
		b.WriteString("Available lookup methods:\n")
		for _, m := range methods {
			fmt.Fprintf(&b, "%s - %s\n", m.name, m.help)
		}
		return method{}, a.answered(b.String())
	}
	for _, m := range methods {
		if m.name == name {
			return m, nil
		}
	}
	return method{}, &usageError{fmt.Errorf("unknown lookup method %q: give kas, none or list", name)}
}

// newFlags makes the set of options of the command name, or of none, that
// leaves all printing to us.
func newFlags(name string) *pflag.FlagSet {
	f := pflag.NewFlagSet(name, pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.SortFlags = false
	return f
}

// parseFlags parses args. Help was printed when it returns errDone.
func (a *App) parseFlags(f *pflag.FlagSet, args []string, help string) error {
	f.Usage = func() {} // it could not tell that printing failed
	err := f.Parse(args)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pflag.ErrHelp):
		return a.answered(help)
	}
	if name := f.Name(); name != "" {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return &usageError{err}
}

// parseOnlyFlags is parseFlags for a command that takes nothing else.
func (a *App) parseOnlyFlags(f *pflag.FlagSet, args []string, help string) error {
	if err := a.parseFlags(f, args, help); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return &usageError{fmt.Errorf("%s: takes nothing after it, but got %q", f.Name(), f.Arg(0))}
	}
	return nil
}

// valuesKey is the annotation of an option that holds the values it can have.
const valuesKey = "values"

// offer says what values an option can have, for completion.
func offer(f *pflag.FlagSet, name string, values ...string) {
	f.Lookup(name).Annotations = map[string][]string{valuesKey: values}
}

// answered prints what the command line asked for, and gives errDone.
func (a *App) answered(text string) error {
	if err := a.write(text); err != nil {
		return err
	}
	return errDone
}

// write prints to standard output.
func (a *App) write(text string) error {
	if _, err := io.WriteString(a.out, text); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

// An originSet is the value of an option: sw, hw, or both with a comma; none
// stands for sw.
type originSet netlink.Origins

// Set adds what the value names.
func (o *originSet) Set(text string) error {
	for name := range strings.SplitSeq(text, ",") {
		switch name {
		case "sw":
			*o |= originSet(netlink.Software)
		case "hw":
			*o |= originSet(netlink.Hardware)
		default:
			return errors.New("give sw, hw or sw,hw")
		}
	}
	return nil
}

func (o originSet) orSoftware() netlink.Origins { return cmp.Or(netlink.Origins(o), netlink.Software) }

// String gives the value for help.
func (o *originSet) String() string {
	switch o.orSoftware() {
	case netlink.Hardware:
		return "hw"
	case netlink.Software:
		return "sw"
	}
	return "sw,hw"
}

// Type makes help quote the default, as those of words.
func (o *originSet) Type() string { return "string" }

// A duration is the value of an option: seconds, or what time.ParseDuration takes.
type duration time.Duration

// Set reads the value.
func (d *duration) Set(text string) error {
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		*d = duration(n) * duration(time.Second)
		return nil
	}
	n, err := time.ParseDuration(text)
	if err != nil || n < 0 {
		return errors.New("give seconds, or a time as in 90s, 5m or 1h30m")
	}
	*d = duration(n)
	return nil
}

// String gives the value for help.
func (d *duration) String() string {
	if *d == 0 {
		return "0"
	}
	return time.Duration(*d).String()
}

// Type is the name of the value in help where there is no other.
func (d *duration) Type() string { return "time" }
