package config

import (
	"dropwatch/internal/capture"
	"dropwatch/internal/point"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/stage/filter"
	"dropwatch/netlink"
)

// settings is the one table of what a file can have. Its order is that of the documentation. Names
// are those of the options of dropwatch watch, where there are such.
type settings struct {
	Source       source `toml:"source" help:"The source of drops: auto, bpf, netdm or trace (dropwatch help sources)."`
	Origin       origin `toml:"origin" help:"Drops of these origins: sw (software), hw (hardware) or sw,hw."`
	Sample       uint32 `toml:"sample" help:"With bpf, drops of each kind, second and CPU to report individually; 0: all."`
	Trunc        uint32 `toml:"trunc" help:"Bytes to keep of each packet; 0: what the outputs need."`
	Stack        bool   `toml:"stack" help:"Also record the kernel stack trace of each drop, which costs CPU."`
	ByOwner      bool   `toml:"by-owner" help:"With bpf, also break the remaining counts down by owning socket."`
	RawAddresses bool   `toml:"raw-addresses" help:"With bpf, identify a socket that has no cookie by its kernel address."`
	Retrans      bool   `toml:"retrans" help:"With bpf, also report what TCP sends again, whether this host dropped it, and resets."`
	Takeover     bool   `toml:"takeover" help:"Stop the monitoring of other programs without asking."`

	Expression expression  `toml:"expression" help:"Only drops that match this expression (dropwatch help filter); empty: all."`
	Include    []pointName `toml:"include" help:"Only drops at these points (dropwatch points lists them), as in [\"tcp\", \"NO_SOCKET\"]."`
	Exclude    []pointName `toml:"exclude" help:"No drops at these points, also where they are included."`

	Points []pointWord `toml:"points" help:"Also report these built-in points, as in [\"tcp\", \"udp_queue\"] (dropwatch help points)."`

	Output []output `toml:"output" help:"Where drops are written, as --output has it: dropwatch help outputs."`

	Alert []alertSettings `toml:"alert" help:"Too many events: a finding in all outputs, and a program. Any number; none by default."`

	Point pointTables `toml:"point" help:"A point of your own, which is reported, too. There can be several; none is set by default."`
}

// defaults returns the settings of an empty file.
func defaults() settings {
	s := settings{Source: source{"auto"}, Origin: origin{netlink.Software}, Sample: bpf.DefaultSample}
	s.Output = make([]output, 1)
	if err := s.Output[0].UnmarshalText([]byte("recorder:/var/lib/dropwatch")); err != nil {
		panic(err) // a name that is in the table of capture
	}
	return s
}

// The types below are structs, as go-toml does not have a string parse itself.

// A source is a value of source.
type source struct{ name string }

// UnmarshalText parses the value.
func (s *source) UnmarshalText(text []byte) (err error) {
	s.name, err = capture.ParseSource(string(text))
	return err
}

// String returns what UnmarshalText parses.
func (s source) String() string { return s.name }

// An origin is a value of origin.
type origin struct{ set netlink.Origins }

// UnmarshalText parses the value.
func (o *origin) UnmarshalText(text []byte) (err error) {
	o.set, err = capture.ParseOrigins(string(text))
	return err
}

// String returns what UnmarshalText parses.
func (o origin) String() string { return capture.OriginNames(o.set) }

// An expression is a filter expression; empty, one that all drops match.
type expression struct{ filter *filter.Filter }

// UnmarshalText parses the value.
func (e *expression) UnmarshalText(text []byte) (err error) {
	if e.filter = nil; len(text) > 0 {
		e.filter, err = filter.Parse(string(text))
	}
	return err
}

// String returns what UnmarshalText parses.
func (e expression) String() string { return e.filter.String() }

// A pointName is a name of include or exclude.
type pointName struct{ name string }

// UnmarshalText parses the value.
func (p *pointName) UnmarshalText(text []byte) error {
	p.name = string(text)
	_, err := filter.Points([]string{p.name}, nil)
	return err
}

// String returns what UnmarshalText parses.
func (p pointName) String() string { return p.name }

// A pointWord is a name of points.
type pointWord struct{ word string }

// UnmarshalText parses the value.
func (p *pointWord) UnmarshalText(text []byte) error {
	p.word = string(text)
	_, err := point.Select(p.word)
	return err
}

// String returns what UnmarshalText parses.
func (p pointWord) String() string { return p.word }

// names returns the names as they were written.
func names(points []pointName) (all []string) {
	for _, p := range points {
		all = append(all, p.name)
	}
	return all
}

// An output is a value of output.
type output struct {
	text  string         // as it was written
	value capture.Output // what it says
}

// UnmarshalText parses the value.
func (o *output) UnmarshalText(text []byte) (err error) {
	o.text = string(text)
	o.value, err = capture.ParseOutput(o.text)
	return err
}

// String returns what UnmarshalText parses.
func (o output) String() string { return o.text }
