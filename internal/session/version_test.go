package session_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/session"
)

// TestVersion1 reads files that earlier ones wrote, as every later one must.
func TestVersion1(t *testing.T) {
	for _, name := range []string{"v1", "v1-owner"} {
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

// describe gives a file's header, events and ledger, a line each.
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
	return strings.Join(ls, "\n") + "\n" + account(rerun(t, file)) + "\n"
}

func account(l event.Ledger) string {
	s := fmt.Sprintf("ledger shown=%d unseen=%d parts=%d rejected=%d full=%d missed=%d", l.Shown, l.Unseen, l.Parts, l.Rejected, l.Full, l.Missed)
	for p, key := range event.Places() {
		s += fmt.Sprintf(" %s=%d", key, l.Lost[p])
	}
	return s
}
