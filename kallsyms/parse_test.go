package kallsyms_test

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"dropwatch/internal/vmtest"
	"dropwatch/kallsyms"
)

func TestParseErrors(t *testing.T) {
	restricted := strings.Repeat("0000000000000000 T _text\n0000000000000000 t f\t[mod]\n", 3)
	tests := []struct {
		name, text string
		want       error
	}{
		{"empty", "", kallsyms.ErrNoSymbols},
		{"only data", "81000000 D d\n81000008 r r\n", kallsyms.ErrNoSymbols},
		{"only a marker", "81000000 T _etext\n", kallsyms.ErrNoSymbols},
		{"hidden", restricted, kallsyms.ErrRestricted},
		{"hidden, 32 bits", "00000000 T _text\n", kallsyms.ErrRestricted},
		{"code at 0 only", "00000000 T f\n00000008 D d\n", kallsyms.ErrNoSymbols},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table, err := kallsyms.Parse(strings.NewReader(tt.text))
			if !errors.Is(err, tt.want) || table != nil {
				t.Errorf("got table %v, error %v, want %v", table != nil, err, tt.want)
			}
		})
	}
}

func TestParseSyntaxErrors(t *testing.T) {
	const (
		good      = "81000000 T a\n"
		noAddress = "it does not start with an address"
		noFields  = "want an address, a type letter and a name, with a space between"
		noModule  = "want a name before the tab and a module in brackets after it"
		cutShort  = "the text ends within this line"
	)
	long := "81000000 T " + strings.Repeat("n", 1<<17)
	tests := []struct {
		name, text string
		want       kallsyms.SyntaxError
	}{
		{"empty line", good + "\n", kallsyms.SyntaxError{Line: 2, Text: "", Why: noAddress}},
		{"words", "hello world\n", kallsyms.SyntaxError{Line: 1, Text: "hello world", Why: noAddress}},
		{"0x", "0x81000000 T a\n", kallsyms.SyntaxError{Line: 1, Text: "0x81000000 T a", Why: noFields}},
		{"17 digits", "00000000081000000 T a\n", kallsyms.SyntaxError{Line: 1, Text: "00000000081000000 T a", Why: noAddress}},
		{"address only", "81000000\n", kallsyms.SyntaxError{Line: 1, Text: "81000000", Why: noFields}},
		{"no name", good + "81000000 T \n", kallsyms.SyntaxError{Line: 2, Text: "81000000 T ", Why: noFields}},
		{"no type", "81000000 name\n", kallsyms.SyntaxError{Line: 1, Text: "81000000 name", Why: noFields}},
		{"carriage return", "81000000 T a\r\n", kallsyms.SyntaxError{Line: 1, Text: "81000000 T a\r", Why: noFields}},
		{"tab without module", "81000000 T a\tmod\n", kallsyms.SyntaxError{Line: 1, Text: "81000000 T a\tmod", Why: noModule}},
		{"empty module", "81000000 T a\t[]\n", kallsyms.SyntaxError{Line: 1, Text: "81000000 T a\t[]", Why: noModule}},
		{"module without name", "81000000 T \t[m]\n", kallsyms.SyntaxError{Line: 1, Text: "81000000 T \t[m]", Why: noModule}},
		{"cut short", good + "81000010 t b", kallsyms.SyntaxError{Line: 2, Text: "81000010 t b", Why: cutShort}},
		{"huge line", good + long + "\n", kallsyms.SyntaxError{Line: 2, Text: long[:80], Why: "the line is too long"}},
		{"binary", "\x00\x1b[2J\n", kallsyms.SyntaxError{Line: 1, Text: "\x00\x1b[2J", Why: noAddress}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table, err := kallsyms.Parse(strings.NewReader(tt.text))
			var got *kallsyms.SyntaxError
			if !errors.As(err, &got) || table != nil {
				t.Fatalf("got table %v, error %v", table != nil, err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorTextIsPrintable(t *testing.T) {
	_, err := kallsyms.Parse(strings.NewReader("\x1b[2J\n"))
	const want = `parse kernel symbols: line 1: "\x1b[2J": it does not start with an address: give the text of /proc/kallsyms`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestParseAnyReadSize(t *testing.T) {
	text := string(fixture(t))
	want := mustParse(t, text)
	readers := map[string]func(io.Reader) io.Reader{
		"one byte":       iotest.OneByteReader,
		"half":           iotest.HalfReader,
		"data with EOF":  iotest.DataErrReader,
		"4071 at a time": func(r io.Reader) io.Reader { return &shortReader{r, 4071} },
	}
	for name, wrap := range readers {
		t.Run(name, func(t *testing.T) {
			got, err := kallsyms.Parse(wrap(strings.NewReader(text)))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(want, got) {
				t.Error("not the same table")
			}
		})
	}
}

// A shortReader reads at most n bytes at a time, as seq_file does.
type shortReader struct {
	r io.Reader
	n int
}

func (r *shortReader) Read(p []byte) (int, error) { return r.r.Read(p[:min(r.n, len(p))]) }

func TestParseOrderDoesNotMatter(t *testing.T) {
	lines := strings.SplitAfter(string(fixture(t)), "\n")
	want := mustParse(t, strings.Join(lines, ""))
	half := len(lines) / 2
	for lines[half][:16] == lines[half-1][:16] {
		half++ // aliases stay in order
	}
	swapped := strings.Join(lines[half:], "") + strings.Join(lines[:half], "")
	got, m := mustParse(t, swapped), newModel([]byte(swapped))
	for i := 0; i < len(m); i += 7 {
		for _, pc := range []uint64{m[i].address, m[i].address + 0x123} {
			a, okA := want.Lookup(pc)
			b, okB := got.Lookup(pc)
			if a != b || okA != okB {
				t.Fatalf("%#x: %v %v in order, %v %v out of order", pc, a, okA, b, okB)
			}
		}
	}
}

func TestParseEndsWithEndlessInput(t *testing.T) {
	line := strings.NewReader("81000000 d " + strings.Repeat("n", 60_000) + "\n")
	table, err := kallsyms.Parse(&endlessReader{line})
	var got *kallsyms.SyntaxError
	if !errors.As(err, &got) || got.Why != "more text than any kernel has" || table != nil {
		t.Errorf("got table %v, error %v", table != nil, err)
	}
}

// An endlessReader starts again at the end.
type endlessReader struct{ io.ReadSeeker }

func (r *endlessReader) Read(p []byte) (int, error) {
	n, err := r.ReadSeeker.Read(p)
	if err == io.EOF {
		_, err = r.Seek(0, io.SeekStart)
	}
	return n, err
}

func TestParseReadError(t *testing.T) {
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader("81000000 T a\n81000010"), iotest.ErrReader(broken))
	table, err := kallsyms.Parse(r)
	if !errors.Is(err, broken) || table != nil {
		t.Errorf("got table %v, error %v", table != nil, err)
	}
	if want := "parse kernel symbols: line 2: broken"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

// TestParseThisKernel parses one reading, and compares with that: others load and unload
// BPF programs meanwhile.
func TestParseThisKernel(t *testing.T) {
	f := openLive(t)
	_, err := kallsyms.Parse(f)
	if errors.Is(err, kallsyms.ErrRestricted) {
		vmtest.SkipOrFail(t, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	rewind(t, f)
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	table := mustParse(t, string(text))
	for _, l := range newModel(text) {
		s, ok := table.Lookup(l.address)
		if ok && s.Start != l.address {
			t.Fatalf("%s is in %v", l.name, s)
		}
		if ok && !l.code && s.Name == l.name {
			t.Fatalf("%s %s was found", l.kind, l.name)
		}
	}
}
