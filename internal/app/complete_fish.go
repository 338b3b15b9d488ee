package app

import (
	"fmt"
	"strings"
)

// fishHead has a test that tells whether the command typed so far is the one
// given, which is empty before there is any.
const fishHead = `# Completion of dropwatch and dwdump for fish, made by: dropwatch completion fish
# Put it into ~/.config/fish/completions as dropwatch.fish and as dwdump.fish, or
# load it with: dropwatch completion fish | source

function __dropwatch_command
    set -l command ""
    set -l skip no
    for word in (commandline -opc)[2..-1]
        if test $skip = yes
            set skip no
            continue
        end
        switch $word
            case %s
                set skip yes
            case '-*'
            case '*'
                set command $word
                break
        end
    end
    test "$command" = "$argv[1]"
end

complete -c dropwatch -f
complete -c dwdump -f
`

// fishCompletion writes a rule for each word.
func fishCompletion(s syntax) string {
	var b strings.Builder
	fmt.Fprintf(&b, fishHead, strings.Join(takingValues(s.options), " "))
	start := fishRule("dropwatch", "")
	for _, o := range s.options {
		b.WriteString(start + fishOption(o))
	}
	for _, v := range s.commands {
		fmt.Fprintf(&b, "%s -a %s -d %s\n", start, v.name, fishQuoted(v.help))
	}
	for _, v := range s.commands {
		for _, o := range v.options {
			b.WriteString(fishRule("dropwatch", v.name) + fishOption(o))
		}
		if v.file {
			b.WriteString(fishRule("dropwatch", v.name) + " -F\n")
		}
		if len(v.words) > 0 {
			fmt.Fprintf(&b, "%s -a %s\n", fishRule("dropwatch", v.name), fishQuoted(strings.Join(v.words, " ")))
		}
	}
	for _, o := range s.dump().options {
		b.WriteString("complete -c dwdump" + fishOption(o))
	}
	return b.String()
}

// fishRule begins a rule that holds after the command.
func fishRule(program, command string) string {
	return fmt.Sprintf(`complete -c %s -n '__dropwatch_command "%s"'`, program, command)
}

func fishOption(o option) string {
	var b strings.Builder
	if o.short != "" {
		b.WriteString(" -s " + o.short)
	}
	b.WriteString(" -l " + o.long)
	switch {
	case o.file():
		b.WriteString(" -r -F")
	case o.arg != "":
		b.WriteString(" -x -a " + fishQuoted(strings.Join(o.values, " ")))
	}
	return b.String() + " -d " + fishQuoted(o.help) + "\n"
}

// fishQuoted puts s in fish's single quotes.
func fishQuoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
