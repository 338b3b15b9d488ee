package probe

import (
	"cmp"
	"errors"

	"dropwatch/internal/member"
	"dropwatch/internal/point"
)

// A Typed is a point as a kernel can probe it.
type Typed struct {
	point.Point // of one form

	Probed []TypedFunction // the functions of the form that the kernel has, at least one

	sites []*site       // of these
	types *member.Types // of the kernel that it was asked of
}

// A TypedFunction is a function of the kernel with the expressions of a point, typed against its arguments.
type TypedFunction struct {
	*member.Function
	When *member.Expr   // the condition; nil: always
	Args []*member.Expr // in the order of the point's
}

// Type returns the first form of a point that can be probed with the types and the symbols of a kernel. It needs no
// privilege, and does not know whether the kernel can probe anything, or refuses one of the functions.
//
// The error says what is wrong with the form that is closest to being possible: the first of which the kernel has a
// function, or else the first. It does not name the point. Its text may take a tenth of a second: it has functions with
// names like one that is not there.
func Type(p *point.Point, types *member.Types, symbols Symbols) (t *Typed, err error) {
	var failed closest
	for _, form := range p.Forms() {
		if t, err = typeForm(&form, types, symbols); err == nil {
			return t, nil
		}
		failed.add(err)
	}
	return nil, failed.err()
}

// typeForm is Type of a point without other forms. The error is a *noFunction if the kernel has none of its functions.
func typeForm(p *point.Point, types *member.Types, symbols Symbols) (*Typed, error) {
	var failed closest
	t := &Typed{Point: *p, types: types}
	for _, name := range p.Functions {
		at, err := locate(symbols, name)
		if err != nil {
			failed.add(err)
			continue
		}
		s, err := newSite(p, at, types)
		if err != nil {
			return nil, err
		}
		t.sites, t.Probed = append(t.sites, s), append(t.Probed, s.typed())
	}
	if len(t.sites) == 0 {
		return nil, failed.err()
	}
	return t, nil
}

// A closest has the first error that is not a *noFunction, and the first that is.
type closest struct{ wrong, lacks error }

// add keeps an error unless one of its kind was kept: of several functions that could be probed, the one that is there
// but has other types says more than those that are not there.
func (c *closest) add(err error) {
	if errors.As(err, new(*noFunction)) {
		c.lacks = cmp.Or(c.lacks, err)
	} else {
		c.wrong = cmp.Or(c.wrong, err)
	}
}

func (c *closest) err() error { return cmp.Or(c.wrong, c.lacks) }

// typed returns the function and the expressions of the site.
func (s *site) typed() TypedFunction {
	f := TypedFunction{Function: s.function}
	if s.condition != nil {
		f.When = s.condition.Expr
	}
	for i := range s.args {
		f.Args = append(f.Args, s.args[i].Expr)
	}
	return f
}
