package jsonl_test

import (
	"slices"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/sink/jsonl"
)

// ttl is a drop whose cause has what only the packet shows.
func ttl() event.Event {
	f := event.Flow{Headers: event.Headers{Fields: event.FieldTTL, TTL: 1}}
	e := drop(f)
	e.Reason, e.Packet.Flow = "IP_INHDR", &f
	return e
}

var explained = at("drop") + `"count":1,"reason":"IP_INHDR","explain":{"layer":"network","module":"ip","class":"error","severity":"harm",` +
	`"cause":"The packet arrived with TTL 1, too small to be forwarded: a routing loop, or a traceroute through this host."},` +
	`"flow":{"ttl":1,"stop":"not decoded"}}`

// TestExplain: only if asked for, and only of what is known.
func TestExplain(t *testing.T) {
	e := ttl()
	if got := line(t, jsonl.Options{Explain: true}, &e); got != explained+"\n" {
		t.Errorf("got\n%swant\n%s", got, explained)
	}
	e = drop(event.Flow{})
	e.Reason = "NOT_KNOWN"
	if got, want := line(t, jsonl.Options{Explain: true}, &e), line(t, jsonl.Options{}, &e); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestSchemaExplains with the words of knowledge.
func TestSchemaExplains(t *testing.T) {
	has := newValidator(t).root.Defs["explain"].Properties
	for _, en := range knowledge.All() {
		for key, word := range map[string]string{
			"layer": en.Layer.String(), "class": en.Class.String(), "severity": en.Severity.String(),
		} {
			if !slices.Contains(has[key].Enum, any(word)) {
				t.Errorf("%s of %s is %s, not one of %v", key, en.Name, word, has[key].Enum)
			}
		}
	}
}
