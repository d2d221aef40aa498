package event

import (
	"encoding/json"
	"errors"
	"regexp"
	"sync"
)

// ImageAction is something that was done to an image of an ECR repository. A push
// sends one for each tag, and one without a tag for each child of an image of
// several architectures.
type ImageAction struct {
	Header
	Action     string
	Result     string
	Repository string
	Tag        string
	Digest     string
}

// digests is made when it is first needed, for the sake of other doors' cold
// starts. The digest in AWS's own sample is shorter than a real one.
var digests = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^sha256:[0-9a-f]{32,64}$`)
})

// IsDigest says whether text is the digest of an image.
func IsDigest(text string) bool { return digests().MatchString(text) }

func decodeImageAction(h Header, detail json.RawMessage) (any, error) {
	var d struct {
		Action     string `json:"action-type"`
		Result     string `json:"result"`
		Repository string `json:"repository-name"`
		Tag        string `json:"image-tag"`
		Digest     string `json:"image-digest"`
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return nil, err
	}
	if d.Action == "" || d.Result == "" || d.Repository == "" {
		return nil, errors.New("it has no action-type, result or repository-name")
	}
	if d.Digest != "" && !IsDigest(d.Digest) {
		return nil, errors.New("its image-digest is none")
	}
	return ImageAction{
		Header: h, Action: clip(d.Action, 50), Result: clip(d.Result, 50),
		Repository: clip(d.Repository, 256), Tag: clip(d.Tag, 300), Digest: d.Digest,
	}, nil
}
