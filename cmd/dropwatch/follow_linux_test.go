package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest/drops"
)

// A followLine is one of watch --json --follow.
type followLine struct {
	Kind, IfName, Verdict, Text string
	Netns                       struct{ Inode uint32 }
	Received, Sent, Dropped     uint64
	Delivered                   *uint64
}

// TestFollow: the lines of the seconds add up to what was sent, and the last one says what became of it.
func TestFollow(t *testing.T) {
	const n = 40
	for _, tt := range []struct {
		name, rule string
		verdicts   [2]string // where deliveries are known, and where they are not
		dropped    uint64
	}{
		{"delivered", "", [2]string{"none lost", "no drop seen"}, 0},
		{"dropped", "add table ip t; add chain ip t c { type filter hook input priority 0; policy drop; }", [2]string{"lost", "lost"}, n},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ns := drops.NewNamespace(t)
			inode := ns.Inode()
			ns.Listen(syscall.SOCK_DGRAM)
			if tt.rule != "" {
				ns.Run("nft", tt.rule)
			}
			w := startWatch(t, "bpf", "--follow", fmt.Sprintf("proto %s or udp dst port %d and netns.inode %d", mark, drops.Port, inode))
			ns.SendUDP(n)
			var sum followLine
			for sum.Received < n || sum.Sent < n || sum.Dropped < tt.dropped {
				if l := w.nextFollow("follow", inode); l.IfName == "lo" {
					sum.Received, sum.Sent, sum.Dropped = sum.Received+l.Received, sum.Sent+l.Sent, sum.Dropped+l.Dropped
				}
			}
			if sum.Received != n || sum.Sent != n || sum.Dropped != tt.dropped {
				t.Errorf("in all %+v", sum)
			}
			if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			l := w.nextFollow("followed", inode)
			want := tt.verdicts[0]
			if l.Delivered == nil {
				want = tt.verdicts[1]
			} else if *l.Delivered != n-tt.dropped {
				t.Errorf("%d delivered", *l.Delivered)
			}
			if l.Verdict != want || l.Received != n || l.Dropped != tt.dropped {
				t.Errorf("%+v, want %s", l, want)
			}
			for w.stdout.Scan() {
			}
			if err := w.cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, &w.stderr)
			}
		})
	}
}

// nextFollow returns the next line of a kind and a namespace.
func (w *watch) nextFollow(kind string, inode uint32) (l followLine) {
	w.t.Helper()
	for l.Kind != kind || l.Netns.Inode != inode {
		w.next()
		l = followLine{}
		if err := json.Unmarshal(w.stdout.Bytes(), &l); err != nil {
			w.t.Fatal(err)
		}
	}
	return l
}
