package kallsyms_test

import (
	"strings"
	"testing"

	"dropwatch/kallsyms"
)

func TestDemangle(t *testing.T) {
	tests := []struct{ name, want string }{
		{"", ""},
		{"kfree_skb", "kfree_skb"},
		{"__pfx_kfree_skb", "__pfx_kfree_skb"},
		{"do_exit.cold", "do_exit.cold"},
		{"_raw_spin_lock", "_raw_spin_lock"},
		{"_RET_IP", "_RET_IP"}, // looks like Rust, is not
		{"_Znot", "_Znot"},
		{"_R", "_R"},
		{"_Z", "_Z"},
		{"_ZNE.", "_ZNE."},
		{"_RNvCs3tyAbcdEfgh_4ring4push", "ring::push"},
		{"_RNvCs3tyAbcdEfgh_4ring4push.cold", "ring::push.cold"},
		{"_RNvXs_Cs3tyAbcdEfgh_2exNtB4_6DriverNtNtCs1aBcDeFgHiJ_6kernel3net6Device4xmit", "<ex::Driver as kernel::net::Device>::xmit"},
		{"_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE", "core::fmt::Formatter::write_str"},
		{"_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE.llvm.42", "core::fmt::Formatter::write_str.llvm.42"},
		{"_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h0123456789abcdefE", "core::ptr::drop_in_place<alloc::string::String>"},
		{"_ZN3net4Ring4pushEi", "net::Ring::push(int)"},
	}
	for _, tt := range tests {
		if got := kallsyms.Demangle(tt.name); got != tt.want {
			t.Errorf("Demangle(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzDemangle(f *testing.F) {
	for _, name := range []string{
		"kfree_skb", "_R", "_RNvCs3tyAbcdEfgh_4ring4push.cold", "_ZN3net4Ring4pushEi",
		"_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE.llvm.42",
		"_RNvXs_Cs3tyAbcdEfgh_2exNtB4_6DriverNtNtCs1aBcDeFgHiJ_6kernel3net6Device4xmit",
		"_RINvC1aBp_BnE", "_RNvB_1a", "_ZZZZ", "_ZNSt6vectorIiSaIiEE9push_backEOi",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 512 { // KSYM_NAME_LEN
			return
		}
		got := kallsyms.Demangle(name)
		if !strings.HasPrefix(name, "_R") && !strings.HasPrefix(name, "_Z") && got != name {
			t.Errorf("Demangle(%q) = %q, want it unchanged", name, got)
		}
		if len(got) > 1024+len(name) {
			t.Errorf("Demangle(%q) has %d bytes", name, len(got))
		}
	})
}
