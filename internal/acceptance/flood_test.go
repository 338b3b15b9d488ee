package acceptance

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/vmtest/guest"
)

// A tally is what a run accounts for: the drops it showed, those that only a
// second source saw, and those that were lost.
type tally struct{ shown, traceOnly, lost int }

func (y tally) total() int { return y.shown + y.traceOnly + y.lost }

var (
	lostLine      = regexp.MustCompile(`(?m)^lost (\d+) drops?: (.*)$`)
	lostPlace     = regexp.MustCompile(`\d+`)
	traceOnlyLine = regexp.MustCompile(`(?m)^ +(\d+) at \w*udp\w*\+`)
)

// tallyOf counts UDP drops, of a summary or of packets, and reads the lines
// that say what was not shown.
func tallyOf(t *testing.T, stdout string) (y tally) {
	t.Helper()
	_, drops := split(stdout)
	for place, n := range drops {
		if strings.Contains(place, "udp") {
			y.shown += n
		}
	}
	for _, m := range traceOnlyLine.FindAllStringSubmatch(stdout, -1) {
		y.traceOnly += number(m[1])
	}
	y.lost = lostOf(t, stdout)
	return y
}

// lostOf reads the line on lost drops and checks that its parts add up.
func lostOf(t *testing.T, text string) (lost int) {
	t.Helper()
	m := lostLine.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	for _, n := range lostPlace.FindAllString(m[2], -1) {
		lost += number(n)
	}
	if lost != number(m[1]) {
		t.Errorf("%q does not add up", m[0])
	}
	return lost
}

func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}

// flooded runs a script in dropwatch under a flood of n drops. Its output goes to
// a file, as reading it meanwhile would take half of the CPU.
func flooded(t *testing.T, n int, script string) tally {
	t.Helper()
	guest.ResetMonitor(t)
	file := filepath.Join(t.TempDir(), "output")
	p := guest.Start(t, script, "sh", "-c", "exec "+dropwatchPath+" >"+file)
	guest.AwaitMonitoring(t)
	guest.Flood(t, n)
	awaitQuiet(file) // what the kernel has not sent yet is thrown away at the stop
	if r := p.Interrupt(); r.Code != 0 || r.Stderr != "" {
		t.Errorf("%+v", r)
	}
	output, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return tallyOf(t, string(output))
}

// awaitQuiet waits until the file has not grown for longer than the kernel takes
// to send a summary. It counts polls, not time: while the host does not let the
// guest run for a second, nothing is written.
func awaitQuiet(file string) {
	const polls, interval = 24, 50 * time.Millisecond
	for size, still := int64(0), 0; still < polls; still++ {
		time.Sleep(interval)
		if info, err := os.Stat(file); err == nil && info.Size() != size {
			size, still = info.Size(), 0
		}
	}
}

// TestGuestNothingUnaccounted floods in ways that lose and in ways that do not: what is
// shown and what is lost are all that was dropped.
func TestGuestNothingUnaccounted(t *testing.T) {
	const n = 6_000
	packet := flooded(t, n, "set alertmode packet\nstart\nexit\n")
	small := flooded(t, n, "set alertmode packet\nset rcvbuf 65536\nset queue 200\nstart\nexit\n")
	t.Logf("%+v, with small buffers %+v", packet, small)
	if !accounted(packet, n) || !accounted(small, n) || small.lost == 0 {
		t.Errorf("%d and %d drops are accounted for, not %d, or none of those with small buffers is lost", packet.total(), small.total(), n)
	}
	if y := flooded(t, n, "start\nexit\n"); y != (tally{shown: n}) {
		t.Errorf("summary: %+v, not %d shown", y, n)
	}
}

// accounted reports whether all n drops are, and none twice but for a stalled guest:
// an emulated CPU that stands still between the two hooks of one drop for longer
// than the sources' times may differ makes two of it.
func accounted(y tally, n int) bool {
	const stalls = 2
	return y.total() == n || y.traceOnly > 0 && y.total() > n && y.total() <= n+stalls
}

// TestGuestShowsMoreThanC has both programs listen to one flood: the C program,
// which switched monitoring on, and dropwatch, which only listens and writes.
func TestGuestShowsMoreThanC(t *testing.T) {
	guest.ResetMonitor(t)
	const n = 10_000
	dir := t.TempDir()
	text, pcap := filepath.Join(dir, "text"), filepath.Join(dir, "pcap")
	c := guest.Start(t, "set alertmode packet\nstart\nexit\n", "sh", "-c", "exec "+oracle+" >"+text)
	guest.AwaitMonitoring(t)
	dump := guest.Start(t, "", dropwatchPath, "dump", "-p", "-w", pcap)
	guest.Eventually(t, "dropwatch listens", func() bool { info, err := os.Stat(pcap); return err == nil && info.Size() > 0 })
	guest.Flood(t, n)
	awaitQuiet(text)
	awaitQuiet(pcap)
	c.Interrupt()
	r := dump.Interrupt()
	fromC, own := count(t, text, "drop at: "), count(t, pcap, "dropwatch test")
	t.Logf("of %d drops C shows %d, dropwatch %d (%s)", n, fromC, own, strings.TrimSpace(r.Stderr))
	lost := lostOf(t, r.Stderr)
	if own < fromC || own+lost != n {
		t.Errorf("of %d drops C shows %d, dropwatch %d, and %d are lost", n, fromC, own, lost)
	}
}

// count counts what in a file.
func count(t *testing.T, file, what string) int {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(content, []byte(what))
}
