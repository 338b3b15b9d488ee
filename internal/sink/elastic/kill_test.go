package elastic

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dropwatch/internal/event"
)

// The variables that make a process of this test the one that is killed.
const (
	victimURL   = "DROPWATCH_TEST_VICTIM_URL"
	victimSpool = "DROPWATCH_TEST_VICTIM_SPOOL"
	victimFirst = "DROPWATCH_TEST_VICTIM_FIRST"
)

// victim writes drops, of which each is a batch, and says which ones it has written.
func victim(t *testing.T) {
	first := 0
	fmt.Sscan(os.Getenv(victimFirst), &first)
	o := Options{URLs: []string{os.Getenv(victimURL)}, Spool: os.Getenv(victimSpool), Count: 1}
	r := newRig(t, Config{Options: o, Origin: Origin{Run: os.Getenv(victimFirst)}})
	for i := first; i < first+5000; i++ {
		r.drops(i, 1)
		fmt.Printf("\nspooled %d\n", i)
	}
	t.Error("it was not killed")
}

// TestKilled: a program that is killed loses nothing that it has spooled, at whatever point it is with the server:
// what it said to have written arrives once, by a later run. Nothing arrives twice.
func TestKilled(t *testing.T) {
	if os.Getenv(victimURL) != "" {
		victim(t)
		return
	}
	c := newCluster(t, fine, someBusy, resets, hangsAfter, fine, fine, half, busy)
	spool := filepath.Join(t.TempDir(), "spool")
	var spooled []int
	for round := range 4 {
		spooled = append(spooled, killAfter(t, c, spool, 1000*round, 20+40*round)...)
	}
	r := newRig(t, Config{Options: Options{URLs: []string{c.http.URL}, Spool: spool}, Origin: Origin{Run: "last"}})
	if err := r.finish(); err != nil {
		t.Fatal(err)
	}
	got := c.has()
	slices.Sort(got)
	if n := len(got); n != len(slices.Compact(got)) {
		t.Errorf("some of %d documents came twice", n)
	}
	for _, i := range spooled {
		if _, found := slices.BinarySearch(got, fmt.Sprintf("drop R%04d", i)); !found {
			t.Errorf("drop %d was spooled and is lost", i)
		}
	}
}

// killAfter kills a victim when it has written so many drops, of which the first has that number. It returns those that
// it said to have written.
func killAfter(t *testing.T, c *cluster, spool string, first, n int) (spooled []int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), victimURL+"="+c.http.URL, victimSpool+"="+spool, fmt.Sprintf("%s=%d", victimFirst, first))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "spooled "); ok {
			i, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			spooled = append(spooled, i)
		}
		if len(spooled) == n {
			_ = cmd.Process.Kill()
		}
	}
	if _ = cmd.Wait(); len(spooled) < n {
		t.Fatalf("the victim ended after %d", len(spooled))
	}
	return spooled
}

// TestCorruptSpool: a file that is not whole is set aside and said, and the others are delivered.
func TestCorruptSpool(t *testing.T) {
	dir := t.TempDir()
	dead := newCluster(t)
	dead.http.Close()
	abort := make(chan struct{})
	close(abort)
	o := Options{URLs: []string{dead.http.URL}, Spool: dir, Count: 1}
	r := newRig(t, Config{Options: o, Abort: abort, Origin: Origin{Run: "first"}})
	r.drops(0, 4)
	if err := r.finish(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	path := filepath.Join(dir, fileName(2))
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	for name, content := range map[string][]byte{
		path: data, filepath.Join(dir, fileName(99)) + partSuffix: data[:9], filepath.Join(dir, "x.batch"): nil,
	} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := newCluster(t)
	r = newRig(t, Config{Options: Options{URLs: []string{c.http.URL}, Spool: dir}})
	if err := r.finish(); err != nil {
		t.Error(err)
	}
	check(t, c, []string{"drop R0000", "drop R0002", "drop R0003", "end ", "end "})
	if said, want := r.said(), []string{path + ": corrupt: it is set aside, and its drops are lost"}; !slices.Equal(said, want) {
		t.Errorf("said %q", said)
	}
	r.Close()
	var left []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{fileName(2) + corruptSuffix, "lock", "x.batch"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("left %q, error %v", left, err)
	}
}

// TestOldSpool: what an earlier version has left is sent.
func TestOldSpool(t *testing.T) {
	want := event.Ledger{Shown: 1, Harmless: 2, TraceOnly: 3, TCP: event.TCPCounts{Retransmits: 4, Resets: 5, Others: 6}}
	for _, old := range []struct {
		magic  string
		points []byte
	}{{"DWB1", nil}, {"DWB2", []byte{7}}} {
		data := append([]byte(old.magic), 0, 0, 0, 0)
		data = append(data, 1, 2, 3, 4, 5, 6)
		data = append(append(data, old.points...), 2, 'x', '\n')
		binary.LittleEndian.PutUint32(data[len(magic):], crc32.Checksum(data[headLen:], castagnoli))
		b, err := decode(data)
		want.Points.Shown = 7 * uint64(len(old.points))
		if err != nil || len(b.items) != 1 || b.items[0].drops != want || string(b.items[0].lines) != "x\n" {
			t.Errorf("%s: %+v, %v", old.magic, b, err)
		}
	}
}

// FuzzDecode: the reader of a spool takes what the writer makes, and nothing else.
func FuzzDecode(f *testing.F) {
	var b batch
	for i := range 3 {
		it := item{lines: []byte(strings.Repeat("x", 1+200*i))}
		it.drops = event.Ledger{Shown: uint64(i), Harmless: 1 << 40, TraceOnly: 1, TCP: event.TCPCounts{Retransmits: 9}}
		it.drops.Points.Shown, it.drops.Findings.Shown = 7, 1
		b.add(it)
	}
	f.Add(b.encode())
	f.Add([]byte(magic + "\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := decode(data)
		if err != nil {
			if len(b.items) > 0 {
				t.Error("an error, and items")
			}
			return
		}
		again, err := decode(b.encode())
		if err != nil || again.size != b.size || len(again.items) != len(b.items) {
			t.Fatalf("%+v became %+v, error %v", b, again, err)
		}
		for i := range b.items {
			if string(b.items[i].lines) != string(again.items[i].lines) || b.items[i].drops != again.items[i].drops {
				t.Fatalf("item %d: %+v became %+v", i, b.items[i], again.items[i])
			}
		}
	})
}
