package sweeper

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"portolan/shared/built"
	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/store"
)

// An image is what stands under a tag; its digest is empty when nothing does.
type image struct {
	account, digest string
	pushedAt        time.Time
}

// bindings asks for a release of each service that is bound to a tag under which an
// image stands that nobody released. What pipelines built is told of by events that
// are not lost.
func (l *look) bindings(ctx context.Context, bindings []model.Binding) error {
	var failed []error
	for _, b := range bindings {
		if b.Spec.Repository == "" {
			continue
		}
		if err := l.binding(ctx, b); err != nil {
			failed = append(failed, fmt.Errorf("looking at binding %s: %w", b.Name, err))
		}
	}
	return errors.Join(failed...)
}

func (l *look) binding(ctx context.Context, b model.Binding) error {
	tag := cmp.Or(b.Spec.Tag, built.DefaultTag)
	found, err := l.image(ctx, b.Spec.Repository, tag)
	if err != nil || found.digest == "" || !decide.IsDue(b, found.pushedAt, l.Now()) {
		return err
	}
	newest, _, err := l.Store.Releases(ctx, b.Cluster, b.Spec.Service, store.Page{Limit: 1})
	if err != nil {
		return err
	}
	var last *model.Release
	if len(newest) > 0 {
		last = &newest[0]
	}
	named := decide.Image{Repository: decide.RegistryHost(found.account, l.Region) + "/" + b.Spec.Repository, Digest: found.digest}
	why := decide.MissedPush(last, named.Pinned(), found.pushedAt)
	if why == "" {
		return nil
	}
	build := decide.Build{Text: named.Repository + ":" + tag, Pinned: named.Pinned(), At: l.at}
	releaser := built.Releaser{Store: l.Store, Now: l.Now, NewID: l.NewID}
	decision, err := releaser.Release(ctx, source(b, tag, found, build, why), b)
	if err != nil || decision.Operation == "" {
		return err
	}
	l.found = append(l.found, Finding{What: decision.Service,
		Did: fmt.Sprintf("operation %s asked for, with release %d", decision.Operation, decision.Release), Why: why})
	return nil
}

// source is the push of an image that no event told of.
func source(b model.Binding, tag string, found image, build decide.Build, why string) built.Source {
	name := b.Spec.Repository + ":" + tag
	return built.Source{
		ID: fmt.Sprintf("swept/%s@%s/%d", name, found.digest, found.pushedAt.Unix()),
		Cause: contract.Cause{Source: "sweeper", Who: "unknown", What: "an image was pushed to " + name,
			Why: "it is " + found.digest + "; " + why},
		Build: func(context.Context, contract.BindingSpec) (decide.Build, string, error) { return build, "", nil },
	}
}

// image looks up what stands under a tag, once in a run.
func (l *look) image(ctx context.Context, repository, tag string) (image, error) {
	name := repository + ":" + tag
	if known, ok := l.images[name]; ok {
		return known, nil
	}
	out, err := l.Images.DescribeImages(ctx, &ecr.DescribeImagesInput{
		RepositoryName: &repository, ImageIds: []types.ImageIdentifier{{ImageTag: &tag}},
	})
	if err = fault.FromAWS(err, "looking up image "+name); fault.IgnoreNotFound(err) != nil {
		return image{}, err
	}
	var found image
	if err == nil && len(out.ImageDetails) > 0 {
		d := out.ImageDetails[0]
		found = image{aws.ToString(d.RegistryId), aws.ToString(d.ImageDigest), aws.ToTime(d.ImagePushedAt)}
	}
	l.images[name] = found
	return found, nil
}
