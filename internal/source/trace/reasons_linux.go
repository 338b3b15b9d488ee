package trace

import (
	"maps"
	"slices"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/perf"
)

// Reasons returns a function that returns the numbers of a drop reason in this kernel, for
// [Options.Filter]. A name that is not known has none: Linux before 5.17 has no reasons, and
// tracefs does not name those of subsystems. A finer reason than this event gives has the numbers
// of its family ([event.ReasonFamily]), and ok is false: other drops have them, too. The errors
// are those of [Open].
func Reasons() (func(name string) (numbers []condition.Span, ok bool), error) {
	f, err := readFormat()
	if err != nil {
		return nil, err
	}
	numbers := make(map[string][]condition.Span)
	for n, name := range f.Symbols["reason"] {
		numbers[name] = append(numbers[name], condition.Span{Lo: n, Hi: n})
	}
	return func(name string) ([]condition.Span, bool) {
		family := numbers[event.ReasonFamily(name)]
		if len(numbers[name]) == 0 && len(family) > 0 {
			return family, false
		}
		return numbers[name], true
	}, nil
}

// ReasonNames returns the names of the reasons that drops can have in this kernel, sorted: those that
// [Reasons] knows, and those of [Options.Others].
func ReasonNames() ([]string, error) {
	t, f, err := perf.OpenTracefs(dropEvent)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	others, err := readOthers(&t)
	if err != nil {
		return nil, err
	}
	names := slices.Collect(maps.Values(f.Symbols["reason"]))
	for i := range others {
		names = append(names, others[i].reasons()...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// readFormat reads the format of skb:kfree_skb.
func readFormat() (perf.Format, error) {
	t, f, err := perf.OpenTracefs(dropEvent)
	if err == nil {
		t.Close()
	}
	return f, err
}
