// Package kallsyms names kernel addresses: it reads the text of
// /proc/kallsyms into a small table and answers which function, of which
// module, an address lies in.
//
// [Parse] makes a [Table] of any kallsyms text, a saved copy for instance.
// [Live] is the table of the running kernel: it loads itself at the first
// look-up and again when modules came or went. [Demangle] makes Rust and C++
// names readable.
//
// A look-up does not guess. /proc/kallsyms gives starts, not sizes, so the
// usual "nearest symbol below" names any address whatever, and prints things
// like __init_scratch_end+0xfbdc203 for a function of a module. Here every
// symbol also has an end, and an address beyond it is unknown:
//
//   - a function ends where the next symbol of any kind begins, be it data or
//     of another module;
//   - nothing lies at or after _etext and _einittext, until the next symbol;
//   - where what follows does not show how long a function is (data, another
//     module, nothing at all, or code more than 256 KiB away), it ends with the
//     page after the one it starts in (pages of 4 KiB);
//   - the same holds for every BPF program and every trampoline
//     ([__builtin__ftrace], [__builtin__kprobes]): they come and go one by
//     one, so the next one does not show it either.
//
// Otherwise the answer is the one of the kernel's own %pS (kernel/kallsyms.c,
// kernel/module/kallsyms.c). Of several names for one address, the first in
// the file answers. An address is taken as it is: a return address after a
// call that never returns, made at the very end of a function, is the start of
// the next function and is answered so. %pS and the C dropwatch do the same;
// a caller who knows that it holds a return address can look up pc-1 instead.
//
// # Privileges
//
// Without CAP_SYSLOG in the initial user namespace the kernel prints every
// address as zero (kernel/kallsyms.c, kallsyms_show_value). That is
// [ErrRestricted], not an empty table. sysctl kernel.kptr_restrict=2 hides
// them from root too.
package kallsyms
