package filter_test

import (
	"errors"
	"strings"
	"testing"

	"dropwatch/internal/stage/filter"
)

func TestErrors(t *testing.T) {
	tests := []struct {
		text   string
		column int
		marked string
		reason string
	}{
		{"", 1, "", "an expression is missing, such as reason == NO_SOCKET or udp port 53"},
		{" \t", 3, "", "an expression is missing, such as reason == NO_SOCKET or udp port 53"},

		{"resaon == A", 1, "resaon", `unknown field "resaon": did you mean reason?`},
		{"ip and ip.tll < 3", 8, "ip.tll", `unknown field "ip.tll": did you mean ip.ttl?`},
		{"inner.udp.prt 5", 1, "inner.udp.prt", `unknown field "udp.prt": did you mean udp.port?`},
		{"zzzzzz", 1, "zzzzzz", `unknown field "zzzzzz": dropwatch help filter lists them`},
		{"port 53 or 54", 12, "54", `unknown field "54": for one of several values write port in {53, 54}`},
		{"udp port {53, 54} or 55", 22, "55", `unknown field "55": for one of several values write udp.port in {53, 54, 55}`},
		{"iface lo or eth0", 13, "eth0", `unknown field "eth0": for one of several values write iface in {lo, eth0}`},
		{"tcp host 192.0.2.1", 1, "tcp host", "tcp does not go with host: write tcp and host"},
		{"ip  src port 5", 1, "ip  src port", "ip does not go with src port: write ip and src port"},
		{"tcp[13] & 2 != 0", 1, "tcp[13]", "the bytes of a packet have no offsets here: name a field, as in tcp.flags has syn"},
		{"inner reason == A", 1, "inner reason", "reason is of the drop, not of a packet: leave out inner"},
		{"quoted.vni 5", 1, "quoted.vni", "vni is of the drop, not of a packet: leave out quoted"},
		{"inner", 6, "", "a field is missing here, such as reason, symbol, host or port"},
		{"ip and", 7, "", "a field is missing here, such as reason, symbol, host or port"},
		{"and ip", 1, "and", "a field is missing here, such as reason, symbol, host or port"},
		{"ip or or ip", 7, "or", "a field is missing here, such as reason, symbol, host or port"},
		{`ip or "x"`, 7, `"x"`, "a field is missing here, such as reason, symbol, host or port"},
		{"not", 4, "", "a field is missing here, such as reason, symbol, host or port"},

		{"(ip", 1, "(", "this parenthesis is not closed"},
		{"netns /root ^x", 13, "^x", `"^x" is not expected here: quote the expression, as a shell makes a directory of ~`},
		{"(ip arp)", 5, "arp", `"arp" is not expected here: join comparisons with and, or`},
		{"icmp type 3", 6, "type", `"type" is not expected here: write icmp.type == 3`},
		{"tcp and TCP Flags syn", 13, "Flags", `"Flags" is not expected here: write tcp.flags has syn`},
		{"ip TTL", 4, "TTL", `"TTL" is not expected here: write ip.ttl`},
		{"ip)", 3, ")", `")" is not expected here: join comparisons with and, or`},
		{"port 53 54", 9, "54", `"54" is not expected here: join comparisons with and, or`},
		{"ip & arp", 4, "&", `"&" is not expected here: join comparisons with and, or`},
		{"port in {5, 6", 9, "{", "this brace is not closed"},
		{`comm == "a`, 9, `"a`, "this quote has no end"},
		{"ip and \x1b", 8, "\x1b", `a character that cannot be shown: in a regexp, write \x1b and the like`},

		{"port ==", 8, "",
			"a value is missing here: port is a number from 0 to 65535, a range such as 8000-8080, or a service such as domain"},
		{"ttl in {}", 9, "}", "a value is missing here: ttl is a number from 0 to 255"},
		{"len > and ip", 7, "and", "a value is missing here: len is a number from 0 to 4294967295"},
		{"less", 5, "", "a value is missing here: len is a number from 0 to 4294967295"},
		{"frag == 1", 6, "==", "frag is yes or no, and takes no value"},
		{"origin < hw", 8, "<", "origin has no <: it takes == or !="},
		{"host ~ 1", 6, "~", "host has no ~: it takes == or !="},
		{"iface > 3", 7, ">", "iface has no >: it takes ==, !=, ~ or !~"},
		{"socket listning", 8, "listning",
			`invalid socket "listning": it is established, syn-sent, syn-recv, fin-wait-1, fin-wait-2, time-wait, close, ` +
				`close-wait, last-ack, listen, closing, new-syn-recv or bound`},
		{"proces nginx", 1, "proces", `unknown field "proces": did you mean process?`},
		{"netns.inode blue", 13, "blue", `invalid netns.inode "blue": it is a number from 0 to 4294967295`},
		{"inner process nginx", 1, "inner process", "process is of the drop, not of a packet: leave out inner"},
		{"comm has a", 6, "has", "task.comm has no has: it takes ==, !=, ~ or !~"},

		{"origin hard", 8, "hard", `invalid origin "hard": it is sw, hw or unknown`},
		{"tunnel 13", 8, "13", `invalid tunnel "13": it is gre, vxlan, geneve or ipip`},
		{"port 65536", 6, "65536",
			`invalid port "65536": it is a number from 0 to 65535, a range such as 8000-8080, or a service such as domain`},
		{"port 9-5", 6, "9-5",
			`invalid port "9-5": it is a number from 0 to 65535, a range such as 8000-8080, or a service such as domain`},
		{"ttl < 1-5", 7, "1-5", "a range does not go with <: give a number"},
		{"ttl < {1, 5}", 11, "5", "< takes one value: several go with == or !="},
		{"inner.ttl -1", 11, "-1", `invalid inner.ttl "-1": it is a number from 0 to 255`},
		{"icmp.type ecko-request", 11, "ecko-request",
			`invalid icmp.type "ecko-request": it is a number from 0 to 255, or a name such as echo-request, echo-reply or ` +
				`unreachable; did you mean echo-request?`},
		{"proto apr", 7, "apr",
			`invalid proto "apr": it is a number from 0 to 0xffff, or a name such as ipv4, ipv6 or arp; did you mean arp?`},
		{"tcp.flags has syn+foo", 15, "syn+foo",
			`invalid tcp.flags "syn+foo": it is flags such as syn or syn+ack: fin, syn, rst, psh, ack, urg, ece or cwr`},
		{"tcp.flags has 0", 15, "0", "no flag given: for packets without flags write tcp.flags == 0"},
		{"host example.com", 6, "example.com",
			`invalid address "example.com": it is an address or a network such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32`},
		{"net 10.0.0.0/33", 5, "10.0.0.0/33",
			`invalid address "10.0.0.0/33": it is an address or a network such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32`},
		{"src fe80::1%lo", 5, "fe80::1%lo",
			`invalid address "fe80::1%lo": it is an address or a network such as 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32`},
		{"ether host 1:2", 12, "1:2", `invalid address "1:2": it is an Ethernet address such as 02:00:5e:00:53:01`},
		{"cookie xyz", 8, "xyz", `invalid cookie "xyz": it is bytes in hexadecimal, such as 0x00c0ffee`},
		{"point a+b", 7, "a+b", `invalid location "a+b": it is a function, function+0x1a2, a trap or a point, with * for anything`},
		{"symbol ~ a(", 10, "a(", "invalid regular expression: missing closing ): `a(`"},
		{"reason == 3", 11, "3", "the numbers of reasons differ between kernels: give a name such as NO_SOCKET"},
		{"reason SKB_DROP_REASON_3", 8, "SKB_DROP_REASON_3",
			"the numbers of reasons differ between kernels: give a name such as NO_SOCKET"},
		{`reason == ""`, 11, `""`, "an empty reason matches nothing: for drops without one write not reason"},
		{strings.Repeat("(", 201) + "ip", 201, "(", "nested more than 200 deep"},
		{strings.Repeat("not ", 201) + "ip", 801, "not", "nested more than 200 deep"},
		{strings.Repeat("z", 99), 1, strings.Repeat("z", 99), `unknown field "` + strings.Repeat("z", 32) +
			`...": dropwatch help filter lists them`},
	}
	for _, tt := range tests {
		f, err := filter.Parse(tt.text)
		var e *filter.Error
		switch {
		case f != nil || !errors.As(err, &e):
			t.Errorf("%s: %v, %v, want an error", tt.text, f, err)
		case e.Column() != tt.column || e.Reason != tt.reason || e.Text != tt.text || e.Text[e.Start:e.End] != tt.marked:
			t.Errorf("%s: column %d, %q, %s\nwant column %d, %q, %s",
				tt.text, e.Column(), e.Text[e.Start:e.End], e.Reason, tt.column, tt.marked, tt.reason)
		}
	}
}

func TestErrorsForAPerson(t *testing.T) {
	long := strings.Repeat("reason == A or ", 8)
	tests := map[string]string{
		"ip and resaon == A": `column 8: unknown field "resaon": did you mean reason?
  ip and resaon == A
         ^^^^^^`,
		"port in": `column 8: a value is missing here: port is a number from 0 to 65535, ` +
			`a range such as 8000-8080, or a service such as domain
  port in
         ^`,
		"comm ä or \x1b[2J": `column 11: a character that cannot be shown: in a regexp, write \x1b and the like
  comm ä or \x1b[2J
            ^^^^`,
		long + "ttl 999 or " + long: `column 125: invalid ttl "999": it is a number from 0 to 255
  ...ason == A or reason == A or ttl 999 or reason == A or reason == A o...
                                     ^^^`,
	}
	for text, want := range tests {
		_, err := filter.Parse(text)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n%v\nwant\n%s", text, err, want)
		}
	}
}
