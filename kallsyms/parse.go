package kallsyms

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

var (
	// ErrRestricted says that the kernel gave every address as zero, which it
	// does for a reader without CAP_SYSLOG, and for everyone if
	// kernel.kptr_restrict is 2.
	ErrRestricted = errors.New("the kernel shows every address as 0: run as root or with CAP_SYSLOG, " +
		"and if that is not enough, set sysctl kernel.kptr_restrict=1")

	// ErrNoSymbols says that the input is well-formed but has no symbol of code: it
	// is empty, or has data only.
	ErrNoSymbols = errors.New("no code symbol in it: give a whole /proc/kallsyms, " +
		"of a kernel built with CONFIG_KALLSYMS")
)

// A SyntaxError is a line that is not one of a kallsyms text.
type SyntaxError struct {
	Line int    // counted from 1
	Text string // its first bytes, as they are: print them with %q
	Why  string // what is wrong with it
}

// Error quotes the line, so it is safe to print.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d: %q: %s: give the text of /proc/kallsyms", e.Line, e.Text, e.Why)
}

const (
	readSize = 64 << 10  // also the longest line; KSYM_NAME_LEN is 512
	quoteLen = 80        // how much of a bad line an error quotes
	maxSize  = 128 << 20 // of the text in bytes; kernels have 5 to 20 MB
)

// Parse reads a kallsyms text (kernel/kallsyms.c, s_show): lines of an
// address, a type letter, a name, and a tab and a module in brackets if it is
// not the kernel image's. Addresses are hexadecimal, of 32 or 64 bits, and in
// any order. Only code (types t, T, w, W) can be looked up later; everything
// else only bounds it.
//
// The error is ErrRestricted, ErrNoSymbols or a *SyntaxError, or what r
// returned, each wrapped. Then there is no table.
func Parse(r io.Reader) (*Table, error) {
	t, err := parse(r)
	if err != nil {
		return nil, fmt.Errorf("parse kernel symbols: %w", err)
	}
	return t, nil
}

// parse is Parse with errors for a caller that says what it reads.
func parse(r io.Reader) (*Table, error) {
	p := parser{builder: newBuilder()}
	if err := p.read(bufio.NewReaderSize(r, readSize)); err != nil {
		return nil, err
	}
	return p.table(), nil
}

// A parser reads the lines of one input into a builder.
type parser struct {
	builder
	line int    // lines read
	size int    // bytes read
	seen uint64 // all addresses, ored: 0 if the kernel hides them
}

// read takes in all lines of r.
func (p *parser) read(r *bufio.Reader) error {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return p.end(line, err)
		}
		p.line++
		line = line[:len(line)-1]
		if why := p.parse(line); why != "" {
			return syntaxError(p.line, line, why)
		}
	}
}

// end returns the error of a text after which reading ended with err and the unfinished
// line rest: nil if it is complete.
func (p *parser) end(rest []byte, err error) error {
	switch {
	case errors.Is(err, io.EOF) && len(rest) == 0:
		return p.check()
	case errors.Is(err, io.EOF):
		return syntaxError(p.line+1, rest, "the text ends within this line")
	case errors.Is(err, bufio.ErrBufferFull):
		return syntaxError(p.line+1, rest, "the line is too long")
	}
	return fmt.Errorf("line %d: %w", p.line+1, err)
}

// check returns the error of a text that has nothing to look up.
func (p *parser) check() error {
	switch {
	case p.line > 0 && p.seen == 0:
		return ErrRestricted
	case len(p.names) == 1: // the newline before the first
		return ErrNoSymbols
	}
	return nil
}

func syntaxError(n int, line []byte, why string) error {
	return &SyntaxError{Line: n, Text: string(line[:min(len(line), quoteLen)]), Why: why}
}

// parse adds one line, or says why it is not one of a kallsyms text.
func (p *parser) parse(line []byte) (why string) {
	if p.size += len(line); p.size > maxSize {
		return "more text than any kernel has"
	}
	address, n := parseHex(line)
	if n == 0 || n > 16 {
		return "it does not start with an address"
	}
	if len(line) < n+4 || line[n] != ' ' || line[n+2] != ' ' || line[len(line)-1] <= ' ' {
		return "want an address, a type letter and a name, with a space between"
	}
	p.seen |= address
	kind, name := line[n+1], line[n+3:]
	var image uint32 // of the kernel
	if tab := bytes.IndexByte(name, '\t'); tab >= 0 {
		module := name[tab+1:]
		if tab == 0 || len(module) < 3 || module[0] != '[' || module[len(module)-1] != ']' {
			return "want a name before the tab and a module in brackets after it"
		}
		image = p.imageIndex(module[1 : len(module)-1])
		name = name[:tab]
	}
	if address != 0 && !isMapping(name) {
		p.add(address, kind, name, image)
	}
	return ""
}

// isMapping reports whether name is a mapping symbol or a local label of the assembler,
// which is not a function: is_mapping_symbol in include/linux/module_symbol.h.
func isMapping(name []byte) bool {
	switch name[0] {
	case '$':
		return true
	case '.', 'L':
		return bytes.HasPrefix(name, []byte(".L")) || bytes.HasPrefix(name, []byte("L0"))
	}
	return false
}

// parseHex returns the number that line starts with and how many digits it has.
func parseHex(line []byte) (v uint64, digits int) {
	for i, c := range line {
		d := hexDigit[c]
		if d == 0 {
			return v, i
		}
		v = v<<4 | uint64(d-1)
	}
	return v, len(line)
}

// hexDigit is one more than the value of a hexadecimal digit, else 0.
var hexDigit = func() (t [256]uint8) {
	for i, c := range "0123456789abcdef" {
		t[c] = uint8(i + 1)
	}
	for i, c := range "ABCDEF" {
		t[c] = uint8(i + 11)
	}
	return t
}()
