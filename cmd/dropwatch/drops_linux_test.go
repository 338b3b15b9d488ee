package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/vmtest/drops"
)

// A line is one of watch --json, as far as these tests look at it.
type line struct {
	Kind, Reason, Protocol string
	Count                  int
	Task                   struct{ PID int }

	Shown, Filtered, Total int
	Lost                   map[string]int
}

// lost is the number of drops lost anywhere.
func (l line) lost() (n int) {
	for _, m := range l.Lost {
		n += m
	}
	return n
}

// A watch is a running dropwatch watch --json.
type watch struct {
	t      *testing.T
	source string
	cmd    *exec.Cmd
	stdout *bufio.Scanner
	stderr strings.Builder
	marks  int // drops made while it started, some before
}

// startWatch returns when drops are seen. Only those in a namespace of the
// test's own are its: drops.NewNamespace has to be there.
func startWatch(t *testing.T, source string, args ...string) *watch {
	t.Helper()
	args = append([]string{"watch", "--json", "--source", source}, args...)
	w := &watch{t: t, source: source, cmd: exec.Command("dropwatch", args...)}
	w.cmd.Env = append(os.Environ(), "GORACE="+noDelay)
	w.cmd.Stderr = &w.stderr
	stdout, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.stdout = bufio.NewScanner(stdout)
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.cmd.Process.Kill() })
	end := marking(t)
	for w.next().Protocol != mark {
	}
	w.marks = end()
	return w
}

// mark is what JSON calls the protocol of drops.Mark.
var mark = fmt.Sprintf("%#04x", drops.MarkType)

// marking marks again and again until the end, which tells how often.
func marking(t *testing.T) (end func() int) {
	stop, marks := make(chan struct{}), make(chan int)
	go func() {
		for n := 1; ; n++ {
			if err := drops.Mark(1); err != nil {
				t.Error(err)
			}
			select {
			case <-time.After(50 * time.Millisecond):
			case <-stop:
				marks <- n
				return
			}
		}
	}()
	return func() int {
		close(stop)
		return <-marks
	}
}

// next reads a line.
func (w *watch) next() (l line) {
	w.t.Helper()
	if !w.stdout.Scan() {
		w.cmd.Wait()
		w.t.Fatalf("no more lines: %v\n%s", w.stdout.Err(), &w.stderr)
	}
	if err := json.Unmarshal(w.stdout.Bytes(), &l); err != nil {
		w.t.Fatalf("%s: %v", w.stdout.Bytes(), err)
	}
	return l
}

// end stops the watch, and counts the drops by reason up to its last line. The
// drops are those of this process: they are dropped at once, by whom sends.
func (w *watch) end() (reasons map[string]int, end line) {
	w.t.Helper()
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		w.t.Fatal(err)
	}
	reasons = make(map[string]int)
	for {
		switch l := w.next(); {
		case l.Kind == "end":
			if err := w.cmd.Wait(); err != nil || w.stderr.String() != "dropwatch: source "+w.source+"\n" {
				w.t.Errorf("%v\n%s", err, &w.stderr)
			}
			return reasons, l
		case l.Kind == "drop" && l.Protocol != mark && l.Task.PID == os.Getpid():
			reasons[l.Reason] += l.Count
		}
	}
}

// TestWatchSeesEveryWay loses packets in every way there is, on this machine.
func TestWatchSeesEveryWay(t *testing.T) {
	for _, source := range []string{"bpf", "trace"} {
		for _, way := range drops.Ways {
			t.Run(source+"/"+way.Name, func(t *testing.T) { watchWay(t, source, way) })
		}
	}
}

// watchWay watches one. The filter keeps away what others drop meanwhile.
func watchWay(t *testing.T, source string, way drops.Way) {
	const count = 7
	reason := way.Reason()
	drop := way.Prepare(t, count)
	w := startWatch(t, source, "reason == "+reason+" and not ip6 or proto == "+mark)
	drop()
	reasons, end := w.end()
	if got := reasons[reason]; got != count && !way.Silent || got >= count && way.Silent {
		t.Errorf("drops by reason %v, want %d %s, unless they are silent: %v", reasons, count, reason, way.Silent)
	}
	// TCP tries again later on an idle CPU, where perf of 6.18 counts drops that it does not sample.
	if end.lost() != 0 && (source == "bpf" || way.Name != "sending without a route") {
		t.Errorf("the end: %+v", end)
	}
}

// TestWatchCountsWhatItLoses reads nothing while more is dropped than fits
// between the kernel and us.
func TestWatchCountsWhatItLoses(t *testing.T) {
	const count = 100_000
	drops.NewNamespace(t) // so that nobody else marks
	w := startWatch(t, "trace", "--stack", "proto == "+mark)
	if err := drops.Mark(count); err != nil {
		t.Fatal(err)
	}
	_, end := w.end()
	if end.Shown == 0 || end.Lost["ring"] == 0 {
		t.Errorf("nothing is shown, or lost: %+v", end)
	}
	if all := end.Shown + end.lost(); all <= count || all > count+w.marks {
		t.Errorf("%d drops, and up to %d marks, the end: %+v", count, w.marks, end)
	}
}
