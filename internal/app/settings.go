package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/settings"
)

// A settingLine is a setting with the counters that rise when it loses packets.
type settingLine struct {
	Name       string            `json:"name"`
	Value      string            `json:"value,omitempty"`
	Origin     string            `json:"origin,omitempty"`
	Deviates   bool              `json:"deviates"` // from a value that needs no attention, here or on an interface
	Interfaces []interfaceLine   `json:"interfaces,omitempty"`
	Loses      string            `json:"loses"`
	Advice     string            `json:"advice"`
	Counters   map[string]uint64 `json:"counters,omitempty"` // totals since boot, or since the namespace was made; levels
	Rises      map[string]uint64 `json:"rises,omitempty"`    // of those that rose during the last second, by how much

	missing string // why this host does not have it; empty if it does
	about   *settings.About
	present []counters.Present
}

// An interfaceLine is the value that counts on an interface.
type interfaceLine struct {
	IfName string `json:"ifname"`
	Value  string `json:"value"`
	Origin string `json:"origin,omitempty"`

	Deviates bool `json:"deviates"`
}

// watchedFor is how long counters are compared. It is short because somebody waits, and long enough for a counter that
// rises ten times a second.
const watchedFor = time.Second

// showSettings prints the settings that decide which packets this host drops, in the
// network namespace of dropwatch: those that need attention, or all.
func (a *App) showSettings(ctx context.Context, all, asJSON bool) error {
	lines, err := a.settingLines(ctx)
	if err != nil {
		return err
	}
	var b strings.Builder
	if where := a.ownScope(); !asJSON {
		b.WriteString(where.in + "\n")
		if where.others != "" {
			b.WriteString(where.others + ": ip netns exec NAME dropwatch doctor --settings\n")
		}
	}
	others := 0
	for i := range lines {
		line := &lines[i]
		switch {
		case !all && !line.needsAttention():
			others++
		case !asJSON:
			line.appendTo(&b, "")
		default:
			text, err := json.Marshal(line)
			if err != nil {
				return err
			}
			b.Write(append(text, '\n'))
		}
	}
	if others > 0 && !asJSON {
		fmt.Fprintf(&b, "%s as usual, and nothing was lost by them (--all shows them)\n", event.Plural(uint64(others), "setting"))
	}
	return a.write(b.String())
}

// settingLines reads all settings, and what their counters do for a second.
func (a *App) settingLines(ctx context.Context) ([]settingLine, error) {
	all := settings.New(a.runner.Host).All()
	var ids []string
	for _, s := range all {
		ids = append(ids, s.About.Counters...)
	}
	reader := counters.Reader{Host: a.runner.Host, Groups: counters.GroupsOf(ids)}
	before, err := reader.Read(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(watchedFor):
	}
	after, err := reader.Read(ctx)
	if err != nil {
		return nil, err
	}
	var lines []settingLine
	for i := range all {
		line := lineOf(&all[i])
		line.count(before, after)
		lines = append(lines, line)
	}
	return lines, nil
}

// lineOf is the line of a setting that this host has, without its counters.
func lineOf(s *settings.Setting) settingLine {
	line := settingLine{
		Name: s.Name, Value: s.Value, Origin: s.Origin, Deviates: s.Deviates(),
		Loses: s.About.Loses, Advice: s.About.Advice, about: s.About,
	}
	for _, i := range s.Interfaces {
		line.Interfaces = append(line.Interfaces, interfaceLine(i))
	}
	return line
}

// count sets the counters that this kernel has, and which of them rise.
func (l *settingLine) count(before, after *counters.Snapshot) {
	l.present = after.Of(l.about.Object).Present(l.about.Counters)
	l.Counters, l.Rises = make(map[string]uint64), make(map[string]uint64)
	for _, p := range l.present {
		l.Counters[p.ID] = p.Value
	}
	for _, p := range before.Of(l.about.Object).Present(l.about.Counters) {
		if now := l.Counters[p.ID]; !p.Gauge && now > p.Value {
			l.Rises[p.ID] = now - p.Value
		}
	}
}

// needsAttention reports whether the value deviates, packets were lost by it, or a level is
// near its limit.
func (l *settingLine) needsAttention() bool {
	return l.Deviates || slices.ContainsFunc(l.present, func(p counters.Present) bool {
		meaning, known := knowledge.OfCounter(p.ID, "", event.Netns{})
		lost := known && meaning.Entry.Loses >= knowledge.Sometimes && meaning.Severity > knowledge.Noise
		return lost && (p.NearLimit() || !p.Gauge && p.Value > 0)
	})
}

// appendTo appends the setting for a terminal of 80 columns, each line after indent.
func (l *settingLine) appendTo(b *strings.Builder, indent string) {
	value := ""
	if l.Value != "" {
		value = " = " + l.Value
	}
	if l.missing != "" {
		value = ": " + l.missing
	}
	b.WriteString(indent + event.Escape(l.Name+value))
	if l.Origin != "" {
		b.WriteString("  (" + event.Escape(l.Origin) + ")")
	}
	b.WriteByte('\n')
	indent += "    "
	l.appendInterfaces(b, indent)
	if l.Loses != "" {
		appendHanging(b, indent, indent, l.Loses+" "+l.Advice)
	}
	var counted []string
	for _, p := range l.present {
		text := p.String()
		if n := l.Rises[p.ID]; n > 0 {
			text += fmt.Sprintf(", +%d in the last second", n)
		}
		counted = append(counted, text)
	}
	if len(counted) > 0 {
		appendHanging(b, indent+"counted so far: ", indent, strings.Join(counted, ", "))
	}
}

// maxInterfaces is how many interfaces with the same value are named.
const maxInterfaces = 6

// appendInterfaces appends the values that count on interfaces, a line for each that is not
// that of all. Those that need attention come first.
func (l *settingLine) appendInterfaces(b *strings.Builder, indent string) {
	type value struct {
		rank int // 0: it needs attention
		text string
	}
	same := make(map[value][]string) // names of interfaces
	for _, i := range l.Interfaces {
		if i.Value == l.Value {
			continue
		}
		v := value{1, event.Escape(i.Value)}
		if i.Deviates {
			v.rank = 0
		}
		if i.Origin != "" {
			v.text += " (" + event.Escape(i.Origin) + ")"
		}
		same[v] = append(same[v], event.Quote(i.IfName))
	}
	order := func(a, b value) int { return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.text, b.text)) }
	for _, v := range slices.SortedFunc(maps.Keys(same), order) {
		names := same[v]
		if rest := len(names) - maxInterfaces; rest > 0 {
			names = append(names[:maxInterfaces:maxInterfaces], fmt.Sprintf("%d more", rest))
		}
		if l.Value == "" { // a device's, of which there is none for all
			appendHanging(b, indent, indent+"    ", strings.Join(names, ", ")+": "+v.text)
		} else {
			appendHanging(b, indent+"in effect "+v.text+" on ", indent+"    ", strings.Join(names, ", "))
		}
	}
}
