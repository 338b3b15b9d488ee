package pair_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/pair"
)

// TestHandover: after another program has stopped the source of packets, the source of
// all reports every drop until the next source has begun, and no drop after that, however
// long that takes to open. The drops are at 1 s, 2 s and so on.
func TestHandover(t *testing.T) {
	cause := errors.New("switched off")
	at := func(pc uint64) step {
		after := time.Duration(pc) * time.Second
		return step{after, func(out pipeline.Output) { emit(freed(pc, time.Now()))(out) }}
	}
	tests := map[string]struct {
		from, until time.Duration // when the next source begins
		want        []string
		gap         time.Duration
	}{
		"between drops":      {3500 * ms, 3600 * ms, []string{"trace-only 1", "trace-only 2", "trace-only 3"}, 0},
		"while one is freed": {2500 * ms, 3600 * ms, []string{"trace-only 1", "trace-only 2"}, 1100 * ms},
		"there is none":      {0, 0, []string{"trace-only 1", "trace-only 2", "trace-only 3", "trace-only 4", "trace-only 5"}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				packets := sourceFunc(func(context.Context, pipeline.Output) error {
					time.Sleep(1500 * ms)
					return &pipeline.StoppedError{Since: began, Err: cause}
				})
				var out record
				s := pair.New(packets, &feed{plan: []step{at(1), at(2), at(3), at(4), at(5)}})
				s.Handover = func(_ context.Context, err error) (from, until time.Time, ok bool) {
					if !errors.Is(err, cause) {
						t.Error(err)
					}
					time.Sleep(4 * time.Second)
					return began.Add(tt.from), began.Add(tt.until), tt.until > 0
				}
				err := s.Run(t.Context(), &out)
				if got := out.describe(); !slices.Equal(got, tt.want) {
					t.Errorf("%q, want %q", got, tt.want)
				}
				stopped, ok := errors.AsType[*pipeline.StoppedError](err)
				switch {
				case !ok:
					t.Errorf("error %v", err)
				case stopped.Until.IsZero() != (tt.until == 0), tt.until > 0 && stopped.Until.Sub(stopped.Since) != tt.gap:
					t.Errorf("a gap from %v to %v, want one of %v", stopped.Since, stopped.Until, tt.gap)
				}
			})
		})
	}
}

// TestNoHandover: a run that ends by itself opens no other source.
func TestNoHandover(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		s := pair.New(&r.packets, &r.all)
		s.Handover = func(context.Context, error) (from, until time.Time, ok bool) {
			t.Error("another source was opened")
			return from, until, false
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Run(ctx, &r.out); err != nil {
			t.Error(err)
		}
	})
}
