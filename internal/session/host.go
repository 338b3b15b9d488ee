package session

import (
	"encoding/json"
	"errors"
	"io/fs"

	"dropwatch/internal/counters"
)

// A Host is what a recording has of its host besides drops.
type Host struct {
	First, Last *counters.Snapshot         // nil: it has none; the same if it has one
	Snapshots   uint64                     // how many were read
	Answers     map[string]json.RawMessage // of the host at the last time, by question; see package diagnose
}

// The kinds of records that begin with their length, since version 3.
const (
	recordSized    = 16 // the first of them
	recordCounters = 16
	recordAnswer   = 17
)

// The parts of a record of counters.
const (
	partEmpty   = 1
	partGone    = 2
	partChanged = 3
	partNew     = 4
	partEnd     = 5
)

// Bits of what follows in a new counter.
const (
	hasNetns = 1 << iota
	hasGroup
	hasIfName
	hasObject
	hasLimit
	hasInode
	hasSharing
	hasAbout
	hasHook
	isGauge
	isPart
	isSparse
	is32Bits

	allBits = is32Bits<<1 - 1
)

// Limits of what a file has of the host.
const (
	counterCost = 192      // bytes that a counter counts
	maxCounters = 64 << 20 // bytes that counters and their texts count, and those of a snapshot that is read
	answerCost  = 64       // bytes that an answer counts, with its length and that of its question
	maxAnswers  = 16 << 20 // bytes that all answers count
	maxAnswer   = 64 << 10 // bytes of an answer and its question
	maxText     = 2 << 10  // bytes of a text of a counter
	maxParts    = 64       // counters of a part
	maxFailures = 128      // of a snapshot
)

// recordedError is why counters could not be read.
type recordedError struct {
	text       string // of the file: escape it before printing
	permission bool   // it is fs.ErrPermission
}

// Error is the text of the error.
func (e *recordedError) Error() string { return e.text }

// Is reports whether it was a missing permission.
func (e *recordedError) Is(target error) bool { return e.permission && target == fs.ErrPermission }

// recorded makes a recordedError of any other.
func recorded(err error) *recordedError {
	return &recordedError{err.Error(), errors.Is(err, fs.ErrPermission)}
}

// clip cuts a text that is longer than a counter's may be.
func clip(s string) string { return s[:min(len(s), maxText)] }
