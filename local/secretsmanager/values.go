package secretsmanager

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"portolan/local/wire"
)

// maxValue is the size of the largest value in bytes.
const maxValue = 65536

// A value is text or bytes, in what is sent and in what is answered.
type value struct {
	Text   *string `json:"SecretString,omitempty"`
	Binary []byte  `json:"SecretBinary,omitempty"`
}

func (v value) isSet() bool { return v.Text != nil || v.Binary != nil }

// check refuses what no value can be, without telling any of it.
func (v value) check() error {
	switch {
	case v.Text != nil && v.Binary != nil:
		return invalidParameter("You can't specify both a binary secret value and a string secret value in the same secret.")
	case v.Text != nil && *v.Text == "":
		return wire.Errorf("ValidationException", "1 validation error detected: Value at 'secretString' failed to satisfy "+
			"constraint: Member must have length greater than or equal to 1")
	case v.Text != nil && len(*v.Text) > maxValue, len(v.Binary) > maxValue:
		return wire.Errorf("ValidationException", "1 validation error detected: Value at 'secretString' failed to satisfy "+
			"constraint: Member must have length less than or equal to %d", maxValue)
	}
	return nil
}

func (v value) is(old version) bool {
	return (v.Text == nil) == (old.Text == nil) && (v.Text == nil || *v.Text == *old.Text) && bytes.Equal(v.Binary, old.Binary)
}

type putInput struct {
	SecretID string `json:"SecretId"`
	Token    string `json:"ClientRequestToken"`
	value
	Stages []string `json:"VersionStages"`
}

type putOutput struct {
	ARN       string   `json:"ARN"`
	Name      string   `json:"Name"`
	VersionID string   `json:"VersionId,omitempty"`
	Stages    []string `json:"VersionStages,omitempty"`
}

func (s *Server) putSecretValue(_ context.Context, in *putInput) (*putOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	if !in.isSet() {
		return nil, invalidRequest("You must provide either SecretString or SecretBinary.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.live(in.SecretID)
	if err != nil {
		return nil, err
	}
	id, stages := cmp.Or(in.Token, s.config.IDs.UUID()), in.Stages
	if len(stages) == 0 {
		stages = []string{current}
	}
	if old, ok := x.Versions[id]; ok {
		if !in.is(old) {
			return nil, wire.Errorf("ResourceExistsException", "You can't use ClientRequestToken %s because that value is already "+
				"in use for a version of secret %s.", id, x.ARN)
		}
		return &putOutput{x.ARN, x.Name, id, old.Stages}, nil
	}
	x = x.put(id, version{Text: in.Text, Binary: in.Binary, Created: wire.At(s.now()), Stages: stages})
	return &putOutput{x.ARN, x.Name, id, stages}, s.secrets.Put(x)
}

type getInput struct {
	SecretID     string `json:"SecretId"`
	VersionID    string `json:"VersionId"`
	VersionStage string `json:"VersionStage"`
}

type getOutput struct {
	ARN         string    `json:"ARN"`
	Name        string    `json:"Name"`
	VersionID   string    `json:"VersionId"`
	Stages      []string  `json:"VersionStages"`
	CreatedDate wire.Time `json:"CreatedDate"`
	value
}

func (s *Server) getSecretValue(_ context.Context, in *getInput) (*getOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.live(in.SecretID)
	if err != nil {
		return nil, err
	}
	id, err := x.choose(in.VersionID, in.VersionStage)
	if err != nil {
		return nil, err
	}
	v := x.Versions[id]
	day := wire.At(s.now().UTC().Truncate(24 * time.Hour)) // AWS tells the day only
	x.Accessed = &day
	return &getOutput{x.ARN, x.Name, id, slices.Sorted(slices.Values(v.Stages)), v.Created, value{v.Text, v.Binary}}, s.secrets.Put(x)
}

// Value is the text of a secret's current version, for who stands beside AWS.
func (s *Server) Value(id string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.live(id)
	if err != nil {
		return "", err
	}
	version, err := x.choose("", "")
	if err != nil {
		return "", err
	}
	if text := x.Versions[version].Text; text != nil {
		return *text, nil
	}
	return "", nil
}

// choose is the id of the version that is asked for.
func (x secret) choose(id, stage string) (string, error) {
	if id == "" {
		stage = cmp.Or(stage, current)
		if id = x.at(stage); id == "" {
			return "", wire.Errorf("ResourceNotFoundException",
				"Secrets Manager can't find the specified secret value for staging label: %s", stage)
		}
		return id, nil
	}
	v, ok := x.Versions[id]
	switch {
	case !ok:
		return "", wire.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: %s", id)
	case stage != "" && !slices.Contains(v.Stages, stage):
		return "", invalidRequest("You provided a VersionStage that is not associated to the provided VersionId.")
	}
	return id, nil
}
