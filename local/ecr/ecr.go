package ecr

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/events"
	"portolan/local/wire"
)

// Config is what a Server is made of. Events may be nil.
type Config struct {
	Clock   *clock.Clock
	Disk    *disk.Disk
	Account string
	Region  string
	Events  events.Emitter
}

// A Server is ECR in one Region of one account. It answers under the signing
// name ecr.
type Server struct {
	*wire.Service
	config Config

	mu           sync.Mutex
	repositories map[string]*repository
	outbox       *events.Outbox
}

type repository struct {
	View   repositoryView    `json:"view"`
	Images []*image          `json:"images"` // in the order of their first push
	Tags   map[string]string `json:"tags"`   // the digest for each
}

type image struct {
	Digest    string    `json:"digest"`
	TaggedAs  []string  `json:"taggedAs"` // also by tags that have moved on
	Manifest  string    `json:"manifest"`
	MediaType string    `json:"mediaType"`
	PushedAt  wire.Time `json:"pushedAt"`
}

type repositoryView struct {
	RepositoryArn      string    `json:"repositoryArn"`
	RegistryID         string    `json:"registryId"`
	RepositoryName     string    `json:"repositoryName"`
	RepositoryURI      string    `json:"repositoryUri"`
	CreatedAt          wire.Time `json:"createdAt"`
	ImageTagMutability string    `json:"imageTagMutability"`
}

const bucket = "ecr/repositories"

// New returns a server with the repositories on disk.
func New(config Config) (*Server, error) {
	s := &Server{config: config, repositories: map[string]*repository{}}
	s.Service = &wire.Service{Name: "ECR", Target: "AmazonEC2ContainerRegistry_V20150921", Protocol: wire.JSON11,
		Operations: map[string]wire.Operation{
			"CreateRepository":     wire.Op(s.createRepository),
			"DescribeRepositories": wire.Op(s.describeRepositories),
			"DeleteRepository":     wire.Op(s.deleteRepository),
			"PutImage":             wire.Op(s.putImage),
			"BatchGetImage":        wire.Op(s.batchGetImage),
			"DescribeImages":       wire.Op(s.describeImages),
			"ListImages":           wire.Op(s.listImages),
		}}
	err := disk.LoadJSON(config.Disk, bucket, func(name string, r *repository) { s.repositories[name] = r })
	if err == nil {
		s.outbox, err = events.OpenOutbox(config.Disk, "ecr/outbox", config.Events)
	}
	if err != nil {
		return nil, fmt.Errorf("loading repositories: %w", err)
	}
	return s, nil
}

func (s *Server) keep(r *repository) error {
	return s.config.Disk.Update(func(tx *disk.Tx) error {
		if err := tx.PutJSON(bucket, r.View.RepositoryName, r); err != nil {
			return err
		}
		return s.outbox.Keep(tx)
	})
}

func (s *Server) find(name string) (*repository, error) {
	r, ok := s.repositories[name]
	if !ok {
		return nil, wire.Errorf("RepositoryNotFoundException",
			"The repository with name '%s' does not exist in the registry with id '%s'", name, s.config.Account)
	}
	return r, nil
}

type repositoryInput struct {
	RepositoryName     string   `json:"repositoryName"`
	RepositoryNames    []string `json:"repositoryNames"`
	ImageTagMutability string   `json:"imageTagMutability"`
	Force              bool     `json:"force"`
}

type repositoryOutput struct {
	Repository repositoryView `json:"repository"`
}

var repositoryName = regexp.MustCompile(`^(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*$`)

func (s *Server) createRepository(_ context.Context, in *repositoryInput) (*repositoryOutput, error) {
	if !repositoryName.MatchString(in.RepositoryName) || len(in.RepositoryName) < 2 {
		return nil, wire.Errorf("InvalidParameterException", "Invalid parameter at 'repositoryName' failed to satisfy "+
			"constraint: 'must satisfy regular expression '%s''", repositoryName)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.repositories[in.RepositoryName]; ok {
		return nil, wire.Errorf("RepositoryAlreadyExistsException",
			"The repository with name '%s' already exists in the registry with id '%s'", in.RepositoryName, s.config.Account)
	}
	r := s.add(in.RepositoryName, cmp.Or(in.ImageTagMutability, "MUTABLE"))
	return &repositoryOutput{r.View}, s.keep(r)
}

func (s *Server) add(name, mutability string) *repository {
	account, region := s.config.Account, s.config.Region
	r := &repository{Tags: map[string]string{}, View: repositoryView{
		RepositoryArn: "arn:aws:ecr:" + region + ":" + account + ":repository/" + name, RegistryID: account, RepositoryName: name,
		RepositoryURI: account + ".dkr.ecr." + region + ".amazonaws.com/" + name, CreatedAt: wire.At(s.config.Clock.Now()),
		ImageTagMutability: mutability}}
	s.repositories[name] = r
	return r
}

type repositoriesOutput struct {
	Repositories []repositoryView `json:"repositories"`
}

func (s *Server) describeRepositories(_ context.Context, in *repositoryInput) (*repositoriesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := in.RepositoryNames
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(s.repositories))
	}
	out := &repositoriesOutput{Repositories: []repositoryView{}}
	for _, name := range names {
		r, err := s.find(name)
		if err != nil {
			return nil, err
		}
		out.Repositories = append(out.Repositories, r.View)
	}
	return out, nil
}

func (s *Server) deleteRepository(_ context.Context, in *repositoryInput) (*repositoryOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if len(r.Images) > 0 && !in.Force {
		return nil, wire.Errorf("RepositoryNotEmptyException", "The repository with name '%s' in registry with id '%s' cannot "+
			"be deleted because it still contains images", in.RepositoryName, s.config.Account)
	}
	delete(s.repositories, in.RepositoryName)
	return &repositoryOutput{r.View}, s.config.Disk.Update(func(tx *disk.Tx) error {
		return tx.Delete(bucket, []byte(in.RepositoryName))
	})
}

func digestOf(manifest string) string {
	sum := sha256.Sum256([]byte(manifest))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Push puts an image under the tag, as docker push does, into a repository that
// is made if it is missing, and returns the digest. The content is what the
// digest is made of: the same content has the same digest.
func (s *Server) Push(ctx context.Context, repositoryName, tag, content string) (digest string, err error) {
	digest, out, err := s.push(repositoryName, tag, content)
	if err != nil {
		return "", err
	}
	s.outbox.Send(ctx, out)
	return digest, nil
}

func (s *Server) push(repositoryName, tag, content string) (digest string, out *events.Outgoing, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.repositories[repositoryName]
	if !ok {
		r = s.add(repositoryName, "MUTABLE")
	}
	manifest := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"digest":%q}}`, manifestType, digestOf(content))
	digest, out, err = s.store(r, tag, manifest, manifestType)
	if err == nil && out == nil { // what is there already is told of all the same
		out = s.outbox.Add(s.pushed(repositoryName, tag, digest))
		err = s.keep(r)
	}
	return digest, out, err
}

const manifestType = "application/vnd.docker.distribution.manifest.v2+json"

// store adds the image and moves the tag to it, and returns the event of that: none
// when the image was there already, tag and all.
func (s *Server) store(r *repository, tag, manifest, mediaType string) (digest string, out *events.Outgoing, err error) {
	digest = digestOf(manifest)
	has := slices.ContainsFunc(r.Images, func(i *image) bool { return i.Digest == digest })
	if has && (tag == "" || r.Tags[tag] == digest) {
		return digest, nil, nil
	}
	if old, taken := r.Tags[tag]; taken && tag != "" && r.View.ImageTagMutability == "IMMUTABLE" {
		return "", nil, wire.Errorf("ImageTagAlreadyExistsException", "The image tag '%s' already exists in the '%s' repository "+
			"and cannot be overwritten because the tag is immutable. (%s)", tag, r.View.RepositoryName, old)
	}
	if !has {
		r.Images = append(r.Images, &image{Digest: digest, Manifest: manifest, MediaType: cmp.Or(mediaType, manifestType),
			PushedAt: wire.At(s.config.Clock.Now())})
	}
	if tag != "" {
		r.Tags[tag] = digest
		i := r.resolve(imageID{ImageDigest: digest})
		i.TaggedAs = append(i.TaggedAs, tag)
	}
	out = s.outbox.Add(s.pushed(r.View.RepositoryName, tag, digest))
	return digest, out, s.keep(r)
}

// pushed is the event of a push.
func (s *Server) pushed(repositoryName, tag, digest string) events.Event {
	detail := map[string]any{"result": "SUCCESS", "repository-name": repositoryName, "image-digest": digest, "action-type": "PUSH"}
	if tag != "" {
		detail["image-tag"] = tag
	}
	return events.Event{Source: "aws.ecr", DetailType: "ECR Image Action", Detail: detail, Time: s.config.Clock.Now()}
}
