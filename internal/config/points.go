package config

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dropwatch/internal/capture"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/point"
)

// pointsFile is what a file of points can have. What is below Point is in the files of rtrace-drop.
type pointsFile struct {
	Point []pointSettings `toml:"point"`

	Function []functionSettings `toml:"function"`
	Fib      []functionSettings `toml:"fib_validate_source"` // so is the header of that function in its README
	Basic    *basicSettings     `toml:"basic"`
	Filter   []filterSettings   `toml:"filter"`
}

// pointSettings are those of a point.
type pointSettings struct {
	Name string `toml:"name"`
	formSettings
	Or    []formSettings `toml:"or"`
	Stack bool           `toml:"stack"`
	Says  string         `toml:"says"`
	Doubt string         `toml:"doubt"`
}

// pointTables are the points of a configuration.
type pointTables []pointSettings

// addPoints adds to the run the built-in points that are named, and those of the file.
func (s *settings) addPoints(in *capture.Input, f *file) {
	for i := range s.Points {
		found, err := point.Select(s.Points[i].word)
		if err != nil { // it was parsed
			f.wrong("points", err)
			continue
		}
		in.Points = point.Add(in.Points, found...)
	}
	if len(s.Point) > maxPoints {
		f.wrong("point.0", fmt.Errorf("%d points are too many: at most %d are possible", len(s.Point), maxPoints))
		return
	}
	r := pointsReader{file: f}
	for i := range s.Point {
		r.add("point", i, s.Point[i].point)
	}
	in.Points = point.Add(in.Points, r.All...)
}

// formSettings are what differs between kernels.
type formSettings struct {
	Functions []string `toml:"functions"`
	At        atWord   `toml:"at"`
	Values    atWord   `toml:"values"`
	When      string   `toml:"when"`
	Args      any      `toml:"args"` // see parseArgs
}

// An atWord is a value of at, or of values.
type atWord struct{ point.At }

// UnmarshalText parses the value.
func (a *atWord) UnmarshalText(text []byte) error {
	for _, at := range []point.At{point.Entry, point.Return} {
		if string(text) == at.String() {
			a.At = at
			return nil
		}
	}
	return errors.New("give entry or return")
}

// maxPoints bounds the points of a file: each is probed.
const maxPoints = 100

// Points are what a file of points asks for.
type Points struct {
	All     []point.Point // in the order of the file
	Notices []string      // what has no effect, and what to do instead: each with its line; bytes of the file are escaped
}

// ReadPoints reads a file of points: tables [[point]], as [PointsText] has them, and those of a file of
// rtrace-drop. It may be one of any user.
func ReadPoints(h *host.Host, path string) (*Points, error) {
	text, err := h.ReadPath(path, host.Limits{Bytes: maxFile, Owner: host.AnyOwner, Wait: maxWait})
	if err != nil {
		return nil, fmt.Errorf("read the points in %s: %w", event.Escape(path), event.WithoutPath(err))
	}
	return parsePoints(path, text)
}

// parsePoints parses the text of a file, which errors call name: each begins with it, and the number of a line.
// They may have bytes of the file that are not escaped.
func parsePoints(name string, text []byte) (*Points, error) {
	f := &file{
		name: event.Escape(name), text: text, root: reflect.TypeFor[pointsFile](), all: "dropwatch points --gen writes a file with all",
	}
	s := decode(f, func() (s pointsFile) { return s })
	if err := f.err(); err != nil {
		return nil, err
	}
	if n := len(s.Point) + len(s.Function) + len(s.Fib) + len(s.Filter); n > maxPoints {
		return nil, fmt.Errorf("%s: it has %d points and filters: at most %d are possible", f.name, n, maxPoints)
	}
	r := pointsReader{file: f}
	for i := range s.Point {
		r.add("point", i, s.Point[i].point)
	}
	for i := range s.Function {
		r.addFunction("function", i, &s.Function[i])
	}
	for i := range s.Fib {
		r.addFunction("fib_validate_source", i, &s.Fib[i])
	}
	r.foreign(&s)
	if len(f.mistakes) == 0 && len(r.All) == 0 {
		return nil, fmt.Errorf("%s: it has no point: add one below a line [[point]]", r.name)
	}
	return &r.Points, f.err()
}

// A pointsReader collects the points of a file.
type pointsReader struct {
	*file
	Points
}

// add adds the point that is made of the table number i of a list.
func (r *pointsReader) add(table string, i int, make func() (point.Point, error)) {
	p, err := make()
	if err == nil {
		err = p.Check()
	}
	if err == nil && slices.ContainsFunc(r.All, func(q point.Point) bool { return q.Name == p.Name }) {
		err = fmt.Errorf("a point before it has the name %s, too: give it another name", p.Name)
	}
	if err != nil {
		path := fmt.Sprintf("%s.%d", table, i)
		if err == errArgs { // else it is of an or, whose line is not known
			path += ".args"
		}
		r.wrong(path, err)
		return
	}
	r.All = append(r.All, p)
}

// point returns the point that settings describe.
func (s *pointSettings) point() (p point.Point, err error) {
	p = point.Point{Name: s.Name, Stack: s.Stack, Says: s.Says, Doubt: s.Doubt}
	if p.Form, err = s.form(); err != nil {
		return p, err
	}
	for i := range s.Or {
		form, err := s.Or[i].form()
		if err != nil {
			return p, fmt.Errorf("or number %d: %w", i+1, err)
		}
		p.Or = append(p.Or, form)
	}
	return p, nil
}

// form returns the form of a point. Functions and expressions are not checked: that takes a kernel.
func (s *formSettings) form() (f point.Form, err error) {
	f = point.Form{Functions: s.Functions, At: s.At.At, Values: s.Values.At, When: s.When}
	f.Args, err = parseArgs(s.Args)
	return f, err
}

// errArgs is the error of args that are neither.
var errArgs = errors.New(`invalid value for args: give a list of texts, as in ["len = skb->len"], or a table of texts`)

// parseArgs reads values: a list of texts, each an expression, or a name, = and one; or a table of names and
// expressions, which has no order, so that they are shown in that of their names.
func parseArgs(from any) (args []point.Arg, err error) {
	switch from := from.(type) {
	case nil:
	case []any:
		texts := make([]string, len(from))
		for i, v := range from {
			var ok bool
			if texts[i], ok = v.(string); !ok {
				return nil, errArgs
			}
		}
		return parseList(nil, texts), nil
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(from)) {
			text, ok := from[name].(string)
			if !ok {
				return nil, errArgs
			}
			args = append(args, point.Arg{Name: name, Expr: text})
		}
	default:
		return nil, errArgs
	}
	return args, nil
}

// parseList adds values to args. More than there may be get no names.
func parseList(args []point.Arg, texts []string) []point.Arg {
	if n := len(args) + len(texts); n > point.MaxArgs {
		return make([]point.Arg, n)
	}
	for _, text := range texts {
		args = append(args, parseArg(text, args))
	}
	return args
}

// named matches a value with its name; == is an operator of the expression.
var named = regexp.MustCompile(`^\s*(\w+)\s*=\s*([^=\s].*)$`)

// parseArg reads a value. One without a name gets that of the last member in its expression, or two, or with a
// number, so that no value before it has the same.
func parseArg(text string, before []point.Arg) point.Arg {
	if m := named.FindStringSubmatch(text); m != nil {
		return point.Arg{Name: m[1], Expr: m[2]}
	}
	a := point.Arg{Name: "value", Expr: text}
	words := identifier.FindAllString(display.ReplaceAllString(text, ""), -1)
	words = slices.DeleteFunc(words, func(w string) bool { return w == "counter" }) // of an atomic_t
	if n := len(words); n > 0 {
		a.Name = identifierName(words[n-1])
		if taken(before, a.Name) && n > 1 {
			a.Name = identifierName(words[n-2] + "_" + words[n-1])
		}
	}
	for i := 2; taken(before, a.Name); i++ {
		a.Name = strings.TrimRight(a.Name, "0123456789") + strconv.Itoa(i)
	}
	return a
}

// taken reports whether a value has the name already.
func taken(args []point.Arg, name string) bool {
	return slices.ContainsFunc(args, func(a point.Arg) bool { return a.Name == name })
}

var (
	identifier = regexp.MustCompile(`[A-Za-z_]\w*`)
	display    = regexp.MustCompile(`:\s*\w+\s*$`) // how a value is shown
)

// identifierName makes a name of a point or a value of one of C.
func identifierName(c string) string {
	name := strings.ToLower(strings.TrimLeft(identifier.FindString(c), "_0123456789"))
	return cmp.Or(name[:min(len(name), 40)], "value")
}
