package counters_test

import (
	"os/exec"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// TestNamespaces: datagrams that find no socket are counted in their namespace alone,
// whether it is read from inside or from outside.
func TestNamespaces(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	keepFound(t, ns)
	here, protocols := ns.Inode(), []counters.Group{counters.Protocol}
	outside := counters.Reader{
		Host: host.New("/"), Groups: protocols,
		Netns: func(inode uint32, _ host.Netns) bool { return inode == here },
	}
	inside := counters.Reader{Host: host.New("/"), Groups: protocols}
	snapshots := func() (s [2]*counters.Snapshot) {
		ns.Do(func() error { s[0] = snapshot(t, &inside); return nil })
		s[1] = snapshot(t, &outside)
		return s
	}
	scenario := drops.Named("UDP to a closed port")
	drop := scenario.PrepareIn(ns, 7)
	before := snapshots()
	drop()
	after := snapshots()
	for i := range before {
		if rose := deltas(before[i], after[i])["UdpNoPorts"]; rose != 7 {
			t.Errorf("reader %d: UdpNoPorts rose by %d, want 7", i, rose)
		}
	}
}

// keepFound starts a process in a namespace, by which it is found.
func keepFound(t *testing.T, ns *drops.Namespace) {
	t.Helper()
	sleep := exec.Command("sleep", "600")
	ns.Do(sleep.Start)
	t.Cleanup(func() {
		sleep.Process.Kill()
		sleep.Wait()
	})
}

// deltas are the changes by ID.
func deltas(before, after *counters.Snapshot) map[string]uint64 {
	found := make(map[string]uint64)
	for _, c := range counters.Compare(before, after) {
		found[c.ID()] += c.Delta
	}
	return found
}

func snapshot(t *testing.T, r *counters.Reader) *counters.Snapshot {
	t.Helper()
	s, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Failures {
		t.Error(f.Error())
	}
	return s
}

// TestEveryNamespace: all that have a process or a name, each once.
func TestEveryNamespace(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	keepFound(t, ns)
	seen := make(map[uint32]int)
	s := snapshot(t, &counters.Reader{
		Host: host.New("/"), Groups: []counters.Group{counters.Protocol},
		Netns: func(uint32, host.Netns) bool { return true },
	})
	for _, c := range s.Counters {
		if c.ID() == "UdpNoPorts" {
			seen[c.Netns.Inode]++
		}
	}
	if seen[ns.Inode()] != 1 || seen[host.New("/").Netns()] != 1 {
		t.Errorf("namespaces read: %v, want %d and that of this process once", seen, ns.Inode())
	}
}
