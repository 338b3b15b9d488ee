package netdm

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/pipeline"
	"dropwatch/netlink"
)

// hardwarePacket is an alert for a packet that a device dropped.
func hardwarePacket() []byte {
	return message(cmdPacketAlert, attr(netlink.AttrOrigin, u16(uint16(netlink.OriginHardware))...))
}

// TestRunSwitchedOffInPart: the monitoring of one origin is switched off by another
// program, while that of the other origin goes on and reports drops all the time.
func TestRunSwitchedOffInPart(t *testing.T) {
	tests := map[string]struct {
		started, others, off netlink.Origins
		still                []byte // an alert of what goes on
		want                 string
		did                  []string // after the refused START of each second
	}{
		"software of both": {
			both, 0, netlink.Software, hardwarePacket(), "another program switched monitoring off for software drops",
			[]string{"start 1", "stop 1", "start 2", "stop 2", "unlisten"},
		},
		"hardware of both": {
			both, 0, netlink.Hardware, packet("A"), "another program switched monitoring off for hardware drops",
			[]string{"start 1", "start 2", "stop 2", "stop 1", "unlisten"},
		},
		"software beside another's hardware": {
			netlink.Software, netlink.Hardware, netlink.Software, hardwarePacket(), "another program switched monitoring off",
			[]string{"start 1", "stop 1", "unlisten"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				run, err := r.sess.Start(t.Context(), tt.started, netlink.ListenConfig{})
				if err != nil {
					t.Fatal(err)
				}
				r.begin(run)
				r.kernel.others(func(k *kernel) { k.on |= tt.others })
				time.Sleep(1500 * time.Millisecond)
				r.kernel.others(func(k *kernel) { k.on &^= tt.off; k.log = nil })
				last := time.Now().Add(-500 * time.Millisecond) // when it was asked
				for range 30 {
					if r.kernel.asked() > 1 { // the end is near
						break
					}
					r.send(tt.still)
					time.Sleep(100 * time.Millisecond)
				}
				err = r.end(200 * time.Millisecond)
				off, ok := errors.AsType[*pipeline.StoppedError](err)
				if !ok || !errors.Is(err, ErrSwitchedOff) || err.Error() != tt.want || !off.Since.Equal(last) {
					t.Errorf("error %#v (%v), want %q since %v", err, err, tt.want, last)
				}
				r.kernel.did(t, tt.did...)
			})
		})
	}
}

// TestRunOneOriginIsSilent: an origin without drops is no origin that is off.
func TestRunOneOriginIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		run, err := r.sess.Start(t.Context(), both, netlink.ListenConfig{})
		if err != nil {
			t.Fatal(err)
		}
		r.begin(run)
		r.kernel.log = nil
		for range 25 {
			r.send(hardwarePacket())
			time.Sleep(100 * time.Millisecond)
		}
		r.kernel.did(t, "start 1", "start 2", "start 1", "start 2")
		r.cancel()
		if err := r.end(100 * time.Millisecond); err != nil {
			t.Error(err)
		}
	})
}

// TestProbeFails: the run continues when the kernel does not say what is on, and what a
// probe could not undo is switched off at the end.
func TestProbeFails(t *testing.T) {
	inRun(t, false, func(r *rig) {
		r.kernel.others(func(k *kernel) { k.on = netlink.Hardware; k.fail["stop"] = fmt.Errorf("stop: %w", errDenied) })
		time.Sleep(5 * time.Second)
		r.send(packet("A"))
		r.kernel.others(func(k *kernel) { k.fail["stop"] = nil })
		r.kernel.did(t, "start 1", "stop 1")
		r.stop()
		r.out.got(t, "A")
		r.kernel.did(t, "stop 1", "unlisten")
	})
}
