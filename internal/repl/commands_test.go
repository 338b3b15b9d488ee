package repl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dropwatch/internal/event"
)

// TestAnswers: each command's bytes, its notes, and what it asked of the host.
func TestAnswers(t *testing.T) {
	const shown = "Alert mode: Summary\nTruncation length: 0\nQueue length: 1000\n"
	const counted = "Software statistics:\nTail dropped: 12\nHardware statistics:\nTail dropped: 3\n"
	tests := []struct {
		line, out, err string
		changes        []string
	}{
		{line: ""},
		{line: " \t "},
		{line: "exit"},
		{line: "# a comment"},
		{line: "  #show"},
		{line: "help stop", out: "stop\t\t\t\t - stop capture\n"},
		{line: "help dump", changes: []string{`dump ["--help"]`}},
		{line: "quit"},
		{line: "  show  ", out: "Getting existing configuration\n" + shown},
		{line: "stats", out: "Getting statistics\n" + counted},
		{line: "status", out: "Monitoring: off\n" + shown + counted},
		{line: "stop", out: "Deactivation requested, turning off monitoring\nGot a stop message\n", changes: []string{"stop"}},
		{
			line:    "start",
			out:     "Enabling monitoring...\nKernel monitoring activated.\nIssue Ctrl-C to stop monitoring\nGot a stop message\n",
			changes: []string{"start"},
		},
		{line: "filter", out: "filter: none\n"},
		{line: "filter none", out: "filter: none\n"},
		{line: "filter dst port 53", out: "filter: dst port 53\n"},
		{line: "set source trace", out: "setting source to trace\n"},
		{line: "dump", changes: []string{"dump []"}},
		{line: "dump -w  a --trunc 5", changes: []string{`dump ["-w" "a" "--trunc" "5"]`}},
		{
			line:    "set alertmode packet",
			out:     "Setting alert mode\nAlert mode successfully set\n",
			changes: []string{"packet mode true"},
		},
		{
			line:    "set alertmode  summary ",
			out:     "Setting alert mode\nAlert mode successfully set\n",
			changes: []string{"packet mode false"},
		},
		{
			line:    "set\ttrunc 4294967295",
			out:     "Setting truncation length to 4294967295\nTruncation length successfully set\n",
			changes: []string{"trunc 4294967295"},
		},
		{
			line:    "set queue 500",
			out:     "Setting queue length to 500\nQueue length successfully set\n",
			changes: []string{"queue 500"},
		},
		{
			line:    "set queue 0",
			out:     "Setting queue length to 0\nQueue length successfully set\n",
			err:     "dropwatch: a queue of 0 loses every packet: the kernel takes no number as no limit\n",
			changes: []string{"queue 0"},
		},
		{line: "set alertlimit 3", out: "setting alert capture limit to 3\n"},
		{line: "set alertlimit 18446744073709551615", out: "setting alert capture limit to 18446744073709551615\n"},
		{line: "set sw true", out: "setting software drops monitoring to 1\n"},
		{
			line: "set sw 0", out: "setting software drops monitoring to 0\n",
			err: "dropwatch: with neither sw nor hw the kernel monitors software drops: set hw true for hardware drops alone\n",
		},
		{line: "set hw 1", out: "setting hardware drops monitoring to 1\n"},
		{line: "set hw false", out: "setting hardware drops monitoring to 0\n"},
		{line: "set rcvbuf 1048576", out: "setting receive buffer to 1048576\n"},
		{line: "set takeover true", out: "setting takeover to 1\n"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			b := newBench(tt.line, "exit")
			b.host.stats = Stats{Software: 12, Hardware: 3}
			b.run(t, nil)
			if diff := cmp.Diff(tt.out, b.answers()); diff != "" {
				t.Errorf("stdout (-want +got):\n%s", diff)
			}
			if got := b.err.String(); got != tt.err {
				t.Errorf("stderr %q, want %q", got, tt.err)
			}
			if !slices.Equal(b.host.changes, tt.changes) {
				t.Errorf("asked of the host %q, want %q", b.host.changes, tt.changes)
			}
		})
	}
}

const settingNames = "give one of: alertlimit, alertmode, trunc, queue, sw, hw, rcvbuf, source, takeover"

// TestBadLines: they are errors that say what to do, and change nothing.
func TestBadLines(t *testing.T) {
	tests := map[string]string{
		"foo":                    `unknown command "foo": type help for the list`,
		"HELP":                   `unknown command "HELP": did you mean help?`,
		"showx":                  `unknown command "showx": did you mean show?`,
		"\x1b[2J":                `unknown command "\x1b[2J": type help for the list`,
		"help stopp":             `unknown command "stopp": did you mean stop?`,
		"help start stop":        `help: unexpected argument "stop": give one command`,
		"exit now":               `exit: unexpected argument "now"`,
		"start 5 6":              `start: unexpected argument "5"`,
		"set":                    `set: nothing to set: ` + settingNames,
		"set bogus 1":            `set: unknown setting "bogus": ` + settingNames,
		"set trunc":              `set trunc: got 0 values: give one: set trunc <len>`,
		"set trunc 7 8":          `set trunc: got 2 values: give one: set trunc <len>`,
		"set trunc abc":          `set trunc: invalid number "abc": give a whole number from 0 to 4294967295`,
		"set trunc -5":           `set trunc: invalid number "-5": give a whole number from 0 to 4294967295`,
		"set trunc 12abc":        `set trunc: invalid number "12abc": give a whole number from 0 to 4294967295`,
		"set trunc 4294967296":   `set trunc: invalid number "4294967296": give a whole number from 0 to 4294967295`,
		"set queue 0x10":         `set queue: invalid number "0x10": give a whole number from 0 to 4294967295`,
		"set alertlimit -1":      `set alertlimit: invalid number "-1": give a whole number from 0 to 18446744073709551615`,
		"set alertlimit":         `set alertlimit: got 0 values: give one: set alertlimit <number>`,
		"set alertmode packetx":  `set alertmode: invalid mode "packetx": give summary or packet`,
		"set alertmode":          `set alertmode: got 0 values: give one: set alertmode <mode>`,
		"set sw maybe":           `set sw: invalid boolean value "maybe": give true or false`,
		"set sw TRUE":            `set sw: invalid boolean value "TRUE": give true or false`,
		"set hw":                 `set hw: got 0 values: give one: set hw <true | false>`,
		"set hw 2":               `set hw: invalid boolean value "2": give true or false`,
		"set rcvbuf 99999999999": `set rcvbuf: invalid number "99999999999": give a whole number from 0 to 1073741823`,
		"set takeover yes":       `set takeover: invalid boolean value "yes": give true or false`,
		"set alertlimit5":        `set: unknown setting "alertlimit5": ` + settingNames,
		"filter bad":             errBadFilter.Error(),
		"set source perf":        `set source: unknown source "perf": give one of: auto, bpf, netdm, trace`,
		"stats\u00a0now":         `stats: unexpected argument "now"`,
	}
	for line, want := range tests {
		t.Run(line, func(t *testing.T) {
			b := newBench(line, "exit")
			before := b.Settings
			b.run(t, ErrFailed)
			if got := b.err.String(); got != "dropwatch: "+want+"\n" {
				t.Errorf("stderr %q, want %q", got, want)
			}
			if out := b.answers(); out != "" {
				t.Errorf("stdout %q", out)
			}
			if !reflect.DeepEqual(b.Settings, before) || len(b.host.changes) > 0 {
				t.Errorf("changed: %+v, %q", b.Settings, b.host.changes)
			}
		})
	}
}

// TestHostFailures: every command that asks the host tells why it failed, after
// what it had to say, and says no success.
func TestHostFailures(t *testing.T) {
	tests := map[string]string{
		"set alertmode packet": "Setting alert mode\n",
		"set trunc 1":          "Setting truncation length to 1\n",
		"set queue 0":          "Setting queue length to 0\n",
		"show":                 "Getting existing configuration\n",
		"stats":                "Getting statistics\n",
		"start":                "Enabling monitoring...\n",
		"stop":                 "Deactivation requested, turning off monitoring\n",
		"dump":                 "",
	}
	for line, want := range tests {
		t.Run(line, func(t *testing.T) {
			b := newBench(line)
			b.host.fail = errRefused
			b.run(t, ErrFailed)
			if got := b.answers(); got != want {
				t.Errorf("stdout %q, want %q", got, want)
			}
			if got, want := b.err.String(), "dropwatch: "+errRefused.Error()+"\n"; got != want {
				t.Errorf("stderr %q, want %q", got, want)
			}
		})
	}
}

func TestStatusTellsWhatItCan(t *testing.T) {
	b := newBench("status")
	b.host.fail = errRefused
	b.run(t, ErrFailed)
	if got := b.answers(); got != "Monitoring: off\n" {
		t.Errorf("stdout %q", got)
	}
	if got, want := b.err.String(), "dropwatch: "+errRefused.Error()+"\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
}

// TestLosses: what was lost is told at the end of a run, and again by status.
func TestLosses(t *testing.T) {
	ledger := event.Ledger{Shown: 7}
	ledger.Lost[event.AtSocket] = 2
	b := newBench("start", "status", "exit")
	b.host.captures = []capture{{shows: "7 drops\n", ledger: ledger}}
	b.run(t, nil)
	const report = "lost 2 drops: 2 at dropwatch's socket\n"
	for _, want := range []string{
		"7 drops\nGot a stop message\n" + report,
		"Last run: 7 drops shown, 2 lost\n" + report,
	} {
		if !strings.Contains(b.out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, &b.out)
		}
	}
}

// TestFailedCapture: a run that ended in an error was no stop, but its losses
// are told.
func TestFailedCapture(t *testing.T) {
	ledger := event.Ledger{Lost: event.Losses{event.FullSummary: 1}}
	b := newBench("start")
	b.host.captures = []capture{{shows: "1 drops\n", ledger: ledger, err: errRefused}}
	b.run(t, ErrFailed)
	want := "Enabling monitoring...\nKernel monitoring activated.\nIssue Ctrl-C to stop monitoring\n1 drops\n" + ledger.Report()
	if got := b.answers(); got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
}

// TestClosedPipe: a script whose output nobody reads ends with that error, which it
// leaves to the caller.
func TestClosedPipe(t *testing.T) {
	gone := fmt.Errorf("show drops: %w", syscall.EPIPE)
	b := newBench("start", "show")
	b.host.captures = []capture{{shows: "1 drops\n", err: gone}}
	b.run(t, gone)
	if b.err.Len() > 0 || strings.Contains(b.answers(), "Queue") {
		t.Errorf("stdout %q, stderr %q", b.answers(), &b.err)
	}
}

// TestSettingsReachTheCapture: also that each start is given the limit again.
func TestSettingsReachTheCapture(t *testing.T) {
	b := newBench("set alertlimit 3", "set sw true", "set hw 1", "set rcvbuf 4096", "set takeover true", "start", "start")
	b.host.captures = []capture{{limited: true}, {limited: true}}
	b.run(t, nil)
	want := Settings{AlertLimit: 3, Software: true, Hardware: true, ReadBuffer: 4096, Takeover: true}
	if diff := cmp.Diff([]Settings{want, want}, b.host.settings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	const limited = "Issue Ctrl-C to stop monitoring\nAlert limit reached, deactivating!\n" +
		"Deactivation requested, turning off monitoring\nGot a stop message\n"
	if n := strings.Count(b.out.String(), limited); n != 2 {
		t.Errorf("the limit was told %d times:\n%s", n, &b.out)
	}
}

func TestSettingsReachVerbs(t *testing.T) {
	b := newBench("set source trace", "filter port 53", "set takeover true", "look  a b")
	var got Settings
	b.Verbs = []Verb{{Name: "look", Args: "[x]", Run: func(_ context.Context, s Settings, args []string) error {
		got = s
		return nil
	}}}
	b.run(t, nil)
	if want := (Settings{Source: "trace", Filter: "port 53", Takeover: true}); !reflect.DeepEqual(got, want) {
		t.Errorf("settings %+v, want %+v", got, want)
	}
}

// FuzzExecute: no line panics, and a bad one changes nothing.
func FuzzExecute(f *testing.F) {
	for _, line := range []string{
		"help", "set trunc 5", "set trunc -5", "set alertmode packet x", "start", "dump -w f", "set sw true",
		"set hw maybe", "exit\x00", "\xff\xfe", "set set set", "stop stop", "set\u2003queue 1", "status",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		b := newBench(line)
		b.Out, b.lines.out, b.host.out = io.Discard, io.Discard, io.Discard
		before := b.Settings
		err := b.Run(context.Background())
		switch bad := errors.Is(err, ErrFailed); {
		case err != nil && !bad:
			t.Errorf("%q: %v", line, err)
		case bad && b.err.Len() == 0:
			t.Errorf("%q failed without a word", line)
		case bad && (!reflect.DeepEqual(b.Settings, before) || len(b.host.changes) > 0):
			t.Errorf("%q is bad, but changed %+v %q", line, b.Settings, b.host.changes)
		}
		for _, c := range b.err.String() {
			if c != '\n' && (c < ' ' || c == 0x7f) {
				t.Errorf("%q: stderr has a control byte: %q", line, &b.err)
			}
		}
		language.Complete(line)
	})
}

// TestWithoutMonitor: what asks about the drop monitor says which source there is
// instead, and does not end a script.
func TestWithoutMonitor(t *testing.T) {
	none := fmt.Errorf("%w: try modprobe", ErrNoMonitor)
	const auto = "Source: auto, the first that works of bpf and trace\ndrop monitor not available: try modprobe\n"
	for script, want := range map[string]string{
		"show":   "Getting existing configuration\nAlert mode: Summary\nTruncation length: 7\n" + auto,
		"stats":  "Getting statistics\n" + auto,
		"status": "Monitoring: off\nAlert mode: Summary\nTruncation length: 7\n" + auto,
		"stop": "Deactivation requested, turning off monitoring\n" +
			"Nothing to stop: drop monitor not available\n",
		"set queue 5":              "Setting queue length to 5\nNo other source has a queue: drop monitor not available: try modprobe\n",
		"set source trace\nstatus": "Source: trace\ndrop monitor not available: try modprobe\n",
	} {
		b := newBench(strings.Split(script, "\n")...)
		b.host.fail, b.Settings.Trunc = none, 7
		b.run(t, nil)
		if got := b.answers(); !strings.Contains(got, want) || b.err.String() != "" {
			t.Errorf("%s: %q, notes %q; want %q", script, got, b.err.String(), want)
		}
	}
}

// TestVerbSetsSettings: what a verb sets holds for the verbs after it, and is answered. An error changes nothing.
func TestVerbSetsSettings(t *testing.T) {
	b := newBench("look on a", "look", "look on")
	var got Settings
	b.Verbs = []Verb{{
		Name: "look",
		Set: func(s *Settings, args []string) (string, bool, error) {
			switch len(args) {
			case 2:
				s.Points = append(s.Points, args[1])
				return "a is on\n", true, nil
			case 1:
				return "", true, errors.New("nothing is named")
			}
			return "", false, nil
		},
		Run: func(_ context.Context, s Settings, _ []string) error {
			got = s
			return nil
		},
	}}
	b.run(t, ErrFailed)
	if !slices.Equal(got.Points, []string{"a"}) || b.answers() != "a is on\n" || b.err.String() != "dropwatch: nothing is named\n" {
		t.Errorf("settings %+v, answers %q, errors %q", got, b.answers(), b.err.String())
	}
}
