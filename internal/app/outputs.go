package app

import (
	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/sink/tcplog"
)

// outputFlags say how drops are shown.
type outputFlags struct {
	json, hex, summary bool
	explain, harmless  bool
	file               string
	named              *pflag.Flag // --write, to tell an empty name from none
	link               capture.Link
	others             outputList
}

// addOutputFlags adds the flags of outputs. The values are valid after the flags
// are parsed.
func addOutputFlags(f *pflag.FlagSet) *outputFlags {
	var o outputFlags
	f.BoolVarP(&o.json, "json", "j", false, "one JSON object per line, described by: dropwatch help json; the same as --output json")
	f.BoolVarP(&o.summary, "summary", "S", false, "a table of locations and reasons every second, instead of one line per drop; "+
		"with --json, one object every second")
	f.BoolVarP(&o.hex, "hex", "x", false, "also show the bytes of packets")
	f.BoolVar(&o.explain, "explain", false, "also say why packets were dropped and how to fix it, below the first line of each kind; "+
		"with --json in each line, which then takes a third more time to write")
	f.StringVarP(&o.file, "write", "w", "", "also write packets to this `file` in pcapng format, "+
		"with location, reason and cause as comments; - is standard output, and then nothing else is shown there; "+
		"the same as --output pcapng:FILE beside --output text")
	addHarmlessFlag(f, &o.harmless)
	o.named = f.Lookup("write")
	f.Var(&o.link, "link", "the `type` of link header in that file: any (each packet as it was reported, which Wireshark reads), "+
		"ethernet or raw (one for all, as tcpdump wants)")
	f.Var(&o.others, "output", "write drops to this `output` instead, as in json:/var/log/drops.json; it can be given several times, "+
		"and options follow after commas: dropwatch help outputs")
	return &o
}

// An outputList is a flag value: the outputs of each --output.
type outputList []capture.Output

// Set adds an output.
func (l *outputList) Set(text string) error {
	o, err := capture.ParseOutput(text)
	*l = append(*l, o)
	return err
}

// String formats no value: there is no default.
func (l *outputList) String() string { return "" }

// Type names the value in help where its usage does not.
func (l *outputList) Type() string { return "output" }

// enter enters in a Spec the outputs that the flags ask for. The error is one of usage.
func (o *outputFlags) enter(spec *capture.Spec) error {
	switch {
	case o.named.Changed && o.file == "":
		return usageError("-w has an empty file name: name a file, or leave -w out")
	case o.hex && o.summary:
		return usageError("--hex and --summary cannot be combined: a table has no packets")
	case o.explain && o.summary:
		return usageError("--explain and --summary cannot be combined: it explains single drops")
	case o.file == "-" && (o.json || o.summary || o.hex || o.explain):
		return usageError("-w - writes packets to standard output: name a file to have both")
	}
	spec.Outputs = o.list()
	for i := range spec.Outputs {
		o.complete(&spec.Outputs[i], spec.Input.Stack)
	}
	return nil
}

// list returns the outputs. With none on standard output, a table follows on standard error. Those of --output keep their order.
func (o *outputFlags) list() (all []capture.Output) {
	if o.file != "" {
		all = append(all, capture.Output{Format: capture.PacketFile, File: o.file, Link: o.link})
	}
	all = append(all, o.others...)
	text := len(o.others) == 0 && o.file != "-"
	switch {
	case o.json && o.summary:
		all = append(all, capture.Output{Format: capture.JSONTables})
	case o.json:
		all = append(all, capture.Output{Format: capture.JSON})
	case o.summary:
		all = append(all, capture.Output{Format: capture.Tables})
	case text:
		all = append(all, capture.Output{Format: capture.Lines})
	}
	return append(all, tablesAfter(all)...)
}

// tablesAfter returns the table at the end: after lines of text on standard output, or on standard
// error if nothing is written to standard output that a person reads. A program gets none.
func tablesAfter(all []capture.Output) []capture.Output {
	for i := range all {
		switch {
		case !all[i].OnStdout():
		case all[i].Format == capture.Lines && all[i].TCPLog == tcplog.None:
			return []capture.Output{{Format: capture.Table}}
		case all[i].Format != capture.PacketFile:
			return nil
		}
	}
	return []capture.Output{{Format: capture.Table, Stderr: true}}
}

// complete enters in an output what the flags say of all that can have it.
func (o *outputFlags) complete(out *capture.Output, stack bool) {
	switch out.Format {
	case capture.Lines:
		out.Hex, out.Stack, out.Harmless = out.Hex || o.hex, stack, out.Harmless || o.harmless
		out.Explain = out.Explain || o.explain
	case capture.JSON, capture.Elastic:
		out.Hex, out.Explain = out.Hex || o.hex, out.Explain || o.explain
	case capture.Tables, capture.Table:
		out.Harmless = out.Harmless || o.harmless
	}
}

// addHarmlessFlag adds --harmless. It is for text: JSON and recordings always have
// all drops.
func addHarmlessFlag(f *pflag.FlagSet, on *bool) {
	f.BoolVar(on, "harmless", false, "also show drops that lost nothing, such as those of an orderly close")
}

// outputNames completes --output.
func outputNames() (names []string) {
	for _, t := range capture.OutputTypes() {
		names = append(names, t.Name)
	}
	return names
}
