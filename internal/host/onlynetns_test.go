package host_test

import (
	"fmt"
	"io/fs"
	"testing"
	"testing/fstest"

	"dropwatch/internal/host"
)

// netnsTree makes the files of a host with two processes, one of two threads, and a zombie.
func netnsTree() fstest.MapFS {
	return fstest.MapFS{
		"proc/self/ns/pid":       link("pid:[4026531836]"),
		"proc/self/ns/net":       link("net:[4026531840]"),
		"proc/self/mountinfo":    {Data: []byte("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")},
		"proc/1/task/1/ns/net":   link("net:[4026531840]"),
		"proc/71/task/71/ns/net": link("net:[4026531840]"),
		"proc/71/task/72/ns/net": link("net:[4026531840]"),
		"proc/80/task/80/comm":   {Data: []byte("zombie\n")}, // without namespaces
	}
}

func TestOnlyNetns(t *testing.T) {
	tests := map[string]struct {
		file string
		is   *fstest.MapFile // nil: it is not there
		want bool
	}{
		"one namespace":         {"proc/none", &fstest.MapFile{}, true},
		"a thread elsewhere":    {"proc/71/task/72/ns/net", link("net:[4026532177]"), false},
		"a container's init":    {"proc/1/task/1/ns/net", link("net:[4026532177]"), false},
		"a thread that ended":   {"proc/71/task/72/ns/net", nil, true},
		"a named namespace":     {"proc/self/mountinfo", mounted(4026532177, "/run/netns/blue"), false},
		"its own name":          {"proc/self/mountinfo", mounted(4026531840, "/run/netns/host"), true},
		"a PID namespace":       {"proc/self/ns/pid", link("pid:[4026532100]"), false},
		"no namespaces at all":  {"proc/self/ns/net", nil, false},
		"no mounts that it saw": {"proc/self/mountinfo", nil, false},
	}
	for name, tt := range tests {
		files := netnsTree()
		files[tt.file] = tt.is
		if tt.is == nil {
			delete(files, tt.file)
		}
		if got := host.FS(files).OnlyNetns(); got != tt.want {
			t.Errorf("%s: %t, want %t", name, got, tt.want)
		}
	}
}

func link(to string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink | 0o777}
}

func mounted(inode uint32, at string) *fstest.MapFile {
	return &fstest.MapFile{Data: fmt.Appendf(nil, "99 22 0:4 net:[%d] %s rw - nsfs nsfs rw\n", inode, at)}
}
