package app

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/point"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/stage/filter"
	"dropwatch/netlink"
)

// filterFlags are the points to include and exclude. The expression is not a
// flag: it is the arguments of the verb.
type filterFlags struct{ include, exclude []string }

// addFilterFlags adds the flags that say which drops to show, and how many.
func addFilterFlags(f *pflag.FlagSet, s *capture.Spec) *filterFlags {
	var o filterFlags
	f.StringSliceVarP(&o.include, "include", "i", nil,
		"only drops at these `points`, separated by commas: reasons, functions, hardware traps, or layers and modules such as "+
			"transport, tcp or link/qdisc (dropwatch points lists them); * stands for any part of the name of a function or trap")
	f.StringSliceVarP(&o.exclude, "exclude", "e", nil, "no drops at these `points`, also where they are included")
	f.VarP(numberFrom(&s.Limit, 1, math.MaxUint64), "count", "c",
		"stop after this `number` of drops; a line that counts several of them counts as those")
	return &o
}

// parse returns the filter of a run: drops must match the session's filter, the
// points and the expression. It is nil if all three are empty, and then all
// drops match. The error is one of usage.
func (o *filterFlags) parse(session *filter.Filter, words []string) (*filter.Filter, error) {
	points, err := filter.Points(o.include, o.exclude)
	if err != nil {
		return nil, &capture.SpecError{Err: err}
	}
	expression, err := parseFilter(strings.Join(words, " "))
	if err != nil {
		return nil, &capture.SpecError{Err: err}
	}
	return filter.And(session, filter.And(points, expression)), nil
}

// parseFilter parses an expression. It returns nil, which matches all drops, for an
// empty one.
func parseFilter(text string) (*filter.Filter, error) {
	if text == "" {
		return nil, nil
	}
	return filter.Parse(text)
}

// addCaptureFlags adds the flags that say where live drops come from and how they
// are captured.
func addCaptureFlags(f *pflag.FlagSet, s *capture.Spec, d *defaults) {
	in := &s.Input
	in.Source = "auto"
	if d.source != "" {
		in.Source = d.source
	}
	in.Sample, in.Trunc = bpf.DefaultSample, d.trunc
	f.StringVarP(&in.Source, "source", "s", in.Source, sourceHelp())
	f.VarP((*mode)(&in.Mode), "mode", "m",
		"the `alerts` of netdm: packet (one for each packet), or summary (counts by location, once a second)")
	f.VarP((*originSet)(&in.Origins), "origin", "o", "drops of these `origins`: "+
		"sw (software), hw (hardware), or both, separated by a comma")
	f.BoolVar(&in.Stack, "stack", false, "also record the kernel stack trace of each drop (costs CPU)")
	f.Var(numberFrom(&in.Trunc, 0, math.MaxUint32), "trunc", "keep at most this `number` of bytes of each packet; 0 keeps 256, "+
		"or all with --write, --hex and record (2048 with bpf)")
	f.Var((*sample)(&in.Sample), "sample", "with bpf, report this `number` of drops of each kind, second and CPU individually, "+
		"and count the others exactly; all reports each drop, which slows down a host that drops many")
	f.BoolVar(&in.ByOwner, "by-owner", in.ByOwner, "with bpf, also break the remaining counts down by owning socket")
	f.BoolVar(&in.RawAddresses, "raw-addresses", false, "with bpf, identify a socket that has no cookie by its kernel address, "+
		"instead of by a number that is different in each run")
	f.VarP((*duration)(&s.Duration), "duration", "d", "stop after this `time`: seconds, or as in 90s, 5m, 1h30m")
	f.BoolVar(&in.Takeover, "takeover", false, "stop the monitoring of other programs without asking")
}

// sourceHelp returns the help of --source, made from the sources there are.
func sourceHelp() string {
	return "the source of drops, by `name`: " + sourceList(capture.Candidates(false)) + ", or auto, the first that works"
}

// sourceList lists sources with what they are.
func sourceList(all []capture.Candidate) (text string) {
	for i, c := range all {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s (%s)", c.Name, c.Help)
	}
	return text
}

// captureFlagValues completes the values of the flags of addCaptureFlags and
// addOutputFlags.
func captureFlagValues() map[string]func() []string {
	return map[string]func() []string{
		"source": capture.SourceNames,
		"mode":   func() []string { return []string{"packet", "summary"} },
		"origin": func() []string { return []string{"sw", "hw", "sw,hw"} },
		"link":   capture.LinkNames,
		"output": outputNames,

		"include": knowledge.NodeNames,
		"exclude": knowledge.NodeNames,
		"point":   point.Words,
	}
}

// A mode is a flag value: packet or summary.
type mode capture.Mode

// Set parses the value.
func (m *mode) Set(text string) error {
	switch text {
	case "packet":
		*m = mode(capture.Packets)
	case "summary":
		*m = mode(capture.Summaries)
	default:
		return errors.New("give packet or summary")
	}
	return nil
}

// String formats the value for help.
func (m *mode) String() string {
	if *m == mode(capture.Summaries) {
		return "summary"
	}
	return "packet"
}

// Type is string, so that help puts the default in quotes.
func (m *mode) Type() string { return "string" }

// An originSet is a flag value: sw, hw, or both separated by a comma. The zero
// value stands for sw.
type originSet netlink.Origins

// Set adds the origins in text to those set before: the flag can be given twice.
func (o *originSet) Set(text string) error {
	more, err := capture.ParseOrigins(text)
	*o |= originSet(more)
	return err
}

// String formats the value for help.
func (o *originSet) String() string { return capture.OriginNames(netlink.Origins(*o)) }

// Type is string, so that help puts the default in quotes.
func (o *originSet) Type() string { return "string" }

// A sample is a flag value: a number, or all, which is 0.
type sample int

// Set parses the value.
func (s *sample) Set(text string) error {
	if text == "all" {
		*s = 0
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil || n == 0 {
		return errors.New("give a number from 1, or all")
	}
	*s = sample(n)
	return nil
}

// String formats the value for help.
func (s *sample) String() string {
	if *s == 0 {
		return "all"
	}
	return strconv.Itoa(int(*s))
}

// Type names the value in help where its usage does not.
func (s *sample) Type() string { return "number" }

// A number is a flag value: a whole number within bounds, which are part of it.
type number[N uint32 | uint64 | int] struct {
	to          *N
	least, most uint64
}

// numberFrom returns a flag value that is kept in *to, which has the default.
func numberFrom[N uint32 | uint64 | int](to *N, least, most uint64) *number[N] {
	return &number[N]{to, least, most}
}

// Set parses the value.
func (n *number[N]) Set(text string) error {
	value, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err == nil && value >= n.least && value <= n.most:
		*n.to = N(value)
		return nil
	case n.most == math.MaxUint64:
		return fmt.Errorf("give a number from %d", n.least)
	}
	return fmt.Errorf("give a number from %d to %d", n.least, n.most)
}

// String formats the value for help. Pflag calls it for the zero value, too.
func (n *number[N]) String() string {
	if n.to == nil {
		return "0"
	}
	return fmt.Sprint(*n.to)
}

// Type names the value in help where its usage does not.
func (n *number[N]) Type() string { return "number" }

// A duration is a flag value: a number of seconds, which may have decimals, or what time.ParseDuration accepts. It is
// not 0, which would be no time, or no limit. A plain number is seconds, as with sleep(1) and timeout(1).
type duration time.Duration

// Set parses the value. The error does not repeat it, as that of cli does.
func (d *duration) Set(text string) error {
	if strings.Trim(text, "0123456789.") == "" {
		text += "s"
	}
	n, err := time.ParseDuration(text)
	if err != nil || n <= 0 {
		return errors.New("give seconds above 0, or a time as in 90s, 5m or 1h30m")
	}
	*d = duration(n)
	return nil
}

// String formats the value for help.
func (d *duration) String() string {
	if *d == 0 {
		return "0"
	}
	return time.Duration(*d).String()
}

// Type names the value in help where its usage does not.
func (d *duration) Type() string { return "time" }
