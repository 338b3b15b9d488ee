package acceptance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A line is one of JSON, as far as these tests look at it.
type line struct {
	Kind, Symbol, Reason, Protocol string
	Count                          int
	TraceOnly                      any `json:"trace_only"` // true of a drop, a number at the end
	Harmless                       any // why, of a drop; a number at the end
	Flow                           *struct {
		Src string
	}
	Netns struct {
		Inode uint32
		Name  string
	}
	Socket  struct{ Receiver bool }
	Process struct {
		PID              int
		Comm, Confidence string
	}
	Container struct{ ID, Runtime string }
	Explain   struct{ Layer, Module string }

	Shown, Filtered, Undecided, Fragments, Total int
	Lost                                         map[string]int
}

func (l line) traceOnly() bool { return l.TraceOnly == true }

// lines reads what --json wrote.
func lines(t *testing.T, stdout string) (all []line) {
	t.Helper()
	for text := range strings.Lines(stdout) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		all = append(all, l)
	}
	return all
}

const (
	watchJSON = "watch.json"
	watchFile = "watch.pcapng"
)

// checkWatch has tshark read what TestGuestWatchFile left: it has the same drops
// as the JSON of the run.
func checkWatch(t *testing.T, out string) {
	text, err := os.ReadFile(filepath.Join(out, watchJSON))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, l := range lines(t, string(text)) {
		if l.Kind != "drop" {
			continue
		}
		src := ""
		if l.Flow != nil {
			src = l.Flow.Src
		}
		want = append(want, l.Symbol+" "+l.Reason+" "+src)
	}
	comment := regexp.MustCompile(`^dropped at ([^+ ]+)(?:\S*)(?: \[\w+\])?(?:: (\w+))? \(`)
	var got []string
	for _, fields := range tshark(t, filepath.Join(out, watchFile), "frame", "-e", "frame.comment", "-e", "ip.src") {
		text, src, _ := strings.Cut(fields, "\t")
		m := comment.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("comment %q", text)
		}
		got = append(got, m[1]+" "+m[2]+" "+src)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-JSON +pcapng):\n%s", diff)
	}
}
