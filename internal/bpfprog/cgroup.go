package bpfprog

// A CgroupProgram is a BPF program that packets of the sockets in a control group have to pass.
type CgroupProgram struct {
	ID    uint32 `json:"id"`
	Name  string `json:"name,omitempty"`  // which its author chose; 15 bytes at most
	Group string `json:"group,omitempty"` // at which it is attached, as a path of the hierarchy; empty if that is not known
}
