package vmtest_test

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

	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// TestGuestWhose asks for the drops of this process. That of a receiver is found
// by the packet's addresses before 6.11.
func TestGuestWhose(t *testing.T) {
	for _, way := range owned() {
		t.Run(way.Name, func(t *testing.T) {
			const n = 3
			ns := inhabited(t)
			drop := way.PrepareIn(ns, n)
			confidence := "certain"
			if way.Owner == drops.Receiver && !guest.AtLeast(6, 11) {
				confidence = "likely"
			}
			for _, l := range watchWhose(t, "pid "+strconv.Itoa(os.Getpid()), n, drop) {
				if p := l.Process; p.PID != os.Getpid() || p.Comm != "guest.test" || p.Confidence != confidence ||
					l.Netns.Inode != ns.Inode() || l.Socket.Receiver != (way.Owner == drops.Receiver) {
					t.Errorf("%+v, want process %d, %s, in namespace %d", l, os.Getpid(), confidence, ns.Inode())
				}
			}
		})
	}
}

// owned are the ways that have an owner, but for the one whose socket is closed
// before anybody can look for its process.
func owned() []drops.Way {
	return slices.DeleteFunc(slices.Clone(drops.Ways), func(w drops.Way) bool {
		return w.Owner == drops.Nobody || w.First == drops.Transport
	})
}

// inhabited is a namespace with a process, through which all sockets there can be
// found.
func inhabited(t *testing.T) *drops.Namespace {
	t.Helper()
	ns := drops.NewNamespace(t)
	ns.Do(func() error {
		guest.Start(t, "", "sleep", "100")
		return nil
	})
	return ns
}

// TestGuestWhoseContainer is in one itself.
func TestGuestWhoseContainer(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	enter(t, "docker-"+id+".scope")
	for _, way := range owned() {
		t.Run(way.Name, func(t *testing.T) {
			const n = 3
			for _, l := range watchWhose(t, "container "+id[:12], n, way.PrepareIn(inhabited(t), n)) {
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
		if err := errors.Join(move(top), os.Remove(dir)); err != nil {
			t.Error(err)
		}
	})
	if err := errors.Join(os.Mkdir(dir, 0o755), move(dir)); err != nil {
		t.Fatal(err)
	}
}

// TestGuestWhoseNamespace has the same addresses in two namespaces.
func TestGuestWhoseNamespace(t *testing.T) {
	const n = 3
	other := drops.NewNamespace(t)
	blue := other.Another()
	name(t, blue, "blue")
	way := drops.Ways[0]
	dropOther, dropBlue := way.PrepareIn(other, n+1), way.PrepareIn(blue, n)
	for _, expression := range []string{"netns blue", fmt.Sprint("netns ", blue.Inode())} {
		for _, l := range watchWhose(t, expression, n, func() { dropOther(); dropBlue() }) {
			if l.Netns.Inode != blue.Inode() || l.Netns.Name != "blue" {
				t.Errorf("%+v, want namespace %d", l, blue.Inode())
			}
		}
	}
}

// name names a namespace as ip(8) does.
func name(t *testing.T, ns *drops.Namespace, name string) {
	t.Helper()
	file := filepath.Join("/run/netns", name)
	ns.Do(func() error {
		return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o444),
			syscall.Mount("/proc/thread-self/ns/net", file, "", syscall.MS_BIND, ""))
	})
	t.Cleanup(func() {
		if err := errors.Join(syscall.Unmount(file, syscall.MNT_DETACH), os.Remove(file)); err != nil {
			t.Error(err)
		}
	})
}

// watchWhose has the source bpf see n drops that an expression wants, besides
// those that awaitWatch makes, and then two of nobody's: to look for those puts off
// looking for others.
func watchWhose(t *testing.T, expression string, n int, drop func()) []line {
	t.Helper()
	p := awaitWatch(t, guest.Start(t, "", ours, "watch", "--json", "--source", "bpf", expression+" or proto "+mark))
	drop()
	guest.Eventually(t, "all drops are shown", func() bool { return len(unmarked(t, p.Stdout())) >= n })
	guest.Flood(t, 2)
	r := p.Interrupt()
	wanted := unmarked(t, r.Stdout)
	if all := lines(t, r.Stdout); len(wanted) != n || all[len(all)-1].Filtered < 2 || r.Code != 0 {
		t.Errorf("%d drops, want %d: %+v", len(wanted), n, r)
	}
	wantClosed(t, r.Stdout)
	return wanted
}

// TestGuestKilled: what was killed is not in the way of the next.
func TestGuestKilled(t *testing.T) {
	startWatch := func() *guest.Process {
		return awaitWatch(t, guest.Start(t, "", ours, "watch", "--json", "--source", "bpf"))
	}
	startTop := func() *terminal {
		s := openTerminal(t, "top", "--source", "bpf")
		guest.Eventually(t, "drops are shown", func() bool {
			if err := drops.Mark(1); err != nil {
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
