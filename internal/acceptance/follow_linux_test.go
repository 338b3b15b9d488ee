package acceptance

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// TestGuestFollow: of datagrams that a socket got, it is said that none was lost; of those that a firewall dropped, how
// many, and where.
func TestGuestFollow(t *testing.T) {
	for _, tt := range []struct{ name, rule, want string }{
		{"delivered", "", `of (\d+) packets received on lo, (\d+) delivered: none was lost in this host`},
		{
			"dropped", "add table ip t; add chain ip t c { type filter hook input priority 0; policy drop; }",
			`of (\d+) packets received on lo, 0 delivered; \d+ packets made here and sent; (\d+) dropped here: `,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ns := drops.NewNamespace(t)
			ns.Listen(syscall.SOCK_DGRAM)
			if tt.rule != "" {
				ns.Run("nft", tt.rule)
			}
			expression := fmt.Sprintf("udp dst port %d and netns.inode %d", drops.Port, ns.Inode())
			p := guest.Start(t, "", dropwatchPath, "watch", "--follow", expression)
			guest.Eventually(t, "packets are counted", func() bool {
				ns.SendUDP(1)
				return strings.Contains(p.Stdout(), "packets of the flows")
			})
			ns.SendUDP(20)
			r := p.Interrupt()
			lines := strings.Join(strings.Fields(r.Stdout), " ")
			found := regexp.MustCompile(tt.want).FindStringSubmatch(lines)
			if r.Code != 0 || len(found) != 3 || found[1] != found[2] || len(found[1]) < len("20") {
				t.Errorf("exit code %d, %q\nstdout:\n%s\nstderr:\n%s", r.Code, found, r.Stdout, r.Stderr)
			}
		})
	}
}
