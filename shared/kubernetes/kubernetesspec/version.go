package kubernetesspec

import (
	"strconv"
	"strings"
)

// Minor is the second number of a version such as 1.34 or v1.34.2-eks-1a2b3c. It is
// not ok when the version is none of Kubernetes 1.
func Minor(version string) (minor int, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 || parts[0] != "1" {
		return 0, false
	}
	minor, err := strconv.Atoi(strings.TrimRight(parts[1], "+")) // some vendors write 34+
	return minor, err == nil
}
