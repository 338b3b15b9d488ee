package acceptance

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest/guest"
)

const (
	oracle = "/usr/bin/dropwatch" // the C program

	// outputDrop is where netfilter frees a packet, before 6.2 and since.
	outputDrop = "nf_hook_slow|nft_do_chain"
)

func TestGuestAutoload(t *testing.T) {
	if r := guest.Run(t, "show\nexit\n", oracle); r.Code != 0 || !strings.Contains(r.Stdout, "Alert mode: Summary") {
		t.Errorf("NET_DM is not there: %+v", r)
	}
	if _, err := os.Stat("/sys/module/drop_monitor"); err != nil {
		t.Error(err)
	}
}

func TestGuestSummaryCountsEveryDrop(t *testing.T) {
	guest.ResetMonitor(t)
	const n = 3000
	p := startOracle(t, "start\nexit\n", "-l", "kas")
	guest.Flood(t, n)
	guest.Eventually(t, "all drops are counted", func() bool { return summaryCount(p, "udp") >= n })
	r := p.Interrupt()
	if got := summaryCount(p, "udp"); got != n {
		t.Errorf("%d drops, want %d:\n%s", got, n, r.Stdout)
	}
}

func TestGuestPacketModeShowsEachDrop(t *testing.T) {
	guest.ResetMonitor(t)
	const n = 4
	p := startOracle(t, "set alertmode packet\nset trunc 60\nstart\nexit\n", "-l", "kas")
	guest.Flood(t, n)
	p.AwaitOutput("(?m)^origin: software$", n)
	r := p.Interrupt()
	reasons := 0
	if guest.AtLeast(5, 18) {
		reasons = n
	}
	if got := strings.Count(r.Stdout, "drop reason: NO_SOCKET\n"); got != reasons {
		t.Errorf("%d reasons, want %d:\n%s", got, reasons, r.Stdout)
	}
}

func TestGuestSummaryShowsOutputDrops(t *testing.T) {
	guest.ResetMonitor(t)
	const n = 5
	p := startOracle(t, "start\nexit\n", "-l", "kas")
	guest.FloodOutput(t, n)
	guest.Eventually(t, "all drops are counted", func() bool { return summaryCount(p, outputDrop) == n })
}

func TestGuestPacketModeHidesOutputDrops(t *testing.T) {
	guest.ResetMonitor(t)
	p := startOracle(t, "set alertmode packet\nstart\nexit\n", "-l", "kas")
	guest.FloodOutput(t, 5)
	guest.Flood(t, 1) // comes last, so that the others would be there too
	p.AwaitOutput("drop at: .*udp", 1)
	if r := p.Interrupt(); regexp.MustCompile(outputDrop).MatchString(r.Stdout) {
		t.Errorf("a packet without a MAC header is shown:\n%s", r.Stdout)
	}
}

func TestGuestHardwareDrops(t *testing.T) {
	guest.ResetMonitor(t)
	guest.HardwareDrops(t)
	p := startOracle(t, "set alertmode packet\nset hw true\nstart\nexit\n")
	for _, trap := range []string{"blackhole_route (l3_drops)", "fid_miss (l2_drops)"} {
		p.AwaitOutput(regexp.QuoteMeta("drop at: "+trap+"\norigin: hardware\n"), 2)
	}
}

func TestGuestTerminatedOracleLeavesTheMonitorOn(t *testing.T) {
	guest.ResetMonitor(t)
	p := startOracle(t, "start\nexit\n")
	p.Signal(syscall.SIGTERM)
	if r := p.Wait(); r.Code != 128+int(syscall.SIGTERM) || !guest.Monitoring() {
		t.Errorf("exit status %d, monitoring %v", r.Code, guest.Monitoring())
	}
}

// startOracle starts the C program on a script that starts monitoring, and
// waits until it does.
func startOracle(t *testing.T, script string, args ...string) *guest.Process {
	t.Helper()
	p := guest.Start(t, script, "stdbuf", append([]string{"-oL", oracle}, args...)...)
	p.AwaitOutput("Issue Ctrl-C", 1)
	return p
}

// summaryCount adds up the lines "7 drops at symbol+9a2 (0x...) [software]".
func summaryCount(p *guest.Process, symbol string) (sum int) {
	line := regexp.MustCompile(`(?m)^(\d+) drops at \S*(?:` + symbol + `)`)
	for _, m := range line.FindAllStringSubmatch(p.Stdout(), -1) {
		n, _ := strconv.Atoi(m[1]) // digits
		sum += n
	}
	return sum
}
