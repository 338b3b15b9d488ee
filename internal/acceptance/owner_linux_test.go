package acceptance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// TestGuestOwner watches the drops of this process, in a run for each scenario: within
// one, reading all processes again may have to wait, for its CPU time is bounded. The
// owner of a receiver's drops is found by the packet's addresses before 6.11.
func TestGuestOwner(t *testing.T) {
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	for _, scenario := range owned() {
		t.Run(scenario.Name, func(t *testing.T) {
			const n = 3
			ns := withProcess(t)
			confidence := "certain"
			if scenario.Owner == drops.Receiver && !guest.AtLeast(6, 11) {
				confidence = "likely"
			}
			for _, l := range watchOwner(t, "pid "+strconv.Itoa(os.Getpid()), n, scenario.PrepareIn(ns, n)) {
				if p := l.Process; p.PID != os.Getpid() || p.Comm+"\n" != string(comm) || p.Confidence != confidence ||
					l.Netns.Inode != ns.Inode() || l.Socket.Receiver != (scenario.Owner == drops.Receiver) {
					t.Errorf("%+v, want process %d, %s, in namespace %d", l, os.Getpid(), confidence, ns.Inode())
				}
			}
		})
	}
}

// owned returns the scenarios that have an owner, except the one in which the socket is closed
// before anybody can look for its process.
func owned() []drops.Scenario {
	return slices.DeleteFunc(slices.Clone(drops.Scenarios), func(w drops.Scenario) bool {
		return w.Owner == drops.Nobody || w.First == drops.Transport
	})
}

// withProcess makes a namespace with a process, through which all sockets there can be
// found.
func withProcess(t *testing.T) *drops.Namespace {
	t.Helper()
	ns := drops.NewNamespace(t)
	ns.Do(func() error {
		guest.Start(t, "", "sleep", "100")
		return nil
	})
	return ns
}

// TestGuestOwnerContainer is in one itself.
func TestGuestOwnerContainer(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	enter(t, "docker-"+id+".scope")
	for _, scenario := range owned() {
		t.Run(scenario.Name, func(t *testing.T) {
			const n = 3
			for _, l := range watchOwner(t, "container "+id[:12], n, scenario.PrepareIn(withProcess(t), n)) {
				if l.Container.ID != id || l.Container.Runtime != "docker" {
					t.Errorf("%+v, want container %s", l, id)
				}
			}
		})
	}
}

// enter moves this process to a control group of its own until the test ends.
func enter(t *testing.T, name string) {
	t.Helper()
	const top = "/sys/fs/cgroup"
	dir := filepath.Join(top, name)
	move := func(to string) error {
		return os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
	}
	t.Cleanup(func() {
		if err := errors.Join(move(top), removeGroup(dir)); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(os.Mkdir(dir, 0o755), move(dir)); err != nil {
		t.Fatal(err)
	}
}

// removeGroup removes a control group, in which processes may still be ending.
func removeGroup(dir string) (err error) {
	for range 1000 {
		if err = os.Remove(dir); !errors.Is(err, syscall.EBUSY) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

// TestGuestOwnerNamespace has the same addresses in two namespaces.
func TestGuestOwnerNamespace(t *testing.T) {
	const n = 3
	other := drops.NewNamespace(t)
	blue := other.Another()
	blue.Name("blue")
	scenario := drops.Named("UDP to a closed port")
	dropOther, dropBlue := scenario.PrepareIn(other, n+1), scenario.PrepareIn(blue, n)
	for _, expression := range []string{"netns blue", fmt.Sprint("netns ", blue.Inode())} {
		for _, l := range watchOwner(t, expression, n, func() { dropOther(); dropBlue() }) {
			if l.Netns.Inode != blue.Inode() || l.Netns.Name != "blue" {
				t.Errorf("%+v, want namespace %d", l, blue.Inode())
			}
		}
	}
}

// watchOwner returns the n drops that source bpf shows of an expression, besides
// those that awaitWatch makes. Two drops that nobody owns come after them: looking
// those up delays looking up others.
func watchOwner(t *testing.T, expression string, n int, drop func()) []line {
	t.Helper()
	p := awaitWatch(t, guest.Start(t, "", dropwatchPath, "watch", "--json", "--source", "bpf", expression+" or proto "+mark))
	drop()
	guest.Eventually(t, "all drops are shown", func() bool { return len(since(t, p, 0)) >= n })
	if err := drops.DropStrays(2); err != nil {
		t.Fatal(err)
	}
	r := p.Interrupt()
	shown := unmarked(t, r.Stdout)
	if all := lines(t, r.Stdout); len(shown) != n || all[len(all)-1].Filtered+all[len(all)-1].Undecided < 2 || r.Code != 0 {
		t.Errorf("%d drops, want %d: %+v", len(shown), n, r)
	}
	wantClosed(t, r.Stdout)
	return shown
}

// TestGuestKilled: what was killed does not hinder the next.
func TestGuestKilled(t *testing.T) {
	startWatch := func() *guest.Process {
		return awaitWatch(t, guest.Start(t, "", dropwatchPath, "watch", "--json", "--source", "bpf"))
	}
	startTop := func() *terminal {
		s := openTerminal(t, "top", "--source", "bpf")
		guest.Eventually(t, "drops are shown", func() bool {
			if err := drops.DropProbes(1); err != nil {
				t.Fatal(err)
			}
			return s.find("__netif_receive_skb")
		})
		return s
	}
	watch, top := startWatch(), startTop()
	watch.Signal(syscall.SIGKILL)
	watch.Wait()
	if err := top.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := top.cmd.Wait(); err == nil {
		t.Error("top has ended by itself")
	}
	if r := startWatch().Interrupt(); r.Code != 0 {
		t.Errorf("%+v", r)
	}
	top = startTop()
	top.press("q")
	top.wait()
}
