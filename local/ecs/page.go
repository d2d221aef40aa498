package ecs

import (
	"encoding/base64"
	"slices"

	"portolan/local/wire"
)

// A failure stands for what a batch operation could not find.
type failure struct {
	Arn    string `json:"arn"`
	Reason string `json:"reason"`
	Detail string `json:"detail,omitempty"`
}

// A paging is how list operations are asked for a page.
type paging struct {
	MaxResults *int   `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

// cut returns one page of arns, which are sorted. A token is the last ARN of the
// page before, so that what comes or goes in between shifts nothing.
func (p paging) cut(arns []string, most int) (page []string, next string, err error) {
	if p.NextToken != "" {
		last, err := base64.RawURLEncoding.DecodeString(p.NextToken)
		if err != nil {
			return nil, "", invalid("Invalid token %s", p.NextToken)
		}
		at, found := slices.BinarySearch(arns, string(last))
		if found {
			at++
		}
		arns = arns[at:]
	}
	size := most
	if p.MaxResults != nil {
		if *p.MaxResults < 1 || *p.MaxResults > most {
			return nil, "", invalid("maxResults must be between 1 and %d.", most)
		}
		size = *p.MaxResults
	}
	page = append([]string{}, arns[:min(size, len(arns))]...)
	if len(arns) > size {
		next = base64.RawURLEncoding.EncodeToString([]byte(arns[size-1]))
	}
	return page, next, nil
}

func invalid(format string, args ...any) error {
	return wire.Errorf("InvalidParameterException", format, args...)
}

func client(format string, args ...any) error {
	return wire.Errorf("ClientException", format, args...)
}

var (
	errNoCluster  = wire.Errorf("ClusterNotFoundException", "Cluster not found.")
	errInactive   = wire.Errorf("ClusterNotFoundException", "The referenced cluster was inactive.")
	errNoService  = wire.Errorf("ServiceNotFoundException", "Service not found.")
	errNotActive  = wire.Errorf("ServiceNotActiveException", "Service was not ACTIVE.")
	errNoInstance = wire.Errorf("InvalidParameterException", "Container instance not found.")
	errNoTask     = wire.Errorf("InvalidParameterException", "The referenced task was not found.")
)
