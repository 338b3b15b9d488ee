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
	// The words have at most five characters, the width of their column.
	stateWords  = [...]string{OK: "ok", Warning: "warn", Failed: "error", Unknown: "-"}
	stateColors = [...]string{OK: "32", Warning: "33", Failed: "31", Unknown: "2"}
)

// detail is what the words of a finding stand behind: state and name.
var detail = strings.Repeat(" ", 16)

// WriteText writes a line for each finding and a second one for its fix, then the
// verdict. A fix that was printed before is not repeated: one command can fix
// several findings. Everything is escaped. Lines are broken between words at the width of a
// terminal in columns, but for commands; 0: none is.
func (r Report) WriteText(w io.Writer, color bool, width int) error {
	var b strings.Builder
	shown := map[string]bool{"": true}
	for _, f := range r.Findings {
		word := fmt.Sprintf("%-5s", stateWords[f.State])
		if color {
			word = "\x1b[" + stateColors[f.State] + "m" + word + "\x1b[0m"
		}
		fmt.Fprintf(&b, "%s %-8s  %s", word, f.Name, strings.TrimPrefix(event.Wrap(event.Escape(f.Detail), detail, detail, width), detail))
		if !shown[f.Fix] {
			shown[f.Fix] = true
			b.WriteString(detail + "fix: " + f.Fix + "\n")
		}
	}
	fmt.Fprintln(&b, r.verdict())
	_, err := io.WriteString(w, b.String())
	return err
}

// verdict is the last line.
func (r Report) verdict() string {
	verdict := "this host can be monitored"
	if !r.Works() {
		verdict = "this host cannot be monitored"
	}
	return verdict + ": " + r.Sources()
}

// Sources lists which sources work: "bpf: yes, netdm: no, trace: yes".
func (r Report) Sources() string {
	words := map[bool]string{true: "yes", false: "no"}
	return fmt.Sprintf("bpf: %s, netdm: %s, trace: %s", words[r.BPF], words[r.Netdm], words[r.Trace])
}

// JSON returns the same facts as one line, with its newline.
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
