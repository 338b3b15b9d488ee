// Package drops loses real packets in known numbers and ways, in a network
// namespace of its own, on the machine that the tests run on as well as in a
// guest of package vmtest. It needs root, ip and nft.
package drops
