package knowledge

// Usual causes that several reasons of mac80211 have in common.
var (
	staleKeys   = []string{"a key that one end renewed and the other did not", "a faulty driver or firmware", "a replayed or forged frame"}
	badFrames   = []string{"a faulty driver or firmware at one end", "interference", "an attack"}
	unprotected = []string{"an attack, such as forged deauthentication", "protection (MFP) that is set at one end only"}
)

// wireless holds the reasons of mac80211 (net/mac80211/drop.h).
var wireless = []Entry{
	{
		// net/mac80211/wpa.c ieee80211_crypto_ccmp_decrypt, ieee80211_crypto_gcmp_decrypt,
		// ieee80211_crypto_aes_cmac_decrypt and others
		Name: "RX_DROP_U_MIC_FAIL", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A TKIP frame has a wrong message integrity code: it was damaged, replayed or forged.",
		Usual: []string{"an attack on TKIP", "interference"},
		Check: []string{
			"iw dev {ifname} station dump",
			"dmesg | grep -i mic",
		},
		Fix: "Use CCMP or GCMP (WPA2, WPA3) instead of TKIP.",
	},
	{
		// net/mac80211/wpa.c ieee80211_crypto_ccmp_decrypt, ieee80211_crypto_gcmp_decrypt,
		// ieee80211_crypto_aes_cmac_decrypt and others
		Name: "RX_DROP_U_REPLAY", Module: "wifi", Class: Error, Severity: Noise,
		Cause: "The frame has a packet number that was already used: a copy, or a replay.",
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "No action needed if it is rare. Many of them mean a faulty driver or an attack.",
	},
	{
		// net/mac80211/wpa.c ieee80211_crypto_aes_cmac_decrypt, ieee80211_crypto_aes_cmac_256_decrypt,
		// ieee80211_crypto_aes_gmac_decrypt
		Name: "RX_DROP_U_BAD_MMIE", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A protected management frame has an invalid integrity element.",
		Usual: unprotected,
		Check: []string{"iw dev {ifname} station dump  # MFP"},
		Fix: "No action needed against an attack: this host ignored the frame. Otherwise set the same protection " +
			"(MFP) at both ends.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_check_dup
		Name: "RX_DROP_U_DUP", Module: "wifi", Class: Local, Severity: Noise,
		Cause: "The station sent the frame again because an acknowledgement was lost. The first copy arrived.",
		Check: []string{"iw dev {ifname} station dump  # rx duplicates, signal"},
		Fix:   "No action needed. Many of them mean a weak signal or interference.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_check
		Name: "RX_DROP_U_SPURIOUS", Module: "wifi", Class: Local, Severity: Noise,
		Cause: "A data frame arrived from a station that is not associated.",
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "No action needed if it is rare: the station left, or roams.",
	},
	{
		// net/mac80211/wpa.c ieee80211_crypto_aes_cmac_decrypt, ieee80211_crypto_aes_cmac_256_decrypt;
		// net/mac80211/rx.c ieee80211_rx_h_decrypt
		Name: "RX_DROP_U_DECRYPT_FAIL", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "The frame could not be decrypted.",
		Usual: staleKeys,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Reconnect the station to renew the keys.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_decrypt
		Name: "RX_DROP_U_NO_KEY_ID", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "The frame names no key.",
		Usual: staleKeys,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Reconnect the station to renew the keys. If it stays, update the drivers of both ends.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_decrypt
		Name: "RX_DROP_U_BAD_CIPHER", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "The frame was encrypted by a cipher that does not fit its key.",
		Usual: staleKeys,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Reconnect the station to renew the keys. If it stays, update the drivers of both ends.",
	},
	{
		// net/mac80211/wpa.c ieee80211_rx_h_michael_mic_verify, ieee80211_crypto_tkip_decrypt,
		// ieee80211_crypto_ccmp_decrypt and others
		Name: "RX_DROP_U_OOM", Module: "memory", Class: NoBuffer, Severity: Harm,
		Settings: []string{"vm.min_free_kbytes"},
		Cause:    "The kernel had no memory for the wireless frame.",
		Usual:    []string{"the host is short of memory", "vm.min_free_kbytes is small for the network"},
		Check: []string{
			"free -m",
			"dmesg | grep -i 'page allocation'",
		},
		Fix:   "Free memory, or raise vm.min_free_kbytes.",
		Apply: []string{"sysctl -w vm.min_free_kbytes=N"},
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_defragment
		Name: "RX_DROP_U_NONSEQ_PN", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "Fragments of one frame do not have consecutive packet numbers.",
		Usual: staleKeys,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Reconnect the station to renew the keys. If it stays, update the drivers of both ends.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_defragment
		Name: "RX_DROP_U_BAD_KEY_COLOR", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "Fragments of one frame were encrypted with different keys.",
		Usual: staleKeys,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Reconnect the station to renew the keys. If it stays, update the drivers of both ends.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_amsdu
		Name: "RX_DROP_U_BAD_4ADDR", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A frame with four addresses arrived where only three are allowed.",
		Usual: []string{"a wireless bridge that is configured at one end only"},
		Check: []string{"iw dev {ifname} info  # 4addr"},
		Fix:   "Set 4addr on at both ends of a wireless bridge, or at none.",
		Apply: []string{"iw dev {ifname} set 4addr on"},
	},
	{
		// net/mac80211/rx.c __ieee80211_rx_h_amsdu, ieee80211_rx_h_amsdu
		Name: "RX_DROP_U_BAD_AMSDU", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "An aggregated frame (A-MSDU) is malformed or was not allowed here.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_amsdu
		Name: "RX_DROP_U_BAD_AMSDU_CIPHER", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "An aggregated frame (A-MSDU) uses a cipher that does not allow aggregation.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/rx.c __ieee80211_data_to_8023
		Name: "RX_DROP_U_INVALID_8023", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "The frame could not be converted to an Ethernet frame.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_mgmt_check
		Name: "RX_DROP_U_RUNT_ACTION", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A management action frame is too short.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/rx.c ieee80211_drop_unencrypted_mgmt
		Name: "RX_DROP_U_UNPROT_ACTION", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A management action frame had to be protected and is not.",
		Usual: unprotected,
		Check: []string{"iw dev {ifname} station dump  # MFP"},
		Fix: "No action needed against an attack: this host ignored the frame. Otherwise set the same protection " +
			"(MFP) at both ends.",
	},
	{
		// net/mac80211/rx.c ieee80211_drop_unencrypted_mgmt
		Name: "RX_DROP_U_UNPROT_DUAL", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A management frame that has to be protected with an associated station is not.",
		Usual: unprotected,
		Check: []string{"iw dev {ifname} station dump  # MFP"},
		Fix: "No action needed against an attack: this host ignored the frame. Otherwise set the same protection " +
			"(MFP) at both ends.",
	},
	{
		// net/mac80211/rx.c ieee80211_drop_unencrypted_mgmt
		Name: "RX_DROP_U_UNPROT_UCAST_MGMT", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A unicast management frame had to be protected and is not: a forged deauthentication, for example.",
		Usual: unprotected,
		Check: []string{"iw dev {ifname} station dump  # MFP"},
		Fix: "No action needed against an attack: this host ignored the frame. Otherwise set the same protection " +
			"(MFP) at both ends.",
	},
	{
		// net/mac80211/rx.c ieee80211_drop_unencrypted_mgmt
		Name: "RX_DROP_U_UNPROT_MCAST_MGMT", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A multicast management frame had to be protected and is not.",
		Usual: unprotected,
		Check: []string{"iw dev {ifname} station dump  # MFP"},
		Fix: "No action needed against an attack: this host ignored the frame. Otherwise set the same protection " +
			"(MFP) at both ends.",
	},
	{
		// net/mac80211/rx.c ieee80211_drop_unencrypted_mgmt
		Name: "RX_DROP_U_UNPROT_BEACON", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A beacon had to be protected and is not.",
		Usual: unprotected,
		Check: []string{"iw dev {ifname} scan dump"},
		Fix: "No action needed against an attack: this host ignored the frame. Otherwise set the same protection " +
			"(MFP) at both ends.",
	},
	{
		// net/mac80211/rx.c ieee80211_drop_unencrypted_mgmt
		Name: "RX_DROP_U_UNPROT_UNICAST_PUB_ACTION", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A public action frame from an associated station had to be protected and is not.",
		Usual: unprotected,
		Check: []string{"iw dev {ifname} station dump  # MFP"},
		Fix: "No action needed against an attack: this host ignored the frame. Otherwise set the same protection " +
			"(MFP) at both ends.",
	},
	{
		// net/mac80211/rx.c ieee80211_drop_unencrypted_mgmt
		Name: "RX_DROP_U_UNPROT_ROBUST_ACTION", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A robust action frame had to be protected and is not.",
		Usual: unprotected,
		Check: []string{"iw dev {ifname} station dump  # MFP"},
		Fix: "No action needed against an attack: this host ignored the frame. Otherwise set the same protection " +
			"(MFP) at both ends.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_action
		Name: "RX_DROP_U_ACTION_UNKNOWN_SRC", Module: "wifi", Class: Local, Severity: Noise,
		Cause: "An action frame arrived from a station that is not known.",
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "No action needed.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_action_return
		Name: "RX_DROP_U_REJECTED_ACTION_RESPONSE", Module: "wifi", Class: Local, Severity: Noise,
		Cause: "The kernel answered an action frame of an unsupported category, and freed the frame.",
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "No action needed.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_defragment
		Name: "RX_DROP_U_EXPECT_DEFRAG_PROT", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A fragment is not protected although its frame has to be.",
		Usual: staleKeys,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Reconnect the station to renew the keys. If it stays, update the drivers of both ends.",
	},
	{
		// net/mac80211/wep.c ieee80211_crypto_wep_decrypt
		Name: "RX_DROP_U_WEP_DEC_FAIL", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A WEP frame could not be decrypted.",
		Usual: staleKeys,
		Check: []string{"iw dev {ifname} info"},
		Fix:   "Use WPA2 or WPA3 instead of WEP.",
	},
	{
		// net/mac80211/wep.c ieee80211_crypto_wep_decrypt
		Name: "RX_DROP_U_NO_IV", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "An encrypted frame has no initialisation vector.",
		Usual: staleKeys,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Reconnect the station to renew the keys. If it stays, update the drivers of both ends.",
	},
	{
		// net/mac80211/wep.c ieee80211_crypto_wep_decrypt
		Name: "RX_DROP_U_NO_ICV", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A WEP frame has no integrity value.",
		Usual: staleKeys,
		Check: []string{"iw dev {ifname} info"},
		Fix:   "Use WPA2 or WPA3 instead of WEP.",
	},
	{
		// net/mac80211/wpa.c ieee80211_rx_h_michael_mic_verify
		Name: "RX_DROP_U_AP_RX_GROUPCAST", Module: "wifi", Class: Local, Severity: Noise,
		Cause: "An access point received a frame with a group address from a station, which only access points may send.",
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "No action needed.",
	},
	{
		// net/mac80211/wpa.c ieee80211_rx_h_michael_mic_verify
		Name: "RX_DROP_U_SHORT_MMIC", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A frame is too short for its integrity element.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/wpa.c ieee80211_rx_h_michael_mic_verify
		Name: "RX_DROP_U_MMIC_FAIL", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A frame has a wrong TKIP message integrity code.",
		Usual: []string{"an attack on TKIP", "interference"},
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Use CCMP or GCMP (WPA2, WPA3) instead of TKIP.",
	},
	{
		// net/mac80211/wpa.c ieee80211_crypto_tkip_decrypt
		Name: "RX_DROP_U_SHORT_TKIP", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A TKIP frame is too short.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/wpa.c ieee80211_crypto_tkip_decrypt
		Name: "RX_DROP_U_TKIP_FAIL", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A TKIP frame could not be decrypted.",
		Usual: staleKeys,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Use CCMP or GCMP (WPA2, WPA3) instead of TKIP.",
	},
	{
		// net/mac80211/wpa.c ieee80211_crypto_ccmp_decrypt
		Name: "RX_DROP_U_SHORT_CCMP", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A CCMP frame is too short.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/wpa.c ieee80211_crypto_ccmp_decrypt
		Name: "RX_DROP_U_SHORT_CCMP_MIC", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A CCMP frame is too short for its integrity code.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/wpa.c ieee80211_crypto_gcmp_decrypt
		Name: "RX_DROP_U_SHORT_GCMP", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A GCMP frame is too short.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/wpa.c ieee80211_crypto_gcmp_decrypt
		Name: "RX_DROP_U_SHORT_GCMP_MIC", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A GCMP frame is too short for its integrity code.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/wpa.c ieee80211_crypto_aes_cmac_decrypt
		Name: "RX_DROP_U_SHORT_CMAC", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A protected management frame (BIP-CMAC-128) is too short.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/wpa.c ieee80211_crypto_aes_cmac_256_decrypt
		Name: "RX_DROP_U_SHORT_CMAC256", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A protected management frame (BIP-CMAC-256) is too short.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/wpa.c ieee80211_crypto_aes_gmac_decrypt
		Name: "RX_DROP_U_SHORT_GMAC", Module: "wifi", Class: Error, Severity: Harm,
		Cause: "A protected management frame (BIP-GMAC) is too short.",
		Usual: badFrames,
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "Nothing to set on this host: update the drivers and firmware of both ends, and look for interference.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_sta_process
		Name: "RX_DROP_M_UNEXPECTED_4ADDR_FRAME", Module: "wifi", Class: Local, Severity: Noise,
		Cause: "A frame with four addresses arrived from a station that does not use them.",
		Check: []string{"iw dev {ifname} info  # 4addr"},
		Fix:   "No action needed, unless this is a wireless bridge: set 4addr on at both ends.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_decrypt
		Name: "RX_DROP_M_BAD_BCN_KEYIDX", Module: "wifi", Class: Error, Severity: Noise,
		Cause: "A beacon is protected by an unknown key.",
		Check: []string{"iw dev {ifname} scan dump"},
		Fix:   "No action needed if it is rare.",
	},
	{
		// net/mac80211/rx.c ieee80211_rx_h_decrypt
		Name: "RX_DROP_M_BAD_MGMT_KEYIDX", Module: "wifi", Class: Error, Severity: Noise,
		Cause: "A management frame is protected by an unknown key.",
		Check: []string{"iw dev {ifname} station dump"},
		Fix:   "No action needed if it is rare.",
	},
}
