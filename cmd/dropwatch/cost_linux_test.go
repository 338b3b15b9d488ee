package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/vmtest/drops"
)

// A watcher is a program that watches drops, and how to find out what it saw.
type watcher struct {
	name string
	args []string // "FILE" stands for a file of its own
	seen func(output) (shown, lost int, err error)
}

// An output is what a watcher left behind.
type output struct{ stdout, stderr, file string } // names of files

// watchers are what BenchmarkWatch compares.
func watchers(binary string) []watcher {
	const event = "skb:kfree_skb"
	watch := func(args ...string) []string { return append([]string{binary, "watch", "--json", "--source"}, args...) }
	return []watcher{
		{"perf stat", []string{"perf", "stat", "-a", "-x,", "-e", event}, output.stat},
		{"watch bpf", watch("bpf"), output.end},
		{"watch bpf --stack", watch("bpf", "--stack"), output.end},
		{"watch bpf, all", watch("bpf", "--sample", "all"), output.end},
		{"watch trace", watch("trace"), output.end},
		{"watch trace --stack", watch("trace", "--stack"), output.end},
		{"perf record", []string{"perf", "record", "-q", "-a", "-e", event, "-o", "FILE"}, output.record},
		{"perf record -g", []string{"perf", "record", "-q", "-a", "-g", "-e", event, "-o", "FILE"}, output.record},
		{"bpftrace, count", []string{"bpftrace", "-e", "tracepoint:" + event + " { @[args->reason] = count(); }"}, output.counts},
		{"bpftrace, print", []string{"bpftrace", "-e", "tracepoint:" + event +
			` { printf("%d %llx\n", args->reason, args->location); }`}, output.lines},
	}
}

// start is how long the watcher takes to start: bpftrace most of a second.
func (w watcher) start() time.Duration {
	if w.args[0] == "bpftrace" {
		return 1500 * time.Millisecond
	}
	return 500 * time.Millisecond
}

// A cost is what a watcher took of one flood.
type cost struct {
	rate           float64 // drops a second
	free           float64 // the same just before, with nothing attached
	cpu            float64 // nanoseconds of the watcher's for a drop
	idle           float64 // share of a CPU before the flood
	shown          float64 // share of the drops
	lost, unspoken float64 // drops that it did not show: reported as lost, and not reported
}

// A flood is how drops are made.
type flood struct {
	name    string
	prepare func(*drops.Namespace)
	cpus    []int
}

var floods = []flood{
	{"UDP to a closed port", func(*drops.Namespace) {}, []int{0}},
	{"nft drop on egress", (*drops.Namespace).DropEgress, []int{0}},
	{"UDP to a closed port from two CPUs", func(*drops.Namespace) {}, []int{0, 1}},
}

// BenchmarkWatch puts watchers of skb:kfree_skb side by side, in turns, each
// with floods: `make bench-watch` prints it.
func BenchmarkWatch(b *testing.B) {
	const rounds = 3
	all := watchers(build(b))
	for _, f := range floods {
		b.Run(f.name, func(b *testing.B) {
			ns := drops.NewNamespace(b)
			f.prepare(ns)
			costs := make([][]cost, len(all))
			for range rounds {
				for i, w := range all {
					costs[i] = append(costs[i], w.run(b, ns, f.cpus))
				}
			}
			b.Log("\n" + report(all, costs))
		})
	}
}

// build returns the program as users have it.
func build(b *testing.B) string {
	b.Helper()
	file := filepath.Join(b.TempDir(), "dropwatch")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return file
}

// rate floods for a time, and also returns the drops per second.
func rate(ns *drops.Namespace, d time.Duration, cpus []int) (sent int, rate float64) {
	sent, took := ns.Flood(d, cpus...)
	return sent, float64(sent) / took.Seconds()
}

// run floods before and while the watcher runs, as no machine is the same for
// minutes. What the watcher writes goes to memory.
func (w watcher) run(b *testing.B, ns *drops.Namespace, cpus []int) cost {
	b.Helper()
	_, free := rate(ns, time.Second/2, cpus)
	cmd, out := w.launch(b)
	defer os.RemoveAll(filepath.Dir(out.file))
	time.Sleep(w.start())
	idle := cpuTime(cmd.Process.Pid)
	time.Sleep(time.Second)
	before := cpuTime(cmd.Process.Pid)
	sent, watched := rate(ns, time.Second, cpus)
	time.Sleep(300 * time.Millisecond) // to write what is left
	after := cpuTime(cmd.Process.Pid)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		b.Fatal(err)
	}
	_ = cmd.Wait() // what it wrote says how it ended
	shown, lost, err := w.seen(out)
	if err != nil {
		b.Errorf("%s: %v", w.name, err)
	}
	return cost{
		rate: watched, free: free, cpu: float64(after-before) / float64(sent), idle: (before - idle).Seconds(),
		shown: min(float64(shown)/float64(sent), 1), lost: float64(lost), unspoken: float64(max(sent-shown-lost, 0)),
	}
}

// launch starts the watcher, with a directory of its own in memory.
func (w watcher) launch(b *testing.B) (*exec.Cmd, output) {
	b.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "dropwatch-")
	if err != nil {
		b.Fatal(err)
	}
	out := output{filepath.Join(dir, "stdout"), filepath.Join(dir, "stderr"), filepath.Join(dir, "file")}
	args := slices.Clone(w.args)
	if i := slices.Index(args, "FILE"); i >= 0 {
		args[i] = out.file
	}
	cmd := exec.Command(args[0], args[1:]...)
	for name, stream := range map[string]*io.Writer{out.stdout: &cmd.Stdout, out.stderr: &cmd.Stderr} {
		f, err := os.Create(name)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		*stream = f
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return cmd, out
}

// cpuTime is how long all threads of a process have run.
func cpuTime(pid int) (sum time.Duration) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, name := range files {
		var ran time.Duration
		text, _ := os.ReadFile(name)
		fmt.Sscan(string(text), &ran)
		sum += ran
	}
	return sum
}

// stat reads the count of perf stat -x,
func (o output) stat() (shown, _ int, err error) {
	text, _ := os.ReadFile(o.stderr)
	_, err = fmt.Sscan(string(text), &shown)
	return shown, 0, err
}

// end reads the last line of watch --json.
func (o output) end() (shown, lost int, err error) {
	f, err := os.Open(o.stdout)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	if _, err := f.Seek(-1000, io.SeekEnd); err != nil {
		return 0, 0, err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return 0, 0, err
	}
	text = bytes.TrimSpace(text)
	var l line
	err = json.Unmarshal(text[bytes.LastIndexByte(text, '\n')+1:], &l)
	return l.Shown, l.lost(), err
}

var samples = regexp.MustCompile(`SAMPLE events: +(\d+)`)

// record counts the samples of perf record.
func (o output) record() (shown, _ int, err error) {
	text, err := exec.Command("perf", "report", "--stats", "-i", o.file).CombinedOutput()
	if m := samples.FindSubmatch(text); err == nil && m != nil {
		shown, err = strconv.Atoi(string(m[1]))
	}
	return shown, 0, err
}

var counts = regexp.MustCompile(`(?m)^@\[\d+\]: (\d+)$`)

// counts adds up a map that bpftrace prints when it ends.
func (o output) counts() (shown, _ int, err error) {
	text, err := os.ReadFile(o.stdout)
	for _, m := range counts.FindAllSubmatch(text, -1) {
		n, _ := strconv.Atoi(string(m[1])) // digits
		shown += n
	}
	return shown, 0, err
}

var lostEvents = regexp.MustCompile(`(?m)^Lost (\d+) events$`)

// lines counts lines, but for bpftrace's first.
func (o output) lines() (shown, lost int, err error) {
	text, err := os.ReadFile(o.stdout)
	stderr, _ := os.ReadFile(o.stderr)
	for _, m := range lostEvents.FindAllSubmatch(append(stderr, text...), -1) {
		n, _ := strconv.Atoi(string(m[1])) // digits
		lost += n
	}
	return bytes.Count(text, []byte("\n")) - 1, lost, err
}

// report is a table of medians.
func report(all []watcher, costs [][]cost) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%-21s %9s %9s %5s %12s %7s %8s %7s %9s\n", "", "free/s", "drops/s", "kept", "CPU a drop", "idle", "shown",
		"lost", "unspoken")
	for i, w := range all {
		of := func(value func(cost) float64) float64 { return median(costs[i], value) }
		fmt.Fprintf(&s, "%-21s %9.0f %9.0f %5.2f %9.0f ns %5.2f %% %6.1f %% %7.0f %9.0f\n", w.name,
			of(func(c cost) float64 { return c.free }), of(func(c cost) float64 { return c.rate }),
			of(func(c cost) float64 { return c.rate / c.free }), of(func(c cost) float64 { return c.cpu }),
			100*of(func(c cost) float64 { return c.idle }), 100*of(func(c cost) float64 { return c.shown }),
			of(func(c cost) float64 { return c.lost }), of(func(c cost) float64 { return c.unspoken }))
	}
	return s.String()
}

func median(costs []cost, value func(cost) float64) float64 {
	values := make([]float64, len(costs))
	for i, c := range costs {
		values[i] = value(c)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
