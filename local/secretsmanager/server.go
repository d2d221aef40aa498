package secretsmanager

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/records"
	"portolan/local/unique"
	"portolan/local/wire"
)

// Config is what a Server is made of.
type Config struct {
	Clock   *clock.Clock
	Disk    *disk.Disk
	IDs     *unique.Source
	Account string
	Region  string
}

// A Server is Secrets Manager in one Region of one account. It answers under the
// signing name secretsmanager.
type Server struct {
	*wire.Service
	config Config

	mu      sync.Mutex
	secrets *records.Of[secret]
}

// The labels that Secrets Manager moves itself.
const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

// A secret is one secret with all versions that carry a label.
type secret struct {
	ARN         string             `json:"arn"`
	Name        string             `json:"name"`
	Description string             `json:"description,omitempty"`
	KmsKeyID    string             `json:"kmsKeyId,omitempty"`
	Tags        []tag              `json:"tags,omitempty"`
	Created     wire.Time          `json:"created"`
	Changed     wire.Time          `json:"changed"`
	Accessed    *wire.Time         `json:"accessed,omitempty"`
	Versions    map[string]version `json:"versions,omitempty"` // by id
	DeleteAt    *wire.Time         `json:"deleteAt,omitempty"` // set while it waits for its end
	DeletedAt   *wire.Time         `json:"deletedAt,omitempty"`
}

// A version is one value, text or bytes.
type version struct {
	Text    *string   `json:"text,omitempty"`
	Binary  []byte    `json:"binary,omitempty"`
	Created wire.Time `json:"created"`
	Stages  []string  `json:"stages"`
}

type tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

// New returns a server with the secrets on disk.
func New(config Config) (*Server, error) {
	s := &Server{config: config}
	s.Service = &wire.Service{Name: "Secrets Manager", Target: "secretsmanager", Protocol: wire.JSON11,
		Operations: map[string]wire.Operation{
			"CreateSecret":   wire.Op(s.createSecret),
			"PutSecretValue": wire.Op(s.putSecretValue),
			"GetSecretValue": wire.Op(s.getSecretValue),
			"DescribeSecret": wire.Op(s.describeSecret),
			"ListSecrets":    wire.Op(s.listSecrets),
			"DeleteSecret":   wire.Op(s.deleteSecret),
			"RestoreSecret":  wire.Op(s.restoreSecret),
			"TagResource":    wire.Op(s.tagResource),
			"UntagResource":  wire.Op(s.untagResource),
		}}
	var err error
	s.secrets, err = records.Load(config.Disk, "secretsmanager/secrets", func(x secret) string { return x.Name })
	if err != nil {
		return nil, fmt.Errorf("loading secrets: %w", err)
	}
	return s, nil
}

// TaggedResources calls add with each secret that has tags.
func (s *Server) TaggedResources(add func(arn string, tags map[string]string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.all() {
		if len(x.Tags) > 0 {
			add(x.ARN, x.tags())
		}
	}
}

// TagsOf are the tags of the secret that an id names: its name, its ARN or the ARN
// without the six characters at its end. An unknown one has none.
func (s *Server) TagsOf(id string) (arn string, tags map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.find(id)
	if err != nil {
		return id, nil
	}
	return x.ARN, x.tags()
}

func (x secret) tags() map[string]string {
	out := map[string]string{}
	for _, t := range x.Tags {
		out[t.Key] = t.Value
	}
	return out
}

// all lists the secrets that are there, in the order of their names. Those whose
// days are over are forgotten.
func (s *Server) all() []secret {
	return s.secrets.Find(func(x secret) bool { return x.DeleteAt == nil || s.now().Before(x.DeleteAt.Time) })
}

// find finds a secret by its id, also one that waits for its end.
func (s *Server) find(id string) (secret, error) {
	for _, x := range s.all() {
		if x.Name == id || x.ARN == id || x.ARN[:len(x.ARN)-len("-abcdef")] == id {
			return x, nil
		}
	}
	return secret{}, wire.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

// live finds a secret that was not deleted.
func (s *Server) live(id string) (secret, error) {
	x, err := s.find(id)
	if err == nil && x.DeleteAt != nil {
		err = invalidRequest("You can't perform this operation on the secret because it was marked for deletion.")
	}
	return x, err
}

func (s *Server) now() time.Time { return s.config.Clock.Now() }

// stages are the labels of each version.
func (x secret) stages() map[string][]string {
	if len(x.Versions) == 0 {
		return nil
	}
	out := map[string][]string{}
	for id, v := range x.Versions {
		out[id] = v.Stages
	}
	return out
}

// at is the id of the version that carries the label, or empty.
func (x secret) at(stage string) string {
	for id, v := range x.Versions {
		if slices.Contains(v.Stages, stage) {
			return id
		}
	}
	return ""
}

// put returns the secret with one more version that carries the labels, which
// leave the versions that had them; what was current becomes previous. A version
// without a label is gone.
func (x secret) put(id string, v version) secret {
	versions := maps.Clone(x.Versions)
	if versions == nil {
		versions = map[string]version{}
	}
	moved := slices.Clone(v.Stages)
	if slices.Contains(moved, current) {
		moved = append(moved, previous)
	}
	was := x.at(current)
	for each, old := range versions {
		isCurrent := each == was && slices.Contains(v.Stages, current)
		old.Stages = slices.DeleteFunc(slices.Clone(old.Stages), func(stage string) bool { return slices.Contains(moved, stage) })
		if isCurrent {
			old.Stages = append(old.Stages, previous)
		}
		if versions[each] = old; len(old.Stages) == 0 {
			delete(versions, each)
		}
	}
	versions[id] = v
	x.Versions, x.Changed = versions, v.Created
	return x
}

// secretARN ends in six characters that tell a secret from one of the same name
// before it.
func (s *Server) secretARN(name string) string {
	return "arn:aws:secretsmanager:" + s.config.Region + ":" + s.config.Account + ":secret:" + name + "-" +
		strings.ToLower(s.config.IDs.Base32(6))
}

func invalidRequest(format string, args ...any) error {
	return wire.Errorf("InvalidRequestException", format, args...)
}

func invalidParameter(format string, args ...any) error {
	return wire.Errorf("InvalidParameterException", format, args...)
}
