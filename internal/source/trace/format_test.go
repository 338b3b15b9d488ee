package trace

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dropwatch/internal/perf"
	"dropwatch/internal/perf/perftest"
)

// kernels are the formats of skb:kfree_skb in testdata: what each must give.
var kernels = map[string]struct {
	id                         uint64
	location, protocol, reason perf.Field
	size                       int
	names                      map[uint64]string
}{
	"5.10": {1510, fieldAt(16, 8), fieldAt(24, 2), perf.Field{}, 26, nil},
	"6.1": {1562, fieldAt(16, 8), fieldAt(24, 2), fieldAt(28, 4), 32, map[uint64]string{
		0: "0x0", 2: "NOT_SPECIFIED", 3: "NO_SOCKET", 64: "PKT_TOO_BIG", 0x10001: "0x10001",
	}},
	"6.12": {1877, fieldAt(16, 8), fieldAt(32, 2), fieldAt(36, 4), 40, map[uint64]string{
		2: "NOT_SPECIFIED", 3: "NO_SOCKET", 0x30001: "0x30001",
	}},
	"6.18": {2310, fieldAt(16, 8), fieldAt(32, 2), fieldAt(36, 4), 40, map[uint64]string{
		1: "0x1", 2: "NOT_SPECIFIED", 3: "NO_SOCKET", 12: "NETFILTER_DROP", 74: "UNHANDLED_PROTO", 0x20005: "0x20005",
	}},
	"7.2": {1613, fieldAt(16, 8), fieldAt(32, 2), fieldAt(36, 4), 40, map[uint64]string{6: "SOCKET_RCVBUFF", 12: "NETFILTER_DROP"}},
}

func fieldAt(offset, size int) perf.Field { return perf.Field{Offset: offset, Size: size} }

func fixture(t testing.TB, kernel string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", kernel+".format"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func layoutOf(t testing.TB, kernel string) layout {
	t.Helper()
	f, err := perf.ParseFormat(fixture(t, kernel))
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLayout(f)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLayouts(t *testing.T) {
	for kernel, want := range kernels {
		t.Run(kernel, func(t *testing.T) {
			l := layoutOf(t, kernel)
			if l.id != want.id || l.location != want.location || l.protocol != want.protocol ||
				l.reason != want.reason || l.size != want.size {
				t.Errorf("layout %+v, want %+v", l, want)
			}
			for n, name := range want.names {
				for range 2 { // the second comes from memory
					if got := l.reasons.name(n); got != name {
						t.Errorf("reason %d is %q, want %q", n, got, name)
					}
				}
			}
		})
	}
}

func TestFormatsThatCannotBe(t *testing.T) {
	good := "ID: 1\nfield:unsigned short common_type; offset:0; size:2;\nfield:void * skbaddr; offset:8; size:8;\n" +
		"field:void * location; offset:16; size:8;\nfield:unsigned short protocol; offset:24; size:2;\n"
	tests := map[string]struct {
		text string
		ok   bool
	}{
		"good":                {good, true},
		"empty":               {"", false},
		"no location":         {strings.ReplaceAll(good, "location", "place"), false},
		"no number":           {strings.ReplaceAll(good, "common_type", "type"), false},
		"no packet":           {strings.ReplaceAll(good, "skbaddr", "skb"), false},
		"no protocol":         {strings.ReplaceAll(good, "protocol", "proto"), false},
		"an odd size":         {strings.ReplaceAll(good, "size:2", "size:3"), false},
		"an odd reason":       {good + "field:char reason[16]; offset:26; size:16;", false},
		"a negative offset":   {strings.ReplaceAll(good, "offset:16", "offset:-16"), false},
		"an immense offset":   {strings.ReplaceAll(good, "offset:16", "offset:9000000"), false},
		"an offset in words":  {strings.ReplaceAll(good, "offset:16", "offset:x"), false},
		"an id in words":      {strings.ReplaceAll(good, "ID: 1", "ID: one"), false},
		"lines not known yet": {"new: thing\n" + good, true},
	}
	for name, tt := range tests {
		f, err := perf.ParseFormat(tt.text)
		if err == nil {
			_, err = newLayout(f)
		}
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, perf.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnknownReasonsAreNotKeptForEver(t *testing.T) {
	r := newReasons(map[uint64]string{0x10002: "NAMED_AFTER_ALL"})
	for n := range uint64(3 * maxCore) {
		r.name(1<<16 + n)
	}
	if len(r.numbers) > maxCore || r.name(0x10002) != "NAMED_AFTER_ALL" {
		t.Errorf("%d kept, 0x10002 is %s", len(r.numbers), r.name(0x10002))
	}
}

func FuzzFormat(f *testing.F) {
	for kernel := range kernels {
		f.Add(fixture(f, kernel))
	}
	f.Add(`print fmt: __print_symbolic(REC->reason, { 2, "A" }, { 3, "B`)
	f.Fuzz(func(t *testing.T, text string) {
		form, err := perf.ParseFormat(text)
		if err != nil {
			return
		}
		l, err := newLayout(form)
		if err != nil {
			return
		}
		d := decoder{layout: l}
		if l.size < perf.MaxRaw/2 && !sampleOf(&d, perftest.Sample(0, make([]byte, l.size)), 0, &scratch) {
			t.Fatalf("a sample of %d bytes is too short for %+v", l.size, l)
		}
	})
}
