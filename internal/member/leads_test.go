package member

import "testing"

// TestLeads: types lead to members, also to those of members, of arrays and behind pointers, but not where C needs a cast.
func TestLeads(t *testing.T) {
	f := demo(t)
	for text, want := range map[string]bool{
		"sk->sk_ack_backlog": true, "sk->__sk_common.skc_num": true, "sk->sk_rcvbuf": true, "sk->lo": true,
		"sk->sk_dev->ifindex": true, "sk->sk_dev->name": true, "sk->sk_stats[1].b": true, "sk->sk_grid[1][2]": true,
		"sk->__sk_common.skc_v6_daddr": true, "sk->sk_kind": true, "(unsigned long)sk->sk_dev": true, "sk->sk_refcnt.refs.counter": true,
		"((struct sock *)sk->sk_dev)->sk_word": false, "((struct stat *)sk->sk_any)->b": false, "sk->sk_small": true,
		"sk->sk_text": false, "*(int *)((unsigned long)sk + 1000)": false,
	} {
		e, err := f.Compile(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for _, l := range e.Loads {
			if f.Leads(l) != want {
				t.Errorf("%s: %v, want %v: %+v", text, !want, want, l)
			}
		}
	}
	if f.Leads(Load{Arg: ReturnValue, Offsets: []int64{0}, Size: 4}) || f.Leads(Load{Arg: 0, Size: 8}) || f.Leads(Load{Arg: 99}) {
		t.Error("what is no member of an argument")
	}
}
