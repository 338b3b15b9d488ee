package retrans_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"testing/iotest"
	"time"

	"dropwatch/internal/retrans"
)

// saved returns the state of an Analyzer.
func saved(t testing.TB, a *retrans.Analyzer) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := a.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// loaded returns an Analyzer with a state.
func loaded(t testing.TB, state []byte) *retrans.Analyzer {
	t.Helper()
	a := retrans.New(10, nil)
	if err := a.Load(bytes.NewReader(state)); err != nil {
		t.Fatal(err)
	}
	return a
}

// TestStateBetweenAnyPackets saves and loads the state after each packet of each case: nothing is said
// otherwise.
func TestStateBetweenAnyPackets(t *testing.T) {
	for name, packets := range cases {
		t.Run(name, func(t *testing.T) {
			a := retrans.New(10, nil)
			for _, p := range slices.Concat(opened, packets) {
				check(t, a, 0xffffff80, []packet{p})
				a = loaded(t, saved(t, a))
			}
		})
	}
}

// TestLoadLimit forgets the oldest connections if there are more than the limit.
func TestLoadLimit(t *testing.T) {
	a := retrans.New(10, nil)
	add := func(a *retrans.Analyzer, port uint16) string {
		s := (&packet{from: 'c', flags: ".", seq: 1, ack: 1, len: 10}).segment(0)
		s.SrcPort = port
		return names(a.Add(s, began.Add(time.Second)))
	}
	for port := range uint16(5) {
		add(a, port)
	}
	b := retrans.New(2, nil)
	if err := b.Load(bytes.NewReader(saved(t, a))); err != nil || b.Evicted() != 3 {
		t.Errorf("%v, %d evicted, want 3", err, b.Evicted())
	}
	if got := add(b, 4) + add(b, 3) + add(b, 0); got != "retransmissionretransmission" {
		t.Errorf("%q", got)
	}
}

// TestDamagedState: a state that is cut or changed anywhere is refused, and an error of reading is kept.
func TestDamagedState(t *testing.T) {
	a := retrans.New(10, nil)
	check(t, a, 1, slices.Concat(opened, cases["out of order"]))
	state := saved(t, a)
	for n := range state {
		changed := bytes.Clone(state)
		changed[n] ^= 0x10
		for _, bad := range [][]byte{state[:n], changed} {
			if err := retrans.New(10, nil).Load(bytes.NewReader(bad)); !errors.Is(err, retrans.ErrState) {
				t.Fatalf("%d of %d bytes: %v", n, len(state), err)
			}
		}
	}
	failed := errors.New("disk")
	if err := retrans.New(1, nil).Load(iotest.ErrReader(failed)); !errors.Is(err, failed) {
		t.Errorf("%v, want %v", err, failed)
	}
}
