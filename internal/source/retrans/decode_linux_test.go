package retrans

import (
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
)

// bytesOf are those of a record in the ring.
func bytesOf(r *retransRecord) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(r)), unsafe.Sizeof(*r))
}

func decoderOf() decoder {
	return decoder{
		names: make(map[[16]int8]string), reasons: map[uint32]string{1: "NO_SOCKET"},
		socketID: func(n uint64) uint64 { return n },
	}
}

func TestTypeOf(t *testing.T) {
	const syn, ack = uint8(event.SYN), uint8(event.ACK)
	state := func(s event.CongestionState) uint8 { return uint8(s) }
	tests := []struct {
		record retransRecord
		want   event.SegmentType
	}{
		{retransRecord{Kind: retransKindSYNACK, Flags: syn | ack}, event.SYNACKRetransmit},
		{retransRecord{Flags: syn, CongestionState: state(event.CongestionLoss)}, event.SYNRetransmit},
		{retransRecord{Flags: ack, CongestionState: state(event.CongestionRecovery), Pending: lossProbe}, event.FastRetransmit},
		{retransRecord{Flags: ack, CongestionState: state(event.CongestionLoss), Pending: lossProbe}, event.TimeoutRetrans},
		{retransRecord{Flags: ack, CongestionState: state(event.CongestionOpen), Pending: lossProbe}, event.TailLossProbe},
		{retransRecord{Flags: ack, CongestionState: state(event.CongestionCWR), Pending: 1}, event.Retransmission},
		{retransRecord{Kind: retransKindSEND_RESET}, event.SegmentUnknown},
		{retransRecord{Kind: retransKindRECEIVE_RESET}, event.SegmentUnknown},
	}
	for i, tt := range tests {
		if got := typeOf(&tt.record); got != tt.want {
			t.Errorf("record %d: %v, want %v", i, got, tt.want)
		}
	}
}

// TestSentAt: the stamp of a segment is used unless it is of another time.
func TestSentAt(t *testing.T) {
	const now = uint64(time.Hour)
	for stamp, want := range map[uint64]uint64{
		now - 5: now - 5, now: now, now + 1: now, 0: now, now - uint64(time.Second): now,
	} {
		if got := sentAt(&retransRecord{Time: now, SentAt: stamp}); got != want {
			t.Errorf("stamp %d: %d, want %d", stamp, got, want)
		}
	}
}

func TestErrorName(t *testing.T) {
	for n, want := range map[int32]string{-int32(unix.EPERM): "EPERM", 1: "1", -100000: "-100000"} {
		if got := errorName(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

// TestRecord decodes a RST that was received on an IPv6 socket for IPv4, and one that was sent for no socket.
func TestRecord(t *testing.T) {
	d := decoderOf()
	var e event.Event
	r := retransRecord{Kind: retransKindRECEIVE_RESET, Reason: 1, Time: 7}
	r.Owner.Family, r.Owner.LocalPort, r.Owner.RemotePort, r.Owner.Cookie = unix.AF_INET6, 443, 50000, 9
	r.Owner.Local = [16]uint8{10: 0xff, 11: 0xff, 12: 192, 14: 2, 15: 1}
	r.Owner.Remote = [16]uint8{10: 0xff, 11: 0xff, 12: 198, 13: 51, 14: 100, 15: 7}
	if !d.record(bytesOf(&r), &e) {
		t.Fatal("not decoded")
	}
	f := e.Packet.Flow
	if e.Kind != event.Reset || e.Reason != "" || f.Network != event.IPv4 || f.Src.String() != "198.51.100.7" || f.SrcPort != 50000 ||
		f.DstPort != 443 || f.TCPFlags != event.RST || f.Has(event.FieldSeq) ||
		e.Segment.Direction != event.Incoming || e.Owner.Socket == nil {
		t.Errorf("%+v of %+v", e, f.Headers)
	}
	r.Kind, r.Known, r.Ack, r.Owner.Cookie = retransKindSEND_RESET, retransKnownKNOWN_SEQ|retransKnownKNOWN_ACK, 8, 0
	r.Error = -int32(unix.EPERM)
	if !d.record(bytesOf(&r), &e) || e.Reason != "NO_SOCKET" || f.SrcPort != 443 || f.TCPFlags != event.RST|event.ACK || f.Ack != 8 ||
		e.Owner.Socket != nil || len(e.Args) != 1 || e.Args[0].Text != "EPERM" {
		t.Errorf("%+v of %+v", e, f.Headers)
	}
}

// TestWrongRecords are refused.
func TestWrongRecords(t *testing.T) {
	d := decoderOf()
	r := retransRecord{Kind: retransKindKINDS}
	for _, raw := range [][]byte{nil, {1}, bytesOf(&r), bytesOf(&retransRecord{})[1:], append(bytesOf(&retransRecord{}), 0)} {
		if d.record(raw, new(event.Event)) {
			t.Errorf("%d bytes are a record", len(raw))
		}
	}
}
