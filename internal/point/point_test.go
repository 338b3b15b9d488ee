package point

import (
	"strings"
	"testing"
)

// form returns one for a function.
func form(function string, args ...Arg) Form { return Form{Functions: []string{function}, Args: args} }

func TestCheck(t *testing.T) {
	arg := Arg{Name: "limit", Expr: "sk->sk_max_ack_backlog"}
	tests := map[string]struct {
		p   Point
		say string // empty: nothing is wrong
	}{
		"right":       {Point{Name: "accept_queue", Form: form("tcp_conn_request", arg)}, ""},
		"of a module": {Point{Name: "x", Form: form("nf_conntrack:init_conntrack.isra.0")}, ""},
		"no name":     {Point{Form: form("f")}, `invalid name ""`},
		"upper case":  {Point{Name: "Accept", Form: form("f")}, `invalid name "Accept"`},
		"no function": {Point{Name: "x"}, "point x: it has no function"},
		"function":    {Point{Name: "x", Form: form("f; g")}, `point x: invalid name "f; g" of a function`},
		"arg":         {Point{Name: "x", Form: form("f", Arg{Name: "a b"})}, `invalid name "a b" of a value`},
		"twice":       {Point{Name: "x", Form: form("f", arg, arg)}, "two values of the name limit"},
		"too many":    {Point{Name: "x", Form: form("f", make([]Arg, MaxArgs+1)...)}, "reads 17 values: at most 16"},
		"values":      {Point{Name: "x", Form: Form{Functions: []string{"f"}, Values: Return}}, "cannot be read at the return"},
		"other form":  {Point{Name: "x", Form: form("f"), Or: []Form{{}}}, "point x: it has no function"},
	}
	for name, tt := range tests {
		err := tt.p.Check()
		if (err != nil) != (tt.say != "") || err != nil && !strings.Contains(err.Error(), tt.say) {
			t.Errorf("%s: %v, want %q", name, err, tt.say)
		}
	}
}
