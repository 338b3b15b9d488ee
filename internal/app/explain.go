package app

import (
	"context"
	"fmt"
	"strings"

	"dropwatch/internal/cli"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/settings"
	"dropwatch/internal/suggest"
)

// explain is the verb that explains a reason, function, trap, counter or setting.
func (a *App) explain() *cli.Verb {
	return &cli.Verb{
		Name: "explain", Args: "name", Short: "explain a drop reason, function, trap, counter or setting",
		Long: `Explain why packets are dropped for a reason, at a kernel function, or by a
hardware trap: the cause, commands that check it, and how to fix it; or what a
counter or a setting (sysctl) has to do with lost packets. The present values of
settings and counters are those of this host and network namespace.`,
		Usage: []string{"dropwatch explain NAME"},
		Notes: "The names are listed by dropwatch help reasons and dropwatch points.\n" +
			"Layers, classes and severities, such as no_buffer and harm, are explained, too.",
		Examples: []string{
			"dropwatch explain NO_SOCKET", "dropwatch explain udp_queue_rcv_one_skb+0x1f", "dropwatch explain TcpExtListenOverflows",
			"dropwatch explain net.core.somaxconn",
		},
		Manual: manVerbs["explain"], Words: firstOf(explainedNames), InSession: true,
		Run: func(ctx context.Context, args cli.Args) error {
			if len(args.Words) != 1 {
				return usageError("explain: give one name: of a reason, a function, a trap, a counter or a setting")
			}
			text, err := a.explanation(ctx, args.Words[0])
			if err != nil {
				return err
			}
			return a.write(text)
		},
	}
}

// explanation returns what is known of a name. A reason, function, trap or counter goes before a setting, and that
// before a word of the classification, should they have one name. The error is one of usage, with what may have been
// meant.
func (a *App) explanation(ctx context.Context, name string) (string, error) {
	if entries := knowledge.Lookup(name); len(entries) > 0 {
		return a.explanations(ctx, entries)
	}
	if about, ifname := settings.Find(name); about != nil {
		return a.aboutSetting(ctx, about, ifname)
	}
	if text := knowledge.Term(name); text != "" {
		var b strings.Builder
		appendHanging(&b, name+": ", "    ", text)
		return b.String(), nil
	}
	return "", unknownName(name)
}

// firstOf completes only the first argument of a verb.
func firstOf(names func() []string) func([]string) []string {
	return func(before []string) []string {
		if len(before) > 0 {
			return nil
		}
		return names()
	}
}

// explainedNames returns the names of all entries and settings, for completion.
func explainedNames() (names []string) {
	for _, e := range knowledge.All() {
		names = append(names, e.Name)
	}
	return append(names, settings.Names()...)
}

// unknownName returns the error for a name that cannot be explained, with the names
// that are close to it.
func unknownName(name string) error {
	advice := "dropwatch help reasons lists the known ones"
	near := settings.Suggest(name)
	if len(near) == 0 {
		near = knowledge.Suggest(name)
	}
	if len(near) > 0 {
		advice = "did you mean " + suggest.OneOf(near) + "?"
	}
	return usagef("explain: unknown reason, function, trap, counter or setting %q: %s", name, advice)
}

// explanations returns the texts of entries that have the same name: a reason and a
// trap can.
func (a *App) explanations(ctx context.Context, entries []*knowledge.Entry) (string, error) {
	var b strings.Builder
	reader := settings.New(a.runner.Host)
	for i, e := range entries {
		if i > 0 {
			b.WriteByte('\n')
		}
		appendExplanation(&b, e)
		appendSettings(&b, e, reader)
		present, err := a.present(ctx, countersOf(e))
		if err != nil {
			return "", err
		}
		appendPresent(&b, present)
	}
	return b.String(), nil
}

// appendExplanation appends the explanation of one entry, for a terminal of 80
// columns. Commands are never wrapped, so that they can be copied.
func appendExplanation(b *strings.Builder, e *knowledge.Entry) {
	x := e.Explain(nil)
	b.WriteString(headline(e))
	appendWrapped(b, "", x.Cause)
	if len(x.Usual) > 0 {
		appendHanging(b, "usually: ", "    ", strings.Join(x.Usual, "; "))
	}
	for i, command := range x.Check {
		b.WriteString([]string{"check: ", "       "}[min(i, 1)] + command + "\n")
	}
	if x.Fix != "" {
		appendHanging(b, "fix:   ", "       ", x.Fix)
	}
	for _, command := range x.Apply {
		b.WriteString("       " + command + "\n")
	}
	for i, c := range e.CaseExplanations() {
		if i == 0 {
			b.WriteString("narrower causes, where a drop shows them:\n")
		}
		appendHanging(b, "  - ", "    ", c.Cause)
	}
}

// headline says in two lines what an entry is about, and how it is classified.
func headline(e *knowledge.Entry) string {
	text := fmt.Sprintf("%s: %v, layer: %v, module: %s\nclass: %v, severity: %v", e.Name, e.Kind, e.Layer, e.Module, e.Class, e.Severity)
	if e.Kind == knowledge.Counter {
		text += fmt.Sprintf(", counts: %v, a packet is lost: %v", e.Unit, e.Loses)
	}
	return text + "\n"
}

// reasonList is the help topic reasons: the reasons by layer, each with the
// beginning of its cause, then the names of functions and traps.
func reasonList() string {
	var b strings.Builder
	appendWrapped(&b, "", "What dropwatch explain NAME explains, by layer of the network stack. The severity is harm (traffic is "+
		"lost that should not be), maybe (it depends on what was wanted) or noise (nothing that anybody needs is lost).")
	for _, layer := range knowledge.Layers {
		for _, kind := range []knowledge.Kind{knowledge.Reason, knowledge.Function, knowledge.Trap} {
			appendEntries(&b, layer, kind)
		}
	}
	return b.String()
}

// appendEntries appends the entries of one layer and kind. It appends nothing if there are none. Reasons have a line
// each, with their cause, the others only names: there are hundreds.
func appendEntries(b *strings.Builder, layer knowledge.Layer, kind knowledge.Kind) {
	var names []string
	title := fmt.Sprintf("\n%s: %ss\n", layer, kind)
	for _, e := range knowledge.All() {
		switch {
		case e.Layer != layer || e.Kind != kind:
		case kind == knowledge.Reason:
			b.WriteString(title + reasonLine(e))
			title = ""
		default:
			names = append(names, e.Name)
		}
	}
	if len(names) > 0 {
		b.WriteString(title)
		appendWrapped(b, "    ", strings.Join(names, " "))
	}
}

// reasonLine returns a reason on one line of at most 80 columns. A longer cause
// ends in "...".
func reasonLine(e *knowledge.Entry) string {
	line := fmt.Sprintf("    %-28s %-5v  %s", e.Name, e.Severity, e.Cause)
	const width = 80
	if len(line) > width {
		line = line[:strings.LastIndexByte(line[:width-3], ' ')] + " ..."
	}
	return line + "\n"
}
