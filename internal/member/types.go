package member

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"

	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/event"
)

// Types are the types of a kernel and its modules. They may be used by several goroutines.
type Types struct {
	cache   *btf.Cache // of what package btf has decoded
	kernel  func() (*btf.Spec, error)
	module  func(name string) (*btf.Spec, error)                   // whose types are kept
	modules func() ([]string, error)                               // those that are loaded
	peek    func(name string, kernel *btf.Spec) (*btf.Spec, error) // the types of a module, not kept

	enums func() (constants, error) // of the kernel; nil or failing: all its types are read for them

	mu     sync.Mutex
	values constants // of the kernel's enums, once one is asked for
}

// folder has the types of a module in a file of its name.
const folder = "/sys/kernel/btf"

// NewTypes returns the types of the running kernel. They are read when a function is asked
// for, which takes 25 to 50 ms, and kept in the cache: share it with who else needs them. Those
// of a module are kept there, too, once a function of it was found.
func NewTypes(cache *btf.Cache) *Types {
	peek := func(name string, kernel *btf.Spec) (*btf.Spec, error) {
		return btf.LoadSplitSpec(filepath.Join(folder, filepath.Base(name)), kernel)
	}
	return &Types{
		cache: cache, kernel: cache.Kernel, module: cache.Module, modules: cache.Modules, peek: peek, enums: kernelEnums,
	}
}

// Cache returns the cache of the types of the running kernel.
func (t *Types) Cache() *btf.Cache { return t.cache }

// Running returns the types of the running kernel for one user alone.
func Running() *Types { return NewTypes(btf.NewCache()) }

// specOf returns the types of a module, or for no name those of the kernel.
func (t *Types) specOf(module string) (*btf.Spec, error) {
	if module == "" {
		spec, err := t.kernel()
		if err != nil {
			return nil, fmt.Errorf("read the types of the kernel: %w: boot one built with CONFIG_DEBUG_INFO_BTF", err)
		}
		return spec, nil
	}
	spec, err := t.module(module)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("module %s has no types (BTF) here: it is not loaded, or was built without them", event.Escape(module))
	}
	if err != nil {
		return nil, fmt.Errorf("read the types of module %s: %w", event.Escape(module), err)
	}
	return spec, nil
}

// holders returns the modules whose types fit. They are looked through one after the other, and
// those that cannot be read are left out, as they may be unloaded meanwhile.
func (t *Types) holders(fits func(*btf.Spec) bool) (found []string, err error) {
	kernel, err := t.specOf("")
	if err != nil {
		return nil, err
	}
	names, err := t.modules()
	if err != nil {
		return nil, fmt.Errorf("list the modules that have types: %w", err)
	}
	for _, name := range names {
		if spec, err := t.peek(name, kernel); err == nil && fits(spec) {
			found = append(found, name)
		}
	}
	return found, nil
}

// named returns a type by its name in C: the one of spec, the kernel's, or that of a module. The
// error wraps btf.ErrNotFound if there is none.
func (t *Types) named(spec *btf.Spec, name string) (btf.Type, error) {
	if name == "void" {
		return &btf.Void{}, nil
	}
	kernel, err := t.specOf("")
	if err != nil {
		return nil, err
	}
	for _, s := range []*btf.Spec{spec, kernel} {
		if found, err := typeIn(s, name); !errors.Is(err, btf.ErrNotFound) {
			return found, err
		}
	}
	if !strings.Contains(name, " ") { // an integer of C, or a typedef: not worth the search
		return nil, btf.ErrNotFound
	}
	modules, err := t.holders(func(s *btf.Spec) bool { _, err := typeIn(s, name); return err == nil })
	if err != nil || len(modules) == 0 {
		return nil, errors.Join(err, btf.ErrNotFound)
	}
	if spec, err = t.specOf(modules[0]); err != nil {
		return nil, err
	}
	return typeIn(spec, name)
}

// typeIn returns a struct, union, enum, typedef or integer by its name in C.
func typeIn(spec *btf.Spec, name string) (btf.Type, error) {
	word, rest, _ := strings.Cut(name, " ")
	if word != "struct" && word != "union" && word != "enum" {
		word, rest = "", name
	}
	all, err := spec.AnyTypesByName(rest)
	if err != nil {
		return nil, err
	}
	var found []btf.Type
	for _, t := range all {
		switch t.(type) {
		case *btf.Fwd, *btf.Func, *btf.Var, *btf.Datasec:
			continue
		}
		if keyword(t) == word {
			found = append(found, t)
		}
	}
	if len(found) == 0 {
		return nil, btf.ErrNotFound
	}
	for _, t := range found[1:] {
		if layout(t) != layout(found[0]) {
			return nil, fmt.Errorf("this kernel has %d different types %s", len(found), name)
		}
	}
	return found[0], nil
}

// layout says where the members of a type lie; the types of one name differ if theirs do.
func layout(t btf.Type) string {
	size, _ := btf.Sizeof(t)
	members, _ := membersOf(t)
	text := fmt.Sprintf("%s %d", cType(btf.UnderlyingType(t)), size)
	for _, m := range members {
		text += fmt.Sprintf(" %s:%d:%d", m.Name, m.Offset, m.BitfieldSize)
	}
	return text
}

// namesLike returns the names of all types that fits takes, of the kernel and of spec. It reads
// them all, which takes 200 ms: it is for errors.
func (t *Types) namesLike(spec *btf.Spec, fits func(btf.Type) bool) (names []string) {
	kernel, err := t.specOf("")
	if err != nil {
		return nil
	}
	each(kernel, func(t btf.Type) {
		if fits(t) {
			names = append(names, t.TypeName())
		}
	})
	if spec != kernel {
		each(spec, func(t btf.Type) {
			if fits(t) {
				names = append(names, t.TypeName())
			}
		})
	}
	return names
}

// each calls f for all types that spec itself has. It reads a copy, so that they are not kept.
func each(spec *btf.Spec, f func(btf.Type)) {
	for t, err := range spec.Copy().All() {
		if err != nil {
			return
		}
		f(t)
	}
}
