package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"dropwatch/internal/capture"
	"dropwatch/internal/event"
	"dropwatch/internal/sink/alert"
	"dropwatch/internal/stage/filter"
)

// alertSettings are those of an alert. In a list of tables go-toml begins with zeros, so the defaults
// are entered afterwards: see complete.
type alertSettings struct {
	Name       string     `toml:"name" help:"What it is called."`
	Expression expression `toml:"expression" help:"Drops that match it count; with retrans also kind == retransmit or reset, or tcp.type."`
	Count      uint32     `toml:"count" help:"Drops, retransmitted segments or resets within the window that are too many."`
	Rate       uint32     `toml:"rate" help:"Instead of count: how many a second, on average of the window, are too many."`
	Window     period     `toml:"window" help:"An incident begins when there are too many within this time, and ends when there are not."`
	Every      period     `toml:"every" help:"An incident that begins sooner after the last one is only counted."`
	Command    []string   `toml:"command" help:"A program by its path, and arguments, run without a shell; it gets the finding as JSON."`
	Timeout    period     `toml:"timeout" help:"How long the program may take."`
}

// A period is a time; 0 stands for the default. It is no number, as which a file could have it without
// a unit.
type period struct{ time.Duration }

// UnmarshalText parses the value.
func (p *period) UnmarshalText(text []byte) (err error) {
	p.Duration, err = capture.ParseDuration(string(text))
	return err
}

// String returns what UnmarshalText parses.
func (p period) String() string { return event.Duration(p.Duration) }

// exampleAlert is the alert that is printed, as a comment, with the defaults.
func exampleAlert() alertSettings {
	a := alertSettings{Name: "slow program", Count: 100, Command: []string{"/usr/local/bin/notify", "network"}}
	if err := a.Expression.UnmarshalText([]byte("reason == SOCKET_RCVBUFF")); err != nil {
		panic(err) // a reason that is known
	}
	a.complete()
	return a
}

// complete enters the defaults.
func (a *alertSettings) complete() {
	for _, d := range []struct {
		of    *period
		value time.Duration
	}{{&a.Window, 10 * time.Second}, {&a.Every, 5 * time.Minute}, {&a.Timeout, 30 * time.Second}} {
		if d.of.Duration == 0 {
			d.of.Duration = d.value
		}
	}
}

// Bounds of alerts: each is matched against every drop, and keeps what it saw within its window.
const (
	maxAlerts = 100
	maxWindow = time.Hour
)

// addAlerts adds the alerts of a file. With an alert, stack traces of sampled drops are recorded: they
// show narrower causes, as they do for diagnose.
func (c *Config) addAlerts(all []alertSettings, f *file, expression func(*filter.Filter) error) {
	c.Spec.Input.SampledStack = c.Spec.Input.SampledStack || len(all) > 0
	if len(all) > maxAlerts {
		err := fmt.Errorf("%d alerts are the most that can be watched for: leave out the others", maxAlerts)
		f.wrong(fmt.Sprintf("alert.%d", maxAlerts), err)
		return
	}
	run := !f.hasWrongRun() && !f.hasWrong("point")
	for i := range all {
		a, path := &all[i], fmt.Sprintf("alert.%d", i)
		a.complete()
		if f.hasWrong(path) {
			continue
		}
		a.check(all[:i], func(setting string, err error) { f.wrong(path+"."+setting, err) })
		if !run || f.hasWrong(path) {
			continue
		}
		if setting, err := c.checkAlert(a, expression); err != nil {
			f.wrong(path+"."+setting, err)
			continue
		}
		c.Alerts = append(c.Alerts, a.rule(&c.Spec))
	}
}

// checkAlert returns why an alert cannot be watched for by the run, which is right, and which setting is wrong.
func (c *Config) checkAlert(a *alertSettings, expression func(*filter.Filter) error) (setting string, err error) {
	spec := c.Spec
	spec.Filter = filter.And(spec.Filter, a.Expression.filter)
	return check(&spec, a.Expression.filter, expression)
}

// check hands over what is wrong with an alert after others: settings that contradict each other, and which of them is wrong.
// What one value may be was checked when it was parsed.
func (a *alertSettings) check(before []alertSettings, wrong func(setting string, err error)) {
	switch {
	case a.Name == "":
		wrong("name", errors.New("the alert has no name: give it one"))
	case slices.ContainsFunc(before, func(b alertSettings) bool { return b.Name == a.Name }):
		wrong("name", fmt.Errorf("an alert before it is called %q, too: give it another name", a.Name))
	}
	switch {
	case a.Count == 0 && a.Rate == 0:
		wrong("", fmt.Errorf("alert %q has no threshold: give count or rate", a.Name))
	case a.Count > 0 && a.Rate > 0:
		wrong("rate", fmt.Errorf("alert %q has count and rate: give one of them", a.Name))
	}
	if a.Window.Duration > maxWindow {
		wrong("window", fmt.Errorf("alert %q: give a window of %s or less", a.Name, event.Duration(maxWindow)))
	}
	if len(a.Command) > 0 && !filepath.IsAbs(a.Command[0]) {
		wrong("command", fmt.Errorf("alert %q: give the path of the program %q: it is run without a shell", a.Name, a.Command[0]))
	}
}

// kinds returns the kinds of events that count: drops, unless the expression is about other kinds.
func (a *alertSettings) kinds(spec *capture.Spec) []event.Kind {
	if !a.Expression.filter.NamesKind() {
		return []event.Kind{event.Drop}
	}
	return slices.DeleteFunc(kinds(spec), func(k event.Kind) bool { return !a.Expression.filter.CanMatchKind(k) })
}

// rule returns the rule of settings that are complete and right. A rate is a count within the window,
// which is the same on average and needs no other way to count.
func (a *alertSettings) rule(spec *capture.Spec) alert.Rule {
	count := uint64(a.Count)
	if a.Rate > 0 {
		count = max(1, uint64(float64(a.Rate)*a.Window.Seconds()))
	}
	return alert.Rule{
		Name: a.Name, Expression: a.Expression.String(), Match: a.Expression.filter.Match, Kinds: a.kinds(spec), Count: count,
		Window: a.Window.Duration, Every: a.Every.Duration, Command: a.Command, Timeout: a.Timeout.Duration,
	}
}
