// Package term reads the commands of a session: from a person at a terminal
// with line editing, history and completion, or from a script on standard
// input. It is the only package that knows the line editing library.
//
// Prompting and running alternate strictly. The terminal is raw only while
// [Reader.ReadLine] waits; between two lines it is back in the mode it was
// found in, so Ctrl-C during a run is a SIGINT and output needs no care.
//
// # What is typed during a run
//
// Nothing is read between two prompts. The kernel keeps what is typed then,
// echoes it amid the output as any terminal does, and hands it to the next
// prompt, which erases the echo on its own line and types the text again: no
// key is lost. The same holds for the rest of a pasted block, whose lines are
// one command each. As in every program, Ctrl-C during a run makes the kernel
// drop what it kept. Input is taken one byte at a time so that nothing is ever
// taken from the kernel too early: what follows the last command is left for
// the shell.
//
// # Faults of the library kept away from here
//
// Version 1.5.1 of chzyer/readline, each seen on a real pty:
//
//   - Ctrl-Z stops the parent process too, a NUL byte (Ctrl-Space) ends the
//     input for good, and Ctrl-T on a line of one letter leads to a panic at
//     the next key. These bytes become BEL, which does nothing (keyboard).
//   - Close hangs beside a waiting Readline, and its own closing of the input
//     does not end a read; so the input is ended first, by us.
//   - In a terminal 0 columns wide, or of a width that divides that of the
//     prompt, cursor keys spin (terminal.columns).
//   - The SIGWINCH handler is global and races with the redraw. The width is
//     asked for at every key instead, on the library's own goroutine.
//   - The list of candidates divides by zero in a narrow terminal and on
//     Ctrl-K, Ctrl-R then Ctrl-C crashes without history. The list is printed
//     by us and the history is never empty.
//   - A line cut off by a hang-up counts as entered. It is dropped.
//   - Redraws can come late, after Readline returned. They are dropped (gate).
//   - The history file is world-readable and its errors are swallowed. Only
//     the copy in memory is the library's.
package term
