package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/settings"
)

// present reads what this host has of some counters, in the network namespace of
// dropwatch. It notes what cannot be read.
func (a *App) present(ctx context.Context, ids []string) ([]counters.Present, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	reader := counters.Reader{Host: a.runner.Host, Groups: counters.GroupsOf(ids)}
	snapshot, err := reader.Read(ctx)
	if err != nil {
		return nil, err
	}
	for i := range snapshot.Failures {
		a.runner.Notices.Text(snapshot.Failures[i].Error())
	}
	return snapshot.Present(ids), nil
}

// countersOf returns the counters that rise with the drops of an entry, in any of its
// cases; of a counter itself.
func countersOf(e *knowledge.Entry) []string {
	if e.Kind == knowledge.Counter {
		return append([]string{e.Name}, e.Includes...)
	}
	ids := slices.Clone(e.Counters)
	for i := range e.Cases {
		for _, id := range e.Cases[i].Counters {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// appendPresent appends counters with what they come to now, a line for each.
func appendPresent(b *strings.Builder, all []counters.Present) {
	for i, p := range all {
		if i == 0 {
			b.WriteString("counted so far in this network namespace:\n")
		}
		appendHanging(b, "  ", "      ", p.String())
	}
}

// appendSettings appends the settings that decide whether packets are dropped, as they
// are now.
func appendSettings(b *strings.Builder, e *knowledge.Entry, reader *settings.Reader) {
	for i, name := range e.Settings {
		if i == 0 {
			b.WriteString("settings of this host:\n")
		}
		about, _ := settings.Find(name)
		if about == nil { // only its value is known
			about = &settings.About{Name: name}
		}
		line := settingOf(reader, about, "")
		line.appendTo(b, "  ")
	}
}

// aboutSetting returns what is known of a setting: its value, when packets are lost by
// it, what was counted of that, and which drops it decides.
func (a *App) aboutSetting(ctx context.Context, about *settings.About, ifname string) (string, error) {
	present, err := a.present(ctx, about.Counters)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	line := settingOf(settings.New(a.runner.Host), about, ifname)
	line.appendTo(&b, "")
	appendPresent(&b, present)
	var decides []string
	for _, e := range knowledge.All() {
		if e.Kind != knowledge.Counter && e.DecidedBy(about.Name) {
			decides = append(decides, e.Name)
		}
	}
	if len(decides) > 0 {
		appendHanging(&b, "decides: ", "    ", strings.Join(decides, ", "))
	}
	return b.String(), nil
}

// settingOf returns the line of a setting that this host has or not, of an interface, or of all
// of them with what counts on each.
func settingOf(reader *settings.Reader, about *settings.About, ifname string) settingLine {
	s, ok := settings.Setting{}, false
	if ifname != "" {
		s, ok = reader.Read(about.Name, ifname)
	} else {
		s, ok = reader.Everywhere(about)
	}
	if ok {
		s.About = about
		return lineOf(&s)
	}
	line := settingLine{Name: about.Name, Loses: about.Loses, Advice: about.Advice, about: about}
	switch {
	case about.Until != "":
		line.missing = fmt.Sprintf("not on this host: Linux %s removed it", about.Until)
	case about.Since != "":
		line.missing = fmt.Sprintf("not on this host, or not in this network namespace: it is new in Linux %s", about.Since)
	default:
		line.missing = "not in this network namespace, or its module is not loaded"
	}
	return line
}
