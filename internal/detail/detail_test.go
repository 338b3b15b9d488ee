package detail_test

import (
	"slices"
	"testing"

	"dropwatch/internal/detail"
	"dropwatch/internal/event"
)

// TestFrames: what is not known is left out, and what has no name is a number.
func TestFrames(t *testing.T) {
	for name, tt := range map[string]struct {
		frames detail.Frames
		want   []event.Arg
	}{
		"nothing": {detail.Frames{}, nil},
		"aborted": {
			detail.Frames{Program: 7, Action: 1}, []event.Arg{{Name: "prog", Number: 7}, {Name: "action", Text: "XDP_ABORTED"}},
		},
		"an unknown action": {detail.Frames{Action: 43}, []event.Arg{{Name: "action", Number: 42}}},
		"ENETDOWN":          {detail.Frames{Error: 100}, []event.Arg{{Name: "err", Text: "ENETDOWN"}}},
		"ENOTSUPP":          {detail.Frames{Error: 524}, []event.Arg{{Name: "err", Text: "ENOTSUPP"}}},
		"an unknown error":  {detail.Frames{Error: 4711}, []event.Arg{{Name: "err", Text: "4711"}}},
		"to CPU 0":          {detail.Frames{Map: 9, CPU: 1}, []event.Arg{{Name: "map", Number: 9}, {Name: "cpu"}}},
		"to a device":       {detail.Frames{Out: "eth1", OutIndex: 4}, []event.Arg{{Name: "out", Text: "eth1"}}},
		"to a number":       {detail.Frames{OutIndex: 4}, []event.Arg{{Name: "out", Number: 4}}},
	} {
		if got := tt.frames.Append(nil); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}
