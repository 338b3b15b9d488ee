package member

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// Types are the types of a kernel and its modules. They may be used by several goroutines.
type Types struct {
	kernel func() (*btf.Spec, error)
	module func(name string) (*btf.Spec, error)
	names  func() ([]string, error) // of modules
}

// NewTypes returns the types of the running kernel. They are read when a function is asked
// for, which takes 25 to 50 ms, and kept in the cache: share it with who else needs them.
func NewTypes(cache *btf.Cache) *Types {
	return &Types{cache.Kernel, cache.Module, cache.Modules}
}

// A Function is a function of the kernel, with the types of its arguments.
type Function struct {
	Name   string // as it was asked for, without the module
	Module string // that it is part of; empty for the kernel itself
	Args   []Arg  // in their order
	Return string // its type in C; void for none

	types *Types
	spec  *btf.Spec // that has its types
	proto *btf.FuncProto
}

// An Arg is an argument of a function.
type Arg struct {
	Name string // may be empty
	Type string // in C: struct sock *
}

// Function returns a function by its name in kallsyms, or for one of a module by both, as
// nf_tables:nft_do_chain. Without a module it is looked for in the kernel, then in all modules.
// The error says what is missing, and which names are near.
func (t *Types) Function(name string) (*Function, error) {
	module, symbol, ok := strings.Cut(name, ":")
	if !ok {
		module, symbol = "", name
	}
	spec, err := t.kernel()
	if module != "" && err == nil {
		spec, err = t.module(module)
	}
	if err != nil {
		return nil, fmt.Errorf("read the kernel's types: %w", err)
	}
	f, err := t.lookup(spec, symbol)
	if err != nil {
		return nil, err
	}
	f.Module = module
	return f, nil
}

// lookup returns a function that spec has.
func (t *Types) lookup(spec *btf.Spec, name string) (*Function, error) {
	var fn *btf.Func
	err := spec.TypeByName(name, &fn)
	if errors.Is(err, btf.ErrNotFound) {
		return nil, fmt.Errorf("this kernel has no types for a function %s", name)
	}
	if err != nil {
		return nil, fmt.Errorf("read the type of function %s: %w", name, err)
	}
	return t.newFunction(spec, name, fn.Type.(*btf.FuncProto)), nil
}

func (t *Types) newFunction(spec *btf.Spec, name string, proto *btf.FuncProto) *Function {
	f := &Function{Name: name, Return: cType(proto.Return), types: t, spec: spec, proto: proto}
	for _, p := range proto.Params {
		f.Args = append(f.Args, Arg{p.Name, cType(p.Type)})
	}
	return f
}

// constant returns a constant of an enum.
func (t *Types) constant(spec *btf.Spec, name string) (o operand, ok bool, err error) {
	return o, false, nil
}

// named returns a type by its name in C. The error wraps btf.ErrNotFound if there is none.
func (t *Types) named(spec *btf.Spec, name string) (btf.Type, error) {
	word, rest, ok := strings.Cut(name, " ")
	if !ok || keywordInts[name].Size > 0 {
		rest = name
	}
	if name == "void" {
		return &btf.Void{}, nil
	}
	found, err := spec.AnyTypesByName(rest)
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		if k := keyword(f); ok && k == word || !ok && k == "" {
			return f, nil
		}
	}
	return nil, btf.ErrNotFound
}

// question asks which type was meant.
func (t *Types) question(spec *btf.Spec, name string) string { return "" }
