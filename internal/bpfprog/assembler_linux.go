package bpfprog

import (
	"strconv"

	"github.com/cilium/ebpf/asm"
)

// An Assembler collects BPF code. The kernel's verifier requires that every instruction can be reached; all jumps are
// forward. The zero Assembler is ready.
type Assembler struct {
	Code  asm.Instructions // appended to; R0 to R5 are not kept across calls of helpers
	used  map[string]bool  // labels that are jump targets
	label string           // of the next instruction
	count int              // of labels
}

// Emit appends instructions.
func (a *Assembler) Emit(all ...asm.Instruction) {
	if a.used == nil {
		a.used = make(map[string]bool)
	}
	for _, i := range all {
		if a.label != "" {
			i, a.label = i.WithSymbol(a.label), ""
		}
		a.used[i.Reference()] = true
		a.Code = append(a.Code, i)
	}
}

// Place gives the next instruction a label if that is a jump target, and reports whether it is. Each instruction has
// one label at most.
func (a *Assembler) Place(label string) bool {
	if a.used[label] {
		a.label = label
	}
	return a.used[label]
}

// NewLabel returns a label that was not used before.
func (a *Assembler) NewLabel() string {
	a.count++
	return "L" + strconv.Itoa(a.count)
}
