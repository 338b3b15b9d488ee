package table

import (
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// examined is how many drops of a row are examined for their cause: enough to see
// whether they have the same.
const examined = 8

// A cause is why the drops of a row happened: what the evidence of the first ones
// shows or, if they show different causes, what is known in general.
type cause struct {
	entry    *knowledge.Entry // nil: nothing is known
	text     string
	severity knowledge.Severity
	seen     int  // drops examined so far
	differ   bool // they have different causes
}

// add examines a drop. It keeps nothing of it.
func (c *cause) add(e *event.Event) {
	if c.seen == examined || c.differ {
		return
	}
	c.seen++
	x, known := knowledge.Of(e)
	switch {
	case !known:
	case c.entry == nil:
		c.entry, c.text, c.severity = x.Entry, x.Cause, x.Severity
	case c.text != x.Cause:
		general := c.entry.Explain(nil)
		c.differ, c.text, c.severity = true, general.Cause, general.Severity
	}
}

// matters reports whether the cause is worth a line below the row.
func (c *cause) matters() bool { return c.severity > knowledge.Noise }
