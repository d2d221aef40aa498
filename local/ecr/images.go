package ecr

import (
	"context"
	"maps"
	"slices"
	"strings"

	"portolan/local/events"
	"portolan/local/wire"
)

type imageID struct {
	ImageDigest string `json:"imageDigest,omitempty"`
	ImageTag    string `json:"imageTag,omitempty"`
}

type imageView struct {
	RegistryID             string  `json:"registryId"`
	RepositoryName         string  `json:"repositoryName"`
	ImageID                imageID `json:"imageId"`
	ImageManifest          string  `json:"imageManifest"`
	ImageManifestMediaType string  `json:"imageManifestMediaType"`
}

type putImageInput struct {
	RepositoryName         string `json:"repositoryName"`
	ImageManifest          string `json:"imageManifest"`
	ImageManifestMediaType string `json:"imageManifestMediaType"`
	ImageTag               string `json:"imageTag"`
	ImageDigest            string `json:"imageDigest"`
}

type putImageOutput struct {
	Image imageView `json:"image"`
}

func (s *Server) putImage(ctx context.Context, in *putImageInput) (*putImageOutput, error) {
	if in.ImageManifest == "" {
		return nil, wire.Errorf("InvalidParameterException", "Invalid parameter at 'imageManifest' failed to satisfy constraint: "+
			"'must not be empty'")
	}
	s.mu.Lock()
	r, err := s.find(in.RepositoryName)
	var digest string
	var out *events.Outgoing
	if err == nil {
		digest, out, err = s.store(r, in.ImageTag, in.ImageManifest, in.ImageManifestMediaType)
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if out == nil {
		return nil, wire.Errorf("ImageAlreadyExistsException", "Image with digest '%s' and tag '%s' already exists in the repository "+
			"with name '%s' in registry with id '%s'", digest, in.ImageTag, in.RepositoryName, s.config.Account)
	}
	s.outbox.Send(ctx, out)
	return &putImageOutput{imageView{RegistryID: s.config.Account, RepositoryName: in.RepositoryName,
		ImageID: imageID{digest, in.ImageTag}, ImageManifest: in.ImageManifest, ImageManifestMediaType: in.ImageManifestMediaType}}, nil
}

// resolve finds the image by digest, by tag, or by both where they agree.
func (r *repository) resolve(id imageID) *image {
	digest := id.ImageDigest
	if id.ImageTag != "" {
		tagged, ok := r.Tags[id.ImageTag]
		if !ok || digest != "" && digest != tagged {
			return nil
		}
		digest = tagged
	}
	at := slices.IndexFunc(r.Images, func(i *image) bool { return i.Digest == digest })
	if at < 0 {
		return nil
	}
	return r.Images[at]
}

// LookUpImage knows an image by its URI, with a tag or a digest, with all tags
// that it was ever pushed under.
func (s *Server) LookUpImage(uri string) (digest string, tags []string, ok bool) {
	host := s.config.Account + ".dkr.ecr." + s.config.Region + ".amazonaws.com/"
	rest, ours := strings.CutPrefix(uri, host)
	if !ours {
		return "", nil, false
	}
	rest, digest, _ = strings.Cut(rest, "@")
	name, tag, _ := strings.Cut(rest, ":")
	if tag == "" && digest == "" {
		tag = "latest"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, known := s.repositories[name]
	if !known {
		return "", nil, false
	}
	id := imageID{ImageDigest: digest}
	if digest == "" {
		id.ImageTag = tag
	}
	i := r.resolve(id)
	if i == nil {
		return "", nil, false
	}
	return i.Digest, slices.Clone(i.TaggedAs), true
}

// tagsOf are the tags that stand for the digest, sorted.
func (r *repository) tagsOf(digest string) []string {
	var tags []string
	for _, tag := range slices.Sorted(maps.Keys(r.Tags)) {
		if r.Tags[tag] == digest {
			tags = append(tags, tag)
		}
	}
	return tags
}

type imagesInput struct {
	RepositoryName string    `json:"repositoryName"`
	ImageIDs       []imageID `json:"imageIds"`
}

type batchGetOutput struct {
	Images   []imageView    `json:"images"`
	Failures []imageFailure `json:"failures"`
}

type imageFailure struct {
	ImageID       imageID `json:"imageId"`
	FailureCode   string  `json:"failureCode"`
	FailureReason string  `json:"failureReason"`
}

func (s *Server) batchGetImage(_ context.Context, in *imagesInput) (*batchGetOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &batchGetOutput{Images: []imageView{}, Failures: []imageFailure{}}
	for _, id := range in.ImageIDs {
		i := r.resolve(id)
		if i == nil {
			out.Failures = append(out.Failures, imageFailure{id, "ImageNotFound", "Requested image not found"})
			continue
		}
		out.Images = append(out.Images, imageView{RegistryID: s.config.Account, RepositoryName: in.RepositoryName,
			ImageID: imageID{i.Digest, id.ImageTag}, ImageManifest: i.Manifest, ImageManifestMediaType: i.MediaType})
	}
	return out, nil
}

type imageDetail struct {
	RegistryID             string    `json:"registryId"`
	RepositoryName         string    `json:"repositoryName"`
	ImageDigest            string    `json:"imageDigest"`
	ImageTags              []string  `json:"imageTags,omitempty"`
	ImageSizeInBytes       int       `json:"imageSizeInBytes"`
	ImagePushedAt          wire.Time `json:"imagePushedAt"`
	ImageManifestMediaType string    `json:"imageManifestMediaType"`
}

type describeImagesOutput struct {
	ImageDetails []imageDetail `json:"imageDetails"`
}

func (s *Server) describeImages(_ context.Context, in *imagesInput) (*describeImagesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	images := r.Images
	if len(in.ImageIDs) > 0 {
		images = nil
	}
	for _, id := range in.ImageIDs {
		i := r.resolve(id)
		if i == nil {
			return nil, wire.Errorf("ImageNotFoundException", "The image with imageId {imageDigest:'%s', imageTag:'%s'} does not "+
				"exist within the repository with name '%s' in the registry with id '%s'",
				orNull(id.ImageDigest), orNull(id.ImageTag), in.RepositoryName, s.config.Account)
		}
		images = append(images, i)
	}
	out := &describeImagesOutput{ImageDetails: []imageDetail{}}
	for _, i := range images {
		out.ImageDetails = append(out.ImageDetails, imageDetail{RegistryID: s.config.Account, RepositoryName: in.RepositoryName,
			ImageDigest: i.Digest, ImageTags: r.tagsOf(i.Digest), ImageSizeInBytes: 52_428_800, ImagePushedAt: i.PushedAt,
			ImageManifestMediaType: i.MediaType})
	}
	return out, nil
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

type listImagesOutput struct {
	ImageIDs []imageID `json:"imageIds"`
}

func (s *Server) listImages(_ context.Context, in *imagesInput) (*listImagesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &listImagesOutput{ImageIDs: []imageID{}}
	for _, i := range r.Images {
		tags := r.tagsOf(i.Digest)
		if len(tags) == 0 {
			tags = []string{""}
		}
		for _, tag := range tags {
			out.ImageIDs = append(out.ImageIDs, imageID{i.Digest, tag})
		}
	}
	return out, nil
}
