package iam

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/records"
	"portolan/local/unique"
	"portolan/local/wire"
)

// A Config is what a Service is made of.
type Config struct {
	Account string
	Clock   *clock.Clock
	Disk    *disk.Disk // nil keeps nothing
	IDs     *unique.Source
}

// A Service holds one account's IAM.
type Service struct {
	config Config

	mu       sync.Mutex
	roles    *records.Of[Role]
	profiles *records.Of[InstanceProfile]
	policies *records.Of[Policy]
}

// New reads the state back.
func New(config Config) (*Service, error) {
	s := &Service{config: config}
	var err error
	if s.roles, err = records.Load(config.Disk, "iam/roles", func(r Role) string { return r.RoleName }); err != nil {
		return nil, fmt.Errorf("loading IAM: %w", err)
	}
	s.profiles, err = records.Load(config.Disk, "iam/instance-profiles", func(p InstanceProfile) string { return p.Name })
	if err != nil {
		return nil, fmt.Errorf("loading IAM: %w", err)
	}
	s.policies, err = records.Load(config.Disk, "iam/policies", func(p Policy) string { return p.ARN })
	if err != nil {
		return nil, fmt.Errorf("loading IAM: %w", err)
	}
	return s, nil
}

// Handler answers for the signing name iam.
func (s *Service) Handler() *wire.Service {
	operations := map[string]wire.Operation{}
	s.roleOperations(operations)
	s.profileOperations(operations)
	s.policyOperations(operations)
	return &wire.Service{
		Name: "IAM", Version: "2010-05-08", Namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
		Protocol: wire.Query, Operations: operations,
	}
}

// A Tag is a tag on a resource.
type Tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

type tagsOutput struct {
	Tags        []Tag `json:"Tags"`
	IsTruncated bool  `json:"IsTruncated"`
}

// arn is that of a thing with a path, such as role/app/web.
func (s *Service) arn(kind, path, name string) string {
	return fmt.Sprintf("arn:aws:iam::%s:%s%s%s", s.config.Account, kind, path, name)
}

func pathOr(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func noSuchEntity(format string, args ...any) *wire.Error {
	return &wire.Error{Code: "NoSuchEntity", Message: fmt.Sprintf(format, args...), Status: http.StatusNotFound}
}

func alreadyExists(what, name string) *wire.Error {
	return &wire.Error{
		Code: "EntityAlreadyExists", Message: fmt.Sprintf("%s with name %s already exists.", what, name),
		Status: http.StatusConflict,
	}
}

func deleteConflict(format string, args ...any) *wire.Error {
	return &wire.Error{Code: "DeleteConflict", Message: fmt.Sprintf(format, args...), Status: http.StatusConflict}
}

// checkDocument refuses what is no policy at all; what it says is not looked at.
func checkDocument(document string) error {
	var policy struct{ Statement any }
	if json.Unmarshal([]byte(document), &policy) != nil || policy.Statement == nil {
		return wire.Errorf("MalformedPolicyDocument", "Syntax errors in policy.")
	}
	return nil
}

// encoded is a document as IAM's answers have it, percent-encoded.
func encoded(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}

// mergeTags returns the tags with others set.
func mergeTags(tags, others []Tag) []Tag {
	merged := slices.Clone(tags)
	for _, other := range others {
		i := slices.IndexFunc(merged, func(t Tag) bool { return t.Key == other.Key })
		if i < 0 {
			merged = append(merged, other)
		} else {
			merged[i] = other
		}
	}
	return merged
}

func removeTags(tags []Tag, keys []string) []Tag {
	return slices.DeleteFunc(slices.Clone(tags), func(t Tag) bool { return slices.Contains(keys, t.Key) })
}

// nothing is what calls answer that only change something.
var nothing = &struct{}{}
