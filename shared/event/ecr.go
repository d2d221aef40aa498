package event

import (
	"encoding/json"
	"errors"
	"strings"
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
	if d.Digest != "" && !isDigest(d.Digest) {
		return nil, errors.New("its image-digest is none")
	}
	return ImageAction{
		Header: h, Action: clip(d.Action, 50), Result: clip(d.Result, 50),
		Repository: clip(d.Repository, 256), Tag: clip(d.Tag, 300), Digest: d.Digest,
	}, nil
}

// isDigest takes short digests too, as the one in AWS's own sample is.
func isDigest(text string) bool {
	hex, found := strings.CutPrefix(text, "sha256:")
	return found && len(hex) >= 32 && len(hex) <= 64 && strings.Trim(hex, "0123456789abcdef") == ""
}
