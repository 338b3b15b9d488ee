package session

import (
	"math"
	"time"

	"dropwatch/internal/event"
)

// incident appends what a finding is about.
func (x *encoder) incident(i *event.Incident) {
	over := uint64(0)
	if i.Over {
		over = 1
	}
	x.number(over)
	x.signed(i.Begun.UnixNano())
	for _, n := range []uint64{uint64(i.Lasted), i.Events, i.Threshold, uint64(i.Window), i.Unreported} {
		x.number(n)
	}
	for _, text := range i.Texts() {
		x.text(*text)
	}
}

// detail appends what else a diagnosis knows of a finding.
func (x *encoder) detail(d *event.Detail) {
	x.number(d.Rank)
	for _, text := range d.Texts() {
		x.text(*text)
	}
	facts := d.Facts[:min(len(d.Facts), maxArgs)]
	x.number(uint64(len(facts)))
	for _, f := range facts {
		x.text(f.Name)
		x.text(f.Text)
	}
	x.list(d.Check)
	x.list(d.Apply)
}

// list appends texts.
func (x *encoder) list(texts []string) {
	texts = texts[:min(len(texts), maxArgs)]
	x.number(uint64(len(texts)))
	for _, text := range texts {
		x.text(text)
	}
}

// incident reads what a finding is about, which the caller owns.
func (d *decoder) incident() *event.Incident {
	i := &event.Incident{
		Over: d.number(1) == 1, Begun: time.Unix(0, d.signed()), Lasted: d.duration(), Events: d.number(math.MaxUint64),
		Threshold: d.number(math.MaxUint64), Window: d.duration(), Unreported: d.number(math.MaxUint64),
	}
	for _, text := range i.Texts() {
		*text = d.text()
	}
	return i
}

// incidentDetail reads what else a diagnosis knows of a finding.
func (d *decoder) incidentDetail(i *event.Incident) {
	if i == nil {
		d.fail(errReference)
		return
	}
	detail := &event.Detail{Rank: d.number(math.MaxUint64)}
	for _, text := range detail.Texts() {
		*text = d.text()
	}
	detail.Facts = make([]event.Fact, d.length())
	for n := range detail.Facts {
		detail.Facts[n] = event.Fact{Name: d.text(), Text: d.text()}
	}
	detail.Check, detail.Apply = d.list(), d.list()
	i.Detail = detail
}

// length reads how many entries of a list follow, of which each has a byte or more.
func (d *decoder) length() uint64 { return d.number(min(maxArgs, uint64(len(d.b)))) }

// list reads texts; nil if there are none.
func (d *decoder) list() []string {
	n := d.length()
	if n == 0 {
		return nil
	}
	texts := make([]string, n)
	for i := range texts {
		texts[i] = d.text()
	}
	return texts
}
