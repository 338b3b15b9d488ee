package member

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/event"
	"dropwatch/internal/suggest"
)

// A Function is a function of the kernel, with the types of its arguments.
type Function struct {
	Name   string // as it was asked for, without the module
	Module string // that it is part of; empty for the kernel itself
	Args   []Arg  // in their order
	Return string // its type in C; void for none

	// Optimized says that Name is a copy which the compiler made for some of the callers, such
	// as fib_validate_source.isra.0. It may lack arguments, unless the kernel has no symbol
	// without that ending: then the kernel's types are those of the copy.
	Optimized bool

	types *Types    // whose kernel has it
	spec  *btf.Spec // that has its types
	proto *btf.FuncProto
}

// An Arg is an argument of a function.
type Arg struct {
	Name string // may be empty
	Type string // in C: struct sock *
}

// String returns the prototype in C.
func (f *Function) String() string {
	args := make([]string, len(f.Args))
	for i, a := range f.Args {
		args[i] = declare(a.Type, a.Name)
	}
	if len(args) == 0 {
		args = []string{"void"}
	}
	return fmt.Sprintf("%s(%s)", declare(f.Return, f.Name), strings.Join(args, ", "))
}

// InRegisters reports whether each argument is an integer or a pointer, as they are handed over in a register or a word
// on the stack.
func (f *Function) InRegisters() bool {
	return !slices.ContainsFunc(f.proto.Params, func(p btf.FuncParam) bool {
		_, isInteger := integer(p.Type)
		return !isInteger && !isPointer(p.Type)
	})
}

// declare writes a name behind its type.
func declare(typ, name string) string {
	if strings.HasSuffix(typ, "*") {
		return typ + name
	}
	return strings.TrimSpace(typ + " " + name)
}

// Function returns a function by its name in kallsyms, or for one of a module by both, as
// nf_tables:nft_do_chain. Without a module it is looked for in the kernel, then in all modules.
// The error says what is missing, and which names are near.
func (t *Types) Function(name string) (*Function, error) {
	module, symbol, ok := strings.Cut(name, ":")
	if !ok {
		module, symbol = "", name
	}
	base, optimized, err := source(symbol)
	if err != nil {
		return nil, err
	}
	proto, spec, found, err := t.prototype(module, base)
	if declared, kernel, ok := t.declared(base); ok && err != nil {
		proto, spec, found, err = declared, kernel, module, nil
	}
	if err != nil {
		return nil, err
	}
	f := &Function{
		Name: symbol, Module: found, Return: cType(proto.Return), Optimized: optimized,
		types: t, spec: spec, proto: proto,
	}
	for _, p := range proto.Params {
		a := Arg{p.Name, cType(p.Type)}
		if isVoid(p.Type) {
			a.Type = "..." // and no more of them are known
		}
		f.Args = append(f.Args, a)
	}
	return f, nil
}

// source returns the name of a function in the kernel's source, without what the compiler
// appends to the names of copies.
func source(symbol string) (name string, optimized bool, err error) {
	name, ending, optimized := strings.Cut(symbol, ".")
	for _, word := range []string{"part", "cold"} {
		if strings.HasPrefix(ending, word) || strings.Contains(ending, "."+word) {
			return "", false, fmt.Errorf("%s is only a part of function %s, without its arguments: use %s",
				event.Escape(symbol), event.Escape(name), event.Escape(name))
		}
	}
	return name, optimized, nil
}

// prototype looks for a function in a module, or without one in the kernel and in all modules.
func (t *Types) prototype(module, name string) (proto *btf.FuncProto, spec *btf.Spec, found string, err error) {
	if spec, err = t.specOf(module); err != nil {
		return nil, nil, "", err
	}
	proto, err = prototypeIn(spec, name)
	if err == nil || !errors.Is(err, btf.ErrNotFound) {
		return proto, spec, module, err
	}
	if module != "" {
		return nil, nil, "", t.missing(spec, name, "module "+module+" has")
	}
	modules, err := t.holders(func(s *btf.Spec) bool { _, err := prototypeIn(s, name); return !errors.Is(err, btf.ErrNotFound) })
	switch {
	case err != nil:
		return nil, nil, "", err
	case len(modules) == 0:
		return nil, nil, "", t.missing(spec, name, "this kernel and its modules have")
	case len(modules) > 1:
		return nil, nil, "", fmt.Errorf("modules %s have a function %s each: name one as in %s:%s",
			strings.Join(modules, ", "), name, modules[0], name)
	}
	return t.prototype(modules[0], name)
}

// missing says that a function is not there, and which are near.
func (t *Types) missing(spec *btf.Spec, name, who string) error {
	names := t.namesLike(spec, func(t btf.Type) bool { _, ok := t.(*btf.Func); return ok })
	question := suggest.Question(name, names)
	if question == "" {
		question = "it may be a macro, inlined, or of a module that is not loaded"
	}
	return fmt.Errorf("%s no types for a function %s: %s", event.Escape(who), event.Escape(name), question)
}

// prototypeIn returns the type of a function that spec has. Static functions of the same name
// may have different ones, and the kernel's types do not say which symbol has which.
func prototypeIn(spec *btf.Spec, name string) (*btf.FuncProto, error) {
	all, err := spec.AnyTypesByName(name)
	if err != nil {
		return nil, err
	}
	var proto *btf.FuncProto
	for _, t := range all {
		f, ok := t.(*btf.Func)
		if !ok {
			continue
		}
		p, ok := f.Type.(*btf.FuncProto)
		switch {
		case !ok:
		case proto == nil:
			proto = p
		case signature(p) != signature(proto):
			return nil, fmt.Errorf("this kernel has several functions %s, with different arguments: (%s) and (%s): use another function",
				name, signature(proto), signature(p))
		}
	}
	if proto == nil {
		return nil, btf.ErrNotFound
	}
	return proto, nil
}

// signature returns the arguments in C.
func signature(p *btf.FuncProto) string {
	var args []string
	for _, a := range p.Params {
		args = append(args, declare(cType(a.Type), a.Name))
	}
	return strings.Join(args, ", ")
}

// question asks which type was meant by a name that there is none of.
func (f *Function) question(name string) string {
	word, rest, ok := strings.Cut(name, " ")
	if !ok {
		word, rest = "", name
	}
	names := f.types.namesLike(f.spec, func(t btf.Type) bool {
		_, typedef := t.(*btf.Typedef)
		return t.TypeName() != "" && keyword(t) == word && (word != "" || typedef)
	})
	if question := suggest.Question(rest, names); question != "" {
		return ": " + question
	}
	return ": its module may not be loaded"
}
