package host

// Requirements are what a source needs of a host. The source declares them; the check of the
// host compares.
type Requirements struct {
	// Options are kernel options, without CONFIG_, all of which must be set.
	Options []string

	// Capabilities are those that together suffice without CAP_SYS_ADMIN.
	Capabilities []Capability

	// LockedBytes and LockedPages, added, are how much memory the source locks for each
	// CPU, in bytes and in pages.
	LockedBytes, LockedPages int
}

// Missing returns the required options that are not set in o.
func (r Requirements) Missing(o KernelOptions) (names []string) {
	for _, name := range r.Options {
		if o.Values[name] == "" {
			names = append(names, name)
		}
	}
	return names
}

// Locked returns how many bytes of memory are locked for each CPU.
func (r Requirements) Locked(pageSize int) int { return r.LockedBytes + r.LockedPages*pageSize }
