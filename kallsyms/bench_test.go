package kallsyms_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"dropwatch/kallsyms"
)

const livePath = "/proc/kallsyms"

// openLive opens this kernel's symbols, or skips.
func openLive(tb testing.TB) *os.File {
	tb.Helper()
	f, err := os.Open(livePath)
	if err != nil {
		tb.Skip(err)
	}
	tb.Cleanup(func() { f.Close() })
	return f
}

// readAll reads as Parse does, without looking at what it reads.
func readAll(tb testing.TB, f *os.File, buf []byte) {
	tb.Helper()
	for {
		if _, err := f.Read(buf); err == io.EOF {
			return
		} else if err != nil {
			tb.Fatal(err)
		}
	}
}

func rewind(tb testing.TB, f *os.File) {
	tb.Helper()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkKernelRead is what the kernel alone takes to print its symbols.
func BenchmarkKernelRead(b *testing.B) {
	f, buf := openLive(b), make([]byte, 64<<10)
	for b.Loop() {
		rewind(b, f)
		readAll(b, f, buf)
	}
}

// BenchmarkParse also reports, for the live file, how many times what the
// kernel alone takes (x-kernel, the median of pairs).
func BenchmarkParse(b *testing.B) {
	b.Run("fixture", func(b *testing.B) {
		text := fixture(b)
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := kallsyms.Parse(bytes.NewReader(text)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("live", func(b *testing.B) {
		f, buf := openLive(b), make([]byte, 64<<10)
		var ratios []float64
		for b.Loop() {
			b.StopTimer()
			rewind(b, f)
			start := time.Now()
			readAll(b, f, buf)
			alone := time.Since(start)
			rewind(b, f)
			b.StartTimer()
			start = time.Now()
			if _, err := kallsyms.Parse(f); err != nil {
				b.Skip(err)
			}
			ratios = append(ratios, time.Since(start).Seconds()/alone.Seconds())
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "x-kernel")
	})
}

// BenchmarkHeld reports the bytes that the table of the live file keeps.
func BenchmarkHeld(b *testing.B) {
	text, err := io.ReadAll(openLive(b))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := kallsyms.Parse(bytes.NewReader(text)); err != nil {
		b.Skip(err)
	}
	var held uint64
	for b.Loop() {
		_, held = heldBy(b, text)
	}
	b.ReportMetric(float64(held), "B-held")
}

// BenchmarkLookup is of random addresses, and of a few again and again, as
// drops are.
func BenchmarkLookup(b *testing.B) {
	table, err := kallsyms.Parse(openLive(b))
	if err != nil {
		b.Skip(err)
	}
	const text, size = 0xffffffff81000000, 0x1200000 // of an x86-64 kernel
	for _, bb := range []struct {
		name  string
		count int // a power of 2
	}{{"random", 1 << 16}, {"hot", 8}} {
		pcs := make([]uint64, bb.count)
		rnd := rand.New(rand.NewPCG(1, 2))
		for i := range pcs {
			pcs[i] = text + rnd.Uint64N(size)
		}
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				table.Lookup(pcs[i&(len(pcs)-1)])
				i++
			}
		})
	}
}
