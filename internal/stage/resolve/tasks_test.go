package resolve_test

import (
	"strconv"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/stage/resolve"
)

// A proc is a reader of names that counts.
type proc struct {
	name  string
	reads int
}

func (p *proc) read(tid uint32) string {
	p.reads++
	return p.name
}

func TestTasks(t *testing.T) {
	task := func(tid uint32, comm string) event.Task { return event.Task{Known: true, TID: tid, Comm: comm} }
	tests := map[string]struct {
		given, want event.Task
		reads       int
	}{
		"a thread":                       {task(9, ""), task(9, "nginx"), 1},
		"idle, or outside the namespace": {task(0, ""), task(0, "nginx"), 1},
		"named already":                  {task(9, "curl"), task(9, "curl"), 0},
		"nobody knows who it was":        {event.Task{}, event.Task{}, 0},
	}
	for name, tt := range tests {
		p := &proc{name: "nginx"}
		e := event.Event{Count: 1, Task: tt.given}
		if !resolve.Tasks(p.read)(&e) || e.Task != tt.want || p.reads != tt.reads {
			t.Errorf("%s: %+v after %d reads, want %+v after %d", name, e.Task, p.reads, tt.want, tt.reads)
		}
	}
}

func TestTasksCachesNames(t *testing.T) {
	began := time.Unix(1000, 0)
	p := &proc{}
	stage := resolve.Tasks(p.read)
	for _, step := range []struct {
		after time.Duration
		name  string
		want  string
		reads int
	}{
		{0, "", "", 1},
		{499 * time.Millisecond, "sh", "", 1}, // an empty name is cached too
		{500 * time.Millisecond, "sh", "sh", 2},
		{999 * time.Millisecond, "ls", "sh", 2},
		{1200 * time.Millisecond, "ls", "ls", 3},
		{1100 * time.Millisecond, "cp", "ls", 3}, // of another CPU, a bit earlier
		{-10 * time.Second, "cp", "cp", 4},       // the clock was set
	} {
		p.name = step.name
		e := event.Event{Count: 1, Time: began.Add(step.after), Task: event.Task{Known: true, TID: 9}}
		stage(&e)
		if e.Task.Comm != step.want || p.reads != step.reads {
			t.Errorf("after %v: %q after %d reads, want %q after %d", step.after, e.Task.Comm, p.reads, step.want, step.reads)
		}
	}
}

func TestTasksKeepsABoundedNumberOfNames(t *testing.T) {
	p := &proc{}
	stage := resolve.Tasks(p.read)
	look := func(tid uint32) { stage(&event.Event{Count: 1, Task: event.Task{Known: true, TID: tid}}) }
	for tid := uint32(1); tid <= 4096; tid++ {
		look(tid)
	}
	if look(1); p.reads != 4096 {
		t.Errorf("%d reads for 4096 threads", p.reads)
	}
	look(4097)
	if look(1); p.reads != 4098 {
		t.Errorf("%d reads, want 4098: the first name was to be forgotten", p.reads)
	}
}

func BenchmarkTasks(b *testing.B) {
	stage := resolve.Tasks(func(tid uint32) string { return strconv.Itoa(int(tid)) })
	e := event.Event{Count: 1, Time: time.Unix(1000, 0)}
	for i := 0; b.Loop(); i++ {
		e.Task = event.Task{Known: true, TID: uint32(i&63) + 1}
		stage(&e)
	}
}
