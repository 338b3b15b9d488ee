package app

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"dropwatch/internal/cli"
	"dropwatch/internal/doctor"
)

// Version of dropwatch, set with -ldflags -X; see the Makefile.
var Version = "devel"

// version is the verb that prints the version.
func (a *App) version() *cli.Verb {
	return &cli.Verb{
		Name: "version", Short: "print the version, kernel release and working sources",
		Run: func(context.Context, cli.Args) error { return a.printVersion() },
	}
}

// printVersion prints what a bug report needs to name. It takes up to maxProbe, as it tries which sources work, and
// needs no privileges: a source that needs them is then one that does not work.
func (a *App) printVersion() error {
	text := "dropwatch " + Version
	if info, ok := debug.ReadBuildInfo(); ok {
		text += " " + info.GoVersion
	}
	return a.write(fmt.Sprintf("%s\nLinux %s\nsources: %s\n", text, a.runner.Host.Identity().Release, a.workingSources()))
}

// maxProbe is how long --version waits for the sources: a hanging module loader
// must not hang it.
const maxProbe = 10 * time.Second

// workingSources lists the sources that work. One that does not answer in time is
// left behind.
func (a *App) workingSources() string {
	tried := make(chan doctor.Report, 1)
	go func() { tried <- a.examine() }()
	select {
	case report := <-tried:
		return report.Sources()
	case <-time.After(maxProbe):
		return "unknown (one does not answer): try dropwatch doctor"
	}
}
