package app

import (
	"fmt"
	"strings"
)

// bashHead finds out where the cursor is: command is the command typed before
// it, and prev the word before it. Bash splits --name=value into three words.
const bashHead = `# Completion of dropwatch and dwdump for bash, made by: dropwatch completion bash
# Load it with: source <(dropwatch completion bash)

_dropwatch() {
    local current=${COMP_WORDS[COMP_CWORD]} before=$((COMP_CWORD - 1)) command= words= i
    COMPREPLY=()
    [[ $current == = ]] && current= && before=$COMP_CWORD
    [[ ${COMP_WORDS[before]} == = ]] && before=$((before - 1))
    if [[ ${COMP_WORDS[0]##*/} == dwdump ]]; then
        command=dump
    else
        for ((i = 1; i < COMP_CWORD; i++)); do
            case ${COMP_WORDS[i]} in
            %s)
                [[ ${COMP_WORDS[i + 1]} == = ]] && i=$((i + 1))
                i=$((i + 1)) ;;
            -*) ;;
            *)
                command=${COMP_WORDS[i]}
                break ;;
            esac
        done
    fi
    case $command:${COMP_WORDS[before]} in
`

const bashTail = `    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -F _dropwatch dropwatch dwdump
`

// bashCompletion writes a script that needs nothing but bash.
func bashCompletion(s syntax) string {
	var b strings.Builder
	fmt.Fprintf(&b, bashHead, strings.Join(takingValues(s.options), "|"))
	writeBashValues(&b, "", s.options)
	for _, v := range s.commands {
		writeBashValues(&b, v.name, v.options)
	}
	b.WriteString("    *)\n        case $command:$current in\n")
	writeBashWords(&b, "", s.options, s.verbNames())
	for _, v := range s.commands {
		if v.file {
			fmt.Fprintf(&b, "        %s:[!-]*|%s:) %s ;;\n", v.name, v.name, bashFiles)
		}
		writeBashWords(&b, v.name, v.options, v.words)
	}
	b.WriteString("        esac ;;\n" + bashTail)
	return b.String()
}

// bashFiles leaves a word to bash, which completes names of files.
const bashFiles = "compopt -o default; return"

// writeBashValues completes what follows an option of the command.
func writeBashValues(b *strings.Builder, command string, options []option) {
	for _, o := range options {
		if o.arg == "" {
			continue
		}
		var patterns []string
		for _, word := range o.dashed() {
			patterns = append(patterns, command+":"+word)
		}
		action := fmt.Sprintf("words=%q", strings.Join(o.values, " "))
		if o.file() {
			action = bashFiles
		}
		fmt.Fprintf(b, "    %s) %s ;;\n", strings.Join(patterns, "|"), action)
	}
}

// writeBashWords completes a word of the command: an option if it begins as
// one or if there is nothing else.
func writeBashWords(b *strings.Builder, command string, options []option, words []string) {
	if len(words) > 0 {
		fmt.Fprintf(b, "        %s:[!-]*|%s:) words=%q ;;\n", command, command, strings.Join(words, " "))
	}
	if len(options) > 0 {
		fmt.Fprintf(b, "        %s:*) words=%q ;;\n", command, strings.Join(dashed(options), " "))
	}
}

// dashed gives all the words by which options are typed.
func dashed(options []option) (words []string) {
	for _, o := range options {
		words = append(words, o.dashed()...)
	}
	return words
}

// takingValues gives those that a value follows.
func takingValues(options []option) (words []string) {
	for _, o := range options {
		if o.arg != "" {
			words = append(words, o.dashed()...)
		}
	}
	return words
}
