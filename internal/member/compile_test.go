package member

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLoads: where a value lies, as in C.
func TestLoads(t *testing.T) {
	f := demo(t)
	u32 := func(offsets ...int64) Load { return Load{Offsets: offsets, Size: 4} }
	for text, want := range map[string]Load{
		"n":                              {Arg: 1, Size: 4, Signed: true},
		"$arg4":                          {Arg: 3, Size: 2},
		"$retval":                        {Arg: ReturnValue, Size: 4, Signed: true},
		"sk":                             {Size: 8},
		"sk->sk_ack_backlog":             u32(32),
		"(*sk).sk_max_ack_backlog":       u32(36),
		"sk->sk_rcvbuf":                  {Offsets: []int64{40}, Size: 4, Signed: true},
		"sk->hi":                         {Offsets: []int64{42}, Size: 2},
		"sk->__sk_common.skc_family":     {Offsets: []int64{8}, Size: 2},
		"sk->sk_family":                  {Offsets: []int64{8}, Size: 2},
		"sk->sk_state":                   {Offsets: []int64{10}, Size: 1},
		"sk->sk_dev->mtu":                u32(56, 20),
		"sk.sk_dev.mtu":                  u32(56, 20),
		"sk->sk_dev":                     {Offsets: []int64{56}, Size: 8},
		"sk->sk_dev->name":               {Offsets: []int64{56, 0}, Array: 16, String: true},
		"sk->sk_dev->name[3]":            {Offsets: []int64{56, 3}, Size: 1},
		"sk->sk_stats[2].b":              {Offsets: []int64{112}, Size: 8, Signed: true},
		"sk->sk_stats->a":                {Offsets: []int64{72}, Size: 8},
		"(sk->sk_stats + 1)->a":          {Offsets: []int64{88}, Size: 8},
		"(&sk->sk_stats[3] - 1)->a":      {Offsets: []int64{104}, Size: 8},
		"sk->sk_grid[1][2]":              {Offsets: []int64{242}, Size: 2},
		"sk->sk_tail[3]":                 u32(256),
		"sk[1].sk_ack_backlog":           u32(304),
		"sk[-1].sk_ack_backlog":          u32(-240),
		"(*sk->sk_next)->sk_ack_backlog": u32(144, 0, 32),
		"sk->sk_next[1]->sk_next[0]":     {Offsets: []int64{144, 8, 144, 0}, Size: 8},
		"sk->sk_name":                    {Offsets: []int64{136}, Array: 8, String: true},
		"sk->sk_text":                    {Offsets: []int64{160, 0}, Array: MaxString, String: true},
		"*sk->sk_text":                   {Offsets: []int64{160, 0}, Size: 1},
		"name":                           {Arg: 2, Offsets: []int64{0}, Array: MaxString, String: true},
		"sk->sk_mac":                     {Offsets: []int64{176}, Array: 6},
		"sk->sk_any:string":              {Offsets: []int64{192, 0}, Array: MaxString, String: true},
		"sk->sk_three":                   {Offsets: []int64{48}, Size: 1, BitSize: 3},
		"sk->sk_five":                    {Offsets: []int64{48}, Size: 1, Signed: true, BitOffset: 3, BitSize: 5},
		"sk->sk_refcnt":                  {Offsets: []int64{264}, Size: 4, Signed: true},
		"sk->sk_refcnt > 0":              {Offsets: []int64{264}, Size: 4, Signed: true},
		"sk->sk_refcnt.refs.counter:x":   {Offsets: []int64{264}, Size: 4, Signed: true},
		"sk->sk_flex":                    {Offsets: []int64{272}, Array: MaxString, String: true},
		"sk->sk_mac:mac":                 {Offsets: []int64{176}, Array: 6},
		"sk->sk_any:mac":                 {Offsets: []int64{192, 0}, Array: 6},
		"sk->sk_forty":                   {Offsets: []int64{48}, Size: 8, BitOffset: 8, BitSize: 40},
		"sk->sk_byte":                    {Offsets: []int64{54}, Size: 1, BitSize: 8},
		"sk->sk_bit":                     {Offsets: []int64{55}, Size: 1, BitOffset: 7, BitSize: 1},
		"sk->sk_v6_daddr":                {Offsets: []int64{16}, Array: 16},
		"*in6":                           {Arg: 8, Offsets: []int64{0}, Array: 16},
		"in6:ip":                         {Arg: 8, Offsets: []int64{0}, Array: 16},
		"sk->sk_addr":                    {Offsets: []int64{200}, Array: 4},
		"sk->sk_addr.s_addr":             u32(200),
		"sk->sk_ext->use":                {Offsets: []int64{184, 0}, Size: 4, Signed: true},
		"((struct sock *)sk->sk_any)->sk_ack_backlog": u32(192, 32),
		"((struct ext_conn *)(sk->sk_nfct - 2))->use": {Offsets: []int64{224, -2}, Size: 4, Signed: true},
		"((struct sock *)big)->sk_ack_backlog":        {Arg: 6, Offsets: []int64{32}, Size: 4},
		"*(u8 *)((char *)sk + 3)":                     {Offsets: []int64{3}, Size: 1},
		"*(unsigned char *)(sk->sk_any + 3)":          {Offsets: []int64{192, 3}, Size: 1},
		"&sk->sk_ack_backlog":                         {Size: 8},
	} {
		if diff := cmp.Diff([]Load{want}, compiled(t, f, text).Loads); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// TestLoadsOnce: a value that is used twice is read once.
func TestLoadsOnce(t *testing.T) {
	e := compiled(t, demo(t), "sk->sk_ack_backlog > n && (n < 0 || sk->sk_ack_backlog == sk->sk_ack_backlog) && sk->sk_dev->mtu")
	want := []Load{{Offsets: []int64{32}, Size: 4}, {Arg: 1, Size: 4, Signed: true}, {Offsets: []int64{56, 20}, Size: 4}}
	if diff := cmp.Diff(want, e.Loads); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestBitFields: on big-endian hosts the compiler allocates from the highest bit.
func TestBitFields(t *testing.T) {
	for _, test := range []struct {
		offset, width int64
		big           bool
		start         int64
		size, shift   int
	}{
		{384, 3, false, 48, 1, 0}, {384, 3, true, 48, 1, 5},
		{387, 5, false, 48, 1, 3}, {387, 5, true, 48, 1, 0},
		{392, 40, false, 48, 8, 8}, {392, 40, true, 48, 8, 16},
		{6, 4, false, 0, 2, 6}, {6, 4, true, 0, 2, 6},
		{12, 8, true, 0, 4, 12}, {28, 8, false, 0, 8, 28},
	} {
		start, size, shift, ok := bitField(test.offset, test.width, test.big)
		if !ok || start != test.start || size != test.size || shift != test.shift {
			t.Errorf("%+v: at %d, %d bytes, shifted by %d, %v", test, start, size, shift, ok)
		}
	}
	if _, _, _, ok := bitField(60, 8, false); ok {
		t.Error("bits 60 to 67 are in no integer of 8 bytes")
	}
}

// TestErrors: what is wrong, and what is there instead.
func TestErrors(t *testing.T) {
	f := demo(t)
	for text, want := range map[string]string{
		"sk->sk_ackbacklog > 3": "sk->sk_ackbacklog: struct sock has no member sk_ackbacklog: it has sk_ack_backlog",
		"n + sk->lo.x":          "sk->lo.x: sk->lo has the type u16, which has no members",
		"sk->skc_state":         "sk->skc_state: struct sock has no member skc_state: it has __sk_common.skc_state",
		"sk->u6":                "sk->u6: struct sock has no member u6: it has __sk_common.skc_v6_daddr.in6_u.u6",
		"sk->sk_user->a":        "sk->sk_user->a: sk->sk_user points to the memory of a process, which is not read here",
		"sk->sk_cpu:ip":         "sk->sk_cpu: sk->sk_cpu points to memory of each CPU: its address is an offset only",
		"*sk->sk_cpu":           "*sk->sk_cpu: sk->sk_cpu points to memory of each CPU: its address is an offset only",
		"sk->__sk_common->x":    "sk->__sk_common->x: sk->__sk_common has the type struct sock_common, not a pointer: use . instead of ->",
		"sk->l0":                "sk->l0: struct sock has no member l0: it has lo",
		"sk->sk_dev->mtu[1]":    "sk->sk_dev->mtu[1]: sk->sk_dev->mtu has the type unsigned int, which has no elements",
		"sk->sk_stats[4].a":     "sk->sk_stats[4]: sk->sk_stats has the type struct stat [4]: its elements are [0] to [3]",
		"sk->sk_stats[-1].a":    "sk->sk_stats[-1]: sk->sk_stats has the type struct stat [4]: its elements are [0] to [3]",
		"sk->sk_stats[n].a":     "n: an index must be a constant",
		"sk->sk_stats == 0 || sk->sk_stats[0] == 1": "sk->sk_stats: has the type struct stat [4], which has no single value: " +
			"take one of its elements, as in [0]",
		"*sk == 1": "*sk: has the type struct sock, which has no single value: take one of its members: it has __sk_common, ",
		"sk->sk_v6_daddr == 0": "sk->sk_v6_daddr: has the type struct in6_addr, which has no single value: " +
			"take one of its members: it has in6_u",
		"sk->__sk_common": "sk->__sk_common: has the type struct sock_common, which has no single value: " +
			"take one of its members: it has skc_daddr, ",
		"*n":             "*n: n has the type int, not a pointer",
		"*sk->sk_any":    "*sk->sk_any: a void * points to nothing that has a type: cast it first",
		"*sk->sk_ready":  "*sk->sk_ready: points to a function, which has no value",
		"sk->sk_gone->x": "sk->sk_gone->x: struct gone has no members on this kernel: its module may not be loaded",
		"sk->sk_huge":    "sk->sk_huge: has the type __int128, which has no single value",
		"sky->x":         "sky: demo has no argument sky, and this kernel no such constant of an enum: it has sk",
		"TCP_LISTN": "TCP_LISTN: demo has no argument TCP_LISTN, and this kernel no such constant of an enum: " +
			"did you mean TCP_LISTEN?",
		"AMBIGUOUS == n":       "AMBIGUOUS: enums of this kernel have different values for it: use the number",
		"((struct sok *)n)->x": "((struct sok *)n): there is no type struct sok on this kernel: did you mean sock?",
		"(struct sock *)n": "(struct sock *)n: " +
			"only an integer of 8 bytes that is read, and a constant added to it, can be cast to a pointer",
		"((struct dup *)sk)->a": "((struct dup *)sk): this kernel has 2 different types struct dup",
		"(struct sock)sk":       "(struct sock)sk: cannot be cast to struct sock: only to integers, enums and pointers",
		"sk + n":                "sk + n: only a constant can be added to a pointer or subtracted from it",
		"sk - sk":               "sk - sk: pointers cannot be added or subtracted here: cast them to long",
		"&n":                    "&n: has no address",
		"&sk->sk_three":         "&sk->sk_three: has no address",
		"sk[100000000]":         "sk[100000000]: is too far from where the pointer points to",
		"1 / 0":                 "1 / 0: has no value: a division by 0, or a shift by more bits than there are",
		"n % (1 - 1)":           "n % (1 - 1): has no value: a division by 0, or a shift by more bits than there are",
		"n << 32":               "n << 32: has no value: a division by 0, or a shift by more bits than there are",
		"name > \"x\"":          "\"x\": is a string: only == and != compare it, with another string",
		"n == \"x\"":            "n: has the type int, not a string",
		"-sk->sk_name":          "sk->sk_name: is a string: a number is needed",
		"max(n)":                "max(n): there is no function max here: use a member, or one of htonl, htons, ntohl, ntohs, inet_csk, ",
		"$arg13":                "$arg13: demo has 12 arguments",
		"n:hex":                 "n:hex: unknown display hex: give one of: d, enum, ip, mac, port, string, symbol, x",
		"big:port":              "big: has the type u64: a port is an integer of 2 bytes",
		"sk->sk_stats:ip":       "sk->sk_stats: has the type struct stat [4] of 64 bytes: an address has 4 or 16",
		"n:mac":                 "n: has the type int: a MAC address is 6 bytes, or behind a pointer to bytes",
		"sk->sk_tail:mac":       "sk->sk_tail: has the type u32 [0]: a MAC address is 6 bytes, or behind a pointer to bytes",
		"n:enum":                "n: has the type int: cast it to an enum, as in (enum tcp_ca_state)x",
		"n:string":              "n: has the type int, not a string",
		"":                      ": unexpected the end of the expression: expected a name, a number or a string",
		"n > > 3":               "n > >: unexpected >: expected a name, a number or a string",
		"(n":                    "(n: unexpected the end of the expression: expected )",
		"n n":                   "n n: unexpected n: expected an operator or the end",
		"sk->":                  "sk->: unexpected the end of the expression: expected the name of a member behind ->",
		"n = 3":                 "n =: unexpected character '='",
		"n \x1b[2J":             `n \x1b: unexpected character '\x1b'`,
		"n \"\x1b[2J\"":         `n "\x1b[2J": unexpected "\x1b[2J": expected an operator or the end`,
		"\xff":                  `\xff: unexpected character '`,
		"n – 3":                 "n –: unexpected character '–'",
		"09 == n":               "09: 09 is not a number of C",
		"1_000":                 "1_000: 1_000 is not a number of C",
		"'ab'":                  "'ab': not a string or character of C",
		"\"ab":                  "\"ab: missing closing \"",
	} {
		_, err := f.Compile(text)
		if err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
			t.Errorf("%s:\n got %v\nwant %s", text, err, want)
		}
	}
}
