package bpf

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
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

func (a *accountant) Emit(e *event.Event) error {
	switch {
	case e.Kind == event.Loss:
		a.Lost += e.Count
	case e.Netns.Inode == a.netns && e.Reason == reason("NO_SOCKET"):
		a.Packets += e.Count
		if e.Single {
			a.Single++
		}
	}
	return nil
}

func (a *accountant) Flush() error { return nil }

// A process is a reader that runs.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	end func()
	out *bufio.Scanner
}

func startReader(t *testing.T, netns uint32) *process {
	t.Helper()
	need(t, Options{}).Close()
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

// race tells whether this is built with the race detector, which takes memory.
func race() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// TestKilledReader leaves nothing in the kernel.
func TestKilledReader(t *testing.T) {
	before := loaded(t)
	r := startReader(t, 1)
	known := func(thing string) bool { return slices.Contains(before, thing) }
	its := slices.DeleteFunc(loaded(t), known)
	for _, kind := range []string{"program", "map", "link"} {
		if !slices.ContainsFunc(its, func(thing string) bool { return strings.HasPrefix(thing, kind) }) {
			t.Fatalf("the reader has no %s: %q", kind, its)
		}
	}
	r.signal(syscall.SIGKILL)
	r.cmd.Wait()
	for range 100 { // until the kernel has let go
		now := loaded(t)
		left := slices.ContainsFunc(its, func(thing string) bool { return slices.Contains(now, thing) })
		if !left {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%q, of which the reader had %q", loaded(t), its)
}

// loaded lists what is of ours in the kernel, as "program 7". What goes while
// we look is none.
func loaded(t *testing.T) (things []string) {
	t.Helper()
	var programs []ebpf.ProgramID
	for id, err := ebpf.ProgramGetNextID(0); err == nil; id, err = ebpf.ProgramGetNextID(id) {
		p, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue
		}
		if info, err := p.Info(); err == nil && slices.Contains(forms, info.Name) {
			programs, things = append(programs, id), append(things, fmt.Sprint("program ", id))
		}
		p.Close()
	}
	for id, err := ebpf.MapGetNextID(0); err == nil; id, err = ebpf.MapGetNextID(id) {
		m, err := ebpf.NewMapFromID(id)
		if err != nil {
			continue
		}
		ours := []string{dropsMapCounts, dropsMapBeyond, dropsMapRing}
		if info, err := m.Info(); err == nil && slices.Contains(ours, info.Name) {
			things = append(things, fmt.Sprint("map ", id))
		}
		m.Close()
	}
	var links link.Iterator
	defer links.Close()
	for links.Next() {
		if info, err := links.Link.Info(); err == nil && slices.Contains(programs, info.Program) {
			things = append(things, fmt.Sprint("link ", links.ID))
		}
	}
	return things
}
