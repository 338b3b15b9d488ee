package repl

import (
	"fmt"
	"strconv"
)

// parseBool accepts what the C program accepts.
func parseBool(s string) (bool, error) {
	switch s {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("invalid boolean value %q: give true or false", s)
}

// parseNumber accepts a decimal number of at most so many bits. The C program reads
// the digits at the beginning and ignores the rest; here it is an error.
func parseNumber(s string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("invalid number %q: give a whole number from 0 to %d", s, uint64(1)<<bits-1)
	}
	return n, nil
}
