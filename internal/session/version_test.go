package session_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/session"
)

// TestVersions reads files that earlier ones wrote, as every later one must.
func TestVersions(t *testing.T) {
	for _, name := range []string{"v1", "v1-owner", "v2", "v3", "retrans", "points"} {
		path := "../../testdata/session-files/" + name
		file, err := os.ReadFile(path + ".session")
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(path + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		if got := describe(t, file); got != string(want) {
			t.Errorf("%s: got\n%swant\n%s", name, got, want)
		}
	}
}

// describe returns a file's header, events and ledger, a line each.
func describe(t *testing.T, file []byte) string {
	t.Helper()
	r, err := session.Open(bytes.NewReader(file), "x")
	if err != nil {
		t.Fatal(err)
	}
	head, err := json.Marshal(r.Header())
	if err != nil {
		t.Fatal(err)
	}
	events, err := replay(t, file)
	if err != nil {
		t.Fatal(err)
	}
	ls := slices.Concat([]string{fmt.Sprintf("version %d %s", r.Header().Version, head)}, lines(events))
	ls = append(append(ls, account(rerun(t, file))), hostLines(file)...)
	return strings.Join(ls, "\n") + "\n"
}

// hostLines returns what a file has of the host, but for counters that did not rise.
func hostLines(file []byte) (ls []string) {
	h, _ := hostOf(file)
	if h.First == nil {
		return nil
	}
	ls = append(ls, fmt.Sprintf("counters snapshots=%d first=%d at %s, last=%d at %s", h.Snapshots, len(h.First.Counters),
		h.First.Time.UTC().Format(time.RFC3339Nano), len(h.Last.Counters), h.Last.Time.UTC().Format(time.RFC3339Nano)))
	for _, c := range counters.Compare(h.First, h.Last) {
		if c.Delta > 0 {
			ls = append(ls, fmt.Sprintf("counter netns=%d/%s ifname=%s object=%q id=%s value=%d change=%d bits=%d gauge=%t",
				c.Netns.Inode, c.Netns.Name, c.IfName, c.Object, c.ID(), c.Value, c.Delta, c.Bits, c.Gauge)+
				fmt.Sprintf(" limit=%d part=%t sparse=%t inode=%d sharing=%d about=%q hook=%s", c.Limit, c.Part, c.Sparse,
					c.Inode, c.Sharing, c.About, c.Hook))
		}
	}
	for _, question := range slices.Sorted(maps.Keys(h.Answers)) {
		ls = append(ls, fmt.Sprintf("answer %s: %s", question, h.Answers[question]))
	}
	return ls
}

func account(l event.Ledger) string {
	s := fmt.Sprintf("ledger shown=%d trace-only=%d fragments=%d rejected=%d undecided=%d harmless=%d gap=%v",
		l.Shown, l.TraceOnly, l.Fragments, l.Rejected, l.Undecided, l.Harmless, l.Gap)
	for p, key := range event.Places() {
		s += fmt.Sprintf(" %s=%d", key, l.Lost[p])
	}
	for p, key := range event.UncountedPlaces() {
		s += fmt.Sprintf(" %s=%d", key, l.Lost[p])
	}
	if l.Points != (event.PointCounts{}) {
		s += fmt.Sprintf(" points=%+v", l.Points)
	}
	return s
}
