package capture

import (
	"testing"

	"dropwatch/internal/sink/peers"
	"dropwatch/internal/stage/filter"
)

// TestOwnersAreLookedUpWhereTheyAreShown or where the filter needs them, as that takes most of an event's time.
func TestOwnersAreLookedUpWhereTheyAreShown(t *testing.T) {
	var byProcess peers.By
	if err := byProcess.Set("process"); err != nil {
		t.Fatal(err)
	}
	tables := []Output{{Format: Tables}}
	for name, tt := range map[string]struct {
		filter  string
		outputs []Output
		want    bool
	}{
		"tables":            {"", tables, false},
		"tables, filtered":  {"port 443 and tcp.type rto", tables, false},
		"tables of a unit":  {"unit nginx.service", tables, true},
		"tables by process": {"", []Output{{Format: Tables, By: byProcess}}, true},
		"lines":             {"", []Output{{Format: Lines}, {Format: Table}}, true},
		"a recording":       {"", []Output{{Format: Tables}, {Format: Recording}}, true},
	} {
		s := Spec{Outputs: tt.outputs}
		if tt.filter != "" {
			var err error
			if s.Filter, err = filter.Parse(tt.filter); err != nil {
				t.Fatal(err)
			}
		}
		if got := s.needsOwners(); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
