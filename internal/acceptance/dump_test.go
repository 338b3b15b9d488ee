package acceptance

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dropwatch/internal/vmtest/guest"
)

const (
	captureDrops = 5 // by software, in each capture
	cCapture     = "c.pcap"
	ownCapture   = "dropwatch.pcap"
)

// TestGuestCaptures leaves captures of both programs for the host's tshark,
// each of the same software drops and of a simulated switch's.
func TestGuestCaptures(t *testing.T) {
	guest.HardwareDrops(t)
	for file, program := range map[string][]string{
		cCapture:   {"/usr/bin/dwdump"},
		ownCapture: {dropwatchPath, "dump"},
	} {
		guest.ResetMonitor(t)
		p := guest.Start(t, "", program[0], append(program[1:], "-w", "/out/"+file)...)
		guest.AwaitMonitoring(t)
		guest.Flood(t, captureDrops)
		guest.Eventually(t, program[0]+" has written both kinds", func() bool {
			return count(t, "/out/"+file, "dropwatch test") == captureDrops && count(t, "/out/"+file, "blackhole_route") >= 2
		})
		if r := p.Interrupt(); r.Code != 0 || r.Stdout+r.Stderr != "" && program[0] == dropwatchPath {
			t.Errorf("%s: %+v", program[0], r)
		}
	}
	if guest.Monitoring() {
		t.Error("monitoring was left on")
	}
}

// checkCaptures has tshark read the captures on the host: of the software drops
// both have the same, and both have hardware drops; those of dropwatch have the times of the drops.
func checkCaptures(t *testing.T, out string) {
	fields := []string{
		"-e", "net_dm.symbol", "-e", "net_dm.port.netdev_index", "-e", "udp.dstport", "-e", "udp.payload", "-e",
		"net_dm.orig_len",
	}
	software := func(name string) []string {
		return slices.Sorted(slices.Values(tshark(t, filepath.Join(out, name), "udp.dstport == 9", fields...))) // CPUs report in no order
	}
	fromC, own := software(cCapture), software(ownCapture)
	if diff := cmp.Diff(fromC, own); diff != "" || len(own) != captureDrops {
		t.Errorf("software drops, which tshark reads (-C +dropwatch):\n%s", diff)
	}
	for _, name := range []string{cCapture, ownCapture} {
		traps := tshark(t, filepath.Join(out, name), "net_dm.hw_trap_name", "-e", "net_dm.hw_trap_name", "-e", "net_dm.hw_trap_group_name")
		if !slices.Contains(traps, "blackhole_route\tl3_drops") {
			t.Errorf("%s has no hardware drop of the blackhole route: %q", name, traps)
		}
	}
	for _, line := range tshark(t, filepath.Join(out, ownCapture), "net_dm.timestamp", "-e", "frame.time_epoch", "-e", "net_dm.timestamp") {
		if frame, drop, _ := strings.Cut(line, "\t"); !sameTime(frame, drop) {
			t.Errorf("a frame of %s is a drop of %s", frame, drop)
		}
	}
}

// sameTime compares tshark's two ways to write a time, to the second's digits
// that both have.
func sameTime(epoch, date string) bool {
	_, fraction, ok := strings.Cut(epoch, ".")
	return ok && strings.Contains(date, "."+fraction)
}

// tshark reads a capture: a line of fields for each packet that filter selects.
func tshark(t *testing.T, file, filter string, fields ...string) []string {
	t.Helper()
	args := append([]string{"-r", file, "-Y", filter, "-T", "fields"}, fields...)
	output, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("reading %s: %v", file, err)
	}
	return strings.Split(strings.TrimSpace(string(output)), "\n")
}

// TestGuestDumpOptions: what the options ask of the kernel is what C's do.
func TestGuestDumpOptions(t *testing.T) {
	guest.ResetMonitor(t)
	for _, o := range []string{"-q", "--query", "-s", "--stats"} {
		c, own := guest.Run(t, "", "/usr/bin/dwdump", o), guest.Run(t, "", dropwatchPath, "dump", o)
		if c != own {
			t.Errorf("%s: C %+v, dropwatch %+v", o, c, own)
		}
	}
	p := guest.Start(t, "", dropwatchPath, "dump", "-t", "64", "-l", "77", "-b", "1000000", "-o", "sw", "-w", "/tmp/options.pcap")
	guest.AwaitMonitoring(t)
	const want = "Alert mode: packet\nTruncation length: 64\nQueue length: 77\n"
	if r := guest.Run(t, "", "/usr/bin/dwdump", "-q"); r.Stdout != want {
		t.Errorf("the kernel is set to %q, not %q", r.Stdout, want)
	}
	if r := guest.Run(t, "", dropwatchPath, "dump", "-e"); r.Code != 0 {
		t.Errorf("-e: %+v", r)
	}
	if r := p.Wait(); r.Code != 1 || !strings.Contains(r.Stderr, "another program switched monitoring off") {
		t.Errorf("after -e: %+v", r)
	}
	asFound(t)
}

// TestGuestDumpFullDisk: on a disk that fills, whole packets are left, and how
// many is said.
func TestGuestDumpFullDisk(t *testing.T) {
	guest.ResetMonitor(t)
	dir := t.TempDir()
	guest.Do(t, "busybox", "mount", "-t", "tmpfs", "-o", "size=64k", "small", dir)
	defer guest.Do(t, "busybox", "umount", dir)
	file := filepath.Join(dir, "full.pcap")
	p := guest.Start(t, "", dropwatchPath, "dump", "-o", "sw", "-w", file)
	guest.AwaitMonitoring(t)
	guest.Flood(t, 1000)
	r := p.Wait()
	if r.Code != 1 || !strings.Contains(r.Stderr, "no space left on device") || !strings.Contains(r.Stderr, "packets were written whole") {
		t.Errorf("%+v", r)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := records(t, content); n < 10 || !strings.Contains(r.Stderr, fmt.Sprintf("%d packets were written whole", n-1)) {
		t.Errorf("%d records, of which one is the family's: %s", n, r.Stderr)
	}
	asFound(t)
}

// records counts the records of a pcap file, which must end with a whole one.
func records(t *testing.T, b []byte) (n int) {
	t.Helper()
	for b = b[24:]; len(b) > 0; n++ {
		length := 16 + int(binary.LittleEndian.Uint32(b[8:]))
		if length > len(b) {
			t.Fatalf("record %d of %d bytes has only %d", n, length, len(b))
		}
		b = b[length:]
	}
	return n
}

// TestGuestDumpClosedPipe: when the reader closes the pipe the dump ends, which is
// no failure, and says what it did not write.
func TestGuestDumpClosedPipe(t *testing.T) {
	guest.ResetMonitor(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.Command(dropwatchPath, "dump", "-o", "sw")
	cmd.Stdout, cmd.Stderr = writer, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	guest.AwaitMonitoring(t)
	reader.Close()
	guest.Flood(t, 1)
	const want = "lost 1 drop: 1 that an output did not write\n"
	if err := cmd.Wait(); err != nil || stderr.String() != want {
		t.Errorf("%v: %s", err, stderr.String())
	}
	asFound(t)
}

// TestGuestDumpPassive only listens: the kernel is left alone.
func TestGuestDumpPassive(t *testing.T) {
	guest.ResetMonitor(t)
	file := filepath.Join(t.TempDir(), "passive.pcap")
	p := guest.Start(t, "", dropwatchPath, "dump", "-p", "-w", file)
	guest.Eventually(t, "the file is begun", func() bool { info, err := os.Stat(file); return err == nil && info.Size() > 0 })
	if guest.Monitoring() {
		t.Error("it switched monitoring on")
	}
	c := startOracle(t, "set alertmode packet\nstart\nexit\n")
	guest.Flood(t, 3)
	guest.Eventually(t, "the drops are written", func() bool { return count(t, file, "dropwatch test") == 3 })
	if r := p.Interrupt(); r.Code != 0 || !guest.Monitoring() {
		t.Errorf("monitoring %v: %+v", guest.Monitoring(), r)
	}
	c.Interrupt()
}

// TestGuestDumpByName: dropwatch under the name dwdump is dump.
func TestGuestDumpByName(t *testing.T) {
	guest.ResetMonitor(t)
	name := filepath.Join(t.TempDir(), "dwdump")
	if err := os.Symlink(dropwatchPath, name); err != nil {
		t.Fatal(err)
	}
	p := guest.Start(t, "", name, "-o", "sw")
	guest.AwaitMonitoring(t)
	guest.Flood(t, 2)
	p.AwaitOutput("dropwatch test", 2)
	if r := p.Interrupt(); r.Code != 0 || records(t, []byte(r.Stdout)) != 3 {
		t.Errorf("exit code %d, %d bytes: %s", r.Code, len(r.Stdout), r.Stderr)
	}
}
