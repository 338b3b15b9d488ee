package dwdump_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/dwdump"
	"dropwatch/internal/vmtest"
)

// TestTsharkReadsIt is skipped where there is no tshark.
func TestTsharkReadsIt(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		vmtest.SkipOrFail(t, err)
	}
	f := create(t, "")
	s := must[*dwdump.Sink](t)(dwdump.New(f, f.Name(), message(t, "family.msg"), start))
	e := event.Event{Raw: message(t, "packet.msg"), Time: time.Unix(1_795_231_702, 728_779_790)}
	if err := s.Write(&e); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), tshark, "-r", f.Name(), "-T", "fields", "-E", "separator=,",
		"-e", "frame.time_epoch", "-e", "net_dm.pc", "-e", "net_dm.symbol", "-e", "net_dm.port.netdev_index", "-e", "udp.dstport")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(string(out), "\n") // after the family's own line
	const want = "1795231702.728779790,0xffffffff87a84b72,__udp4_lib_rcv+0x9a2/0xc30,1,9\n"
	if got != want {
		t.Errorf("tshark reads %q, want %q", got, want)
	}
}
