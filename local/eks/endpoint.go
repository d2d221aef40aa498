package eks

import (
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
)

// Internet is a transport to the clusters' API servers for who is outside of their VPCs,
// at an address that nobody let in by name: a public endpoint takes it in where it takes
// in everybody. What is no endpoint of EKS goes to next.
func (s *Server) Internet(next http.RoundTripper) http.RoundTripper { return &way{s, "", next} }

// VPC is a transport for who is in that VPC.
func (s *Server) VPC(id string, next http.RoundTripper) http.RoundTripper { return &way{s, id, next} }

// way is how requests get to the API servers.
type way struct {
	server *Server
	vpc    string // empty from the internet
	next   http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (w *way) RoundTrip(r *http.Request) (*http.Response, error) {
	s := w.server
	s.mu.Lock()
	c, ok := s.clusters.First(func(c cluster) bool { return strings.TrimPrefix(c.Endpoint, "https://") == r.URL.Hostname() })
	api := s.running[c.Name]
	s.mu.Unlock()
	if !ok {
		return w.next.RoundTrip(r)
	}
	if api == nil || !c.reachedFrom(w.vpc) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 10), Port: 443}, Err: os.ErrDeadlineExceeded}
	}
	return api.RoundTrip(r)
}

// reachedFrom tells whether the cluster's endpoint takes in requests from a VPC, or from
// the internet. From within its VPC a private endpoint is reached as itself, and a public
// one through a NAT gateway.
func (c cluster) reachedFrom(vpc string) bool {
	if vpc != "" && vpc == c.VPC.VPC && *c.VPC.PrivateAccess {
		return true
	}
	if !*c.VPC.PublicAccess {
		return false
	}
	for _, cidr := range c.VPC.PublicCIDRs {
		if prefix, err := netip.ParsePrefix(cidr); err == nil && prefix.Bits() == 0 {
			return true
		}
	}
	return false
}
