package zoo

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/guest"
)

// A finding is a line of diagnose --json of kind finding.
type finding struct {
	Kind, ID, Class, Severity, IfName, Netns, Cause, Location string

	Count   uint64
	Culprit struct {
		Process string
		Rule    struct{ Text, Confidence string }
	}
	Parts []struct {
		ID    string
		Count uint64
	}
	Counters []struct{ Name string }
	Settings []setting
	Fix      []string

	line string // all of it
}

// A setting is one that decides the finding.
type setting struct{ Name, Advice string }

// An account is a counter in the reconciliation.
type account struct {
	Name, IfName, Netns string
	Change, Unexplained uint64
	Noise               uint64
	Retransmissions     uint64

	RaisedBy []struct {
		Function, Confidence string
		Count                uint64
	} `json:"raised_by"`
}

// A diagnosis is what diagnose says, of one network namespace or of all.
type diagnosis struct {
	text     string // all lines of findings
	findings []finding
	accounts []account
	harmless uint64 // drops anywhere that lost nothing
	lost     uint64 // drops anywhere that were lost to the source
	failures []string
}

// limit is how long a diagnosis may take: it is a hang guard.
const limit = 3 * time.Minute

// A run is a run of diagnose that lasts until it is ended.
type run struct {
	cmd            *exec.Cmd
	stdin          io.Closer
	stdout, stderr strings.Builder
	messages       *bufio.Scanner
}

// start starts the program with a source, and returns when it watches: the command that it is
// to wait for says that the counters were read, and ends when its standard input does.
func start(t *testing.T, program, source string) *run {
	t.Helper()
	r := &run{cmd: exec.CommandContext(t.Context(), program, "diagnose", "--json", "--fail-on", "never", "-d", limit.String(),
		"-s", source, "--", "sh", "-c", "echo started >&2; cat")}
	r.cmd.Stdout = &r.stdout
	stdin, err := r.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := r.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.stdin, r.messages = stdin, bufio.NewScanner(stderr)
	for r.messages.Scan() && r.messages.Text() != "started" {
		r.stderr.WriteString(r.messages.Text() + "\n")
	}
	return r
}

// end ends it, and returns what it says.
func (r *run) end(t *testing.T) *diagnosis {
	t.Helper()
	r.stdin.Close()
	for r.messages.Scan() {
		r.stderr.WriteString(r.messages.Text() + "\n")
	}
	if err := r.cmd.Wait(); err != nil {
		t.Fatalf("diagnose: %v: %s", err, r.stderr.String())
	}
	return parse(t, r.stdout.String())
}

func parse(t *testing.T, text string) *diagnosis {
	t.Helper()
	d := new(diagnosis)
	for line := range strings.Lines(text) {
		var l struct {
			finding
			Reconciliation []account
			Harmless, Lost uint64
			Failures       []string
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if l.Kind == "finding" {
			l.finding.line = line
			d.findings = append(d.findings, l.finding)
		}
		d.harmless += l.Harmless
		d.lost += l.Lost
		d.failures = append(d.failures, l.Failures...)
		d.accounts = append(d.accounts, l.Reconciliation...)
	}
	return d
}

// of returns what is said of one namespace.
func (d *diagnosis) of(netns string) *diagnosis {
	one := &diagnosis{harmless: d.harmless}
	for _, f := range d.findings {
		if f.Netns == netns {
			one.findings = append(one.findings, f)
			one.text += f.line
		}
	}
	for _, a := range d.accounts {
		if a.Netns == netns {
			one.accounts = append(one.accounts, a)
			one.text += fmt.Sprintf("%+v\n", a)
		}
	}
	return one
}

// A wrongs is what a diagnosis says otherwise than it must.
type wrongs []string

func (w *wrongs) addf(format string, args ...any) { *w = append(*w, fmt.Sprintf(format, args...)) }

// check holds a diagnosis against what is wanted, and returns the finding.
func (d *diagnosis) check(t *wrongs, s *Scenario) (found finding) {
	beside := s.Want.Beside
	for _, f := range d.findings {
		switch {
		case slices.Contains(s.Want.IDs, f.ID) && found.ID == "":
			found = f
			s.Want.check(t, &f)
		case beside != nil && slices.Contains(beside.IDs, f.ID):
			beside.check(t, &f)
			beside = nil
		case f.Severity == "harm", s.Want.nothing() && f.Severity != "noise":
			t.addf("beside it stands %s, %s, %d: %s", f.ID, f.Severity, f.Count, f.Cause)
		}
	}
	if found.ID == "" && s.Want.IDs != nil {
		t.addf("no finding %v", s.Want.IDs)
	}
	if beside != nil {
		t.addf("beside it stands no finding %v", beside.IDs)
	}
	d.checkRaised(t, &s.Want)
	if s.Want.Harmless && d.harmless < packets {
		t.addf("%d drops are harmless, want %d", d.harmless, packets)
	}
	for _, a := range d.accounts {
		if rest := a.Unexplained + a.Noise + a.Retransmissions; rest > 0 && !slices.Contains(s.Want.Elsewhere, a.Name) {
			t.addf("unexplained: %s %s: %d of %d", a.IfName, a.Name, rest, a.Change)
		}
	}
	return found
}

// checkRaised holds who raised the counter of a device against what is wanted: as much as the interface counts. Before
// 6.9 there is no function to probe, so that it is known by drops alone, as on a kernel without kprobe events.
func (d *diagnosis) checkRaised(t *wrongs, w *Want) {
	name, function, _ := strings.Cut(w.Raised, " ")
	confidence := "likely"
	if _, err := os.Stat("/sys/kernel/tracing/kprobe_events"); err == nil && guest.AtLeast(6, 9) {
		confidence = "certain"
	}
	for _, a := range d.accounts {
		if a.Name != "interface."+name || a.IfName != w.IfName {
			continue
		}
		if len(a.RaisedBy) != 1 || a.RaisedBy[0].Function != function || a.RaisedBy[0].Count != a.Change ||
			a.RaisedBy[0].Confidence != confidence || a.Change != packets {
			t.addf("%s of %s rose by %d: by %+v, not by %s", name, a.IfName, a.Change, a.RaisedBy, function)
		}
		return
	}
	if w.Raised != "" && (guest.AtLeast(5, 19) || name != "rx_otherhost_dropped") {
		t.addf("%s of %s did not rise", name, w.IfName)
	}
}

// checkNowhere holds the findings without a namespace against what is wanted.
func (d *diagnosis) checkNowhere(t *wrongs, ids []string) {
	wanted := func(f finding) bool { return slices.Contains(ids, f.ID) && f.Count >= packets }
	if ids != nil && !slices.ContainsFunc(d.of("").findings, wanted) {
		t.addf("no finding %v without a namespace", ids)
	}
}

// nothing reports whether nothing that matters is to be said.
func (w *Want) nothing() bool { return w.IDs == nil || w.Severity == "noise" }

// check holds a finding against what is wanted.
func (w *Want) check(t *wrongs, f *finding) {
	if f.Count != packets*max(w.Times, 1) || f.Class != w.Class || f.Severity != w.Severity || f.IfName != w.IfName {
		t.addf("%s: %d, %s, %s, interface %q", f.ID, f.Count, f.Class, f.Severity, f.IfName)
	}
	if p := w.Process; p != "" && f.Culprit.Process != p && (p != self || f.Culprit.Process != comm()) {
		t.addf("%s: the culprit is %+v, not %s", f.ID, f.Culprit, p)
	}
	decides := func(s setting) bool { return s.Name == w.Setting && strings.Contains(s.Advice, w.Advice) }
	if w.Setting != "" && !slices.ContainsFunc(f.Settings, decides) {
		t.addf("%s: settings %v lack %s, %q", f.ID, f.Settings, w.Setting, w.Advice)
	}
	if rule := f.Culprit.Rule; !strings.Contains(rule.Text, w.Rule) || w.Rule != "" && rule.Confidence != w.Confidence {
		t.addf("%s: the rule is %s %q, not %s %q", f.ID, rule.Confidence, rule.Text, w.Confidence, w.Rule)
	}
	if w.Counter != "" && !slices.ContainsFunc(f.Counters, func(c struct{ Name string }) bool { return c.Name == w.Counter }) {
		t.addf("%s: counters %v lack %s", f.ID, f.Counters, w.Counter)
	}
	if !strings.Contains(f.Cause, w.Cause) {
		t.addf("%s: the cause does not say %q: %s", f.ID, w.Cause, f.Cause)
	}
	if !strings.Contains(f.line, w.Says) {
		t.addf("%s: %s is missing in %s", f.ID, w.Says, f.line)
	}
	if vmtest.InGuest() && !strings.Contains(f.line, w.Point) { // whose kernels have kprobes
		t.addf("%s: %s is missing in %s", f.ID, w.Point, f.line)
	}
	fix := strings.Join(f.Fix, "\n")
	if !strings.Contains(fix, w.Fix) || w.NotFix != "" && strings.Contains(fix, w.NotFix) {
		t.addf("%s: the fix must say %q and not %q: %s", f.ID, w.Fix, w.NotFix, fix)
	}
}

// comm is the name of this process, empty if it cannot be read.
func comm() string {
	text, _ := os.ReadFile("/proc/self/comm")
	return strings.TrimSpace(string(text))
}
