package pcapng_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/pcapng"
	"dropwatch/internal/vmtest"
)

// wireshark returns what one of Wireshark's tools says of a file. The test is
// skipped where it is not installed.
func wireshark(t *testing.T, tool string, file []byte, args ...string) (out, errs string, err error) {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil {
		vmtest.SkipOrFail(t, err)
	}
	name := filepath.Join(t.TempDir(), "drops.pcapng")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, append(args, name)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// run returns a file as a run makes it.
func run(t *testing.T) []byte {
	t.Helper()
	file, _ := write(t, pcapng.Options{App: "dropwatch 1", Host: "gate", Kernel: "Linux 6.1", SnapLen: 65535},
		udp("eth0"), raw(), traceOnly(), summary(), udp("eth0"), end(event.Ledger{Shown: 11, Lost: event.Losses{event.AtSocket: 3}}))
	return file
}

// columns are those of what is seen: what tshark calls an interface without a name is
// its description.
var columns = strings.Fields("-T fields -E separator=| -e frame.time_epoch -e frame.interface_name -e frame.interface_description " +
	"-e frame.len -e frame.cap_len -e frame.protocols -e ip.src -e udp.dstport -e _ws.malformed -e frame.comment -r")

const (
	seenUDP = "1795231702.728779790|eth0||60|43|eth:ethertype:ip:udp:data|192.0.2.1|9||dropped at udp_rcv+0x9a2 [mod]: " +
		"NO_SOCKET (software),cause: No socket accepts this address and port: nothing listens there, or the connection is " +
		"already closed.\n"
	seenRaw = "1795231702.728780790|no interface known|no interface known|29|29|raw:ip:udp:data|192.0.2.1|9||dropped at " +
		"blackhole_route (l3_drops) (hardware),cause: A blackhole route drops all packets to this destination.\n"
)

func TestTsharkReadsIt(t *testing.T) {
	got, errs, err := wireshark(t, "tshark", run(t), columns...)
	if err != nil {
		t.Fatal(err, errs)
	}
	const want = seenUDP + seenRaw +
		"1795231703.728779790|ifindex 7, drops without bytes|ifindex 7, drops without bytes|0|0|||||dropped at " +
		"nf_hook_slow+0x4a: NETFILTER_DROP (software), not in packet mode,cause: A firewall rule, a chain's policy or connection " +
		"tracking dropped the packet.,stack: nf_hook_slow+0x4a < 0xffffffffc0ffee00\n" +
		"1795231702.728779790|no interface known, drops without bytes|no interface known, drops without bytes|0|0|||||7 packets " +
		"dropped at 0xabc\n" + seenUDP
	if got != want {
		t.Errorf("tshark reads\n%swant\n%s", got, want)
	}
}

// TestTsharkReadsACutFile up to the last whole packet.
func TestTsharkReadsACutFile(t *testing.T) {
	file := run(t)
	cut := bytes.Index(file, []byte("blackhole_route"))
	got, errs, err := wireshark(t, "tshark", file[:cut], columns...)
	if got != seenUDP || err == nil || !strings.Contains(errs, "cut short") {
		t.Errorf("tshark reads\n%s%swant\n%s", got, errs, seenUDP)
	}
}

func TestCapinfosReadsIt(t *testing.T) {
	got, errs, err := wireshark(t, "capinfos", run(t))
	if err != nil {
		t.Fatal(err, errs)
	}
	for _, want := range []string{
		"Ethernet (2)", "Raw IP (1)", "USER 0 (2)", "Number of packets:   5", "Data size:           149 bytes",
		"Capture hardware:    gate", "Capture oper-sys:    Linux 6.1", "Capture application: dropwatch 1",
		"Number of interfaces in file: 4", "Name = eth0", "Capture length = 65535", "Time precision = nanoseconds (9)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "Number of stat entries = 1"); n != 4 {
		t.Errorf("%d of 4 interfaces have statistics", n)
	}
}
