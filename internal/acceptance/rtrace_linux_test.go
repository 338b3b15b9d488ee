package acceptance

import (
	_ "embed"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dropwatch/internal/vmtest/guest"
)

// rtrace is what the README of rtrace-drop has, unchanged.
//
//go:embed testdata/rtrace.toml
var rtrace []byte

// TestGuestRtrace: each stanza is taken as it stands, or what this kernel lacks is said with the path up to it. What is
// possible is reported with the conditions of rtrace-drop's program.
func TestGuestRtrace(t *testing.T) {
	guest.Run(t, "", "modprobe", "ip_tables")
	file := filepath.Join(t.TempDir(), "rtrace.toml")
	if err := os.WriteFile(file, rtrace, 0o600); err != nil {
		t.Fatal(err)
	}
	verdicts := guest.Run(t, "", dropwatchPath, "points", "test", file)
	table := `ipt_do_table: possible on this kernel`
	if guest.AtLeast(5, 16) { // which has its tables elsewhere
		table = `ipt_do_table: not on this kernel: .*: struct netns_ipv4 has no member iptable_filter.*; built-in points .*: iptables`
	}
	for _, want := range []string{
		`tcp_conn_request: possible`, `tcp_v4_syn_recv_sock: possible`, `tcp_add_backlog: possible`, `tcp_rcv_established: possible`,
		`skb_checksum_complete: possible`, table, `fib_validate_source: possible`,
	} {
		if !regexp.MustCompile(`(?m)^` + want).MatchString(verdicts.Stdout) {
			t.Errorf("%s is missing in %s%s", want, verdicts.Stdout, verdicts.Stderr)
		}
	}
	_, refuse := fullQueue(t)
	p := startProbes(t, "watch", "--json", "--point", file, "point", "==", "tcp_conn_request")
	refuse()
	p.AwaitOutput(`"point":\{"name":"tcp_conn_request","args":\{"sk_ack_backlog":4,"sk_max_ack_backlog":3,"qlen":0\}\}`, 1)
	if r := p.Interrupt(); r.Code != 0 || strings.Contains(r.Stderr, "ipt_do_table") != guest.AtLeast(5, 16) {
		t.Errorf("%+v", r)
	}
}
