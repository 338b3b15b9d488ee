package capture

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dropwatch/internal/suggest"
)

// An OutputType is a name that outputs have on the command line and in a configuration file.
type OutputType struct {
	Name    string
	Target  string // what is after the colon, as usage shows it: FILE
	Help    string
	options []string // names of the options that it has
	needs   bool     // the target cannot be left out
	begin   func(target string) (Output, error)
}

// Usage is how the type is written: "json[:FILE]".
func (t *OutputType) Usage() string {
	switch {
	case t.Target == "":
		return t.Name
	case t.needs:
		return t.Name + ":" + t.Target
	}
	return t.Name + "[:" + t.Target + "]"
}

// An OutputOption is a setting of an output, after its target.
type OutputOption struct {
	Name  string
	Value string // what is after the equals sign, as usage shows it; empty: true or false, and true without it
	Help  string
	set   func(o *Output, value string) error
}

// Usage is how the option is written: "link=TYPE".
func (p *OutputOption) Usage() string {
	if p.Value == "" {
		return p.Name
	}
	return p.Name + "=" + p.Value
}

// outputTypes are the outputs that can be named, in the order of help.
var outputTypes = []OutputType{
	{
		Name: "text", Target: "FILE", begin: toFile(Lines),
		options: []string{"hex", "explain", "harmless", "rotate", "age", "keep", "compress"},
		Help:    "A line for each drop, appended to the file, or to standard output.",
	},
	{
		Name: "json", Target: "FILE", begin: toFile(JSON),
		options: []string{"hex", "explain", "rotate", "age", "keep", "compress"},
		Help:    "A JSON object on each line, appended to the file, or to standard output: see *dropwatch help json*.",
	},
	{
		Name: "pcapng", Target: "FILE", options: []string{"link"}, needs: true, begin: toFile(PacketFile),
		Help: "Packets for Wireshark. The file is overwritten, *-* is standard output.",
	},
}

// outputOptions are the options of all outputs, in the order of help.
var outputOptions = []OutputOption{
	{
		Name: "hex", Help: "Also write the bytes of packets.",
		set: func(o *Output, value string) error { return setBool(&o.Hex, value) },
	},
	{
		Name: "explain", Help: "Also write why packets were dropped, and in text how to fix it.",
		set: func(o *Output, value string) error { return setBool(&o.Explain, value) },
	},
	{
		Name: "harmless", Help: "Also write drops that lost nothing, which JSON always has.",
		set: func(o *Output, value string) error { return setBool(&o.Harmless, value) },
	},
	{
		Name: "link", Value: "TYPE", Help: "The link header of packets: *any*, *ethernet* or *raw*, as *--link* has them.",
		set: func(o *Output, value string) error { return o.Link.Set(value) },
	},
	{
		Name: "rotate", Value: "SIZE", Help: "Rotate the file before it is larger: bytes, or as in *500K*, *100M*, *2G*.",
		set: func(o *Output, value string) error { return setSize(&o.Log.Size, value) },
	},
	{
		Name: "age", Value: "TIME", Help: "Rotate the file when a line comes and it is older: as in *30m*, *24h*.",
		set: func(o *Output, value string) error { return setDuration(&o.Log.Age, value) },
	},
	{
		Name: "keep", Value: "NUMBER", Help: "Keep this number of rotated files; 10 if it is left out.",
		set: func(o *Output, value string) error { return setNumber(&o.Log.Keep, value) },
	},
	{
		Name: "compress", Help: "Compress rotated files with gzip.",
		set: func(o *Output, value string) error { return setBool(&o.Log.Compress, value) },
	},
}

// toFile returns what begins an output of a format whose target is the name of a file.
func toFile(f Format) func(string) (Output, error) {
	return func(target string) (Output, error) { return Output{Format: f, File: target}, nil }
}

func setBool(to *bool, value string) error {
	switch value {
	case "", "true":
		*to = true
	case "false":
		*to = false
	default:
		return errors.New("give true or false")
	}
	return nil
}

// setSize parses a number of bytes. Fewer than a block of a file system are none to rotate by.
func setSize(to *int64, text string) error {
	const least, most = 4 << 10, 1 << 50
	digits, shift := text, 0
	for i, unit := range []string{"K", "M", "G", "T"} {
		if n, ok := strings.CutSuffix(text, unit); ok {
			digits, shift = n, 10*(i+1)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 51)
	if err != nil || n > most>>shift || n<<shift < least {
		return errors.New("give bytes, 4K or more, or as in 500K, 100M, 2G")
	}
	*to = int64(n << shift)
	return nil
}

func setDuration(to *time.Duration, text string) error {
	n, err := time.ParseDuration(text)
	if err != nil || n < time.Second {
		return errors.New("give a time of 1s or more, as in 30m, 24h")
	}
	*to = n
	return nil
}

func setNumber(to *int, text string) error {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return errors.New("give a number from 1")
	}
	*to = int(n)
	return nil
}

// OutputTypes returns the outputs that can be named, each with its options.
func OutputTypes() []OutputType { return slices.Clone(outputTypes) }

// OutputOptions returns the options of all outputs.
func OutputOptions() []OutputOption { return slices.Clone(outputOptions) }

// Options returns the options of the type.
func (t *OutputType) Options() (all []OutputOption) {
	for _, p := range outputOptions {
		if slices.Contains(t.options, p.Name) {
			all = append(all, p)
		}
	}
	return all
}

// ParseOutput parses what the command line has: NAME[:TARGET][,OPTION[=VALUE]]... A comma that
// is not to end the target or a value, and a backslash, has a backslash before it.
func ParseOutput(text string) (Output, error) {
	words := splitOutput(text)
	name, target, named := strings.Cut(words[0], ":")
	if named && target == "" {
		return Output{}, fmt.Errorf("give a target after the colon of %s, or leave the colon out", name)
	}
	var settings []OutputSetting
	for _, word := range words[1:] {
		option, value, given := strings.Cut(word, "=")
		if given && value == "" {
			return Output{}, fmt.Errorf("give a value for option %s of output %s", option, name)
		}
		settings = append(settings, OutputSetting{option, value})
	}
	return NewOutput(name, target, settings)
}

// splitOutput splits a text at commas that have no backslash before them.
func splitOutput(text string) []string {
	words := []string{""}
	for i := 0; i < len(text); i++ {
		switch last := len(words) - 1; {
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == ',' || text[i+1] == '\\'):
			i++
			words[last] += text[i : i+1]
		case text[i] == ',':
			words = append(words, "")
		default:
			words[last] += text[i : i+1]
		}
	}
	return words
}

// An OutputSetting is an option with the value that was given for it, if any.
type OutputSetting struct{ Name, Value string }

// NewOutput returns the output with that name, target and options. An empty target is none. The
// error says what the name or the option may be.
func NewOutput(name, target string, settings []OutputSetting) (Output, error) {
	i := slices.IndexFunc(outputTypes, func(t OutputType) bool { return t.Name == name })
	if i < 0 {
		return Output{}, unknown("output", name, outputNames())
	}
	t := &outputTypes[i]
	switch {
	case t.needs && target == "":
		return Output{}, fmt.Errorf("give a target: %s", t.Usage())
	case t.Target == "" && target != "":
		return Output{}, fmt.Errorf("give no target: %s has none", t.Name)
	}
	o, err := t.begin(target)
	for _, s := range settings {
		if err == nil {
			err = t.set(&o, s)
		}
	}
	if err == nil {
		err = o.checkLog()
	}
	return o, err
}

// checkLog returns an error if its file cannot be rotated as its options say.
func (o *Output) checkLog() error {
	if o.Log.Rotates() && !o.isLog() {
		return errors.New("give the name of a file: standard output cannot be rotated")
	}
	return o.Log.Check()
}

// set enters an option in an output of the type.
func (t *OutputType) set(o *Output, s OutputSetting) error {
	options := t.Options()
	i := slices.IndexFunc(options, func(p OutputOption) bool { return p.Name == s.Name })
	if i < 0 {
		var names []string
		for _, p := range options {
			names = append(names, p.Name)
		}
		return unknown("option of output "+t.Name, s.Name, names)
	}
	if options[i].Value != "" && s.Value == "" {
		return fmt.Errorf("give a value for option %s: %s", s.Name, options[i].Usage())
	}
	if err := options[i].set(o, s.Value); err != nil {
		return fmt.Errorf("invalid value %q for option %s: %w", s.Value, s.Name, err)
	}
	return nil
}

// unknown says that there is no such name, and which there are.
func unknown(what, name string, names []string) error {
	if question := suggest.Question(name, names); question != "" {
		return fmt.Errorf("unknown %s %q: %s", what, name, question)
	}
	if len(names) == 0 {
		return fmt.Errorf("unknown %s %q: it has none", what, name)
	}
	return fmt.Errorf("give one of %s: unknown %s %q", suggest.OneOf(names), what, name)
}

func outputNames() (names []string) {
	for _, t := range outputTypes {
		names = append(names, t.Name)
	}
	return names
}
