package capture

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/sink/elastic"
	"dropwatch/internal/sink/file"
	"dropwatch/internal/sink/pcapng"
	"dropwatch/internal/sink/syslog"
	"dropwatch/internal/sink/tcplog"
)

func TestParseOutput(t *testing.T) {
	for text, want := range map[string]Output{
		"text":                                {Format: Lines},
		"text:-":                              {Format: Lines, File: "-"},
		"text,hex,explain=true,harmless":      {Format: Lines, Hex: true, Explain: true, Harmless: true},
		"json:/var/log/drops.json":            {Format: JSON, File: "/var/log/drops.json"},
		`json:a\,b\\c:d\e=f,hex,hex=false`:    {Format: JSON, File: `a,b\c:d\e=f`},
		"pcapng:drops.pcapng,link=raw":        {Format: PacketFile, File: "drops.pcapng", Link: pcapng.OnlyRaw},
		"pcapng:-,link=ethernet,link=any":     {Format: PacketFile, File: "-"},
		`json:trailing\`:                      {Format: JSON, File: `trailing\`},
		"json:/var/log/it's \x1b here,hex":    {Format: JSON, File: "/var/log/it's \x1b here", Hex: true},
		"text:http://[2001:db8::1]:1,hex":     {Format: Lines, File: "http://[2001:db8::1]:1", Hex: true},
		"json:" + strings.Repeat("x", 10_000): {Format: JSON, File: strings.Repeat("x", 10_000)},
	} {
		if got, err := ParseOutput(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, error %v, want %+v", text, got, err, want)
		}
	}
}

func TestParseOutputRefuses(t *testing.T) {
	const names = ": give one of: text, json, pcapng, journal, syslog, elastic, recorder"
	for text, want := range map[string]string{
		"":                       `unknown output ""` + names,
		"x":                      `unknown output "x"` + names,
		"jsn:file":               `unknown output "jsn": did you mean json?`,
		"JSON":                   `unknown output "JSON": did you mean json?`,
		" json":                  `unknown output " json": did you mean json?`,
		"json:":                  "give a target after the colon of json, or leave the colon out",
		"json,":                  `unknown option of output json "": give one of: hex, explain, rotate, age, keep, compress`,
		"json,hexx":              `unknown option of output json "hexx": did you mean hex?`,
		"json,harmless":          `unknown option of output json "harmless": give one of: hex, explain, rotate, age, keep, compress`,
		"json,link=raw":          `unknown option of output json "link": give one of: hex, explain, rotate, age, keep, compress`,
		"json,hex=":              "give a value for option hex of output json",
		"json,hex=yes":           `invalid value "yes" for option hex: give true or false`,
		"json,file=x":            `unknown option of output json "file": give one of: hex, explain, rotate, age, keep, compress`,
		"pcapng":                 "give a target: pcapng:FILE",
		"pcapng,link=raw":        "give a target: pcapng:FILE",
		"pcapng:x,link":          "give a value for option link: link=TYPE",
		"pcapng:x,link=wireless": `invalid value "wireless" for option link: give any, ethernet or raw`,
	} {
		if o, err := ParseOutput(text); err == nil || err.Error() != want {
			t.Errorf("%s: %+v, error %v, want %s", text, o, err, want)
		}
	}
}

// TestOutputOptions: every type has a help, and every option that it names, which every type has that it is for.
func TestOutputOptions(t *testing.T) {
	used := make(map[string]bool)
	for _, output := range OutputTypes() {
		if options := output.Options(); len(options) != len(output.options) || output.Help == "" {
			t.Errorf("%s: options %v of %q, help %q", output.Name, options, output.options, output.Help)
		}
		for _, name := range output.options {
			used[name] = true
		}
	}
	for _, option := range OutputOptions() {
		if !used[option.Name] || option.Help == "" {
			t.Errorf("%s: used %t, help %q", option.Name, used[option.Name], option.Help)
		}
	}
}

// TestOutputsBeside each other, in either order: what cannot share a file is refused.
func TestOutputsBeside(t *testing.T) {
	const text, mixed = "standard output cannot be that of two outputs", "standard output cannot hold packets and text"
	for _, tt := range []struct {
		a, b Output
		want string
	}{
		{Output{Format: Lines}, Output{Format: Table}, ""},
		{Output{Format: Lines}, Output{Format: JSON}, text},
		{Output{Format: JSON}, Output{Format: JSON, File: "-"}, text},
		{Output{Format: JSON}, Output{Format: JSON, File: "x"}, ""},
		{Output{Format: JSON, File: "x"}, Output{Format: Lines, File: "x"}, "x cannot be the file of two outputs: name another one"},
		{Output{Format: PacketFile, File: "x"}, Output{Format: Lines, File: "x"}, "x cannot be the file of two outputs: name another one"},
		{Output{Format: PacketFile, File: "-"}, Output{Format: Lines}, mixed},
		{Output{Format: PacketFile, File: "-"}, Output{Format: Table}, mixed},
		{Output{Format: PacketFile, File: "-"}, Output{Format: Table, Stderr: true}, ""},
		{Output{Format: PacketFile, File: "-"}, Output{Format: PacketFile}, text},
		{Output{Format: Custom}, Output{Format: Lines}, ""},
	} {
		for _, outputs := range [][]Output{{tt.a, tt.b}, {tt.b, tt.a}} {
			s := Spec{Outputs: outputs}
			err := s.checkOutputs()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
				t.Errorf("%+v: error %v, want %q", outputs, err, tt.want)
			}
		}
	}
}

// TestOlderFormats are for what TCP did, which is not among live drops.
func TestOlderFormats(t *testing.T) {
	outputs := []Output{{Format: Lines, File: "x", TCPLog: tcplog.Pcapgazer}}
	for want, s := range map[string]Spec{
		"format is for TCP retransmissions, which are not drops: use dropwatch retrans --output or pcap --output": {Outputs: outputs},
		"<nil>": {Outputs: outputs, Input: Input{Retransmits: true}},
	} {
		if err := s.checkOutputs(); fmt.Sprint(err) != want {
			t.Errorf("%+v: error %v, want %s", s.Input, err, want)
		}
	}
}

// TestRotationOptions: what says when a file is rotated.
func TestRotationOptions(t *testing.T) {
	o, err := ParseOutput("json:x,rotate=100M,age=24h,keep=7,compress")
	if want := (file.Options{Size: 100 << 20, Age: 24 * time.Hour, Keep: 7, Compress: file.Gzip}); err != nil || o.Log != want {
		t.Errorf("%+v, error %v", o.Log, err)
	}
	for value, want := range map[string]file.Compression{
		"true": file.Gzip, "gzip": file.Gzip, "zstd": file.Zstd, "false": file.Uncompressed,
	} {
		if o, err := ParseOutput("json:x,age=1h,compress=" + value); err != nil || o.Log.Compress != want {
			t.Errorf("%s: %+v, error %v", value, o.Log, err)
		}
	}
	const sizes = "give bytes, 4K or more, or as in 500K, 100M, 2G"
	for text, want := range map[string]string{
		"text:x,keep=3":                    "give rotate or age: keep and compress are for rotated files",
		"text,rotate=1M":                   "give the name of a file: standard output cannot be rotated",
		"text:-,age=1h":                    "give the name of a file: standard output cannot be rotated",
		"text:x,rotate=1000":               `invalid value "1000" for option rotate: ` + sizes,
		"text:x,rotate=1.5M":               `invalid value "1.5M" for option rotate: ` + sizes,
		"text:x,rotate=99999999999999999G": `invalid value "99999999999999999G" for option rotate: ` + sizes,
		"text:x,rotate=9999999999999T":     `invalid value "9999999999999T" for option rotate: ` + sizes,
		"text:x,rotate=-1M":                `invalid value "-1M" for option rotate: ` + sizes,
		"text:x,age=5":                     `invalid value "5" for option age: give a time of 1s or more, as in 30m, 24h`,
		"text:x,age=1h,keep=0":             `invalid value "0" for option keep: give a number from 1`,
		"text:x,age=1h,compress=xz":        `invalid value "xz" for option compress: give one of: gzip, zstd`,
		"text:x,age=1h,compress=ztsd":      `invalid value "ztsd" for option compress: did you mean zstd?`,
		"pcapng:x,rotate=1M":               `unknown option of output pcapng "rotate": give one of: link`,
	} {
		if o, err := ParseOutput(text); err == nil || err.Error() != want {
			t.Errorf("%s: %+v, error %v, want %s", text, o.Log, err, want)
		}
	}
	for text, want := range map[string]int64{"4096": 4096, "4K": 4096, "2G": 2 << 30, "1T": 1 << 40} {
		if o, err := ParseOutput("text:x,rotate=" + text); err != nil || o.Log.Size != want {
			t.Errorf("%s: %d, error %v, want %d", text, o.Log.Size, err, want)
		}
	}
}

// TestRemoteOutputs: where the outputs without a file are.
func TestRemoteOutputs(t *testing.T) {
	for text, want := range map[string]syslog.Options{
		"journal":                        {Journal: true, Network: "unixgram", Address: "/run/systemd/journal/socket"},
		"journal:/x":                     {Journal: true, Network: "unixgram", Address: "/x"},
		"syslog":                         {Network: "unixgram", Address: "/dev/log", Facility: 3},
		"syslog:udp://h,facility=local0": {Network: "udp", Address: "h:514", Facility: 16},
	} {
		if o, err := ParseOutput(text); err != nil || o.Format != Syslog || o.Syslog != want || o.OnStdout() {
			t.Errorf("%s: %+v, error %v", text, o.Syslog, err)
		}
	}
	o, err := ParseOutput("elastic:https://a:9200,url=https://b,daily=drops,spool=/var/spool/x,spool-size=2G,template=false," +
		"count=5,every=3s,explain")
	want := elastic.Options{
		URLs: []string{"https://a:9200", "https://b"}, Daily: "drops", Spool: "/var/spool/x", SpoolSize: 2 << 30, NoTemplate: true,
		Count: 5, Every: 3 * time.Second,
	}
	if err != nil || !reflect.DeepEqual(o.Elastic, want) || !o.Explain {
		t.Errorf("%+v, error %v", o, err)
	}
	if o, err := ParseOutput("text:x,format=pcapgazer,rotate=1M"); err != nil || o.TCPLog != tcplog.Pcapgazer || o.Log.Size != 1<<20 {
		t.Errorf("%+v, error %v", o, err)
	}
	for text, want := range map[string]string{
		"elastic":                      "give a target: elastic:URL",
		"elastic:h":                    "give a URL as in https://elastic.example.org:9200",
		"elastic:https://h,url=x":      "give a URL as in https://elastic.example.org:9200",
		"elastic:https://u:secret@h":   "give the URL without user and password: use user and password-file",
		"elastic:https://h,password=x": `unknown option of output elastic "password": did you mean password-file?`,
		"elastic:https://h,index=A":    `give a name of small letters, digits, - and .: "A" is no name of an index`,
		"text:x,format=x":              `invalid value "x" for option format: give tcptracer or pcapgazer`,
		"text:x,format=tcptracer,hex":  "give format without hex, explain and harmless: it has only what the older program has",
		"json:x,format=tcptracer":      `unknown option of output json "format": give one of: hex, explain, rotate, age, keep, compress`,
		"syslog:h":                     "give the path of a socket, or a server as in udp://logs.example.org or tcp://logs.example.org:601",
		"journal,facility=user":        `unknown option of output journal "facility": it has none`,
	} {
		if o, err := ParseOutput(text); err == nil || err.Error() != want {
			t.Errorf("%s: %+v, error %v, want %s", text, o, err, want)
		}
	}
}

// FuzzParseOutput: whatever is typed is an output or an error, and one that parses can be checked beside itself.
func FuzzParseOutput(f *testing.F) {
	for _, text := range []string{
		"text", `json:a\,b,rotate=1M,keep=2`, "elastic:https://h:9200,url=http://x,index=y,spool=/x,every=1s",
		"syslog:udp://h,facility=user", "recorder:/x,size=64M", "pcapng:-,link=raw", ",,=,:", `\`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, err := ParseOutput(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without a text")
			}
			return
		}
		s := Spec{Outputs: []Output{o}}
		if err := s.checkOutputs(); err != nil {
			t.Errorf("%q alone: %v", text, err)
		}
	})
}
