package bpf

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
)

// readerEnv makes the test program a reader, of the drops in the namespace that
// it names.
const readerEnv = "DROPWATCH_TEST_BPF_NETNS"

// An account is what a reader says at its end.
type account struct {
	Packets, Single, Lost uint64
	MaxRSS                int64 // KiB
}

// readAlone reads until its input ends.
func readAlone() (code int) {
	netns, err := strconv.ParseUint(os.Getenv(readerEnv), 10, 32)
	s, err2 := Open(Options{Sample: DefaultSample})
	if err != nil || err2 != nil {
		fmt.Println(err, err2)
		return 1
	}
	fmt.Println("ready")
	ctx, cancel := context.WithCancel(context.Background())
	go func() { os.Stdin.Read(make([]byte, 1)); cancel() }()
	var a account
	if err := s.Run(ctx, &accountant{uint32(netns), &a}); err != nil {
		fmt.Println(err)
		return 1
	}
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &u)
	a.MaxRSS = u.Maxrss
	json.NewEncoder(os.Stdout).Encode(&a)
	return 0
}

// An accountant sums up the drops of a closed port in one namespace.
type accountant struct {
	netns uint32
	*account
}

func (a *accountant) Emit(e *event.Event) {
	switch {
	case e.Kind == event.Loss:
		a.Lost += e.Count
	case e.Netns.Inode == a.netns && e.Reason == reason("NO_SOCKET"):
		a.Packets += e.Count
		if e.Individual {
			a.Single++
		}
	}
}

func (a *accountant) Flush() {}

// A process is a reader that runs.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	end func()
	out *bufio.Scanner
}

func startReader(t *testing.T, netns uint32) *process {
	t.Helper()
	needAble(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprint(readerEnv, "=", netns))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	p := &process{t, cmd, func() { in.Close() }, bufio.NewScanner(out)}
	if line := p.line(); line != "ready" {
		t.Fatal(line)
	}
	return p
}

func (p *process) line() string {
	p.out.Scan()
	return p.out.Text()
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// account ends the reader.
func (p *process) account() (a account) {
	p.t.Helper()
	p.end()
	line := p.line()
	if err := json.NewDecoder(strings.NewReader(line)).Decode(&a); err != nil {
		p.t.Fatalf("%v: %s", err, line)
	}
	return a
}

// TestStoppedReader loses packets while the reader is stopped: it has them all
// afterwards.
func TestStoppedReader(t *testing.T) {
	const count = 100_000
	p := newPlace(t)
	r := startReader(t, p.inode)
	p.send(t, count, 0)
	r.signal(syscall.SIGSTOP)
	p.send(t, count, 0, 1)
	time.Sleep(countTime)
	r.signal(syscall.SIGCONT)
	p.send(t, count, 0)
	a := r.account()
	t.Logf("%+v", a)
	if a.Packets != 4*count || a.Lost != 0 || a.Single < DefaultSample || a.Single > count {
		t.Errorf("%+v, want %d packets and none lost", a, 4*count)
	}
	if a.MaxRSS > 40<<10 && !race() {
		t.Errorf("%d KiB resident", a.MaxRSS)
	}
}

// race reports whether this is built with the race detector, which takes memory.
func race() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestKilledReader leaves nothing in the kernel.
func TestKilledReader(t *testing.T) {
	r := startReader(t, 1)
	objects := heldBy(t, r.cmd.Process.Pid)
	for _, kind := range []string{"prog", "map", "link"} {
		if !slices.ContainsFunc(objects, func(o object) bool { return o.kind == kind }) {
			t.Fatalf("the reader has no %s: %v", kind, objects)
		}
	}
	r.signal(syscall.SIGKILL)
	r.cmd.Wait()
	left := objects
	for begin := time.Now(); len(left) > 0 && time.Since(begin) < time.Minute; time.Sleep(10 * time.Millisecond) {
		left = slices.DeleteFunc(left, object.gone)
	}
	if len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// An object is one of BPF in the kernel: a prog, map or link, and its number.
type object struct {
	kind string
	id   uint32
}

// heldBy lists the objects that a process has open, as /proc/PID/fdinfo does.
func heldBy(t *testing.T, pid int) (objects []object) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, _ := os.ReadFile(file) // it may have been closed
		for line := range strings.Lines(string(text)) {
			var o object
			if _, err := fmt.Sscanf(strings.Replace(line, "_id:", " ", 1), "%s %d", &o.kind, &o.id); err == nil {
				objects = append(objects, o)
			}
		}
	}
	return slices.DeleteFunc(objects, object.gone)
}

// gone reports whether the kernel does not have the object any more.
func (o object) gone() bool {
	var c io.Closer
	var err error
	switch o.kind {
	case "prog":
		c, err = ebpf.NewProgramFromID(ebpf.ProgramID(o.id))
	case "map":
		c, err = ebpf.NewMapFromID(ebpf.MapID(o.id))
	case "link":
		c, err = link.NewFromID(link.ID(o.id))
	default: // pos, flags and the like
		return true
	}
	if err == nil {
		c.Close()
	}
	return errors.Is(err, os.ErrNotExist)
}
