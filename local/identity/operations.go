package identity

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"portolan/local/wire"
)

type assumeRoleInput struct {
	RoleArn         string `json:"RoleArn"`
	RoleSessionName string `json:"RoleSessionName"`
	DurationSeconds *int32 `json:"DurationSeconds"`
}

type assumeRoleOutput struct {
	Credentials     credentials     `json:"Credentials"`
	AssumedRoleUser assumedRoleUser `json:"AssumedRoleUser"`
}

type credentials struct {
	AccessKeyID     string    `json:"AccessKeyId"`
	SecretAccessKey string    `json:"SecretAccessKey"`
	SessionToken    string    `json:"SessionToken"`
	Expiration      wire.Time `json:"Expiration"`
}

type assumedRoleUser struct {
	AssumedRoleID string `json:"AssumedRoleId"`
	Arn           string `json:"Arn"`
}

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

func (s *Server) assumeRole(ctx context.Context, in *assumeRoleInput) (*assumeRoleOutput, error) {
	if !sessionName.MatchString(in.RoleSessionName) {
		return nil, wire.Errorf("ValidationError", "1 validation error detected: Value '%s' at 'roleSessionName' "+
			"failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", in.RoleSessionName)
	}
	ttl := time.Hour
	if in.DurationSeconds != nil {
		ttl = time.Duration(*in.DurationSeconds) * time.Second
		if ttl < 15*time.Minute || ttl > 12*time.Hour {
			return nil, wire.Errorf("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration "+
				"set for this role.")
		}
	}
	_, role, err := splitRole(in.RoleArn)
	if err != nil {
		return nil, err
	}
	if s.config.RoleExists != nil && !s.config.RoleExists(role) {
		return nil, &wire.Error{Code: "AccessDenied", Status: http.StatusForbidden,
			Message: "User: " + wire.Caller(ctx).ARN + " is not authorized to perform: sts:AssumeRole on resource: " + in.RoleArn}
	}
	key, err := s.AssumeRole(in.RoleArn, in.RoleSessionName, ttl)
	if err != nil {
		return nil, err
	}
	return &assumeRoleOutput{
		Credentials: credentials{AccessKeyID: key.AccessKeyID, SecretAccessKey: key.SecretAccessKey,
			SessionToken: key.SessionToken, Expiration: wire.At(s.config.Clock.Machine(key.Expires))},
		AssumedRoleUser: assumedRoleUser{AssumedRoleID: key.UserID, Arn: key.ARN},
	}, nil
}

type getCallerIdentityOutput struct {
	UserID  string `json:"UserId"`
	Account string `json:"Account"`
	Arn     string `json:"Arn"`
}

func (s *Server) getCallerIdentity(ctx context.Context, _ *struct{}) (*getCallerIdentityOutput, error) {
	caller := wire.Caller(ctx)
	return &getCallerIdentityOutput{UserID: caller.UserID, Account: caller.Account, Arn: caller.ARN}, nil
}

type getAccessKeyInfoInput struct {
	AccessKeyID string `json:"AccessKeyId"`
}

type getAccessKeyInfoOutput struct {
	Account string `json:"Account"`
}

func (s *Server) getAccessKeyInfo(context.Context, *getAccessKeyInfoInput) (*getAccessKeyInfoOutput, error) {
	return &getAccessKeyInfoOutput{Account: s.config.Account}, nil
}
