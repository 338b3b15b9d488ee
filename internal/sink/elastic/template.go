package elastic

import (
	"encoding/json"
	"strings"
)

// A templateText is an index template, as PUT /_index_template has it.
type templateText struct {
	Patterns   []string       `json:"index_patterns"`
	Priority   int            `json:"priority"`
	DataStream *struct{}      `json:"data_stream,omitempty"`
	Template   templateParts  `json:"template"`
	Meta       map[string]any `json:"_meta"`
}

// A templateParts has the mappings of the template. Settings are left to the cluster.
type templateParts struct {
	Mappings mappings `json:"mappings"`
}

// A mappings says which types fields have, those with a name and all others.
type mappings struct {
	Dynamic    []map[string]any `json:"dynamic_templates"`
	Properties map[string]any   `json:"properties"`
}

// templatePriority is above that of logs-*-* in Elasticsearch.
const templatePriority = 200

// template returns the name and the text of the index template. Names are keywords, so that they can be
// counted; numbers and flags are what JSON has.
func (x *encoder) template() (name string, text []byte, err error) {
	t := templateText{Priority: templatePriority, Meta: map[string]any{"description": "packets that Linux hosts drop, by dropwatch"}}
	name = x.Index
	t.Patterns, t.DataStream = []string{x.Index}, new(struct{})
	if x.Daily != "" {
		name = x.Daily
		t.Patterns, t.DataStream = []string{x.Daily + "-*"}, nil
	}
	t.Template.Mappings = mappings{
		Dynamic: []map[string]any{{"strings": map[string]any{
			"match_mapping_type": "string", "mapping": map[string]any{"type": "keyword", "ignore_above": 1024},
		}}},
		Properties: properties(ecsTypes),
	}
	if x.Types != nil {
		t.Template.Mappings.Properties = properties(x.Types)
	}
	text, err = json.Marshal(&t)
	return name, text, err
}

// ecsTypes are the types of fields that are no names.
var ecsTypes = map[string]string{
	"@timestamp": "date_nanos", "message": "text", "source.ip": "ip", "destination.ip": "ip", "source.port": "integer",
	"destination.port": "integer", "dropwatch.time": "date_nanos", "dropwatch.count": "long", "network.packets": "long",
	"process.pid": "long", "dropwatch.args": unindexed, "event.start": "date_nanos", "event.end": "date_nanos",
	"dropwatch.finding.begun": "date_nanos", "dropwatch.finding.lasted_ms": "long", "dropwatch.finding.count": "long",
	"dropwatch.finding.threshold": "long", "dropwatch.finding.window_ms": "long", "dropwatch.finding.unreported": "long",
	"dropwatch.finding.cause": "text", "dropwatch.finding.fix": "text", "dropwatch.finding.rank": "long",
	"dropwatch.finding.facts.text": "text",
}

// unindexed is the type of an object whose members may be numbers in one document and names in another.
const unindexed = "object"

// properties returns the mappings of fields whose names have dots.
func properties(types map[string]string) map[string]any {
	all := make(map[string]any)
	for name, kind := range types {
		parent := all
		path := strings.Split(name, ".")
		for _, part := range path[:len(path)-1] {
			object, ok := parent[part].(map[string]any)
			if !ok {
				object = map[string]any{"properties": make(map[string]any)}
				parent[part] = object
			}
			parent, _ = object["properties"].(map[string]any)
		}
		field := map[string]any{"type": kind}
		if kind == unindexed {
			field["enabled"] = false
		}
		parent[path[len(path)-1]] = field
	}
	return all
}
