package resolve

import (
	"io/fs"
	"testing"
	"testing/fstest"
	"time"

	"dropwatch/internal/host"
)

// TestNoNameOfAnotherNamespace: an index whose namespace is not known is named only
// where there is one namespace, and loopback everywhere.
func TestNoNameOfAnotherNamespace(t *testing.T) {
	link := func(to string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
	}
	files := fstest.MapFS{
		"proc/self/ns/pid":     link("pid:[4026531836]"),
		"proc/self/ns/net":     link("net:[4026531840]"),
		"proc/self/mountinfo":  {Data: []byte("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")},
		"proc/1/task/1/ns/net": link("net:[4026531840]"),
	}
	names := func() *HostInterfaces {
		own := uint32(4026531840)
		return &HostInterfaces{host: host.FS(files), own: own, names: map[uint32]string{1: "lo", 3: "bond0"}, read: time.Now()}
	}
	check := func(i *HostInterfaces, netns, index uint32, want string) {
		t.Helper()
		if got := i.Name(netns, index); got != want {
			t.Errorf("interface %d of namespace %d is %q, want %q", index, netns, got, want)
		}
	}
	check(names(), 0, 3, "bond0")
	check(names(), 4026531840, 3, "bond0")
	files["proc/9/task/9/ns/net"] = link("net:[4026532177]")
	check(names(), 0, 3, "")
	check(names(), 0, 1, "lo")
	check(names(), 4026531840, 3, "bond0")
	check(names(), 4026532177, 1, "")
}
