// Package session gives each operation AWS credentials of its own: a role
// session that carries the operation's id as its name, so that CloudTrail leads
// from every call back to who asked for it.
//
// It must never know what is called with them.
package session

import (
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// most is how many operations' credentials are kept; one function works for few
// at a time.
const most = 64

// Sessions hands out configurations. It is safe for concurrent use.
type Sessions struct {
	base aws.Config
	role string

	mu      sync.Mutex
	configs map[string]aws.Config
}

// New returns sessions of a role, by its ARN, that base's credentials may assume.
func New(base aws.Config, role string) *Sessions {
	return &Sessions{base: base, role: role, configs: map[string]aws.Config{}}
}

// Config returns the configuration under which an operation calls AWS. It makes
// no call; the first client that is used with it assumes the role.
func (s *Sessions) Config(operation string) aws.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if config, ok := s.configs[operation]; ok {
		return config
	}
	if len(s.configs) >= most {
		clear(s.configs)
	}
	config := s.base.Copy()
	provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(s.base), s.role,
		func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = operation })
	config.Credentials = aws.NewCredentialsCache(provider)
	s.configs[operation] = config
	return config
}
