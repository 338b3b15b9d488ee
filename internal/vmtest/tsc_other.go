//go:build !amd64

package vmtest

// clockArg is empty: guests have the machine of amd64, whose counter another host does not have.
func clockArg() string { return "" }
