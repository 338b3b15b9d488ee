package capture

import (
	"strings"
	"testing"

	"dropwatch/internal/stage/filter"
)

// TestRetransSourcesRefuseWhatTheyCannotKnow, so that auto chooses another.
func TestRetransSourcesRefuseWhatTheyCannotKnow(t *testing.T) {
	for _, tt := range []struct {
		source, filter string
		want           string
	}{
		{"bpf", "tcp.seq 5 and tcp.lost here and tcp.type rto", ""},
		{"trace", "tcp.seq 5 and port 443", "it cannot provide tcp.seq, which the expression needs"},
		{"trace", "tcp.type rto", "it cannot provide tcp.type, which the expression needs"},
		{"trace", "tcp.type syn", ""},
		{"trace", "tcp.type {syn, rto} and port 443", ""},
	} {
		s := &Spec{Input: Input{Source: tt.source, Retransmits: true}}
		var err error
		if s.Filter, err = filter.Parse(tt.filter); err != nil {
			t.Fatal(err)
		}
		all := s.candidates()
		if len(all) != 1 {
			t.Fatalf("%d candidates", len(all))
		}
		got := ""
		if err := all[0].unsuitable(s); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s, %s: %q, want %q", tt.source, tt.filter, got, tt.want)
		}
		s.Input.NoDrops = true
		got, want := "", ""
		if strings.Contains(tt.filter, "tcp.lost") {
			want = "the expression needs tcp.lost, known only from drops: leave out --no-drops"
		}
		if err := s.Check(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s without drops: %q, want %q", tt.filter, got, want)
		}
	}
}
