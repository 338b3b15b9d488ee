//go:build !linux

package bpfprog

import "errors"

// CgroupPrograms fails: other systems have no control groups.
func CgroupPrograms(_, _ string, _ bool) ([]CgroupProgram, error) { return nil, errors.ErrUnsupported }
