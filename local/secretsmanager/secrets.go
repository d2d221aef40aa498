package secretsmanager

import (
	"cmp"
	"context"
	"encoding/base64"
	"regexp"
	"slices"
	"strings"
	"time"

	"portolan/local/wire"
)

var secretName = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)

type createInput struct {
	Name        string `json:"Name"`
	Token       string `json:"ClientRequestToken"`
	Description string `json:"Description"`
	KmsKeyID    string `json:"KmsKeyId"`
	Tags        []tag  `json:"Tags"`
	value
}

func (s *Server) createSecret(_ context.Context, in *createInput) (*putOutput, error) {
	if !secretName.MatchString(in.Name) {
		return nil, wire.Errorf("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, "+
			"or any of the following: -/_+=.@!")
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.all() {
		if x.Name == in.Name {
			return s.exists(x, in)
		}
	}
	now := wire.At(s.now())
	x := secret{ARN: s.secretARN(in.Name), Name: in.Name, Description: in.Description, KmsKeyID: in.KmsKeyID, Tags: in.Tags,
		Created: now, Changed: now}
	id := ""
	if in.isSet() {
		id = cmp.Or(in.Token, s.config.IDs.UUID())
		x = x.put(id, version{Text: in.Text, Binary: in.Binary, Created: now, Stages: []string{current}})
	}
	return &putOutput{ARN: x.ARN, Name: x.Name, VersionID: id}, s.secrets.Put(x)
}

// exists answers the same call as before with what it made, and refuses another.
func (s *Server) exists(x secret, in *createInput) (*putOutput, error) {
	if v, ok := x.Versions[in.Token]; ok && in.is(v) {
		return &putOutput{ARN: x.ARN, Name: x.Name, VersionID: in.Token}, nil
	}
	if x.DeleteAt != nil {
		return nil, invalidRequest("You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	return nil, wire.Errorf("ResourceExistsException", "The operation failed because the secret %s already exists.", x.Name)
}

type idInput struct {
	SecretID string `json:"SecretId"`
}

// view is a secret without its values.
type view struct {
	ARN              string              `json:"ARN"`
	Name             string              `json:"Name"`
	Description      string              `json:"Description,omitempty"`
	KmsKeyID         string              `json:"KmsKeyId,omitempty"`
	Tags             []tag               `json:"Tags,omitempty"`
	CreatedDate      wire.Time           `json:"CreatedDate"`
	LastChangedDate  wire.Time           `json:"LastChangedDate"`
	LastAccessedDate *wire.Time          `json:"LastAccessedDate,omitempty"`
	DeletedDate      *wire.Time          `json:"DeletedDate,omitempty"`
	Stages           map[string][]string `json:"VersionIdsToStages,omitempty"`
}

func (x secret) view() view {
	return view{ARN: x.ARN, Name: x.Name, Description: x.Description, KmsKeyID: x.KmsKeyID, Tags: x.Tags, CreatedDate: x.Created,
		LastChangedDate: x.Changed, LastAccessedDate: x.Accessed, DeletedDate: x.DeletedAt, Stages: x.stages()}
}

func (s *Server) describeSecret(_ context.Context, in *idInput) (*view, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.find(in.SecretID)
	if err != nil {
		return nil, err
	}
	shown := x.view()
	return &shown, nil
}

type listInput struct {
	MaxResults int    `json:"MaxResults"`
	NextToken  string `json:"NextToken"`
	Deleted    bool   `json:"IncludePlannedDeletion"`
	Filters    []struct {
		Key    string   `json:"Key"`
		Values []string `json:"Values"`
	} `json:"Filters"`
}

// A listed secret names its labels otherwise than a described one.
type listed struct {
	view
	Stages         map[string][]string `json:"SecretVersionsToStages,omitempty"`
	DescribeStages *struct{}           `json:"VersionIdsToStages,omitempty"`
}

type listOutput struct {
	Secrets   []listed `json:"SecretList"`
	NextToken string   `json:"NextToken,omitempty"`
}

func (s *Server) listSecrets(_ context.Context, in *listInput) (*listOutput, error) {
	for _, f := range in.Filters {
		if !slices.Contains([]string{"name", "tag-key", "tag-value", "description", "all"}, f.Key) {
			return nil, wire.Errorf("ValidationException", "1 validation error detected: Value '%s' at 'filters.1.member.key' failed "+
				"to satisfy constraint: Member must satisfy enum value set: [all, name, tag-key, description, tag-value]", f.Key)
		}
	}
	after, err := base64.RawURLEncoding.DecodeString(in.NextToken)
	if err != nil {
		return nil, wire.Errorf("InvalidNextTokenException", "Invalid Token")
	}
	size := in.MaxResults
	if size < 1 || size > 100 {
		size = 100
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &listOutput{Secrets: []listed{}}
	for _, x := range s.all() {
		if x.DeleteAt != nil && !in.Deleted || !in.matches(x) || x.Name <= string(after) {
			continue
		}
		if len(out.Secrets) == size {
			out.NextToken = base64.RawURLEncoding.EncodeToString([]byte(out.Secrets[size-1].Name))
			break
		}
		out.Secrets = append(out.Secrets, listed{view: x.view(), Stages: x.stages()})
	}
	return out, nil
}

// matches tells whether each filter finds one of its values at the beginning of
// what it looks at.
func (in *listInput) matches(x secret) bool {
	for _, f := range in.Filters {
		texts := []string{}
		if f.Key == "name" || f.Key == "all" {
			texts = append(texts, x.Name)
		}
		if f.Key == "description" || f.Key == "all" {
			texts = append(texts, x.Description)
		}
		for _, t := range x.Tags {
			if f.Key == "tag-key" || f.Key == "all" {
				texts = append(texts, t.Key)
			}
			if f.Key == "tag-value" || f.Key == "all" {
				texts = append(texts, t.Value)
			}
		}
		if !slices.ContainsFunc(texts, func(text string) bool {
			return slices.ContainsFunc(f.Values, func(v string) bool { return strings.HasPrefix(text, v) })
		}) {
			return false
		}
	}
	return true
}

// The days that a deleted secret can be had back.
const (
	daysMin     = 7
	daysMax     = 30
	daysDefault = 30
)

type deleteInput struct {
	SecretID string `json:"SecretId"`
	Days     *int   `json:"RecoveryWindowInDays"`
	Force    bool   `json:"ForceDeleteWithoutRecovery"`
}

type deleteOutput struct {
	ARN          string    `json:"ARN"`
	Name         string    `json:"Name"`
	DeletionDate wire.Time `json:"DeletionDate"`
}

func (s *Server) deleteSecret(_ context.Context, in *deleteInput) (*deleteOutput, error) {
	days := daysDefault
	if in.Days != nil {
		days = *in.Days
	}
	switch {
	case in.Days != nil && in.Force:
		return nil, invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	case days < daysMin || days > daysMax:
		return nil, invalidParameter("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	find := s.live
	if in.Force { // AWS lets a secret that waits for its end be ended at once
		find = s.find
	}
	x, err := find(in.SecretID)
	if err != nil {
		return nil, err
	}
	now := wire.At(s.now())
	if in.Force {
		return &deleteOutput{x.ARN, x.Name, now}, s.secrets.Remove(x.Name)
	}
	end := wire.At(now.Add(time.Duration(days) * 24 * time.Hour))
	x.DeletedAt, x.DeleteAt = &now, &end
	return &deleteOutput{x.ARN, x.Name, end}, s.secrets.Put(x)
}

func (s *Server) restoreSecret(_ context.Context, in *idInput) (*putOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.find(in.SecretID)
	if err != nil {
		return nil, err
	}
	x.DeletedAt, x.DeleteAt = nil, nil
	return &putOutput{ARN: x.ARN, Name: x.Name}, s.secrets.Put(x)
}

type tagInput struct {
	SecretID string   `json:"SecretId"`
	Tags     []tag    `json:"Tags"`
	Keys     []string `json:"TagKeys"`
}

func (s *Server) tagResource(_ context.Context, in *tagInput) (*struct{}, error) { return s.retag(in) }

func (s *Server) untagResource(_ context.Context, in *tagInput) (*struct{}, error) {
	return s.retag(in)
}

// retag takes away the keys, and those of the tags, before it adds the tags.
func (s *Server) retag(in *tagInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x, err := s.live(in.SecretID)
	if err != nil {
		return nil, err
	}
	kept := slices.DeleteFunc(slices.Clone(x.Tags), func(t tag) bool {
		return slices.Contains(in.Keys, t.Key) || slices.ContainsFunc(in.Tags, func(n tag) bool { return n.Key == t.Key })
	})
	x.Tags = append(kept, in.Tags...)
	return &struct{}{}, s.secrets.Put(x)
}
