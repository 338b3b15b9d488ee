package knowledge

// duplicate is the case of packets for an IPv6 address of this host that duplicate address
// detection found to be that of another as well: it is not used then, so that these are
// packets for nobody here.
var duplicate = Case{
	If: Duplicate, Severity: Harm,
	Cause: "Another host has this IPv6 address as well, so this host does not use it: duplicate address detection failed.",
	Check: []string{"ip -6 addr show dadfailed"},
	Fix:   "Give one of the two hosts another address. Then delete the address here and add it again.",
}
