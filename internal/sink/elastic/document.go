package elastic

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"dropwatch/internal/event"
)

// ecsVersion is the version of the Elastic Common Schema whose names documents have.
const ecsVersion = "8.11.0"

// A document is an event by the Elastic Common Schema. What it has no name for is in Dropwatch: the
// whole object of --json.
type document struct {
	Timestamp    string          `json:"@timestamp"`
	Message      string          `json:"message,omitempty"`
	ECS          ecs             `json:"ecs"`
	Event        ecsEvent        `json:"event"`
	Rule         *rule           `json:"rule,omitempty"`
	Agent        agent           `json:"agent"`
	Host         *hostFields     `json:"host,omitempty"`
	Source       *endpoint       `json:"source,omitempty"`
	Destination  *endpoint       `json:"destination,omitempty"`
	Network      *network        `json:"network,omitempty"`
	Process      *process        `json:"process,omitempty"`
	Container    *container      `json:"container,omitempty"`
	Orchestrator *orchestrator   `json:"orchestrator,omitempty"`
	Dropwatch    json.RawMessage `json:"dropwatch"`
}

// An ecs says which version of the schema the document is of.
type ecs struct {
	Version string `json:"version"`
}

// An ecsEvent is what kind of event it is, in the words that the schema allows.
type ecsEvent struct {
	Kind     string   `json:"kind"` // event, alert or metric
	Category []string `json:"category,omitempty"`
	Type     []string `json:"type,omitempty"`
	Action   string   `json:"action"`
	Reason   string   `json:"reason,omitempty"`
	Start    string   `json:"start,omitempty"` // of an incident
	End      string   `json:"end,omitempty"`
	Module   string   `json:"module"`
	Dataset  string   `json:"dataset"`
}

// A rule is the alert that made a finding; a diagnosis has none.
type rule struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"` // the expression
}

// An agent is the program that made the document.
type agent struct {
	Type    string `json:"type"`
	Version string `json:"version"`
}

// A hostFields is the host that the event is of.
type hostFields struct {
	Name string   `json:"name"`
	OS   osFields `json:"os"`
}

// An osFields is its operating system.
type osFields struct {
	Type   string `json:"type"`
	Kernel string `json:"kernel,omitempty"`
}

// An endpoint is one end of a flow; what is not known is left out.
type endpoint struct {
	IP   string `json:"ip,omitempty"`
	Port uint16 `json:"port,omitempty"`
	MAC  string `json:"mac,omitempty"`
}

// A network says of which protocols the packets are, and how many they were.
type network struct {
	Type      string `json:"type,omitempty"`
	Transport string `json:"transport,omitempty"`
	Packets   uint64 `json:"packets,omitempty"`
}

// A process is the one that owns the packets.
type process struct {
	PID  uint32 `json:"pid"`
	Name string `json:"name,omitempty"`
}

// A container is the one that the process is in.
type container struct {
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Runtime string `json:"runtime,omitempty"`
}

// An orchestrator is Kubernetes, with the pod.
type orchestrator struct {
	Type      string   `json:"type"`
	Namespace string   `json:"namespace,omitempty"`
	Resource  resource `json:"resource"`
}

// A resource is the pod, by its name.
type resource struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

// An Origin says where events come from, in every document.
type Origin struct {
	Host, Kernel string // of the events; empty: not known, as of capture files
	Version      string // of dropwatch
	Run          string // differs between any two runs; the same if the same recording is replayed in the same way
}

// An encoder makes documents.
type encoder struct {
	Config
	run    string // what the IDs of documents begin with
	number uint64 // of documents
}

// newEncoder returns the encoder of a run. IDs of its documents begin with a hash of host and run: so a document that is
// sent twice is the same one, and two hosts never share one.
func newEncoder(c Config) *encoder {
	sum := sha256.Sum256([]byte(c.Origin.Host + "\x00" + c.Origin.Run))
	c.Index = cmp.Or(c.Index, DefaultIndex)
	return &encoder{Config: c, run: base64.RawURLEncoding.EncodeToString(sum[:12]) + "-"}
}

// source returns the document of an event; none if it has none.
func (x *encoder) source(e *event.Event) ([]byte, error) {
	if x.Document != nil {
		return x.Document(e), nil
	}
	object := x.Object(e)
	if len(object) == 0 {
		return nil, nil
	}
	return json.Marshal(x.document(e, object))
}

// encode returns the lines of an event: the action, whose ID makes that a document that is sent twice
// exists once, and the source.
func (x *encoder) encode(e *event.Event) (lines []byte, err error) {
	source, err := x.source(e)
	if err != nil || len(source) == 0 {
		return nil, err
	}
	x.number++
	action := struct {
		Create struct {
			Index string `json:"_index"`
			ID    string `json:"_id"`
		} `json:"create"`
	}{}
	action.Create.Index, action.Create.ID = x.indexOf(e.Time), x.run+strconv.FormatUint(x.number, 36)
	if lines, err = json.Marshal(&action); err != nil {
		return nil, err
	}
	lines = append(append(lines, '\n'), source...)
	return append(lines, '\n'), nil
}

// indexOf returns the index for an event of that time.
func (x *encoder) indexOf(t time.Time) string {
	if x.Daily == "" {
		return x.Index
	}
	return x.Daily + "-" + t.UTC().Format("2006.01.02")
}

// document returns the document of an event. Object is the same event in the form of --json, which must not change
// before the document is encoded.
func (x *encoder) document(e *event.Event, object []byte) *document {
	d := &document{
		Timestamp: timeOf(e.Time),
		Message:   string(x.Text(e)), ECS: ecs{ecsVersion}, Agent: agent{"dropwatch", x.Origin.Version}, Dropwatch: object,
		Event: ecsEvent{Kind: "event", Action: e.Kind.String(), Module: "dropwatch", Dataset: "dropwatch." + e.Kind.String()},
	}
	if x.Origin.Host != "" {
		d.Host = &hostFields{x.Origin.Host, osFields{"linux", x.Origin.Kernel}}
	}
	switch e.Kind {
	case event.Drop, event.Retransmit, event.Reset, event.TCPEvent, event.Point:
		d.describe(e)
	case event.Finding:
		d.addIncident(e)
	case event.End:
		d.Event.Kind = "metric"
	case event.Loss, event.Rejected:
	}
	return d
}

// describe enters the packet and its owner.
func (d *document) describe(e *event.Event) {
	d.Event.Category, d.Event.Type, d.Event.Reason = []string{"network"}, []string{"connection"}, e.Reason
	if e.Kind == event.Drop {
		d.Event.Type = append(d.Event.Type, "denied")
	}
	d.Network = &network{Packets: e.Count}
	if e.Packet.Flow != nil {
		d.addHeaders(&e.Packet.Flow.Headers)
	}
	d.addOwner(e)
}

// addIncident enters the alert, if it is of one, when the incident began and ended, and its first cause.
func (d *document) addIncident(e *event.Event) {
	i := e.Incident
	d.Event.Kind, d.Event.Category, d.Event.Type = "alert", []string{"network"}, []string{"info"}
	d.Event.Reason, d.Event.Start = event.Escape(i.ID), timeOf(i.Begun)
	if i.Over {
		d.Event.End = d.Timestamp
	}
	if !i.IsDiagnosis() {
		d.Rule = &rule{event.Escape(i.Alert), event.Escape(i.Expression)}
	}
	d.addOwner(e)
}

// timeOf formats a time as date_nanos has it.
func timeOf(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

// addOwner enters the process, the container and the pod.
func (d *document) addOwner(e *event.Event) {
	if p := &e.Owner.Process; p.PID != 0 {
		d.Process = &process{p.PID, event.Escape(p.Comm)}
	}
	if c := &e.Owner.Container; *c != (event.Container{}) {
		d.Container = &container{event.Escape(c.ID), event.Escape(c.Name), event.Escape(c.Runtime)}
	}
	if p := &e.Owner.Pod; p.Name != "" {
		d.Orchestrator = &orchestrator{"kubernetes", event.Escape(p.Namespace), resource{"pod", event.Escape(p.Name)}}
	}
}

// addHeaders enters the outermost headers.
func (d *document) addHeaders(h *event.Headers) {
	d.Network.Type, d.Network.Transport = h.Network.String(), h.Transport.String()
	source, destination := new(endpoint), new(endpoint)
	if h.Has(event.FieldEthSrc | event.FieldEthDst) {
		source.MAC, destination.MAC = macName(h.EthSrc), macName(h.EthDst)
	}
	if h.Has(event.FieldSrc | event.FieldDst) {
		source.IP, destination.IP = h.Src.WithZone("").String(), h.Dst.WithZone("").String()
	}
	if h.Has(event.FieldSrcPort | event.FieldDstPort) {
		source.Port, destination.Port = h.SrcPort, h.DstPort
	}
	if *source != (endpoint{}) {
		d.Source, d.Destination = source, destination
	}
}

// macName formats an address as the schema has it: 00-00-5E-00-53-23.
func macName(m event.MAC) string {
	const digits = "0123456789ABCDEF"
	var b []byte
	for _, octet := range m {
		b = append(b, digits[octet>>4], digits[octet&15], '-')
	}
	return string(b[:len(b)-1])
}
