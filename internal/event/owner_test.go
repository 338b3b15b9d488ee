package event_test

import (
	"testing"

	"dropwatch/internal/event"
)

func TestOwnerForAPerson(t *testing.T) {
	nginx := event.Process{PID: 812, Comm: "nginx", Confidence: event.Certain}
	likely := event.Process{PID: 812, Comm: "nginx", Confidence: event.Likely}
	received := &event.Socket{Family: 2, Receiver: true, Confidence: event.Certain}
	sent := &event.Socket{Family: 2, Confidence: event.Certain}
	unsure := &event.Socket{Family: 2, Confidence: event.Likely}
	web := event.Container{ID: "4f1c2d3e4a5b6c7d", Runtime: "docker", Name: "web"}
	tests := map[string]event.Owner{
		"":                              {},
		"to nginx/812":                  {Socket: received, Process: nginx, Unit: "nginx.service"},
		"to nginx/812?":                 {Socket: received, Process: likely},
		"from nginx/812":                {Socket: sent, Process: nginx},
		"of nginx/812":                  {Process: nginx},
		"of nginx/812 in web":           {Socket: &event.Socket{Cookie: 1}, Process: nginx, Container: web},
		"to ?/812":                      {Socket: received, Process: event.Process{PID: 812, Confidence: event.Certain}},
		"to ?/812?":                     {Socket: received, Process: event.Process{PID: 812}},
		"to sshd.service":               {Socket: received, Unit: "sshd.service"},
		"from sshd.service?":            {Socket: unsure, Unit: "sshd.service"},
		"of sshd.service?":              {Unit: "sshd.service"},
		"to nginx/812? in 4f1c2d3e4a5b": {Socket: received, Process: likely, Container: event.Container{ID: web.ID}},
		"to nginx/812 in shop/web-0":    {Socket: received, Process: nginx, Container: web, Pod: event.Pod{Namespace: "shop", Name: "web-0"}},
		"to nginx/812 in web-0":         {Socket: received, Process: nginx, Pod: event.Pod{Name: "web-0"}},
		"to web":                        {Socket: received, Container: web},
		`to n\x1b/1 in \xff/\x0a`: {
			Socket: received, Process: event.Process{PID: 1, Comm: "n\x1b", Confidence: event.Certain}, Pod: event.Pod{Namespace: "\xff", Name: "\n"},
		},
	}
	for want, o := range tests {
		if got := string(o.AppendTo(nil)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, o := range []event.Owner{{Socket: sent}, {Pod: event.Pod{UID: "6f3c"}}, {Cgroup: event.Cgroup{ID: 1, Path: "/"}}} {
		if got := string(o.AppendTo([]byte("x"))); got != "x" {
			t.Errorf("%+v is %q", o, got)
		}
	}
}

func TestNetnsForAPerson(t *testing.T) {
	for want, n := range map[string]event.Netns{
		"blue": {Inode: 7, Name: "blue"}, "4026531840": {Inode: 4026531840}, `\x07`: {Inode: 7, Name: "\a"},
	} {
		if got := string(n.AppendTo(nil)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestFurther(t *testing.T) {
	tests := map[string]struct {
		e    event.Event
		want bool
	}{
		"one":                  {event.Event{Count: 1, Single: true, Reason: "NO_SOCKET"}, false},
		"a summary":            {event.Event{Count: 9, Where: event.Where{HasPC: true}}, false},
		"a device's summary":   {event.Event{Count: 9, Origin: event.Hardware, Where: event.Where{Trap: "ttl"}}, false},
		"a count":              {event.Event{Count: 9, Reason: "NO_SOCKET"}, true},
		"of one":               {event.Event{Count: 1, Reason: "NO_SOCKET"}, true},
		"without a reason":     {event.Event{Count: 9, Packet: event.Packet{HasProto: true}}, true},
		"nor a protocol":       {event.Event{Count: 9, Netns: event.Netns{Inode: 1}}, true},
		"but an interface":     {event.Event{Count: 9, Port: event.Port{IfIndex: 1}}, true},
		"of no kind":           {event.Event{Count: 9}, false},
		"a loss of such drops": {event.Event{Kind: event.Loss, Count: 9, Port: event.Port{IfIndex: 1}}, false},
	}
	for name, tt := range tests {
		if got := tt.e.Further(); got != tt.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
