package identity

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/unique"
	"portolan/local/wire"
)

// Config is what a Server is made of. RoleExists may be nil: then any role of
// the account can be assumed.
type Config struct {
	Clock      *clock.Clock
	Disk       *disk.Disk
	IDs        *unique.Source
	Account    string
	Region     string
	RoleExists func(roleName string) bool
}

// A Server knows access keys, and answers STS's calls under the signing name sts.
// It is the Resolver of a wire.Router.
type Server struct {
	*wire.Service
	config Config

	mu   sync.Mutex
	keys map[string]*Key // by access key id
}

// A Key is an access key and who calls with it. Secrets are for printing: the
// embedded AWS checks none.
type Key struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // empty for a user's key
	Expires         time.Time // zero for a user's key
	ARN             string
	UserID          string
}

const bucket = "identity/keys"

// New returns a server that knows the keys on disk.
func New(config Config) (*Server, error) {
	s := &Server{config: config, keys: map[string]*Key{}}
	s.Service = &wire.Service{
		Name: "STS", Version: "2011-06-15", Protocol: wire.Query,
		Namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
		Operations: map[string]wire.Operation{
			"AssumeRole":        wire.Op(s.assumeRole),
			"GetCallerIdentity": wire.Op(s.getCallerIdentity),
			"GetAccessKeyInfo":  wire.Op(s.getAccessKeyInfo),
		},
	}
	err := disk.LoadJSON(config.Disk, bucket, func(_ string, key *Key) { s.keys[key.AccessKeyID] = key })
	if err != nil {
		return nil, err
	}
	return s, nil
}

// AddUser makes accessKeyID the key of an IAM user, or of the account's root
// where name is "root". Adding it again changes nothing.
func (s *Server) AddUser(accessKeyID, secret, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := &Key{AccessKeyID: accessKeyID, SecretAccessKey: secret,
		ARN: "arn:aws:iam::" + s.config.Account + ":user/" + name, UserID: "AIDA" + s.config.IDs.Base32(17)}
	if name == "root" {
		key.ARN, key.UserID = "arn:aws:iam::"+s.config.Account+":root", s.config.Account
	}
	if _, ok := s.keys[accessKeyID]; ok {
		return nil
	}
	return s.keep(key)
}

// AssumeRole issues a key for a session of the role, as STS does for a Lambda
// function or a task. The session lasts for ttl, or an hour if that is zero, on
// the clock of its users: SDKs renew it by the machine's own time.
func (s *Server) AssumeRole(roleARN, sessionName string, ttl time.Duration) (Key, error) {
	account, role, err := splitRole(roleARN)
	if err != nil {
		return Key{}, err
	}
	if ttl == 0 {
		ttl = time.Hour
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetExpired()
	ids := s.config.IDs
	key := &Key{
		AccessKeyID: "ASIA" + ids.Base32(16), SecretAccessKey: ids.Hex(40), SessionToken: ids.Base32(120),
		Expires: s.config.Clock.Now().Add(s.config.Clock.Local(ttl)).Truncate(time.Second),
		ARN:     "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + sessionName,
		UserID:  RoleID(role) + ":" + sessionName,
	}
	if err := s.keep(key); err != nil {
		return Key{}, err
	}
	return *key, nil
}

func (s *Server) keep(key *Key) error {
	err := s.config.Disk.Update(func(tx *disk.Tx) error { return tx.PutJSON(bucket, key.AccessKeyID, key) })
	if err == nil {
		s.keys[key.AccessKeyID] = key
	}
	return err
}

// forgetExpired drops keys an hour after they expired; until then the caller is
// told that they did.
func (s *Server) forgetExpired() {
	horizon := s.config.Clock.Now().Add(-time.Hour)
	var gone []string
	for id, key := range s.keys {
		if !key.Expires.IsZero() && key.Expires.Before(horizon) {
			gone = append(gone, id)
			delete(s.keys, id)
		}
	}
	if len(gone) == 0 {
		return
	}
	// What cannot be removed from disk now is dropped after the next restart.
	_ = s.config.Disk.Update(func(tx *disk.Tx) error {
		for _, id := range gone {
			if err := tx.Delete(bucket, []byte(id)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Resolve implements wire.Resolver.
func (s *Server) Resolve(_ context.Context, accessKey string) (wire.Identity, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, ok := s.keys[accessKey]
	switch {
	case accessKey == "":
		return wire.Identity{}, &wire.Error{Code: "MissingAuthenticationTokenException",
			QueryCode: "MissingAuthenticationToken", Status: http.StatusForbidden,
			Message: "Request is missing Authentication Token"}
	case !ok:
		return wire.Identity{}, &wire.Error{Code: "UnrecognizedClientException", QueryCode: "InvalidClientTokenId",
			Status: http.StatusForbidden, Message: "The security token included in the request is invalid."}
	case !key.Expires.IsZero() && !s.config.Clock.Now().Before(key.Expires):
		return wire.Identity{}, &wire.Error{Code: "ExpiredTokenException", QueryCode: "ExpiredToken",
			Status: http.StatusForbidden, Message: "The security token included in the request is expired"}
	}
	return wire.Identity{Account: s.config.Account, Region: s.config.Region, AccessKey: accessKey,
		ARN: key.ARN, UserID: key.UserID}, nil
}

var roleARN = regexp.MustCompile(`^arn:aws:iam::(\d{12}):role/(?:[\w+=,.@/-]*/)?([\w+=,.@-]{1,64})$`)

func splitRole(arn string) (account, role string, err error) {
	parts := roleARN.FindStringSubmatch(arn)
	if parts == nil {
		return "", "", wire.Errorf("ValidationError", "%s is invalid", arn)
	}
	return parts[1], parts[2], nil
}

// RoleID is the id of a role, AROA and so on. It is made of the name, so that
// STS, IAM and CloudTrail agree on it without asking one another.
func RoleID(roleName string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	hash := uint64(14695981039346656037) // FNV-1a, carried on for each letter
	for i := range len(roleName) {
		hash = (hash ^ uint64(roleName[i])) * 1099511628211
	}
	id := make([]byte, 17)
	for i := range id {
		hash = (hash ^ uint64(i)) * 1099511628211
		id[i] = alphabet[(hash>>32)%uint64(len(alphabet))]
	}
	return "AROA" + string(id)
}

// Session is the role and the session name in the ARN of a role's session; ok is
// false for any other ARN.
func Session(arn string) (roleName, sessionName string, ok bool) {
	_, rest, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return "", "", false
	}
	roleName, sessionName, ok = strings.Cut(rest, "/")
	return roleName, sessionName, ok
}

// Key is the access key of that id, for whoever checks a signature.
func (s *Server) Key(accessKeyID string) (Key, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, ok := s.keys[accessKeyID]
	if !ok || !key.Expires.IsZero() && key.Expires.Before(s.config.Clock.Now()) {
		return Key{}, false
	}
	return *key, true
}
