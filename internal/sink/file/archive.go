package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"dropwatch/internal/event"
)

// stamp is the time of a rotation in a file's name. Names sort as times do.
const stamp = "20060102T150405.000Z"

// temporary is at the end of the name of a rotated file while it is compressed.
const temporary = ".tmp"

// An archive is the rotated files of a file: its name, a dot and the time of the rotation. One goroutine compresses and
// removes them.
type archive struct {
	path   string // of the file that is rotated
	o      Options
	notify func(string) // tells a person what fails; for any goroutine

	begin   sync.Once
	wakeup  chan struct{}
	stop    context.CancelFunc
	done    chan struct{}
	failure string // of the last tidy, which is reported once
}

// newName returns an unused name for a file that is rotated now, later than those of all that were rotated before: if the
// clock was set back, it has the first such time.
func (a *archive) newName() string {
	at := time.Now()
	if last := a.newest(at); !last.Before(at) {
		at = last.Add(time.Millisecond)
	}
	for ; ; at = at.Add(time.Millisecond) {
		name := a.path + "." + at.UTC().Format(stamp)
		if used, err := filepath.Glob(escapeGlob(name) + "*"); err != nil || len(used) == 0 {
			return name
		}
	}
}

// escapeGlob returns the pattern that matches a name alone.
func escapeGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(name)
}

// tidySoon has the goroutine compress and remove rotated files.
func (a *archive) tidySoon() {
	a.begin.Do(func() {
		var ctx context.Context
		ctx, a.stop = context.WithCancel(context.Background())
		a.wakeup, a.done = make(chan struct{}, 1), make(chan struct{})
		go a.run(ctx)
	})
	select {
	case a.wakeup <- struct{}{}:
	default: // it has not begun with what it was woken for
	}
}

// closeWait is how long the end of a run waits for the compression of what was rotated last.
const closeWait = 3 * time.Second

// close ends the goroutine, after what it was woken for unless that takes longer than closeWait. Tidy is not
// called any more.
func (a *archive) close() {
	a.begin.Do(func() {})
	if a.stop == nil {
		return
	}
	close(a.wakeup)
	defer time.AfterFunc(closeWait, a.stop).Stop()
	<-a.done
	a.stop()
}

// run tidies up after each rotation, until wakeup is closed. What fails is told once, and tried again after the next
// rotation.
func (a *archive) run(ctx context.Context) {
	defer close(a.done)
	for range a.wakeup {
		failure := ""
		if err := a.tidy(ctx); err != nil && ctx.Err() == nil {
			failure = fmt.Sprintf("compress or remove rotated files of %s: %v: they stay until the next rotation",
				event.Escape(a.path), event.WithoutPath(err))
		}
		if failure != "" && failure != a.failure {
			a.notify(failure)
		}
		a.failure = failure
	}
}

// tidy removes the oldest rotated files beyond those that are kept, and compresses the others. It does what it
// can; the error is the first one.
func (a *archive) tidy(ctx context.Context) error {
	names, unfinished, err := a.list()
	if err != nil {
		return err
	}
	keep := a.o.Keep
	if keep == 0 {
		keep = defaultKeep
	}
	var errs []error
	for _, name := range unfinished {
		errs = append(errs, os.Remove(name))
	}
	for len(names) > keep {
		errs = append(errs, os.Remove(names[0]))
		names = names[1:]
	}
	for _, name := range names {
		if a.o.Compress != Uncompressed && compressionOf(name) == Uncompressed {
			errs = append(errs, a.o.Compress.replace(ctx, name))
		}
	}
	return cmp.Or(errs...)
}

// list returns the rotated files, the oldest first, and what an interrupted compression left.
func (a *archive) list() (names, unfinished []string, err error) {
	dir, base := filepath.Split(a.path)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), base+".")
		switch {
		case !ok || len(rest) < len(stamp) || !isStamp(rest[:len(stamp)]) || !e.Type().IsRegular():
		case rest[len(stamp):] == temporary:
			unfinished = append(unfinished, dir+e.Name())
		case len(rest) == len(stamp), rest[len(stamp):] == compressionOf(rest).suffix():
			names = append(names, dir+e.Name())
		}
	}
	slices.Sort(names)
	return names, unfinished, err
}

// newest returns the time of the last rotation, or other if there is none.
func (a *archive) newest(other time.Time) time.Time {
	names, _, err := a.list()
	if err != nil || len(names) == 0 {
		return other
	}
	last := filepath.Base(names[len(names)-1])
	at, err := time.Parse(stamp, last[len(filepath.Base(a.path))+1:][:len(stamp)])
	if err != nil {
		return other
	}
	return at
}

// isStamp reports whether text is the time in the name of a rotated file.
func isStamp(text string) bool {
	_, err := time.Parse(stamp, text)
	return err == nil
}

// renameCause returns why a file could not be renamed, without both names.
func renameCause(err error) error {
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err
	}
	return err
}
