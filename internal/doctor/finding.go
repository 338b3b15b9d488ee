package doctor

import (
	"fmt"
)

// A State is the result of a check.
type State uint8

const (
	OK      State = iota
	Warning       // something is missing, but drops can be monitored
	Failed        // drops cannot be monitored, and this is one reason
	Unknown       // it could not be checked, or does not apply
)

// stateNames are the names of states in JSON and in text.
var stateNames = [...]string{OK: "ok", Warning: "warning", Failed: "error", Unknown: "unknown"}

// String returns the word in the JSON form. It does not change, as programs compare
// it.
func (s State) String() string { return stateNames[s] }

// MarshalText returns String; encoding/json uses it.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// A Finding is the result of one check.
type Finding struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Detail string `json:"detail"`        // not escaped: it may hold bytes that the kernel or a file chose
	Fix    string `json:"fix,omitempty"` // a command; empty if no action is needed, or no command fixes it
}

// These make a Finding of each state. Examine adds the name.
func ok(format string, args ...any) Finding { return found(OK, format, args) }

func warning(format string, args ...any) Finding { return found(Warning, format, args) }

func failed(format string, args ...any) Finding { return found(Failed, format, args) }

func unknown(format string, args ...any) Finding { return found(Unknown, format, args) }

func found(s State, format string, args []any) Finding {
	return Finding{State: s, Detail: fmt.Sprintf(format, args...)}
}

// fix returns f with the command that fixes it.
func (f Finding) fix(command string) Finding {
	f.Fix = command
	return f
}
