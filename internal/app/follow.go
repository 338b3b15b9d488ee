package app

import (
	"slices"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
)

// A followFlag is the value of --follow.
type followFlag struct {
	expression string
	flag       *pflag.Flag // to tell an empty expression from none
}

// addFollowFlag adds --follow.
func addFollowFlag(f *pflag.FlagSet) *followFlag {
	var o followFlag
	f.StringVar(&o.expression, "follow", "", "with bpf, also count the packets of this `flow`, an expression, where they are received, "+
		"delivered, forwarded and sent, by interface, every second and at the end: dropwatch help follow")
	o.flag = f.Lookup("follow")
	return &o
}

// enter enters in a Spec that packets are followed. It returns the expression that drops must match: that of the
// packets, or else the words of the command line. Words beside --follow are an error of usage, as two expressions would
// be ambiguous.
func (o *followFlag) enter(spec *capture.Spec, words []string) ([]string, error) {
	switch {
	case !o.flag.Changed:
		return words, nil
	case o.expression == "":
		return nil, usageError("--follow has an empty expression: say which packets, as in --follow 'udp port 53'")
	case len(words) > 0:
		return nil, usagef("unexpected argument %q: with --follow, the drops of its expression are shown, and no others", words[0])
	}
	spec.Input.Flows = true
	return []string{o.expression}, nil
}

// enterOutput adds the output of what is followed: JSON beside JSON on standard output, tables beside text, and on
// standard error if there is neither.
func (o *followFlag) enterOutput(spec *capture.Spec) {
	if !spec.Input.Flows {
		return
	}
	for i := range spec.Outputs {
		out := &spec.Outputs[i]
		if !out.OnStdout() {
			continue
		}
		switch out.Format {
		case capture.JSON, capture.JSONTables: // the ledger is the last line
			spec.Outputs = slices.Insert(spec.Outputs, i, capture.Output{Format: capture.JSONFlows})
			return
		case capture.Lines, capture.Tables:
			spec.Outputs = append(spec.Outputs, capture.Output{Format: capture.Flows})
			return
		}
	}
	spec.Outputs = append(spec.Outputs, capture.Output{Format: capture.Flows, Stderr: true})
}
