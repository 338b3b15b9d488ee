package acceptance

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// A reachedDrop is what --json says of a drop and of the point before it.
type reachedDrop struct {
	Kind   string
	Netns  struct{ Inode uint32 }
	Reason string
	Point  struct {
		Name string
		Args struct {
			Rmem, Rcvbuf, Truesize, Port, Handle int
			Table, Chain, Rule                   string
		}
	}
}

// reachedDrops returns the drops of a namespace in JSON.
func reachedDrops(t *testing.T, stdout string, netns uint32) (all []reachedDrop) {
	t.Helper()
	for text := range strings.Lines(stdout) {
		var d reachedDrop
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if d.Kind == "drop" && d.Netns.Inode == netns {
			all = append(all, d)
		}
	}
	return all
}

// TestGuestReached: each drop has what the kernel knew of its packet at the point before: how full the receive buffer
// was, and the rule of nftables. A drop without a point has none. All of it is recorded.
func TestGuestReached(t *testing.T) {
	if guest.IsBetween() {
		return
	}
	const n, refusing, filtered, closed = 5, 9, 10, 11
	ns := drops.NewNamespace(t)
	ns.Name("dropwatch-reached")
	fd := ns.Listen(syscall.SOCK_DGRAM)
	var rcvbuf int
	ns.Do(func() (err error) {
		if err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, 0); err == nil { // the least there is
			rcvbuf, err = syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF)
		}
		return err
	})
	ns.SendUDP(100)
	ns.Run("nft", "table inet fw { chain in { type filter hook input priority 0; udp dport 10 drop; }; }")
	handle := regexp.MustCompile(`udp dport 10 drop # handle (\d+)`).FindStringSubmatch(ns.Run("nft", "-a", "list", "ruleset"))[1]
	file := filepath.Join(t.TempDir(), "reached.dw")
	record := startProbes(t, "record", "--point", "udp_queue,nftables", file, "kind drop and netns.inode "+strconv.Itoa(int(ns.Inode())))
	sender := ns.Socket(syscall.SOCK_DGRAM)
	for i := range 3 * n {
		to := syscall.SockaddrInet4{Port: []int{refusing, filtered, closed}[i%3], Addr: [4]byte{127, 0, 0, 1}}
		ns.Do(func() error { return syscall.Sendto(sender, make([]byte, 100), 0, &to) })
	}
	replay := func(args ...string) string {
		return guest.Run(t, "", dropwatchPath, append([]string{"replay"}, append(args, file)...)...).Stdout
	}
	guest.Eventually(t, "they are recorded", func() bool { return strings.Count(replay("--json"), `"kind":"drop"`) == 3*n })
	if r := record.Interrupt(); r.Code != 0 {
		t.Errorf("record: %+v", r)
	}
	want := map[string]int{"udp_queue": n, "nftables": n, "": n}
	if !guest.AtLeast(6, 1) { // modules have no types
		want = map[string]int{"udp_queue": n, "": 2 * n}
	}
	got := map[string]int{}
	for _, d := range reachedDrops(t, replay("--json"), ns.Inode()) {
		a := &d.Point.Args
		got[d.Point.Name]++
		switch {
		case d.Point.Name == "udp_queue" && a.Rcvbuf == rcvbuf && a.Rmem+a.Truesize > rcvbuf && a.Port == refusing:
		case d.Point.Name == "nftables" && a.Table == "fw" && a.Chain == "in" && strconv.Itoa(a.Handle) == handle &&
			strings.HasSuffix(a.Rule, " (udp dport 10 drop)"):
		case d.Point.Name != "":
			t.Errorf("%+v: rcvbuf is %d, the handle %s", d, rcvbuf, handle)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("drops by point %v, want %v", got, want)
	}
	text := replay()
	for line, n := range map[string]int{ // what the drop says itself is not repeated
		`(?m)^.* 127\.0\.0\.1:9 udp len 142 (rmem \d+ rcvbuf \d+ )?point udp_queue (rmem \d+ rcvbuf \d+ )?len 100 truesize \d+ port 9 `: n,
		`(?m)^.* 127\.0\.0\.1:10 udp .* point nftables family 1 table fw chain in hook NF_INET_LOCAL_IN in lo .*handle ` + handle +
			` rule "nftables inet fw in handle ` + handle + ` \(udp dport 10 drop\)" `: want["nftables"],
	} {
		if got := len(regexp.MustCompile(line).FindAllString(text, -1)); got != n {
			t.Errorf("%d lines as %s, want %d: %s", got, line, n, text)
		}
	}
}
