package kubernetesspec

import "strings"

// What Kubernetes takes as names:
// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/.
const (
	labelMax     = 63
	subdomainMax = 253
)

// isLabelName says whether a name is one of RFC 1035, as a Service needs.
func isLabelName(name string) bool {
	return isPart(name) && len(name) <= labelMax && name[0] >= 'a'
}

// isPart says whether a name is made like a label of RFC 1123, however long it is.
func isPart(name string) bool {
	if name == "" {
		return false
	}
	for i := range len(name) {
		inside := i > 0 && i < len(name)-1
		if !lower(name[i]) && !digit(name[i]) && (name[i] != '-' || !inside) {
			return false
		}
	}
	return true
}

// isSubdomain says whether a name is labels with dots between them.
func isSubdomain(name string) bool {
	if len(name) > subdomainMax {
		return false
	}
	for _, part := range strings.Split(name, ".") {
		if !isPart(part) {
			return false
		}
	}
	return true
}

// isValue says whether something is a label's value that is not empty. It is what
// stands behind the slash of a label's key, too.
func isValue(value string) bool {
	if value == "" || len(value) > labelMax {
		return false
	}
	for i := range len(value) {
		inside := i > 0 && i < len(value)-1
		if !alphanumeric(value[i]) && (!strings.ContainsRune("-_.", rune(value[i])) || !inside) {
			return false
		}
	}
	return true
}

// isVariable says whether every version that is supported takes the name of a
// variable.
func isVariable(name string) bool {
	if name == "" || digit(name[0]) || name == "." || strings.HasPrefix(name, "..") {
		return false
	}
	for i := range len(name) {
		if !alphanumeric(name[i]) && !strings.ContainsRune("-_.", rune(name[i])) {
			return false
		}
	}
	return true
}

// escaped is a name as it stands in a JSON pointer.
func escaped(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func lower(b byte) bool { return 'a' <= b && b <= 'z' }

func digit(b byte) bool { return '0' <= b && b <= '9' }

func alphanumeric(b byte) bool { return lower(b) || digit(b) || 'A' <= b && b <= 'Z' }

// isKey says whether something is the key of a label or a taint.
func isKey(key string) bool {
	domain, name, qualified := strings.Cut(key, "/")
	if !qualified {
		return isValue(key)
	}
	return isSubdomain(domain) && isValue(name)
}
