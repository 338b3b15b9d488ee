package app

import (
	"fmt"
	"strings"
)

const zshHead = `#compdef dropwatch dwdump
# Completion of dropwatch and dwdump for zsh, made by: dropwatch completion zsh
# Put it as _dropwatch into a directory of $fpath, or load it after compinit
# with: source <(dropwatch completion zsh)

`

const zshTail = `
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _dropwatch "$@"
else
    compdef _dropwatch dropwatch dwdump
fi
`

// zshCompletion writes a function for each command, and one that chooses.
func zshCompletion(s syntax) string {
	var b strings.Builder
	b.WriteString(zshHead)
	for _, v := range s.commands {
		specs := zshOptions(v.options)
		if v.file {
			specs = append(specs, "1:file:_files")
		}
		if len(v.words) > 0 {
			specs = append(specs, quoted(fmt.Sprintf("1:%s:(%s)", v.name, strings.Join(v.words, " "))))
		}
		specs = append(specs, "'*: : true'") // options can follow other words
		fmt.Fprintf(&b, "_dropwatch_%s() {\n    _arguments -s -S%s\n}\n\n", v.name, lines(specs))
	}
	fmt.Fprintf(&b, `_dropwatch() {
    local context state state_descr line
    typeset -A opt_args
    if [[ $service == dwdump ]]; then
        _dropwatch_%s
        return
    fi
    _arguments -s -S -C%s
    case $state in
    command)
        local -a commands=(%s
        )
        _describe command commands ;;
    argument)
        (( $+functions[_dropwatch_$words[1]] )) && _dropwatch_$words[1] ;;
    esac
}
`, s.dump().name, lines(append(zshOptions(s.options), "'1: :->command'", "'*:: :->argument'")), zshCommands(s))
	b.WriteString(zshTail)
	return b.String()
}

// lines sets each spec on a line of its own.
func lines(specs []string) string {
	var b strings.Builder
	for _, s := range specs {
		b.WriteString(" \\\n        " + s)
	}
	return b.String()
}

func zshCommands(s syntax) string {
	var b strings.Builder
	for _, v := range s.commands {
		b.WriteString("\n            " + quoted(v.name+":"+v.help))
	}
	return b.String()
}

// zshOptions writes options as _arguments wants them.
func zshOptions(options []option) (specs []string) {
	for _, o := range options {
		help := strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`).Replace(o.help)
		long, short, value := "--"+o.long, "-"+o.short, ""
		if o.arg != "" {
			long, short = long+"=", short+"+"
			value = ":" + o.arg + ":" + zshValues(o)
		}
		names := long
		if o.short != "" {
			names = fmt.Sprintf("'(%s)'{%s,%s}", strings.Join(o.dashed(), " "), short, long)
		}
		specs = append(specs, names+quoted("["+help+"]"+value))
	}
	return specs
}

func zshValues(o option) string {
	switch {
	case o.file():
		return "_files"
	case len(o.values) > 0:
		return "(" + strings.Join(o.values, " ") + ")"
	}
	return " "
}
