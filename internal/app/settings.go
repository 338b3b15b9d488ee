package app

import (
	"context"
	"encoding/json"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/settings"
)

// A settingLine is a setting with the counters that rise when it loses packets.
type settingLine struct {
	Name     string            `json:"name"`
	Value    string            `json:"value"`
	Origin   string            `json:"origin,omitempty"`
	Loses    string            `json:"loses"`
	Advice   string            `json:"advice"`
	Counters map[string]uint64 `json:"counters,omitempty"` // totals since boot, or since the namespace was made

	missing string // why this host does not have it; empty if it does
	present []counters.Present
}

// showSettings prints the settings that decide which packets this host drops, in the
// network namespace of dropwatch.
func (a *App) showSettings(ctx context.Context, asJSON bool) error {
	reader := counters.Reader{Host: a.runner.Host, Groups: []counters.Group{
		counters.Protocol, counters.Softnet, counters.Conntrack, counters.Neighbour,
	}}
	snapshot, err := reader.Read(ctx)
	if err != nil {
		return err
	}
	var b strings.Builder
	for _, s := range settings.New(a.runner.Host).All() {
		line := settingLine{Name: s.Name, Value: s.Value, Origin: s.Origin, Loses: s.About.Loses, Advice: s.About.Advice}
		line.count(snapshot.Present(s.About.Counters))
		if !asJSON {
			line.appendTo(&b, "")
			continue
		}
		text, err := json.Marshal(line)
		if err != nil {
			return err
		}
		b.Write(append(text, '\n'))
	}
	return a.write(b.String())
}

// count sets the counters that this kernel has.
func (l *settingLine) count(all []counters.Present) {
	l.present = all
	for _, p := range all {
		if l.Counters == nil {
			l.Counters = make(map[string]uint64)
		}
		l.Counters[p.ID] = p.Value
	}
}

// appendTo appends the setting for a terminal of 80 columns, each line after indent.
func (l *settingLine) appendTo(b *strings.Builder, indent string) {
	value := " = " + l.Value
	if l.missing != "" {
		value = ": " + l.missing
	}
	b.WriteString(indent + event.Escape(l.Name+value))
	if l.Origin != "" {
		b.WriteString("  (" + event.Escape(l.Origin) + ")")
	}
	b.WriteByte('\n')
	indent += "    "
	if l.Loses != "" {
		appendHanging(b, indent, indent, l.Loses+" "+l.Advice)
	}
	var counted []string
	for _, p := range l.present {
		counted = append(counted, p.String())
	}
	if len(counted) > 0 {
		appendHanging(b, indent+"counted so far: ", indent, strings.Join(counted, ", "))
	}
}
