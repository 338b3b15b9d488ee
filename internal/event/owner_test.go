package event_test

import (
	"testing"

	"dropwatch/internal/event"
)

func TestOwnerForAPerson(t *testing.T) {
	nginx := event.Process{PID: 812, Comm: "nginx", Confidence: event.Certain}
	likely := event.Process{PID: 812, Comm: "nginx", Confidence: event.Likely}
	spoof := event.Process{PID: 7, Comm: "a/b to c in d", Confidence: event.Certain}
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
		"to nginx/812 in shop/web-0": {
			Socket: received, Process: nginx, Container: web, Pod: event.Pod{Namespace: "shop", Name: "web-0"},
		},
		"to nginx/812 in web-0":         {Socket: received, Process: nginx, Pod: event.Pod{Name: "web-0"}},
		"to web":                        {Socket: received, Container: web},
		"from web?":                     {Socket: unsure, Container: web},
		`to "a/b to c in d"/7`:          {Socket: received, Process: spoof},
		`from "a b.service" in "x y"/z`: {Socket: sent, Unit: "a b.service", Pod: event.Pod{Namespace: "x y", Name: "z"}},
		`to n\x1b/1 in \xff/\x0a`: {
			Socket: received, Process: event.Process{PID: 1, Comm: "n\x1b", Confidence: event.Certain},
			Pod: event.Pod{Namespace: "\xff", Name: "\n"},
		},
	}
	for want, o := range tests {
		if got := string(o.AppendTo(nil)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for _, o := range []event.Owner{{Socket: sent}, {Pod: event.Pod{UID: "6f3c"}}, {Cgroup: event.Cgroup{ID: 1}}} {
		if got := string(o.AppendTo([]byte("x"))); got != "x" {
			t.Errorf("%+v is %q", o, got)
		}
	}
}

func TestOwnerName(t *testing.T) {
	certain, likely := &event.Socket{Confidence: event.Certain}, &event.Socket{Confidence: event.Likely}
	nginx := event.Process{PID: 812, Comm: "nginx", Confidence: event.Certain}
	guess := event.Process{PID: 812, Comm: "nginx", Confidence: event.Likely}
	for want, o := range map[string]event.Owner{
		"":                {Socket: likely, Cgroup: event.Cgroup{ID: 1}},
		"nginx/812":       {Socket: certain, Process: nginx},
		"nginx/812?":      {Socket: certain, Process: guess},
		"?/812?":          {Process: event.Process{PID: 812, Confidence: event.Likely}},
		"nginx.service":   {Socket: certain, Process: nginx, Unit: "nginx.service"},
		"nginx.service?":  {Socket: likely, Unit: "nginx.service"},
		"4f1c2d3e4a5b":    {Unit: "nginx.service", Container: event.Container{ID: "4f1c2d3e4a5b6c7d"}},
		"web":             {Container: event.Container{ID: "4f1c", Name: "web"}},
		"shop/web-0?":     {Process: guess, Container: event.Container{Name: "web"}, Pod: event.Pod{Namespace: "shop", Name: "web-0"}},
		`"a/b to c in d"`: {Container: event.Container{Name: "a/b to c in d"}},
	} {
		if got := string(o.AppendName(nil)); got != want {
			t.Errorf("%q, want %q", got, want)
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
