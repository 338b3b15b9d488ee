// Package drops makes the kernel drop real packets: known numbers, in a network
// namespace of its own, on the machine that runs the tests as well as in a
// guest of package vmtest. It needs root, ip and nft.
package drops
