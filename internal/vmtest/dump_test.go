package vmtest_test

import (
	"bytes"
	"encoding/binary"
	"errors"
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
	ourCapture   = "ours.pcap"
)

// TestGuestCaptures leaves captures of both programs for the host's tshark,
// each of the same software drops and of a simulated switch's.
func TestGuestCaptures(t *testing.T) {
	guest.HardwareDrops(t)
	for file, program := range map[string][]string{
		cCapture:   {"/usr/bin/dwdump"},
		ourCapture: {ours, "dump"},
	} {
		guest.ResetMonitor(t)
		p := guest.Start(t, "", program[0], append(program[1:], "-w", "/out/"+file)...)
		guest.AwaitMonitoring(t)
		guest.Flood(t, captureDrops)
		guest.Eventually(t, program[0]+" has written both kinds", func() bool {
			return count(t, "/out/"+file, "dropwatch test") == captureDrops && count(t, "/out/"+file, "blackhole_route") >= 2
		})
		if r := p.Interrupt(); r.Code != 0 || r.Stdout+r.Stderr != "" && program[0] == ours {
			t.Errorf("%s: %+v", program[0], r)
		}
	}
	if guest.Monitoring() {
		t.Error("monitoring was left on")
	}
}

// checkCaptures has tshark read the captures on the host: of the software drops
// both have the same, and both have hardware drops; ours have the drops' times.
func checkCaptures(t *testing.T, out string) {
	fields := []string{"-e", "net_dm.symbol", "-e", "net_dm.port.netdev_index", "-e", "udp.dstport", "-e", "udp.payload", "-e", "net_dm.orig_len"}
	software := func(name string) []string {
		return slices.Sorted(slices.Values(tshark(t, filepath.Join(out, name), "udp.dstport == 9", fields...))) // CPUs report in no order
	}
	theirs, our := software(cCapture), software(ourCapture)
	if diff := cmp.Diff(theirs, our); diff != "" || len(our) != captureDrops {
		t.Errorf("software drops, which tshark reads (-C +ours):\n%s", diff)
	}
	for _, name := range []string{cCapture, ourCapture} {
		traps := tshark(t, filepath.Join(out, name), "net_dm.hw_trap_name", "-e", "net_dm.hw_trap_name", "-e", "net_dm.hw_trap_group_name")
		if !slices.Contains(traps, "blackhole_route\tl3_drops") {
			t.Errorf("%s has no hardware drop of the blackhole route: %q", name, traps)
		}
	}
	for _, line := range tshark(t, filepath.Join(out, ourCapture), "net_dm.timestamp", "-e", "frame.time_epoch", "-e", "net_dm.timestamp") {
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
		c, our := guest.Run(t, "", "/usr/bin/dwdump", o), guest.Run(t, "", ours, "dump", o)
		if c != our {
			t.Errorf("%s: C %+v, ours %+v", o, c, our)
		}
	}
	p := guest.Start(t, "", ours, "dump", "-t", "64", "-l", "77", "-b", "1000000", "-o", "sw", "-w", "/tmp/options.pcap")
	guest.AwaitMonitoring(t)
	const want = "Alert mode: packet\nTruncation length: 64\nQueue length: 77\n"
	if r := guest.Run(t, "", "/usr/bin/dwdump", "-q"); r.Stdout != want {
		t.Errorf("the kernel is set to %q, not %q", r.Stdout, want)
	}
	if r := guest.Run(t, "", ours, "dump", "-e"); r.Code != 0 {
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
	p := guest.Start(t, "", ours, "dump", "-o", "sw", "-w", file)
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

// TestGuestDumpClosedPipe: a reader that goes ends the dump.
func TestGuestDumpClosedPipe(t *testing.T) {
	guest.ResetMonitor(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaint bytes.Buffer
	cmd := exec.Command(ours, "dump", "-o", "sw")
	cmd.Stdout, cmd.Stderr = writer, &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	guest.AwaitMonitoring(t)
	reader.Close()
	guest.Flood(t, 1)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(complaint.String(), "0 packets were written whole") {
		t.Errorf("%v: %s", err, complaint.String())
	}
	asFound(t)
}

// TestGuestDumpPassive only listens: the kernel is left alone.
func TestGuestDumpPassive(t *testing.T) {
	guest.ResetMonitor(t)
	file := filepath.Join(t.TempDir(), "passive.pcap")
	p := guest.Start(t, "", ours, "dump", "-p", "-w", file)
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

// TestGuestDumpByName: a binary called dwdump is dump.
func TestGuestDumpByName(t *testing.T) {
	guest.ResetMonitor(t)
	name := filepath.Join(t.TempDir(), "dwdump")
	if err := os.Symlink(ours, name); err != nil {
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
