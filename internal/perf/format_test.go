package perf

import (
	"strings"
	"testing"
)

func TestParseFormatInGeneral(t *testing.T) {
	f, err := ParseFormat(strings.Join([]string{
		"name: tcp_retransmit_skb", "ID: 7", "format:",
		"\tfield:__u8 saddr[4];\toffset:24;\tsize:4;\tsigned:0;",
		"\tfield:__data_loc char[] name;\toffset:4;\tsize:4;\tsigned:1;",
		"\tfield:const void * skaddr;\toffset:16;\tsize:8;\tsigned:0;",
		"\tfield:int old;\toffset:8;\tsize:4;", // before "signed" was said
		`print fmt: "%s %s", __print_symbolic(REC->family, { 2, "AF_INET" }, { 0xa, "AF_INET6" }), __print_symbolic(REC->state, ` +
			`{ TCP_ESTABLISHED, "NAME" }, { 7, "a, } b" })`,
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]Field{"saddr": {24, 4}, "skaddr": {16, 8}, "old": {8, 4}, "name": {4, 4}}
	for name, want := range fields {
		if got, ok := f.Fields[name]; !ok || got != want {
			t.Errorf("field %s is %v, want %v", name, got, want)
		}
	}
	if f.ID != 7 || f.Symbols["family"][2] != "AF_INET" || f.Symbols["family"][10] != "AF_INET6" {
		t.Errorf("id %d, families %v", f.ID, f.Symbols["family"])
	}
	if s := f.Symbols["state"]; len(s) != 1 || s[7] != "a, } b" {
		t.Errorf("states %v", s)
	}
}
