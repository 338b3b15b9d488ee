package knowledge

import (
	"strings"
	"testing"

	"dropwatch/internal/event"
)

// driverNames are statistics of drivers, each after what it means.
const driverNames = `
bandwidth_allowance bw_in_allowance_exceeded
bandwidth_allowance bw_out_allowance_exceeded
pps_allowance       pps_allowance_exceeded
conntrack_allowance conntrack_allowance_exceeded
linklocal_allowance linklocal_allowance_exceeded
-                   conntrack_allowance_available
-                   queue_0_rx_page_alloc
rx_alloc_failed     queue_0_rx_page_alloc_fail
rx_checksum         queue_1_rx_csum_bad
tx_waited           queue_0_tx_queue_stop
tx_errors           queue_0_tx_dma_mapping_err
xdp_drop            queue_0_rx_xdp_drop
xdp_failed          queue_0_rx_xdp_aborted
rx_missed           rx_overruns
rx_missed           rx_out_of_buffer
rx_missed           dev_internal_queue_oob
rx_discards         rx_discards_phy
tx_dropped          tx_discards_phy
rx_discards         rx_prio3_discards
rx_discards         outbound_pci_buffer_overflow
pci_stalled         outbound_pci_stalled_wr_events
rx_damaged          rx_crc_errors_phy
rx_damaged          rx_in_range_len_errors_phy
rx_damaged          rx_symbol_err_phy
-                   rx_corrected_bits_phy
-                   rx_64_bytes_phy
rx_too_long         rx_oversize_pkts_phy
rx_filtered         rx_steer_missed_packets
rx_filtered         rx_if_down_packets
rx_alloc_failed     rx0_buff_alloc_err
rx_errors           rx_wqe_err
tx_errors           tx_cqe_err
tx_waited           tx_queue_stopped
-                   tx_queue_wake
tx_dropped          tx_queue_dropped
rx_pause            rx_pause_ctrl_phy
tx_pause            tx_prio3_pause
link_fault          link_down_events_phy
xdp_failed          rx_xdp_tx_full
rx_missed           rx_missed_errors
rx_no_buffer        rx_no_buffer_count
rx_missed           rx_no_dma_resources
rx_missed           rx_fifo_errors
rx_damaged          rx_length_errors
rx_too_long         rx_long_length_errors
rx_damaged          rx_short_length_errors
-                   alloc_rx_page
rx_alloc_failed     alloc_rx_page_failed
rx_checksum         rx_csum_offload_errors
-                   fdir_overflow
-                   rx_hwtstamp_cleared
-                   dropped_smbus
tx_timeout          tx_timeout_count
tx_waited           tx_restart_queue
tx_waited           tx_queue_0_restart
tx_pause            tx_flow_control_xoff
rx_discards         port.rx_dropped
rx_discards         rx_dropped.nic
rx_damaged          port.illegal_bytes
rx_pause            port.link_xoff_rx
tx_errors           port.tx_dropped_link_down
link_fault          port.mac_local_faults
rx_discards         veb.rx_discards
rx_filtered         rx_unknown_protocol
rx_dropped          rx-3.dropped
rx_dropped          rx_queue_0_drops
rx_dropped          rx1_drops
xdp_drop            rx0_xdp_drops
xdp_failed          tx_queue_0_xdp_tx_drops
tx_timeout          tx_queue_0_tx_timeouts
-                   rx_queue_0_kicks
ratelimit           rx0_hw_drop_ratelimits
rx_missed           rx_hw_drop_overruns
rx_dropped          rx_dropped_pkt[0]
rx_too_long         rx_drops_packet_over_mru[0]
rx_damaged          rx_drops_invalid_checksum[0]
rx_missed           rx_queue_drop_cnt[2]
rx_missed           rx_no_buffers_posted[0]
rx_alloc_failed     rx_skb_alloc_fail[0]
tx_waited           tx_stop[0]
-                   tx_wake[0]
rx_alloc_failed     rx_no_memory
tx_dropped          tx_no_space
tx_dropped          tx_too_big
tx_waited           tx_send_full
tx_waited           tx_busy
tx_dropped          vf_tx_dropped
-                   vf_rx_packets
xdp_drop            rx_queue_0_xdp_drops
xdp_failed          rx_queue_0_xdp_tx_errors
xdp_failed          rx_queue_1_xdp_redirect_errors
xdp_failed          tx_queue_0_xdp_xmit_errors
-                   rx_queue_0_xdp_redirect
-                   peer_ifindex
rx_discards         rx_total_discard_pkts
rx_discards         [0]: rx_discards
tx_dropped          tx_total_ring_discards
rx_alloc_failed     rx_total_oom_discards
rx_checksum         [3]: rx_l4_csum_errors
-                   rx_discard_bytes_cos0
-                   total_missed_irqs
rx_damaged          rx_fcs_err_frames
rx_too_long         rx_ovrsz_frames
rx_pause            rx_pfc_ena_frames_pri0
rx_filtered         rx_filtered_packets
rx_filtered         rx_otherhost
rx_filtered         mac_filter_discards
rx_missed           no_buff_discards
rx_discards         rx_brb_discard
rx_missed           port_rx_nodesc_drops
rx_missed           rxbds_empty
rx_missed           rx_no_bufs
rx_missed           pkts rx OOB
rx_alloc_failed     rx buf alloc fail
rx_dropped          drv dropped rx total
tx_dropped          drv dropped tx total
tx_waited           ring full
-                   ucast pkts rx
`

func TestDriverMeanings(t *testing.T) {
	meant := map[string]bool{}
	for line := range strings.Lines(strings.TrimSpace(driverNames)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		name = strings.TrimSpace(name)
		got, known := OfCounter("driver."+name, "eth0", event.Netns{})
		if known != (want != "-") || known && got.Entry.Name != "driver."+want {
			t.Errorf("%s: %+v, want %s", name, got.Entry, want)
		}
		meant[want] = true
	}
	for _, m := range driverMeanings {
		if m.name != "" && (!meant[m.name] || index()[id{Counter, driverPrefix + m.name}] == nil) {
			t.Errorf("%s has no example, or no entry", m.name)
		}
	}
}

func TestLookupOfDrivers(t *testing.T) {
	for _, name := range []string{"driver.rx_missed", "driver.rx_out_of_buffer", "Driver.RX_Missed_Errors"} {
		if found := Lookup(name); len(found) != 1 || found[0].Name != "driver.rx_missed" {
			t.Errorf("%s: %v", name, found)
		}
	}
	if found := Lookup("driver.rx_packets"); len(found) != 0 {
		t.Errorf("a name of which nothing is known: %v", found)
	}
}
