package connector

import "testing"

func TestRangesAllowTheirAddressesAtOnePort(t *testing.T) {
	h := &Handler{Hosts: []string{"10.0.0.0/8:2376", "api.example.com:443"}}
	for host, want := range map[string]bool{
		"10.1.2.3:2376": true, "10.255.255.255:2376": true, "11.0.0.1:2376": false, "10.1.2.3:22": false,
		"10.1.2.3.example.com:2376": false, "api.example.com:443": true, "api.example.com:2376": false,
	} {
		if got := h.allows(host); got != want {
			t.Errorf("%s: %t", host, got)
		}
	}
}
