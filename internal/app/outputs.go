package app

import (
	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
)

// outputFlags say how drops are shown.
type outputFlags struct {
	json, hex, summary bool
	explain, harmless  bool
	file               string
	named              *pflag.Flag // --write, to tell an empty name from none
	link               capture.Link
}

// addOutputFlags adds the flags of outputs. The values are valid after the flags
// are parsed.
func addOutputFlags(f *pflag.FlagSet) *outputFlags {
	var o outputFlags
	f.BoolVarP(&o.json, "json", "j", false, "one JSON object per line, described by: dropwatch help json")
	f.BoolVarP(&o.summary, "summary", "S", false, "a table of locations and reasons every second, instead of one line per drop; "+
		"with --json, one object every second")
	f.BoolVarP(&o.hex, "hex", "x", false, "also show the bytes of packets")
	f.BoolVar(&o.explain, "explain", false, "also say why packets were dropped and how to fix it, below the first line of each kind; "+
		"with --json in each line, which then takes a third more time to write")
	f.StringVarP(&o.file, "write", "w", "", "also write packets to this `file` in pcapng format, "+
		"with location, reason and cause as comments; - is standard output, and then nothing else is shown there")
	addHarmlessFlag(f, &o.harmless)
	o.named = f.Lookup("write")
	f.Var(&o.link, "link", "the `type` of link header in that file: any (each packet as it was reported, which Wireshark reads), "+
		"ethernet or raw (one for all, as tcpdump wants)")
	return &o
}

// outputs returns the outputs that the flags ask for, or an error of usage.
func (o *outputFlags) outputs(stack bool) ([]capture.Output, error) {
	switch {
	case o.named.Changed && o.file == "":
		return nil, usageError("-w has an empty file name: name a file, or leave -w out")
	case o.hex && o.summary:
		return nil, usageError("--hex and --summary cannot be combined: a table has no packets")
	case o.explain && o.summary:
		return nil, usageError("--explain and --summary cannot be combined: it explains single drops")
	case o.file == "-" && (o.json || o.summary || o.hex || o.explain):
		return nil, usageError("-w - writes packets to standard output: name a file to have both")
	}
	return o.list(stack), nil
}

// lines reports whether drops are shown as lines of text.
func (o *outputFlags) lines() bool { return !o.json && !o.summary && o.file == "" }

// list returns the outputs. A packet file on standard output leaves only standard
// error for the table.
func (o *outputFlags) list(stack bool) (all []capture.Output) {
	if o.file != "" {
		all = append(all, capture.Output{Format: capture.PacketFile, File: o.file, Link: o.link})
	}
	switch {
	case o.file == "-":
		return append(all, capture.Output{Format: capture.Table, Stderr: true})
	case o.json && o.summary:
		return append(all, capture.Output{Format: capture.JSONTables})
	case o.json:
		return append(all, capture.Output{Format: capture.JSON, Hex: o.hex, Explain: o.explain})
	case o.summary:
		return append(all, capture.Output{Format: capture.Tables, Harmless: o.harmless})
	}
	return append(all,
		capture.Output{Format: capture.Lines, Hex: o.hex, Stack: stack, Explain: o.explain, Harmless: o.harmless},
		capture.Output{Format: capture.Table, Harmless: o.harmless})
}

// addHarmlessFlag adds --harmless. It is for text: JSON and recordings always have
// all drops.
func addHarmlessFlag(f *pflag.FlagSet, on *bool) {
	f.BoolVar(on, "harmless", false, "also show drops that lost nothing, such as those of an orderly close")
}
