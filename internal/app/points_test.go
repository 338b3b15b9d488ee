package app

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/capture"
	"dropwatch/internal/doctor"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/sink/jsonl"
)

// TestPointSources: a point is shown by the sources that work, if the kernel has it.
func TestPointSources(t *testing.T) {
	is := func(name string) func(string) bool { return func(n string) bool { return n == name } }
	all := view{
		report: doctor.Report{BPF: true, Netdm: true, Trace: true}, kernel: host.Version{Major: 6, Minor: 1},
		reasons: is("NO_SOCKET"), functions: is("tcp_v4_rcv"), counters: map[string]bool{"UdpNoPorts": true},
	}
	old, broken, xdp := all, all, all
	xdp.reasons = is("XDP_EXCEPTION")
	old.kernel, broken.report = host.Version{Major: 5, Minor: 17}, doctor.Report{}
	reason, function := knowledge.Entry{Name: "NO_SOCKET"}, knowledge.Entry{Name: "tcp_v4_rcv", Kind: knowledge.Function}
	trap, counter := knowledge.Entry{Name: "ttl", Kind: knowledge.Trap}, knowledge.Entry{Name: "UdpNoPorts", Kind: knowledge.Counter}
	none := []string(nil)
	for _, test := range []struct {
		view view
		of   knowledge.Entry
		want []string
	}{
		{all, reason, []string{"bpf", "netdm", "trace"}}, {old, reason, []string{"bpf", "trace"}}, {broken, reason, none},
		{all, knowledge.Entry{Name: "OTHER"}, none}, {xdp, knowledge.Entry{Name: "XDP_EXCEPTION"}, []string{"bpf", "trace"}},
		{all, function, []string{"bpf", "netdm", "trace"}}, {old, function, []string{"bpf", "netdm", "trace"}}, {broken, function, none},
		{all, knowledge.Entry{Name: "other", Kind: knowledge.Function}, none},
		{all, trap, []string{"netdm"}}, {broken, trap, none},
		{broken, counter, []string{"counters"}}, {all, knowledge.Entry{Name: "UdpInErrors", Kind: knowledge.Counter}, none},
	} {
		if got := test.view.sources(&test.of); !slices.Equal(got, test.want) {
			t.Errorf("%v %s on %v: %q, want %q", test.of.Kind, test.of.Name, test.view.kernel, got, test.want)
		}
	}
}

// TestListedKind: a listed point has another kind than the lines of --json that the schema describes.
func TestListedKind(t *testing.T) {
	p := listed{kind: "point", name: "tcp_accept_queue"}
	if kind := p.json().Kind; kind == event.Point.String() || strings.Contains(jsonl.Schema(), `"`+kind+`"`) {
		t.Errorf("kind %s is in the schema", kind)
	}
}

// TestPointsExample: the point of the help can be read from a file.
func TestPointsExample(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.toml")
	if err := os.WriteFile(file, []byte(manPointsExample), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &App{runner: &capture.Runner{Host: host.New("/"), Notices: capture.NewNotices(io.Discard)}}
	all, err := a.namedPoints([]string{file})
	if err != nil || len(all) != 1 || all[0].Name != "backlog_of_443" || len(all[0].Args) != 2 || all[0].Says == "" {
		t.Errorf("points %+v, error %v", all, err)
	}
}
