package capture

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/sink/elastic"
	"dropwatch/internal/sink/syslog"
	"dropwatch/internal/sink/tcplog"
	"dropwatch/internal/suggest"
)

// An OutputType is a name that outputs have on the command line and in a configuration file.
type OutputType struct {
	Name    string                              // before the colon
	Target  string                              // what is after the colon, as usage shows it: FILE
	Help    string                              // a sentence or two
	options []string                            // names of the options that it has
	needs   bool                                // the target cannot be left out
	begin   func(target string) (Output, error) // makes the Output without options
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

// outputTypes are the outputs that can be named, in the order of help.
var outputTypes = []OutputType{
	{
		Name: "text", Target: "FILE", begin: toFile(Lines),
		options: []string{"hex", "explain", "harmless", "format", "rotate", "age", "keep", "compress"},
		Help: "A line for each drop and each finding, appended to the file, or to standard output. Below one of *diagnose* is all " +
			"that it knows; of an alert only with *explain*.",
	},
	{
		Name: "json", Target: "FILE", begin: toFile(JSON),
		options: []string{"hex", "explain", "rotate", "age", "keep", "compress"},
		Help:    "A JSON object on each line, appended to the file, or to standard output: see *dropwatch help json*.",
	},
	{
		Name: "pcapng", Target: "FILE", options: []string{"link"}, needs: true, begin: toFile(PacketFile),
		Help: "Packets for Wireshark, without findings. The file is overwritten, *-* is standard output.",
	},
	{
		Name: "journal", Target: "SOCKET", begin: toJournal,
		Help: "The journal of systemd, with the facts as fields: see *journalctl -o verbose SYSLOG_IDENTIFIER=dropwatch*.",
	},
	{
		Name: "syslog", Target: "TARGET", begin: toSyslog, options: []string{"facility"},
		Help: "Messages of syslog, with the facts as structured data at the end, for */dev/log* or the socket of that path, or " +
			"(RFC 5424) for a server, as in udp://logs.example.org or tcp://logs.example.org:601. A server does not confirm what arrived.",
	},
	{
		Name: "elastic", Target: "URL", needs: true, begin: toElastic,
		options: []string{
			"hex", "explain", "format", "url",
			"index", "daily", "template", "user", "password-file", "api-key-file", "ca", "cert", "cert-key",
			"spool", "spool-size", "count", "bytes", "every", "timeout",
		},
		Help: "Documents for Elasticsearch or OpenSearch, with the names of the Elastic Common Schema. The URL is that of a " +
			"server, as in https://elastic.example.org:9200, with port 9200 if it has none.",
	},
	{
		Name: "recorder", Target: "DIRECTORY", options: []string{"size"}, needs: true, begin: toRing,
		Help: "The last drops, whole, for *dropwatch last*: recordings, of which the oldest are removed.\n" +
			"The disk is written to once a second.",
	},
}

// toFile returns what begins an output of a format whose target is the name of a file.
func toFile(f Format) func(string) (Output, error) {
	return func(target string) (Output, error) { return Output{Format: f, File: target}, nil }
}

// toJournal begins an output to the journal at a socket.
func toJournal(target string) (Output, error) {
	address := cmp.Or(target, syslog.DefaultJournal)
	return Output{Format: Syslog, Syslog: syslog.Options{Journal: true, Network: "unixgram", Address: address}}, nil
}

// toSyslog begins an output to a syslog.
func toSyslog(target string) (Output, error) {
	o, err := syslog.Parse(cmp.Or(target, syslog.DefaultSocket))
	return Output{Format: Syslog, Syslog: o}, err
}

// toElastic begins an output to the server of a URL.
func toElastic(target string) (Output, error) {
	o := Output{Format: Elastic, Elastic: elastic.Options{URLs: []string{target}}}
	return o, o.Elastic.Check()
}

// defaultRing is how many bytes the recordings of a recorder may have if its options do not say it.
const defaultRing = 64 << 20

// toRing begins an output that keeps the last drops in a directory.
func toRing(dir string) (Output, error) {
	if dir == "-" {
		return Output{}, errors.New("give a directory: a recorder needs several files")
	}
	return Output{Format: Segments, File: dir, Bytes: defaultRing}, nil
}

// OutputTypes returns the outputs that can be named, each with its options.
func OutputTypes() []OutputType { return slices.Clone(outputTypes) }

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
	var settings []outputSetting
	for _, word := range words[1:] {
		option, value, given := strings.Cut(word, "=")
		if given && value == "" {
			return Output{}, fmt.Errorf("give a value for option %s of output %s", option, name)
		}
		settings = append(settings, outputSetting{option, value})
	}
	return newOutput(name, target, settings)
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

// An outputSetting is an option with the value that was given for it, if any.
type outputSetting struct{ Name, Value string }

// newOutput returns the output with that name, target and options. An empty target is none. The
// error says what the name or the option may be.
func newOutput(name, target string, settings []outputSetting) (Output, error) {
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
		err = o.check()
	}
	return o, err
}

// check returns an error for options that cannot be combined.
func (o *Output) check() error {
	if o.TCPLog != tcplog.None && (o.Hex || o.Explain || o.Harmless) {
		return errors.New("give format without hex, explain and harmless: it has only what the older program has")
	}
	if o.Format == Elastic {
		return o.Elastic.Check()
	}
	if o.Log.Rotates() && !o.isLog() {
		return errors.New("give the name of a file: standard output cannot be rotated")
	}
	return o.Log.Check()
}

// set enters an option in an output of the type.
func (t *OutputType) set(o *Output, s outputSetting) error {
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
	if len(names) == 0 {
		return fmt.Errorf("unknown %s %q: it has none", what, name)
	}
	return fmt.Errorf("unknown %s %q: %s", what, name, suggest.Choice(name, names))
}

// outputNames are the names of all types, for advice.
func outputNames() (names []string) {
	for _, t := range outputTypes {
		names = append(names, t.Name)
	}
	return names
}
