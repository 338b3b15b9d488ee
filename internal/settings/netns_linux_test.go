package settings_test

import (
	"bufio"
	"os/exec"
	"syscall"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/settings"
	"dropwatch/internal/vmtest"
)

// TestReadAll: the values are those of the network namespace that is asked for, in the order
// of the names, and one that is gone has none.
func TestReadAll(t *testing.T) {
	vmtest.RequireRoot(t) // to make a network namespace
	cmd := exec.Command("sh", "-c", "echo 77 >/proc/sys/net/core/somaxconn; readlink /proc/self/ns/net; exec cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
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
	defer func() { in.Close(); _ = cmd.Wait() }()
	link, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var inode uint32
	for _, digit := range link[len("net:[") : len(link)-len("]\n")] {
		inode = 10*inode + uint32(digit-'0')
	}
	names := []string{"net.core.no_such", "net.core.somaxconn", "net.ipv4.conf.{ifname}.rp_filter"}
	r := settings.New(host.New("/"))
	there := r.ReadAll(event.Netns{Inode: inode}, names, "lo")
	if len(there) != 2 || there[0].Value != "77" || there[1].Name != "net.ipv4.conf.lo.rp_filter" {
		t.Errorf("in the namespace: %+v", there)
	}
	if here := r.ReadAll(event.Netns{}, names, "lo"); len(here) != 2 || here[0].Value == "77" {
		t.Errorf("in that of this process: %+v", here)
	}
	if gone := r.ReadAll(event.Netns{Inode: 1}, names, "lo"); gone != nil {
		t.Errorf("in none: %+v", gone)
	}
}
