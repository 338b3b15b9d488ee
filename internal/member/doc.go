// Package member reads C expressions over the arguments of a kernel function and what they
// point to, such as "sk->sk_ack_backlog > sk->sk_max_ack_backlog". It types them against the
// running kernel's BTF and says which values are to be read there, and what to make of them.
//
// It reads nothing in the kernel itself: a source reads each [Load], with a kprobe event or
// BPF, and [Expr.Eval] gives the value of the expression.
//
//	types := member.NewTypes(btf.NewCache())
//	function, err := types.Function("tcp_conn_request")
//	full, err := function.Compile("sk->sk_ack_backlog > sk->sk_max_ack_backlog")
//	value, ok := full.Eval([]member.Value{member.Number(129), member.Number(128)})
//
// An expression is C's: member paths with -> and . and constant indices, casts to structs and
// integers by name, unary - ! ~ * &, the operators * / % + - << >> < <= > >= == != & ^ | && ||,
// parentheses, numbers, characters, and constants of enums by name. Besides, there are:
//
//   - . behind a pointer, where C has ->, as in the files of rtrace-drop: sk.sk_state;
//   - $retval, what the function returned, and $arg1, its first argument, whatever its name;
//   - ntohs(), ntohl(), htons() and htonl(), and casts of the kernel such as tcp_sk(sk);
//   - structs that only wrap a value, such as atomic_t: sk->sk_backlog.rmem_alloc;
//   - strings, which == and != compare: skb->dev->name == "eth0";
//   - the kernel's macros for members of struct sock_common, such as sk->sk_state;
//   - a display at the end, where the type does not say it, as in skb->len:x: :d :x :ip :mac
//     :port :string :enum :symbol.
//
// Pointers have 64 bits.
package member
