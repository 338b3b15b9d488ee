// Package detailtest has tests that several sources pass: real drops of which tracepoints beside
// skb:kfree_skb say more, or which they alone report.
package detailtest
