package acceptance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// A finding is a line of diagnose --json, as far as these tests look at it.
type finding struct {
	Kind, ID, Class, Severity, Verdict string
	Rank, Count, Drops                 int
	Culprit                            struct{ PID, Count int }
	Counters, Reconciliation           []counted
	Failures                           []string
}

// counted is a counter: a line of counters --json, one that agrees with a finding, or one of the reconciliation.
type counted struct {
	Kind, Name, Lost, Error   string
	Change, Seen, Unexplained int
}

// jsonLines reads what --json wrote.
func jsonLines[T any](t *testing.T, stdout string) (all []T) {
	t.Helper()
	for text := range strings.Lines(stdout) {
		var line T
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		all = append(all, line)
	}
	return all
}

// diagnosed is how many packets TestGuestDiagnose loses in each way.
const diagnosed = 50

// TestGuestDiagnose has datagrams to a full receive buffer, in a network namespace of its own, and to a closed
// port: each is one finding, which explains its counter wholly. The verb counters shows the same beside it.
func TestGuestDiagnose(t *testing.T) {
	overflow := drops.Named("full receive buffer").PrepareIn(withProcess(t), diagnosed)
	counters := startCounters(t)
	end := startDiagnose(t, "--json", "-d", "30s")
	before := len(counters.Stdout())
	overflow()
	guest.Flood(t, diagnosed)
	for _, name := range []string{"UdpRcvbufErrors", "UdpNoPorts"} {
		guest.Eventually(t, name+" is shown", func() bool { return strings.Contains(counters.Stdout()[before:], name) })
	}
	r := end()
	all := jsonLines[finding](t, r.Stdout)
	if r.Code != 3 || len(all) < 3 {
		t.Fatalf("%+v", r)
	}
	rcvbuf := only(t, all, idOf("SOCKET_RCVBUFF", "udp_queue_rcv_one_skb"))
	rcvbuf.want(t, "no_buffer", "harm", "UdpRcvbufErrors")
	noPort := only(t, all, idOf("NO_SOCKET", "__udp4_lib_rcv"))
	noPort.want(t, "local", "maybe", "UdpNoPorts")
	// The process of the first drops may not have been found yet: reading all processes has a limited share of a CPU.
	if c, pid := rcvbuf.Culprit, os.Getpid(); c.PID != pid || c.Count < 1 || c.Count > diagnosed || noPort.Culprit.PID != 0 {
		t.Errorf("the culprits are %+v and %+v, want process %d and none", c, noPort.Culprit, pid)
	}
	all[len(all)-1].wantExplained(t)
	wantCounted(t, counters, before)
}

// startDiagnose starts a run, and returns what ends it when all packets are lost. A command is started when the counters
// were read, and its end is that of the run.
func startDiagnose(t *testing.T, options ...string) (end func() guest.Result) {
	t.Helper()
	begun, done := filepath.Join(t.TempDir(), "begun"), filepath.Join(t.TempDir(), "done")
	args := append([]string{"diagnose"}, options...)
	p := guest.Start(t, "", dropwatchPath, append(args, "--", "sh", "-c", "touch "+begun+"; until [ -e "+done+" ]; do sleep 0.1; done")...)
	guest.Eventually(t, "the command runs", func() bool { _, err := os.Stat(begun); return err == nil })
	return func() guest.Result {
		p.AwaitIdle() // some may be left unread at the end of a run
		if err := os.WriteFile(done, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return p.Wait()
	}
}

// TestGuestDiagnoseRule: the verdicts of nftables name a rule for certain that its packets do not show, with the handle
// that nft has.
func TestGuestDiagnoseRule(t *testing.T) {
	ns := withProcess(t)
	ns.Run("nft", "table inet t { chain sub { ct state new drop; }; chain c { type filter hook input priority 0; policy accept; "+
		"ct state established udp dport 9 drop; meta l4proto udp jump sub; }; }")
	handle := regexp.MustCompile(`ct state new drop # (handle \d+)`).FindStringSubmatch(ns.Run("nft", "-a", "list", "ruleset"))[1]
	end := startDiagnose(t, "--point", "nftables,nftables_policy", "netns.inode", strconv.Itoa(int(ns.Inode())))
	ns.SendUDP(diagnosed)
	r := end()
	text := strings.Join(strings.Fields(r.Stdout), " ")
	want := []string{
		"dropped by nftables: table inet t, chain sub, " + handle + ": ct state new drop, 50 times",
		"exactly nftables inet t sub " + handle + " (ct state new drop)",
	}
	if !guest.AtLeast(5, 11) { // modules have no types
		want = []string{"one of nftables inet t"}
	}
	for _, words := range want {
		if !strings.Contains(text, words) {
			t.Errorf("%q is missing in\n%s\n%s", words, r.Stdout, r.Stderr)
		}
	}
	if missing := strings.Contains(r.Stderr, "point nftables is not possible on this kernel"); missing == guest.AtLeast(5, 11) {
		t.Errorf("stderr:\n%s", r.Stderr)
	}
}

// idOf is how a finding is identified: before 5.17 there are no reasons.
func idOf(reason, function string) string {
	if guest.AtLeast(5, 17) {
		return reason
	}
	return function
}

// only returns the only finding with an ID.
func only(t *testing.T, all []finding, id string) finding {
	t.Helper()
	all = slices.DeleteFunc(slices.Clone(all), func(f finding) bool { return f.ID != id })
	if len(all) != 1 {
		t.Fatalf("%d findings of %s, want 1: %+v", len(all), id, all)
	}
	return all[0]
}

// want checks a finding of as many drops as were made, with which a counter agrees.
func (f *finding) want(t *testing.T, class, severity, counter string) {
	t.Helper()
	agrees := slices.ContainsFunc(f.Counters, func(c counted) bool { return c.Name == counter && c.Change == diagnosed })
	if f.Kind != "finding" || f.Class != class || f.Severity != severity || f.Count != diagnosed || !agrees {
		t.Errorf("%+v, want %d of class %s and severity %s, and as many %s", f, diagnosed, class, severity, counter)
	}
}

// wantExplained checks the last line: of what was counted, nothing is left unexplained.
func (f *finding) wantExplained(t *testing.T) {
	t.Helper()
	want := []string{"UdpNoPorts", "UdpInErrors", "UdpRcvbufErrors"}
	var got []string
	for _, c := range f.Reconciliation {
		if c.Name == "IcmpInErrors" { // before 6.5 an error may come after Flood has closed the socket that it is for
			continue
		}
		got = append(got, c.Name)
		if c.Change != diagnosed || c.Seen != diagnosed || c.Unexplained != 0 {
			t.Errorf("%+v, want %d, all of them explained", c, diagnosed)
		}
	}
	if f.Kind != "end" || !strings.HasPrefix(f.Verdict, "this host loses packets: see 1") || f.Drops < 2*diagnosed || len(f.Failures) > 0 ||
		!slices.Equal(got, want) {
		t.Errorf("%+v, want counters %q", f, want)
	}
}

// startCounters starts the verb counters for all namespaces, and waits until it has read them.
func startCounters(t *testing.T) *guest.Process {
	t.Helper()
	p := guest.Start(t, "", dropwatchPath, "counters", "--json", "--netns", "all", "--interval", "200ms", "--count", "0")
	guest.Eventually(t, "counters are shown", func() bool {
		guest.Flood(t, 1)
		return strings.Contains(p.Stdout(), `"UdpNoPorts"`)
	})
	return p
}

// wantCounted checks what the verb counters has shown after so many bytes of its output.
func wantCounted(t *testing.T, p *guest.Process, before int) {
	t.Helper()
	r := p.Interrupt()
	sums := make(map[string]int)
	for _, c := range jsonLines[counted](t, r.Stdout[before:]) {
		if sums[c.Name] += c.Change; c.Kind != "counter" || c.Lost == "no" {
			t.Errorf("%+v", c)
		}
	}
	for _, name := range []string{"UdpNoPorts", "UdpRcvbufErrors", "drops"} { // the last is of the socket
		if sums[name] != diagnosed {
			t.Errorf("%s rose by %d, want %d: %s", name, sums[name], diagnosed, r.Stdout[before:])
		}
	}
}
