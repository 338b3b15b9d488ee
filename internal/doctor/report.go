package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"dropwatch/internal/event"
)

// Of each state, the word for people and its colour (ECMA-48 SGR).
var (
	stateWords  = [...]string{OK: "ok", Warning: "warn", Wrong: "wrong", Unknown: "-"}
	stateColors = [...]string{OK: "32", Warning: "33", Wrong: "31", Unknown: "2"}
)

// WriteText writes a line for each finding, one more for its remedy unless an
// earlier one has the same, and the verdict.
func (r Report) WriteText(w io.Writer, color bool) error {
	var b strings.Builder
	said := map[string]bool{"": true}
	for _, f := range r.Findings {
		word := fmt.Sprintf("%-5s", stateWords[f.State])
		if color {
			word = "\x1b[" + stateColors[f.State] + "m" + word + "\x1b[0m"
		}
		fmt.Fprintf(&b, "%s %-8s  %s\n", word, f.Name, event.Escape(f.Says))
		if !said[f.Remedy] {
			said[f.Remedy] = true
			fmt.Fprintf(&b, "%-14s  mend: %s\n", "", f.Remedy)
		}
	}
	fmt.Fprintln(&b, r.verdict())
	_, err := io.WriteString(w, b.String())
	return err
}

func (r Report) verdict() string {
	words := map[bool]string{true: "yes", false: "no"}
	says := "drops can be watched here"
	if !r.Works() {
		says = "drops cannot be watched here"
	}
	return fmt.Sprintf("%s: bpf: %s, netdm: %s, trace: %s", says, words[r.BPF], words[r.Netdm], words[r.Trace])
}

// JSON gives the same facts as one line.
func (r Report) JSON() ([]byte, error) {
	type sources struct {
		BPF   bool `json:"bpf"`
		Netdm bool `json:"netdm"`
		Trace bool `json:"trace"`
	}
	b, err := json.Marshal(struct {
		Works    bool      `json:"works"`
		Sources  sources   `json:"sources"`
		Findings []Finding `json:"findings"`
	}{r.Works(), sources{r.BPF, r.Netdm, r.Trace}, r.Findings})
	return append(b, '\n'), err
}
