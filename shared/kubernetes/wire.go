package kubernetes

import (
	"context"
	"strconv"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/rest"

	"portolan/shared/fault"
)

// retries are how often the client itself tries a request again that the API server
// asks to send later.
const retries = 2

// asJSON is what we send, but for changes, which have types of their own.
const asJSON = "application/json"

// do sends a request and reads the answer into an object, or a part of one, unless it is nil.
func (c *connection) do(ctx context.Context, r *rest.Request, into any, doing, verb string, k kind, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, requestDeadline)
	defer cancel()
	result := r.MaxRetries(retries).Do(ctx)
	err := result.Error()
	if err == nil && into != nil {
		err = decodeInto(result, into)
	}
	err = classify(err, doing, verb, k, namespace)
	if c.refused != nil && unauthorized(result.Error()) {
		c.refused()
	}
	return err
}

// decodeInto reads an answer whose kind is known, since it was asked for. The client's own way
// reads each answer once more before, to find out its kind.
func decodeInto(result rest.Result, into any) error {
	raw, err := result.Raw()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return err
	}
	if object, ok := into.(runtime.Object); ok {
		object.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	}
	return nil
}

func (c *connection) get(ctx context.Context, k kind, namespace, name string, into runtime.Object) error {
	return c.do(ctx, c.client.Get().AbsPath(k.path(namespace, name)...), into, "reading "+k.say(namespace, name), "get", k, namespace)
}

// A selection is which objects a list has. Limit is always set: no list is unbounded.
type selection struct {
	labels, fields, next string
	limit                int
}

func (c *connection) list(ctx context.Context, k kind, namespace string, s selection, into any) error {
	request := c.client.Get().AbsPath(k.path(namespace)...).Param("limit", limitOf(s.limit))
	for name, value := range map[string]string{"labelSelector": s.labels, "fieldSelector": s.fields, "continue": s.next} {
		if value != "" {
			request = request.Param(name, value)
		}
	}
	return c.do(ctx, request, into, "listing "+k.resource(), "list", k, namespace)
}

// apply sends what we want of an object; the API server merges it with what others do.
func (c *connection) apply(ctx context.Context, w wish, force bool, into runtime.Object) error {
	body, err := json.Marshal(w.body)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "writing %s", w.say())
	}
	request := c.client.Patch(types.ApplyPatchType).AbsPath(w.kind.path(w.namespace, w.name)...).
		Param("fieldManager", manager).Body(body)
	if force {
		request = request.Param("force", "true")
	}
	return c.do(ctx, request, into, "applying "+w.say(), "patch", w.kind, w.namespace)
}

// noVersion is a version that no object has, since API servers count from the first
// object that they keep.
const noVersion = "1"

// makeNew makes an object as apply does; of one that is there it changes nothing, and
// returns a Conflict. What is applied in a version is refused when that of the object is
// another one, and made when there is none:
// https://github.com/kubernetes/kubernetes/issues/106745.
func (c *connection) makeNew(ctx context.Context, w wish) error {
	w.metadata()["resourceVersion"] = noVersion
	defer delete(w.metadata(), "resourceVersion")
	return c.apply(ctx, w, false, nil)
}

// patch changes the fields of an object that the body names. part is a subresource, or
// empty.
func (c *connection) patch(ctx context.Context, k kind, namespace, name, part string, body any, into runtime.Object) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "writing a change of %s", k.say(namespace, name))
	}
	path := k.path(namespace, name)
	of := k
	if part != "" {
		path, of = append(path, part), k.part(part)
	}
	request := c.client.Patch(types.MergePatchType).AbsPath(path...).Param("fieldManager", manager).Body(raw)
	return c.do(ctx, request, into, "changing "+k.say(namespace, name), "patch", of, namespace)
}

// create sends an object that is only asked about, and reads the answer.
func (c *connection) create(ctx context.Context, k kind, o, into runtime.Object) error {
	body, err := json.Marshal(o)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "writing a %s", k.name)
	}
	request := c.client.Post().AbsPath(k.path("")...).SetHeader("Content-Type", asJSON).Body(body)
	return c.do(ctx, request, into, "asking by a "+k.name, "create", k, "")
}

// delete deletes an object, if it is still the one of that UID; one that is not there
// is deleted.
func (c *connection) delete(ctx context.Context, k kind, o meta.ObjectMeta, how meta.DeletionPropagation) error {
	options, err := json.Marshal(meta.DeleteOptions{
		TypeMeta:      meta.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"},
		Preconditions: &meta.Preconditions{UID: &o.UID}, PropagationPolicy: &how,
	})
	if err != nil {
		return fault.Wrap(fault.Internal, err, "writing the deletion of %s", k.say(o.Namespace, o.Name))
	}
	request := c.client.Delete().AbsPath(k.path(o.Namespace, o.Name)...).SetHeader("Content-Type", asJSON).Body(options)
	return fault.IgnoreNotFound(c.do(ctx, request, nil, "deleting "+k.say(o.Namespace, o.Name), "delete", k, o.Namespace))
}

func limitOf(limit int) string { return strconv.Itoa(limit) }
