package app

import (
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/point"
	"dropwatch/internal/repl"
)

// pointsVerb is the verb that in a session also says which points are reported.
const pointsVerb = "points"

// Words of that verb: what follows are points.
const (
	testWord = "test"
	onWord   = "on"
	offWord  = "off"
)

// setPoints is the Set of that verb: points on, points off, each with names, or all with none for off. On without
// names changes nothing. The answer is which are on.
func (a *App) setPoints(s *repl.Settings, args []string) (answer string, ok bool, err error) {
	switch {
	case len(args) == 0:
		return "", false, nil
	case args[0] == onWord:
		err = a.pointsOn(s, args[1:])
	case args[0] == offWord:
		err = a.pointsOff(s, args[1:])
	default:
		return "", false, nil
	}
	if err != nil || len(s.Points) == 0 {
		return "no points are on\n", true, err
	}
	const format = "points that are on from the next start, watch or record: %s\n"
	return fmt.Sprintf(format, event.Escape(strings.Join(s.Points, ", "))), true, nil
}

// pointsOn adds points. Those of files are kept as the file. Those that are on already stay; nothing is on if one is not
// known.
func (a *App) pointsOn(s *repl.Settings, words []string) error {
	if len(words) > 0 {
		if err := canProbe(); err != nil {
			return fmt.Errorf("points on: no function can be probed: %w", err)
		}
	}
	if _, err := a.namedPoints(words); err != nil {
		return err
	}
	for _, name := range pointNames(words) {
		if !slices.Contains(s.Points, name) {
			s.Points = append(s.Points, name)
		}
	}
	return nil
}

// pointsOff removes points; all for no words.
func (a *App) pointsOff(s *repl.Settings, words []string) error {
	if len(words) == 0 {
		s.Points = nil
		return nil
	}
	if _, err := a.namedPoints(words); err != nil {
		return err
	}
	off := pointNames(words)
	s.Points = slices.DeleteFunc(slices.Clone(s.Points), func(name string) bool { return slices.Contains(off, name) })
	return nil
}

// pointNames returns the names of the built-in points of words, and the words of files.
func pointNames(words []string) (names []string) {
	for _, word := range words {
		found, err := point.Select(word)
		if err != nil {
			names = append(names, word)
		}
		for _, p := range found {
			names = append(names, p.Name)
		}
	}
	return names
}
