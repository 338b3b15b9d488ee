// Package pcap is the source of what TCP did in capture files: pcap and pcapng, also compressed with gzip
// or zstd. It reads them in order, in a memory that does not grow with their size, and emits what package
// retrans makes of their segments.
package pcap
