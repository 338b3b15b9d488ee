package member

import (
	"maps"
	"slices"
	"strings"
)

// displays are those that a text may ask for.
var displays = map[string]Show{
	"d": Decimal, "x": Hex, "ip": IPv4, "port": Port, "string": Text, "symbol": Symbol,
}

func displayNames() []string { return slices.Sorted(maps.Keys(displays)) }

// finish gives the expression its root, and how its value is displayed.
func (c *compiler) finish(s *syntax, o operand, display token) (e *Expr, err error) {
	e = &Expr{Text: strings.TrimSpace(c.text), Type: o.cName()}
	if display.kind == nameToken {
		text, _, _ := strings.Cut(c.text[:display.from], ":")
		e.Text = strings.TrimSpace(text)
	}
	return e, c.show(e, s, o)
}

func (c *compiler) show(e *Expr, s *syntax, o operand) (err error) {
	e.Root, err = c.value(s, o)
	return err
}
