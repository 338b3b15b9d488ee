// Package config reads the configuration file of a service (TOML): it turns the file into the values
// that package capture runs, and says at which line what is wrong.
//
// Its settings are the fields of one struct, from which the documentation of the file is
// printed as well.
package config

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"reflect"
	"slices"
	"time"

	"dropwatch/internal/capture"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/sink/alert"
	"dropwatch/internal/stage/filter"
)

// DefaultPath is the file that is read if none is named and this one exists.
const DefaultPath = "/etc/dropwatch.toml"

// maxFile is the size in bytes of the longest file: go-toml takes many seconds for a longer one. maxWait is how long the file
// system may take: a host that is busy must not keep a service from being reloaded.
const (
	maxFile = 1 << 18
	maxWait = 10 * time.Second
)

// A Config is what a file asks for.
type Config struct {
	Path string       // of the file; empty: there is none, and all is as by default
	Spec capture.Spec // without Spec.Command

	Alerts []alert.Rule // in the order of the file
}

// Checks say what this host cannot do. Nil is no check.
type Checks struct {
	Run, Alert func(*filter.Filter) error   // whether the expression of the run, or that of an alert, can match
	Outputs    func([]capture.Output) error // whether the files that the outputs read can be read
}

// Name is what people call it.
func (c *Config) Name() string {
	if c.Path == "" {
		return "the default configuration"
	}
	return "configuration " + event.Escape(c.Path)
}

// Read reads the file with that path, or [DefaultPath] if path is empty. Without either, all is as by
// default. Root reads only a file of its own, as the file decides what root runs and writes.
func Read(h *host.Host, path string, checks Checks) (*Config, error) {
	owner := uint32(host.AnyOwner)
	if os.Geteuid() == 0 {
		owner = 0
	}
	text, err := h.ReadPath(cmp.Or(path, DefaultPath), host.Limits{Bytes: maxFile, Owner: owner, Wait: maxWait})
	switch {
	case err == nil && path == "":
		path = DefaultPath
	case path == "" && errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, readError(path, err)
	}
	c, err := Parse(path, text, checks)
	if err != nil {
		return nil, err
	}
	c.Path = path
	return c, nil
}

// readError says why a file cannot be read, and what to do.
func readError(path string, err error) error {
	if path == "" {
		path = DefaultPath
	}
	fix := "name another file"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fix = "make one with `dropwatch config`"
	case errors.Is(err, fs.ErrPermission):
		fix = "try sudo"
	case errors.Is(err, host.ErrOwner):
		fix = "it decides what root runs: make it one of root's with chown"
	}
	return fmt.Errorf("read the configuration %s: %w: %s", event.Escape(path), event.WithoutPath(err), fix)
}

// Parse parses the text of a file, which errors call name. The error has all mistakes, joined, in the order of the
// file: each begins with the name and the number of a line. It may have bytes of the file that are not escaped.
func Parse(name string, text []byte, checks Checks) (*Config, error) {
	f := &file{name: event.Escape(name), text: text, root: reflect.TypeFor[settings](), all: "dropwatch config prints all"}
	s := decode(f, defaults)
	c := new(Config)
	if !f.hasWrong("point") {
		s.addPoints(&c.Spec.Input, f)
	}
	if !f.hasWrongRun() {
		c.addRun(&s, f, checks)
	}
	c.addAlerts(s.Alert, f, checks.Alert)
	if err := f.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// addRun adds the run that the settings of a file describe, to which its points have been added.
func (c *Config) addRun(s *settings, f *file, checks Checks) {
	spec, setting, err := s.spec()
	if err != nil {
		f.wrong(setting, err)
		return
	}
	spec.Input.Points = c.Spec.Input.Points
	c.Spec = spec
	if setting, err = check(&spec, spec.Filter, checks.Run); err != nil {
		f.wrong(setting, err)
	}
	if checks.Outputs != nil {
		f.wrong("output", checks.Outputs(spec.Outputs))
	}
}

// spec returns the run that the settings describe, or the setting that is wrong.
func (s *settings) spec() (spec capture.Spec, setting string, err error) {
	if len(s.Output) == 0 {
		return spec, "output", errors.New("nothing would be written: add an output")
	}
	points, err := filter.Points(names(s.Include), names(s.Exclude))
	if err != nil {
		return spec, "include", err
	}
	spec = capture.Spec{
		Input: capture.Input{
			Source: s.Source.name, Origins: s.Origin.set, Stack: s.Stack, Takeover: s.Takeover, Trunc: s.Trunc,
			Sample: int(min(s.Sample, math.MaxInt32)), ByOwner: s.ByOwner, RawAddresses: s.RawAddresses,
			AndRetrans: s.Retrans, Resets: s.Retrans,
		},
		Filter: filter.And(points, s.Expression.filter),
	}
	for _, o := range s.Output {
		o.value.Stack = s.Stack && o.value.Format == capture.Lines
		spec.Outputs = append(spec.Outputs, o.value)
	}
	spec.Input.SampledStack = spec.ShowsCauses()
	return spec, "", nil
}

// check returns why a run is not possible, by package capture, which checks the command line in the same way, or by
// what checks the expression f on this host; and which setting is wrong.
func check(spec *capture.Spec, f *filter.Filter, expression func(*filter.Filter) error) (setting string, err error) {
	setting = "expression"
	err = spec.Check()
	if err == nil {
		err = checkKinds(spec)
	}
	if err == nil && expression != nil {
		err = expression(f)
	}
	if wrong, ok := errors.AsType[*capture.SpecError](err); ok { // the file is wrong, not the command line
		setting, err = cmp.Or(wrong.Setting, setting), wrong.Err
	}
	if errors.Is(err, capture.ErrNoStacks) {
		err = errors.New("the expression needs stack traces: set stack = true")
	}
	if errors.Is(err, capture.ErrNoPoints) {
		err = errors.New("the expression is of points, and none is reported: set points, or add a table [[point]]")
	}
	return setting, err
}

// checkKinds returns an error if the expression of a run matches no event that is reported.
func checkKinds(spec *capture.Spec) error {
	canMatch := func(k event.Kind) bool { return spec.Filter.CanMatchKind(k) }
	switch {
	case slices.ContainsFunc(kinds(spec), canMatch):
		return nil
	case !spec.Input.AndRetrans && slices.ContainsFunc([]event.Kind{event.Retransmit, event.Reset}, canMatch):
		return errors.New("the expression is of what TCP sends again or resets, which is not reported: set retrans = true")
	}
	return errors.New("the expression matches only what is not reported")
}

// kinds returns which kinds of events are reported, beside losses.
func kinds(spec *capture.Spec) []event.Kind {
	all := []event.Kind{event.Drop}
	if spec.Input.AndRetrans {
		all = append(all, event.Retransmit, event.Reset)
	}
	if len(spec.Input.Points) > 0 {
		all = append(all, event.Point)
	}
	return all
}
