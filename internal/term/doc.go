// Package term reads the commands of a session: from a person at a terminal
// with line editing, history and completion, or from a script on standard
// input. It is the only package that knows the line editing library.
//
// The terminal is in raw mode only while [Reader.ReadLine] waits. While a command runs it is in
// its original mode: Ctrl-C raises SIGINT, and output needs no special treatment.
//
// # What is typed during a run
//
// Nothing is read while a command runs. The kernel keeps and echoes what is typed meanwhile, and
// the next prompt gets it: no key is lost. The same holds for the rest of a pasted block, each
// line of which is a command. As in every program, Ctrl-C makes the kernel discard what it kept.
// Input is read one byte at a time, so that what follows the last command is left for the shell.
//
// # Workarounds
//
// Faults of chzyer/readline 1.5.1, each seen on a real pty, and what is done about it:
//
//   - Ctrl-Z stops the parent process too, a NUL byte (Ctrl-Space) ends the
//     input for good, and Ctrl-T on a line of one letter leads to a panic at
//     the next key. The keyboard type replaces these bytes by BEL, which does nothing.
//   - Close hangs while a Readline waits, and does not end its read. Reader.Close
//     ends the input first.
//   - In a terminal 0 columns wide, or of a width that divides that of the
//     prompt, cursor keys spin (terminal.columns).
//   - The SIGWINCH handler is global and races with the redraw. The width is
//     asked for at every key instead, on the library's own goroutine.
//   - The list of candidates divides by zero in a narrow terminal and on Ctrl-K;
//     Ctrl-R, then Ctrl-C, panics without history. completer.list prints the list,
//     and the history is never empty.
//   - An incomplete line at a hang-up is returned as entered. It is discarded.
//   - Redraws can come after Readline has returned. The gate type discards them.
//   - The history file is readable by everybody, and its errors are ignored. The
//     history type keeps the file; the library has only a copy in memory.
package term
