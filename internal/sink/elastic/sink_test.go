package elastic

import (
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dropwatch/internal/event"
)

// A rig is a Sink of a test, and what it said.
type rig struct {
	*Sink
	t       *testing.T
	shown   uint64
	mu      sync.Mutex
	notices []string
}

func newRig(t *testing.T, c Config) *rig {
	t.Helper()
	r := &rig{t: t}
	c.Origin = Origin{Host: "router", Kernel: "6.12", Version: "1.0", Run: cmpRun(c.Origin.Run, t.Name())}
	c.Object = func(e *event.Event) []byte { return fmt.Appendf(nil, `{"kind":%q,"count":%d}`, e.Kind, e.Count) }
	c.Text = func(e *event.Event) []byte { return []byte("a " + e.Kind.String()) }
	c.Notify = func(text string) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.notices = append(r.notices, text)
	}
	if c.Every == 0 {
		c.Every = 10 * time.Millisecond
	}
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	r.Sink = s
	t.Cleanup(func() { s.Close() })
	return r
}

func cmpRun(given, name string) string {
	if given == "" {
		return name
	}
	return given
}

// drops writes n drops, each of two packets, whose reasons are numbered from first.
func (r *rig) drops(first, n int) {
	r.t.Helper()
	for i := range n {
		e := event.Event{Kind: event.Drop, Time: at, Count: 2, Reason: fmt.Sprintf("R%04d", first+i)}
		if err := r.Write(&e); err != nil {
			r.t.Fatal(err)
		}
		r.shown += 2
	}
}

var at = time.Date(2026, 11, 27, 23, 59, 59, 123456789, time.FixedZone("", -3600))

// finish ends the run and returns the error.
func (r *rig) finish() error {
	r.t.Helper()
	if err := r.Write(&event.Event{Kind: event.End, Time: at, Ledger: &event.Ledger{Shown: r.shown}}); err != nil {
		r.t.Fatal(err)
	}
	return r.Flush()
}

func (r *rig) said() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.notices)
}

// numbered returns what a cluster has when n drops and the End have come.
func numbered(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("drop R%04d", i))
	}
	return append(all, "end ")
}

// check fails unless a cluster has exactly what it should, in any order.
func check(t *testing.T, c *cluster, want []string) {
	t.Helper()
	got := c.has()
	slices.Sort(got)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%d documents %q, want %d: %q", len(got), got, len(want), want)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// TestFaults: whatever the server does, each document arrives once.
func TestFaults(t *testing.T) {
	for name, script := range map[string][]fault{
		"none": nil, "busy": {busy, busy, fine, busy}, "down": {down, proxy, down},
		"some busy": {someBusy, someBusy, someBusy, fine, someBusy}, "hangs": {hangs, fine, hangsAfter, fine},
		"resets": {resets, fine, resets, half, half}, "garbage": {garbage, garbage, fine, garbage},
		"all": {busy, resets, fine, someBusy, hangsAfter, fine, down, half, fine, proxy, someBusy, fine, garbage, hangs},
	} {
		for _, spooled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, spool %t", name, spooled), func(t *testing.T) {
				t.Parallel()
				c := newCluster(t, script...)
				o := Options{URLs: []string{c.http.URL}, Count: 10, Timeout: time.Second}
				if spooled {
					o.Spool = filepath.Join(t.TempDir(), "spool")
				}
				r := newRig(t, Config{Options: o})
				r.drops(0, 95)
				if err := r.finish(); err != nil {
					t.Error(err)
				}
				check(t, c, numbered(95))
				if lost := r.Lost(); lost != (event.Ledger{}) {
					t.Errorf("lost %+v", lost)
				}
				silent := len(script) == 0 || name == "some busy"
				if said := r.said(); !silent && (len(said) < 2 || !strings.Contains(said[0], "trying again")) {
					t.Errorf("said %q", said)
				}
			})
		}
	}
}

// TestOrder: without faults documents come in the order of their events, and every one has what the event had.
func TestOrder(t *testing.T) {
	c := newCluster(t)
	r := newRig(t, Config{Options: Options{URLs: []string{c.http.URL + "/"}, Count: 7}})
	r.drops(0, 30)
	if err := r.finish(); err != nil {
		t.Error(err)
	}
	if got := c.has(); !slices.Equal(got, numbered(30)) {
		t.Errorf("%q", got)
	}
	if len(c.templates) != 1 || !strings.Contains(c.templates[DefaultIndex], `"data_stream":{}`) {
		t.Errorf("templates %v", c.templates)
	}
}

// TestRefused: a document that the server does not want is counted, with its reason, and keeps back no other.
func TestRefused(t *testing.T) {
	c := newCluster(t, someBusy)
	c.set(func() { c.refuse = "R0003" })
	r := newRig(t, Config{Options: Options{URLs: []string{c.http.URL}, Count: 10}})
	r.drops(0, 20)
	r.drops(3, 1)
	if err := r.finish(); err != nil {
		t.Error(err)
	}
	check(t, c, slices.DeleteFunc(numbered(20), func(s string) bool { return s == "drop R0003" }))
	if lost := r.Lost(); lost.Shown != 4 {
		t.Errorf("lost %+v", lost)
	}
	want := []string{
		"elastic:" + c.http.URL + ` refused a document: e: failed to parse field \x1b[31m: its drops are counted as lost`,
		"elastic:" + c.http.URL + " refused 2 documents in all",
	}
	if got := r.said(); !slices.Equal(got, want) {
		t.Errorf("said %q, want %q", got, want)
	}
}

// TestTooLarge: a request that is too large for the server is divided, and a document is refused only if it alone is.
func TestTooLarge(t *testing.T) {
	c := newCluster(t)
	c.set(func() { c.maxBody = 1500 })
	r := newRig(t, Config{Options: Options{URLs: []string{c.http.URL}, Count: 16}})
	r.drops(0, 40)
	e := event.Event{Kind: event.Drop, Time: at, Count: 3, Reason: strings.Repeat("X", 2000)}
	if err := r.Write(&e); err != nil {
		t.Fatal(err)
	}
	r.shown += 3
	if err := r.finish(); err != nil {
		t.Error(err)
	}
	check(t, c, numbered(40))
	if lost := r.Lost(); lost.Shown != 3 {
		t.Errorf("lost %+v", lost)
	}
}

// TestDeadServer: without a spool what is not delivered at the end is lost, and an error; another URL is used if there is one.
func TestDeadServer(t *testing.T) {
	dead := newCluster(t)
	dead.http.Close()
	abort := make(chan struct{})
	r := newRig(t, Config{Options: Options{URLs: []string{dead.http.URL}}, Abort: abort})
	r.drops(0, 5)
	close(abort)
	if err := r.finish(); err == nil || !strings.Contains(err.Error(), "not everything was delivered") {
		t.Errorf("error %v", err)
	}
	if lost := r.Lost(); lost.Shown != 10 {
		t.Errorf("lost %+v", lost)
	}
	c := newCluster(t)
	r = newRig(t, Config{Options: Options{URLs: []string{dead.http.URL, c.http.URL}}})
	r.drops(0, 5)
	if err := r.finish(); err != nil {
		t.Error(err)
	}
	check(t, c, numbered(5))
}

// TestOutage: what was spooled is delivered by a later run, in order and before what is new, and is no loss of
// the first one.
func TestOutage(t *testing.T) {
	dead := newCluster(t)
	dead.http.Close()
	dir := filepath.Join(t.TempDir(), "spool")
	abort := make(chan struct{})
	o := Options{URLs: []string{dead.http.URL}, Spool: dir, Count: 10}
	r := newRig(t, Config{Options: o, Abort: abort, Origin: Origin{Run: "first"}})
	r.drops(0, 95)
	close(abort)
	if err := r.finish(); err != nil {
		t.Error(err)
	}
	if lost := r.Lost(); lost != (event.Ledger{}) {
		t.Errorf("lost %+v", lost)
	}
	if said := strings.Join(r.said(), "\n"); !strings.Contains(said, "what is not delivered stays in "+dir+" for the next run") {
		t.Errorf("said %s", said)
	}
	if _, err := New(Config{Options: o}); err == nil || !strings.Contains(err.Error(), "another program uses the spool") {
		t.Errorf("a second one: %v", err)
	}
	r.Close()
	c := newCluster(t, resets, someBusy)
	c.set(func() { c.refuse = "R0007" })
	o.URLs = []string{c.http.URL}
	r = newRig(t, Config{Options: o})
	r.drops(95, 5)
	if err := r.finish(); err != nil {
		t.Error(err)
	}
	want := append(numbered(100), "end ")
	check(t, c, slices.DeleteFunc(want, func(s string) bool { return s == "drop R0007" }))
	if lost := r.Lost(); lost != (event.Ledger{}) { // that of R0007 is of a run that is over
		t.Errorf("lost %+v", lost)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.*")); err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
}

// TestComesBack: a server that dies and comes back gets everything once, in the same run.
func TestComesBack(t *testing.T) {
	for name, spool := range map[string]string{"memory": "", "spool": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			address := c.http.Listener.Addr().String()
			r := newRig(t, Config{Options: Options{URLs: []string{c.http.URL}, Count: 10, Spool: spool}})
			r.drops(0, 50)
			eventually(t, "the first drops", func() bool { return len(c.has()) >= 50 })
			c.http.CloseClientConnections()
			c.http.Close()
			r.drops(50, 50)
			eventually(t, "a notice", func() bool { return len(r.said()) > 0 })
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			c.http = httptest.NewUnstartedServer(c)
			c.http.Listener.Close()
			c.http.Listener = l
			c.http.Start()
			if err := r.finish(); err != nil {
				t.Error(err)
			}
			check(t, c, numbered(100))
			want := "writing to elastic:http://" + address + " again"
			if said := r.said(); len(said) != 2 || said[1] != want || r.Lost() != (event.Ledger{}) {
				t.Errorf("said %q, lost %+v", said, r.Lost())
			}
		})
	}
}

// TestFullQueue: what neither memory nor spool has room for is lost and counted, and said once.
func TestFullQueue(t *testing.T) {
	dead := newCluster(t)
	dead.http.Close()
	for name, spool := range map[string]string{"memory": "", "spool": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			abort := make(chan struct{})
			o := Options{URLs: []string{dead.http.URL}, Count: 50, Spool: spool, SpoolSize: 64 << 20}
			r := newRig(t, Config{Options: o, Abort: abort})
			big := event.Event{Kind: event.Drop, Time: at, Count: 1, Reason: strings.Repeat("X", 100_000)}
			const n = 1000 // of 100 KB, of which 64 MB hold less
			for range n {
				if err := r.Write(&big); err != nil {
					t.Fatal(err)
				}
				r.shown++
			}
			close(abort)
			err := r.finish()
			lost := r.Lost().Shown
			if spool == "" && (err == nil || lost != n) || spool != "" && (err != nil || lost < 300 || lost > 500) {
				t.Errorf("error %v, lost %d", err, lost)
			}
			full := 0
			for _, text := range r.said() {
				if strings.Contains(text, "the queue of documents for elastic:"+dead.http.URL+" is full") {
					full++
				}
			}
			if full != 1 {
				t.Errorf("said %q", r.said())
			}
		})
	}
}

// TestWait: a recording is not lost because a server is slow.
func TestWait(t *testing.T) {
	c := newCluster(t, busy, busy, busy)
	r := newRig(t, Config{Options: Options{URLs: []string{c.http.URL}, Count: 100}, Wait: true})
	big := event.Event{Kind: event.Drop, Time: at, Count: 1, Reason: strings.Repeat("X", 100_000)}
	for range 800 {
		if err := r.Write(&big); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.finish(); err != nil || r.Lost() != (event.Ledger{}) || len(c.has()) != 801 {
		t.Errorf("error %v, lost %+v, %d documents", err, r.Lost(), len(c.has()))
	}
}

// TestAuthentication: a wrong key is said, without the key, and a corrected one is read again.
func TestAuthentication(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("wrong-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCluster(t)
	c.set(func() { c.auth = "ApiKey right-secret" })
	r := newRig(t, Config{Options: Options{URLs: []string{c.http.URL}, KeyFile: file}})
	r.drops(0, 3)
	eventually(t, "a refusal", func() bool { return len(r.said()) > 0 })
	if got, want := r.said()[0], "elastic: "+c.http.URL+": the server answers 401"; !strings.HasPrefix(got, want) {
		t.Errorf("said %q", got)
	}
	if err := os.WriteFile(file, []byte("right-secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.finish(); err != nil {
		t.Error(err)
	}
	check(t, c, numbered(3))
	if said := fmt.Sprint(r.said()); strings.Contains(said, "secret") {
		t.Errorf("said %s", said)
	}
}
