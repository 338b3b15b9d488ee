package point

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	arg := Arg{Name: "limit", Expr: "sk->sk_max_ack_backlog"}
	tests := map[string]struct {
		p   Point
		say string // empty: nothing is wrong
	}{
		"right":       {Point{Name: "accept_queue", Functions: []string{"tcp_conn_request"}, Args: []Arg{arg}}, ""},
		"no name":     {Point{Functions: []string{"f"}}, `invalid name ""`},
		"upper case":  {Point{Name: "Accept", Functions: []string{"f"}}, `invalid name "Accept"`},
		"no function": {Point{Name: "x"}, "point x has no function"},
		"arg":         {Point{Name: "x", Functions: []string{"f"}, Args: []Arg{{Name: "a b"}}}, `invalid name "a b" of a value`},
		"twice":       {Point{Name: "x", Functions: []string{"f"}, Args: []Arg{arg, arg}}, "two values of the name limit"},
		"too many":    {Point{Name: "x", Functions: []string{"f"}, Args: make([]Arg, maxArgs+1)}, "reads 17 values: at most 16"},
	}
	for name, tt := range tests {
		err := tt.p.Check()
		if (err != nil) != (tt.say != "") || err != nil && !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%s: %v, want %q", name, err, tt.say)
		}
	}
}
