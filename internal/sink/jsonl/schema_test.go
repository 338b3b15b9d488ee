package jsonl_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/jsonl"
)

// A schema is a node of a JSON Schema, with the keywords that schema.json has.
type schema struct {
	Schema      string             `json:"$schema"`
	Ref         string             `json:"$ref"`
	Defs        map[string]*schema `json:"$defs"`
	Title       string
	Description string
	Format      string // for readers: patterns say it
	Type        string
	Const       any
	Enum        []any
	OneOf       []*schema
	Properties  map[string]*schema
	Required    []string
	Items       *schema
	Others      *schema `json:"additionalProperties"`
	Minimum     *float64
	Pattern     string
}

// A validator says what is wrong with a value, and which keys it had.
type validator struct {
	root *schema
	used map[string]bool // by the path of the key: drop.task.cpu
}

func newValidator(t testing.TB) *validator {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(jsonl.Schema()))
	d.DisallowUnknownFields()
	v := &validator{root: new(schema), used: make(map[string]bool)}
	if err := d.Decode(v.root); err != nil {
		t.Fatal(err)
	}
	return v
}

// line validates a line.
func (v *validator) line(line string) error {
	var value any
	if err := json.Unmarshal([]byte(line), &value); err != nil {
		return err
	}
	return v.value(v.root, value, "")
}

// value validates a value. Keys that the schema does not have are errors here, although
// it allows them, as later versions may add some.
func (v *validator) value(s *schema, value any, path string) error {
	if s.Ref != "" {
		name := strings.TrimPrefix(s.Ref, "#/$defs/")
		to, ok := v.root.Defs[name]
		if !ok {
			return fmt.Errorf("%s: nothing at %s", path, s.Ref)
		}
		if to.Properties != nil {
			path = name
		}
		if err := v.value(to, value, path); err != nil {
			return err
		}
	}
	if err := v.scalar(s, value); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	switch value := value.(type) {
	case map[string]any:
		if err := v.object(s, value, path); err != nil {
			return err
		}
	case []any:
		for _, element := range value {
			if err := v.value(s.Items, element, path); err != nil {
				return err
			}
		}
	}
	return v.oneOf(s, value, path)
}

func (v *validator) scalar(s *schema, value any) error {
	number, _ := value.(float64)
	text, _ := value.(string)
	switch {
	case s.Const != nil && value != s.Const:
		return fmt.Errorf("%v is not %v", value, s.Const)
	case s.Enum != nil && !slices.Contains(s.Enum, value):
		return fmt.Errorf("%v is none of %v", value, s.Enum)
	case s.Type != "" && s.Type != typeOf(value):
		return fmt.Errorf("%v is no %s", value, s.Type)
	case s.Minimum != nil && number < *s.Minimum:
		return fmt.Errorf("%v is less than %v", value, *s.Minimum)
	case s.Pattern != "" && !regexp.MustCompile(s.Pattern).MatchString(text):
		return fmt.Errorf("%v does not match %s", value, s.Pattern)
	}
	return nil
}

func typeOf(value any) string {
	switch value.(type) {
	case map[string]any:
		return "object"
	case float64:
		return "integer" // the only kind of number here
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	}
	return "null"
}

func (v *validator) object(s *schema, object map[string]any, path string) error {
	for _, key := range s.Required {
		if _, ok := object[key]; !ok {
			return fmt.Errorf("%s: no %s", path, key)
		}
	}
	for key, value := range object {
		at := path + "." + key
		if s.Others != nil {
			if err := v.value(s.Others, value, at); err != nil {
				return err
			}
		}
		if s.Properties == nil {
			continue
		}
		if s.Properties[key] == nil {
			return fmt.Errorf("%s is not in the schema", at)
		}
		v.used[at] = true
		if err := v.value(s.Properties[key], value, at); err != nil {
			return err
		}
	}
	return nil
}

func (v *validator) oneOf(s *schema, value any, path string) error {
	if s.OneOf == nil {
		return nil
	}
	var errs []error
	for _, option := range s.OneOf {
		if err := v.value(option, value, path); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) != len(s.OneOf)-1 {
		return fmt.Errorf("%s: %d of %d fit: %v", path, len(s.OneOf)-len(errs), len(s.OneOf), errs)
	}
	return nil
}

// keys returns the paths of all keys below s, as used has them.
func (v *validator) keys(s *schema, path string) (keys []string) {
	for key, property := range s.Properties {
		at := path + "." + key
		keys = append(append(keys, at), v.keys(property, at)...)
	}
	return keys
}

// TestSchema compares the schema with the lines: each line is as it says, and
// each key and each word of it is in a line.
func TestSchema(t *testing.T) {
	v := newValidator(t)
	all := append([]string{explained, ofHost(summary), strings.Replace(summary, `"segments":6`, `"other":true`, 1)}, trafficLines...)
	for _, line := range followLines {
		all = append(all, line, ofHost(line))
	}
	for line := range lines() {
		all = append(all, line, ofHost(line))
	}
	for _, line := range all {
		if err := v.line(line); err != nil {
			t.Errorf("%v\n%s", err, line)
		}
	}
	var keys []string
	for name, def := range v.root.Defs {
		keys = append(keys, v.keys(def, name)...)
	}
	slices.Sort(keys)
	if used := slices.Sorted(maps.Keys(v.used)); !slices.Equal(used, keys) {
		t.Errorf("keys in the lines %q, in the schema %q", used, keys)
	}
}

func TestSchemaRefuses(t *testing.T) {
	good := at("loss") + `"count":3,"place":"socket"}`
	v := newValidator(t)
	if err := v.line(good); err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{
		{`"loss"`, `"los"`}, {`3`, `-3`}, {`3`, `"3"`}, {`"socket"`, `"nowhere"`}, {`"count"`, `"number"`},
		{`,"place":"socket"`, ``}, {`"count":3`, `"count":null`},
	} {
		if line := strings.Replace(good, change[0], change[1], 1); v.line(line) == nil {
			t.Errorf("%s fits", line)
		}
	}
}

// TestSchemaHasTheWords of event.
func TestSchemaHasTheWords(t *testing.T) {
	v := newValidator(t)
	flow := v.root.Defs["flow"].Properties
	var flags []any
	for name := range event.TCPFlags(0xfff).Names() {
		flags = append(flags, name)
	}
	if got := flow["tcp_flags"].Items.Enum; !slices.Equal(got, flags) {
		t.Errorf("flags are %v, want %v", got, flags)
	}
	var places []any
	for _, key := range event.Places() {
		places = append(places, key)
	}
	for _, key := range event.UncountedPlaces() {
		places = append(places, key)
	}
	if got := v.root.Defs["loss"].Properties["place"].Enum; !slices.Equal(got, places) {
		t.Errorf("places are %v, want %v", got, places)
	}
	var types, states []any
	for s := event.Retransmission; s.String() != "unknown"; s++ {
		types = append(types, s.String())
	}
	if got := v.root.Defs["drop"].Properties["type"].Enum; !slices.Equal(got, types) {
		t.Errorf("types are %v, want %v", got, types)
	}
	for c := event.CongestionOpen; c.String() != "unknown"; c++ {
		states = append(states, c.String())
	}
	if got := v.root.Defs["drop"].Properties["congestion_state"].Enum; !slices.Equal(got, states) {
		t.Errorf("congestion states are %v, want %v", got, states)
	}
	sure := []any{event.Likely.String(), event.Certain.String()}
	if got := v.root.Defs["confidence"].Enum; !slices.Equal(got, sure) {
		t.Errorf("confidence is %v, want %v", got, sure)
	}
	for why := event.Undone; why <= event.Malformed; why++ {
		if has := slices.Contains(flow["stop"].Enum, any(why.String())); has != (why != event.Complete) {
			t.Errorf("%v is a stop: %t", why, has)
		}
	}
}
