package kallsyms_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"dropwatch/kallsyms"
)

// fixture returns the text described in testdata/kallsyms/README.md.
func fixture(tb testing.TB) []byte {
	tb.Helper()
	f, err := os.Open("../testdata/kallsyms/vmlinux.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	kernel, err := io.ReadAll(zr)
	if err != nil {
		tb.Fatal(err)
	}
	modules, err := os.ReadFile("../testdata/kallsyms/modules.txt")
	if err != nil {
		tb.Fatal(err)
	}
	return append(kernel, modules...)
}

// mustParse returns the table of a text without errors.
func mustParse(tb testing.TB, text string) *kallsyms.Table {
	tb.Helper()
	t, err := kallsyms.Parse(strings.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// A model answers as a Table should, by looking at every line each time.
type model []modelLine

type modelLine struct {
	address            uint64
	code, mark         bool
	name, module, kind string
}

// newModel takes a text that Parse accepts.
func newModel(text []byte) model {
	var m model
	for line := range bytes.Lines(text) {
		var l modelLine
		address, rest, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		l.kind, rest, _ = rest[:1], rest[1:], true
		l.name, l.module, _ = strings.Cut(rest[1:], "\t")
		l.module = strings.TrimSuffix(strings.TrimPrefix(l.module, "["), "]")
		l.address, _ = strconv.ParseUint(address, 16, 64)
		l.code = strings.Contains("tTwW", l.kind)
		l.mark = l.code && l.module == "" && (l.name == "_etext" || l.name == "_einittext")
		mapping := strings.HasPrefix(l.name, "$") || strings.HasPrefix(l.name, ".L") || strings.HasPrefix(l.name, "L0")
		if l.address != 0 && !mapping {
			m = append(m, l)
		}
	}
	return m
}

// at returns the line that wins among those of one address.
func (m model) at(address uint64) (best modelLine) {
	for _, l := range m {
		switch {
		case l.address != address:
		case l.mark:
			return l
		case best.address == 0 || l.code && !best.code:
			best = l
		}
	}
	return best
}

func (m model) Lookup(pc uint64) (kallsyms.Symbol, bool) {
	var start uint64
	end := ^uint64(0)
	for _, l := range m {
		if l.address <= pc {
			start = max(start, l.address)
		} else {
			end = min(end, l.address)
		}
	}
	this, next := m.at(start), m.at(end)
	if !this.code || this.mark {
		return kallsyms.Symbol{}, false
	}
	single := this.module == "bpf" || strings.HasPrefix(this.module, "__builtin__")
	if single || !next.code || next.module != this.module || end-start > 256<<10 {
		if page := start/4096*4096 + 8192; page > start {
			end = min(end, page)
		}
	}
	if pc >= end {
		return kallsyms.Symbol{}, false
	}
	return kallsyms.Symbol{Name: this.name, Module: this.module, Start: start, End: end, Offset: pc - start}, true
}
