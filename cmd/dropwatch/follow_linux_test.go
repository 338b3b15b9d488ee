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
	Kind, Verdict, Text     string
	Netns                   struct{ Inode uint32 }
	Received, Sent, Dropped uint64
	Delivered               *uint64
}

// TestFollow: the lines of the seconds add up to what was sent, and the last one says what became of it.
func TestFollow(t *testing.T) {
	const n = 40
	const chain = "add table ip t; add chain ip t c { type filter hook %s priority 0; policy drop; }"
	for _, tt := range []struct {
		name, rule string
		verdicts   [2]string // where deliveries are known, and where they are not
		sent       uint64    // and received
		dropped    uint64
	}{
		{"delivered", "", [2]string{"none lost", "no drop seen"}, n, 0},
		{"dropped", fmt.Sprintf(chain, "input"), [2]string{"lost", "lost"}, n, n},
		{"not sent", fmt.Sprintf(chain, "output"), [2]string{"lost", "lost"}, 0, n},
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
			for sum.Received < tt.sent || sum.Sent < tt.sent || sum.Dropped < tt.dropped {
				l := w.nextFollow("follow", inode)
				sum.Received, sum.Sent, sum.Dropped = sum.Received+l.Received, sum.Sent+l.Sent, sum.Dropped+l.Dropped
			}
			if sum.Received != tt.sent || sum.Sent != tt.sent || sum.Dropped != tt.dropped {
				t.Errorf("in all %+v", sum)
			}
			if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			l := w.nextFollow("followed", inode)
			want := tt.verdicts[0]
			if l.Delivered == nil {
				want = tt.verdicts[1]
			} else if tt.sent > 0 && *l.Delivered != n-tt.dropped {
				t.Errorf("%d delivered", *l.Delivered)
			}
			if l.Verdict != want || l.Received != tt.sent || l.Dropped != tt.dropped {
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
