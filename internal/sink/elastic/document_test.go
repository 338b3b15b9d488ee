package elastic

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
)

// TestDocument: the names and values of ECS.
func TestDocument(t *testing.T) {
	flow := &event.Flow{Headers: event.Headers{
		Fields:  event.FieldEthSrc | event.FieldEthDst | event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
		Network: event.IPv6, Transport: event.TCP, EthSrc: event.MAC{2, 0, 0x5e, 0, 0x53, 1}, EthDst: event.MAC{2, 0, 0x5e, 0, 0x53, 0xfe},
		Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2"), SrcPort: 1234, DstPort: 80,
	}}
	e := event.Event{Kind: event.Drop, Time: at, Count: 3, Reason: "NO_SOCKET"}
	e.Packet.Flow = flow
	e.Owner = event.Owner{
		Process: event.Process{PID: 812, Comm: "ng\x1binx"}, Container: event.Container{ID: "abc", Runtime: "docker"},
		Pod: event.Pod{Namespace: "shop", Name: "web-0"},
	}
	object := func(*event.Event) []byte { return []byte(`{"kind":"drop"}`) }
	text := func(*event.Event) []byte { return []byte("text") }
	config := Config{Options: Options{Daily: "drops"}, Origin: Origin{"router", "6.12", "1.0", "x"}, Object: object, Text: text}
	x := newEncoder(config)
	lines, err := x.encode(&e)
	if err != nil {
		t.Fatal(err)
	}
	head, source, _ := strings.Cut(string(lines), "\n")
	if want := `{"create":{"_index":"drops-2026.11.28","_id":"` + x.run + `1"}}`; head != want {
		t.Errorf("action %s, want %s", head, want)
	}
	want := `{"@timestamp":"2026-11-28T00:59:59.123456789Z","message":"text","ecs":{"version":"8.11.0"},` +
		`"event":{"kind":"event","category":["network"],"type":["connection","denied"],"action":"drop","reason":"NO_SOCKET",` +
		`"module":"dropwatch","dataset":"dropwatch.drop"},"agent":{"type":"dropwatch","version":"1.0"},` +
		`"host":{"name":"router","os":{"type":"linux","kernel":"6.12"}},` +
		`"source":{"ip":"2001:db8::1","port":1234,"mac":"02-00-5E-00-53-01"},` +
		`"destination":{"ip":"2001:db8::2","port":80,"mac":"02-00-5E-00-53-FE"},` +
		`"network":{"type":"ipv6","transport":"tcp","packets":3},"process":{"pid":812,"name":"ng\\x1binx"},` +
		`"container":{"id":"abc","runtime":"docker"},` +
		`"orchestrator":{"type":"kubernetes","namespace":"shop","resource":{"type":"pod","name":"web-0"}},` +
		`"dropwatch":{"kind":"drop"}}` + "\n"
	if source != want {
		t.Errorf("got  %swant %s", source, want)
	}
	config.Origin.Host = ""
	if lines, err := newEncoder(config).encode(&e); err != nil || strings.Contains(string(lines), `"host"`) {
		t.Errorf("a host that is not known: %s, error %v", lines, err)
	}
	config.Origin.Host = "router"
	again := newEncoder(config)
	if second, err := again.encode(&e); err != nil || string(second) != string(lines) {
		t.Errorf("the same run has other IDs: %s", second)
	}
}

// TestFinding: an alert of ECS with its rule, which the server takes, with types that fit.
func TestFinding(t *testing.T) {
	c := newCluster(t)
	r := newRig(t, Config{Options: Options{URLs: []string{c.http.URL}}})
	e := event.Event{Kind: event.Finding, Time: at, Count: 1, Reason: "NO_SOCKET", Incident: &event.Incident{
		Alert: "d\x1bns", Expression: "port 53", Over: true, Begun: at.Add(-time.Second), ID: "NO_SOCKET",
	}}
	e.Owner.Process = event.Process{PID: 812, Comm: "nginx"}
	if err := r.Write(&e); err != nil {
		t.Fatal(err)
	}
	if err := r.finish(); err != nil {
		t.Fatal(err)
	}
	check(t, c, []string{"finding NO_SOCKET", "end "})
	for _, d := range c.docs {
		if d.Event.Action != "finding" {
			continue
		}
		got, err := json.Marshal(d)
		want := `{"@timestamp":"2026-11-28T00:59:59.123456789Z","message":"a finding","ecs":{"version":"8.11.0"},` +
			`"event":{"kind":"alert","category":["network"],"type":["info"],"action":"finding","reason":"NO_SOCKET",` +
			`"start":"2026-11-28T00:59:58.123456789Z","end":"2026-11-28T00:59:59.123456789Z","module":"dropwatch",` +
			`"dataset":"dropwatch.finding"},"rule":{"name":"d\\x1bns","description":"port 53"},` +
			`"agent":{"type":"dropwatch","version":"1.0"},"host":{"name":"router","os":{"type":"linux","kernel":"6.12"}},` +
			`"process":{"pid":812,"name":"nginx"},"dropwatch":{"kind":"finding","count":1}}`
		if err != nil || string(got) != want {
			t.Errorf("got  %s, error %v\nwant %s", got, err, want)
		}
	}
}

// TestDiagnosis: what diagnose found is an alert of ECS without a rule, with types that fit, and the server takes its details.
func TestDiagnosis(t *testing.T) {
	c := newCluster(t)
	r := newRig(t, Config{Options: Options{URLs: []string{c.http.URL}}})
	const object = `{"kind":"finding","finding":{"rank":1,"class":"policy","facts":[{"name":"flows","text":"udp"}],"check":["nstat"],` +
		`"fix_commands":[]}}`
	r.encoder.Object = func(e *event.Event) []byte {
		if e.Kind == event.Finding {
			return []byte(object)
		}
		return []byte(`{}`)
	}
	e := event.Event{Kind: event.Finding, Time: at, Count: 1, Reason: "NETFILTER_DROP", Incident: &event.Incident{
		Over: true, Begun: at.Add(-time.Second), ID: "NETFILTER_DROP", Detail: new(event.Detail),
	}}
	if err := r.Write(&e); err != nil {
		t.Fatal(err)
	}
	if err := r.finish(); err != nil {
		t.Fatal(err)
	}
	check(t, c, []string{"finding NETFILTER_DROP", "end "})
	for _, d := range c.docs {
		if d.Event.Action == "finding" && (d.Event.Kind != "alert" || d.Rule != nil || string(d.Dropwatch) != object) {
			t.Errorf("%+v, %s", d, d.Dropwatch)
		}
	}
	template := c.templates["logs-dropwatch-default"]
	for _, want := range []string{`"rank":{"type":"long"}`, `"facts":{"properties":{"text":{"type":"text"}}}`} {
		if !strings.Contains(template, want) {
			t.Errorf("no %s in %s", want, template)
		}
	}
}

// TestOtherDocuments: documents of another kind, which not every event has, in an index with their types.
func TestOtherDocuments(t *testing.T) {
	document := func(e *event.Event) []byte {
		if e.Kind != event.Retransmit {
			return nil
		}
		return []byte(`{"local_ip":"::1"}`)
	}
	x := newEncoder(Config{Options: Options{Daily: "old"}, Types: map[string]string{"local_ip": "ip"}, Document: document})
	lines, err := x.encode(&event.Event{Kind: event.Retransmit, Time: at})
	want := `{"create":{"_index":"old-2026.11.28","_id":"` + x.run + "1\"}}\n{\"local_ip\":\"::1\"}\n"
	if err != nil || string(lines) != want {
		t.Errorf("%s, error %v, want %s", lines, err, want)
	}
	if lines, err := x.encode(&event.Event{Kind: event.Drop, Time: at}); lines != nil || err != nil {
		t.Errorf("a drop is %s, error %v", lines, err)
	}
	if _, text, err := x.template(); err != nil || !strings.Contains(string(text), `"properties":{"local_ip":{"type":"ip"}}`) {
		t.Errorf("%s, error %v", text, err)
	}
}

// A field is a mapping.
type field struct {
	Type       string
	Properties map[string]field
}

// TestTemplate has the types of what is counted and searched.
func TestTemplate(t *testing.T) {
	x := newEncoder(Config{Options: Options{Daily: "drops"}})
	name, text, err := x.template()
	if err != nil || name != "drops" {
		t.Fatalf("%s, error %v", name, err)
	}
	var template struct {
		Patterns []string `json:"index_patterns"`
		Template struct {
			Mappings struct {
				Properties map[string]field
			}
		}
		DataStream *struct{} `json:"data_stream"`
	}
	if err := json.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	p := template.Template.Mappings.Properties
	if !slices.Equal(template.Patterns, []string{"drops-*"}) || template.DataStream != nil || p["@timestamp"].Type != "date_nanos" ||
		p["source"].Properties["ip"].Type != "ip" || p["event"].Properties["start"].Type != "date_nanos" ||
		p["dropwatch"].Properties["finding"].Properties["begun"].Type != "date_nanos" {
		t.Errorf("%s", text)
	}
}
