package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/host"
	"dropwatch/internal/repl"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/term"
)

// start is the verb that begins a session with a capture.
func (a *App) start(o *globalFlags, program programFunc) *cli.Verb {
	return &cli.Verb{
		Name: "start", Short: "begin a session that shows drops at once",
		Long: `Begin a session that starts a capture at once: what dropwatch does when start is
the first command. Ctrl-C ends the capture, exit the session.`,
		Run: func(ctx context.Context, _ cli.Args) error { return a.session(ctx, o, "start", program) },
	}
}

// sessionHint is shown to a person in a new session. With "dropwatch: " before it, it fits 79 columns.
const sessionHint = "type start (counts), watch (each drop), top (live view) or help"

// session runs an interactive session, or a script from standard input. First is a
// command that is run before any is read; it may be empty.
func (a *App) session(ctx context.Context, o *globalFlags, first string, program programFunc) error {
	language := sessionLanguage(program)
	for i := range language.Verbs {
		if v := &language.Verbs[i]; v.Name == pointsVerb {
			v.Set = a.setPoints
		}
	}
	r := a.runner
	lines, err := term.Open(term.Config{
		Stdin: r.In, Stdout: r.Out, Prompt: repl.Prompt, Complete: completeLine(&language, program(defaults{inSession: true}), r.Host),
		HistoryFile: historyFile(), Warn: r.Notices.Warn,
	})
	if err != nil {
		return err
	}
	defer lines.Close()
	s := &repl.REPL{
		Lines: reader{lines}, Host: &monitorHost{runner: r, points: a.namedPoints}, Out: r.Out, Err: r.Err,
		Interactive: term.IsTerminal(r.In) && term.IsTerminal(r.Out),
		Settings:    repl.Settings{Takeover: o.takeover},
		Language:    language,
		First:       first,
	}
	r.Signals.SetAtPrompt(s.Interactive)
	r.Monitor.ConfirmTakeover = s.ConfirmTakeover
	fmt.Fprintln(r.Out, o.method.greeting)
	if first == "" && s.Interactive && term.IsTerminal(r.Err) {
		r.Notices.Text(sessionHint)
	}
	return s.Run(ctx)
}

// historyFile is where the lines of sessions are kept; empty if there is no home
// directory.
func historyFile() string {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) { // also if it is empty, as the XDG Base Directory specification says
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "dropwatch", "history")
}

// A reader maps the errors of a term.Reader to those that repl knows.
type reader struct{ term.Reader }

// ReadLine returns repl.ErrInterrupt after Ctrl-C.
func (r reader) ReadLine(ctx context.Context) (string, error) {
	line, err := r.Reader.ReadLine(ctx)
	if errors.Is(err, term.ErrInterrupt) {
		err = repl.ErrInterrupt
	}
	return line, err
}

// sessionLanguage returns what can be typed in a session, beyond its own commands. It is called for the manual page,
// too, and so may not touch the terminal or the host.
func sessionLanguage(program programFunc) repl.Language {
	l := repl.Language{Sources: capture.SourceNames(), FilterHelp: filter.Help()}
	for _, v := range program(defaults{}).Verbs {
		if v.InSession {
			l.Verbs = append(l.Verbs, sessionVerb(v, program))
		}
	}
	return l
}

// sessionVerb makes a verb of the command line one of the session. It gets the session's settings by value, as defaults.
// Its flags have their defaults each time, so that one command does not inherit those of another.
func sessionVerb(v *cli.Verb, program programFunc) repl.Verb {
	return repl.Verb{
		Name: v.Name, Args: v.Args, Help: v.Short,
		Run: func(ctx context.Context, s repl.Settings, args []string) error {
			f, err := parseFilter(s.Filter)
			if err != nil {
				return err
			}
			d := defaults{inSession: true, takeover: s.Takeover, source: s.Source, trunc: s.Trunc, filter: f, points: s.Points}
			return program(d).Run(ctx, append([]string{"dropwatch", v.Name}, args...), isUsage)
		},
	}
}

// completeLine returns a function that completes the last word of a session's line.
func completeLine(l *repl.Language, program *cli.Program, h *host.Host) func(line string) []string {
	return func(line string) []string {
		words := strings.Fields(line)
		if line == "" || strings.HasSuffix(line, " ") {
			words = append(words, "")
		}
		if len(words) < 2 || !isVerb(l, words[0]) {
			return l.Complete(line)
		}
		found, file := program.Complete(context.Background(), words)
		if file && len(found) == 0 {
			return fileNames(h, words[len(words)-1])
		}
		return found
	}
}

// isVerb reports whether name is a verb of the command line in this session.
func isVerb(l *repl.Language, name string) bool {
	return slices.ContainsFunc(l.Verbs, func(v repl.Verb) bool { return v.Name == name })
}

// fileNames returns the names of files that begin with prefix. Those of directories end in a slash. Hidden files are
// left out unless asked for; so are names with white space, which a session could not read back. It does not wait long
// for a directory that does not answer, see host.Host.Entries; then there are none.
func fileNames(h *host.Host, prefix string) []string {
	dir, base := filepath.Split(prefix)
	from, err := filepath.Abs(dir)
	if err != nil {
		return nil
	}
	entries, err := h.Entries(strings.TrimPrefix(from, "/"))
	if err != nil {
		return nil
	}
	var found []string
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, base) || strings.HasPrefix(name, ".") && base == "" || strings.ContainsAny(name, " \t\n") {
			continue
		}
		if e.IsDir() {
			name += "/"
		}
		found = append(found, dir+name)
	}
	return found
}
