package diagnose_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// TestNamespaces: commands enter a namespace without a name by a process in it, and
// that of dropwatch not at all.
func TestNamespaces(t *testing.T) {
	vmtest.RequireRoot(t)
	here := host.New("/")
	other := drops.NewNamespace(t)
	sleep := exec.Command("sleep", "600")
	other.Do(sleep.Start)
	t.Cleanup(func() { sleep.Process.Kill(); sleep.Wait() })
	for _, test := range []struct {
		inode uint32
		want  string
	}{
		{here.Netns(), "ss "},
		{other.Inode(), fmt.Sprintf("nsenter -t %d -n ss ", sleep.Process.Pid)},
	} {
		e := udp("NO_SOCKET", 40001)
		e.Netns = event.Netns{Inode: test.inode}
		d := diagnose.New(collect(t, e), report("UdpNoPorts", 0), nil)
		d.Ask(diagnose.NewHost(here, nil))
		if got := d.Findings[0].Meaning.Check[0]; !strings.HasPrefix(got, test.want) {
			t.Errorf("got %s, want %s", got, test.want)
		}
		named := strings.Contains(textOf(t, d), fmt.Sprintf("network namespace of process sleep/%d\n", sleep.Process.Pid))
		if named != (test.inode == other.Inode()) {
			t.Errorf("the process by which commands enter is named: %t, in\n%s", named, textOf(t, d))
		}
	}
}
