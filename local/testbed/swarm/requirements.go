package swarm

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// programs are what an engine needs, by Debian's package.
var programs = []struct{ name, from string }{
	{"dockerd", "docker.io"}, {"containerd", "containerd"}, {"runc", "runc"}, {"tini", "tini"},
	{"ip", "iproute2"}, {"iptables", "iptables"}, {"nsenter", "util-linux"}, {"mount", "mount"},
}

// Check returns an error that says what this machine lacks for real engines.
func Check() error {
	if os.Geteuid() != 0 {
		return errors.New("real Docker engines need root: they have network namespaces, mounts and control groups of their own")
	}
	var missing []string
	for _, p := range programs {
		if _, err := exec.LookPath(p.name); err != nil {
			missing = append(missing, fmt.Sprintf("%s (Debian's package %s)", p.name, p.from))
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("real Docker engines need %s; make testbed-swarm-packages installs what Debian has",
			strings.Join(missing, ", "))
	}
	return nil
}
