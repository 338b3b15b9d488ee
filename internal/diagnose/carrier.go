package diagnose

import (
	"dropwatch/internal/counters"
	"dropwatch/internal/knowledge"
)

// findCarrier narrows a finding of packets that could not leave, if their interface had no
// carrier at the end of the interval, and says that it is a member of a bond which that does not use.
func (f *Finding) findCarrier(rows []counters.Row) {
	if f.IfName == "" {
		return
	}
	for i := range rows {
		if r := &rows[i]; (r.ID() == "interface.no_carrier" || r.ID() == "interface.carrier_lost") && r.IfName == f.IfName && f.isIn(r) {
			f.Meaning = f.Meaning.With(knowledge.NoCarrier, f.event())
		} else if r.ID() == "interface.bond_member_inactive" && r.IfName == f.IfName && f.isIn(r) {
			f.role = ", an inactive member of a bond"
		}
	}
}
