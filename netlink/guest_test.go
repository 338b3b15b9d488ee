package netlink_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/guest"
	"dropwatch/netlink"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

func dial(t *testing.T) *netlink.Client {
	t.Helper()
	guest.ResetMonitor(t)
	c, err := netlink.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Stop(netlink.Software | netlink.Hardware)
		c.Close()
	})
	return c
}

// check ends the test if an answer of the kernel is not the one wanted.
func check(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
}

// TestGuestMonitor asks for everything that the monitor's state decides.
func TestGuestMonitor(t *testing.T) {
	c := dial(t)
	running := func(want bool) {
		t.Helper()
		if on, err := c.Running(); on != want || err != nil {
			t.Fatalf("running: %v, %v", on, err)
		}
	}
	cfg := netlink.Config{Mode: netlink.ModePacket, TruncLen: 77, QueueLen: 1234}
	check(t, "configure", c.SetConfig(cfg), nil)
	running(false)
	if got, err := c.Config(); got != cfg || err != nil {
		t.Errorf("configuration %+v, %v, want %+v: Running must not change it", got, err, cfg)
	}
	check(t, "bad mode", c.SetAlertMode(9), syscall.EINVAL)
	check(t, "start", c.Start(netlink.Software), nil)
	running(true)
	check(t, "second start", c.Start(netlink.Software), netlink.ErrAlreadyOn)
	for name, set := range map[string]error{
		"all": c.SetConfig(cfg), "mode": c.SetAlertMode(0), "length": c.SetTruncLen(1), "queue": c.SetQueueLen(1),
	} {
		check(t, name, set, netlink.ErrMonitoring)
	}
	check(t, "stop", c.Stop(netlink.Software|netlink.Hardware), nil)
	check(t, "second stop", c.Stop(netlink.Software), nil)
	running(false)
	if _, err := c.Stats(); err != nil {
		t.Error(err)
	}
	if msg, err := c.FamilyMessage(); err != nil || !bytes.Contains(msg, []byte("NET_DM\x00")) {
		t.Errorf("family message %x, %v", msg, err)
	}
}

// TestGuestAlerts counts drops that it makes, in both modes, and none of them
// may be missing.
func TestGuestAlerts(t *testing.T) {
	const drops = 20
	for _, mode := range []netlink.AlertMode{netlink.ModeSummary, netlink.ModePacket} {
		t.Run(mode.String(), func(t *testing.T) {
			c := dial(t)
			l, err := c.Listen(netlink.ListenConfig{})
			check(t, "listen", err, nil)
			defer l.Close()
			check(t, "configure", c.SetConfig(netlink.Config{Mode: mode, QueueLen: 1000}), nil)
			check(t, "start", c.Start(netlink.Software), nil)
			listeners, _, err := host.New("/").GenericListeners(c.Group())
			if err != nil || len(listeners) != 1 || listeners[0].PID != uint32(os.Getpid()) {
				t.Errorf("listeners %+v, %v", listeners, err)
			}
			guest.Flood(t, drops)
			if n := count(t, l, drops); n < drops {
				t.Errorf("%d drops of %d", n, drops)
			}
			if lost, err := l.Lost(); lost != 0 || err != nil {
				t.Errorf("lost %d, %v", lost, err)
			}
		})
	}
}

// count receives until want drops have come, at most half a minute.
func count(t *testing.T, l *netlink.Listener, want uint64) (n uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var d netlink.Decoder
	var a netlink.Alert
	err := l.Receive(ctx, func(msgs [][]byte, more bool) error {
		for _, msg := range msgs {
			if err := d.Decode(msg, &a); err != nil {
				return err
			}
			if a.Packet {
				n++
			}
			for _, p := range a.Points {
				n += uint64(p.Count)
			}
		}
		if n >= want {
			cancel()
		}
		return nil
	})
	check(t, "receive", err, nil)
	return n
}
