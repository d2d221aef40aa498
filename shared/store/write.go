package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
)

// ErrSeen says that an event was handled before: there is nothing left to do.
var ErrSeen = errors.New("the event was handled before")

// A Write is one conditional write of a transaction.
type Write struct {
	item    types.TransactWriteItem
	refused error // what it means when the condition does not hold
	invalid error // why the write could not even be built
}

// Commit does all writes or none. When a condition does not hold, it returns
// what the first such write says of it; when another transaction is at the same
// items, a Conflict; DynamoDB's own troubles are Unavailable.
func (s *Store) Commit(ctx context.Context, writes ...Write) error {
	items := make([]types.TransactWriteItem, len(writes))
	for i, w := range writes {
		if w.invalid != nil {
			return w.invalid
		}
		items[i] = s.named(w.item)
	}
	_, err := s.client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: items})
	var canceled *types.TransactionCanceledException
	if !errors.As(err, &canceled) {
		return fault.FromAWS(err, "writing the control plane's state")
	}
	return refusal(writes, canceled.CancellationReasons)
}

// refusal finds out what a cancelled transaction means.
func refusal(writes []Write, reasons []types.CancellationReason) error {
	for i, reason := range reasons {
		if i < len(writes) && reason.Code != nil && *reason.Code == "ConditionalCheckFailed" {
			return writes[i].refused
		}
	}
	for _, reason := range reasons {
		switch code := value(reason.Code); code {
		case "", "None":
		case "TransactionConflict":
			return fault.New(fault.Conflict, "another transaction writes the same items")
		case "ThrottlingError", "ProvisionedThroughputExceeded":
			return fault.New(fault.Unavailable, "DynamoDB throttles the table: %s", code)
		default:
			return fmt.Errorf("transaction cancelled: %s: %s", code, value(reason.Message))
		}
	}
	return errors.New("transaction cancelled without a reason")
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// named sets the table of a write.
func (s *Store) named(item types.TransactWriteItem) types.TransactWriteItem {
	switch {
	case item.Put != nil:
		item.Put.TableName = &s.table
	case item.Update != nil:
		item.Update.TableName = &s.table
	case item.Delete != nil:
		item.Delete.TableName = &s.table
	case item.ConditionCheck != nil:
		item.ConditionCheck.TableName = &s.table
	}
	return item
}

// A condition is a condition expression and its values; names are written as
// #name and stand for the attribute of that name.
type condition struct {
	text   string
	values map[string]types.AttributeValue
}

func (c condition) names() map[string]string {
	names := map[string]string{}
	for _, word := range strings.FieldsFunc(c.text, func(r rune) bool {
		return strings.ContainsRune(" ,()=", r)
	}) {
		if strings.HasPrefix(word, "#") {
			names[word] = word[1:]
		}
	}
	if len(names) == 0 {
		return nil
	}
	return names
}

func text(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }

func number(v int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: fmt.Sprint(v)}
}

var absent = condition{text: "attribute_not_exists(PK)"}

func atVersion(version int64) condition {
	return condition{"#version = :version", map[string]types.AttributeValue{":version": number(version)}}
}

// put builds a put of v under k, with more attributes, if c holds.
func put(k key, v any, more map[string]types.AttributeValue, c condition, refused error) Write {
	item, err := encode(v)
	if err != nil {
		return Write{invalid: err}
	}
	for name, attribute := range k.attributes() {
		item[name] = attribute
	}
	for name, attribute := range more {
		item[name] = attribute
	}
	p := &types.Put{Item: item}
	if c.text != "" {
		p.ConditionExpression = &c.text
		p.ExpressionAttributeNames, p.ExpressionAttributeValues = c.names(), c.values
	}
	return Write{item: types.TransactWriteItem{Put: p}, refused: refused}
}

func remove(k key, c condition, refused error) Write {
	d := &types.Delete{Key: k.attributes()}
	if c.text != "" {
		d.ConditionExpression = &c.text
		d.ExpressionAttributeNames, d.ExpressionAttributeValues = c.names(), c.values
	}
	return Write{item: types.TransactWriteItem{Delete: d}, refused: refused}
}

func indexed(partition, sort string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"GSI1PK": text(partition), "GSI1SK": text(sort)}
}

func changed(format string, args ...any) error {
	return fault.New(fault.Conflict, format+" was changed meanwhile; read it again", args...)
}

// CreateCluster writes a new cluster. A name is free when no cluster has it, or
// only a retired one.
func CreateCluster(c model.Cluster) Write {
	c.Version = 1
	free := condition{"attribute_not_exists(PK) OR #status = :retired",
		map[string]types.AttributeValue{":retired": text(string(contract.ClusterRetired))}}
	return put(clusterKey(c.Name()), c, indexed("CLUSTERS", c.Name()), free,
		fault.New(fault.Conflict, "cluster %s exists already; choose another name", c.Name()))
}

// UpdateCluster writes a cluster if it still has the version that c was read at.
func UpdateCluster(c model.Cluster) Write {
	read := c.Version
	c.Version++
	more := indexed("CLUSTERS", c.Name())
	if c.Status == contract.ClusterRetired {
		more = nil
	}
	return put(clusterKey(c.Name()), c, more, atVersion(read), changed("cluster %s", c.Name()))
}

// ClusterTakesChanges holds while the cluster is ready.
func ClusterTakesChanges(name string) Write {
	c := condition{"#status = :ready",
		map[string]types.AttributeValue{":ready": text(string(contract.ClusterReady))}}
	return Write{
		item: types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
			Key: clusterKey(name).attributes(), ConditionExpression: &c.text,
			ExpressionAttributeNames: c.names(), ExpressionAttributeValues: c.values,
		}},
		refused: fault.New(fault.Conflict, "cluster %s is not ready to be changed", name),
	}
}

// CreateService writes a new service.
func CreateService(v model.Service) Write {
	v.Version = 1
	return put(serviceKey(v.Cluster, v.Name), v, nil, absent,
		fault.New(fault.Conflict, "service %s of cluster %s exists already", v.Name, v.Cluster))
}

// UpdateService writes a service if it still has the version that v was read at.
func UpdateService(v model.Service) Write {
	read := v.Version
	v.Version++
	return put(serviceKey(v.Cluster, v.Name), v, nil, atVersion(read),
		changed("service %s of cluster %s", v.Name, v.Cluster))
}

// CreateRelease writes a new release; a number is given once.
func CreateRelease(r model.Release) Write {
	return put(releaseKey(r.Cluster, r.Service, r.Number), r, nil, absent,
		changed("service %s of cluster %s", r.Service, r.Cluster))
}

// UpdateRelease writes what became of a release.
func UpdateRelease(r model.Release) Write {
	return put(releaseKey(r.Cluster, r.Service, r.Number), r, nil,
		condition{text: "attribute_exists(PK)"},
		fault.New(fault.NotFound, "release %d of service %s does not exist", r.Number, r.Service))
}

// jobKeptFor is how long a job is kept after its end, or from when it was asked for until
// then.
const jobKeptFor = 90 * 24 * time.Hour

// CreateJob writes a new job.
func CreateJob(j model.Job) Write {
	j.Version = 1
	return putJob(j, j.CreatedAt, absent, fault.New(fault.Conflict, "job %s of cluster %s exists already", j.Name, j.Cluster))
}

// UpdateJob writes a job if it still has the version that j was read at.
func UpdateJob(j model.Job) Write {
	read := j.Version
	j.Version++
	from := j.CreatedAt
	if j.EndedAt.After(from) {
		from = j.EndedAt
	}
	return putJob(j, from, atVersion(read), changed("job %s of cluster %s", j.Name, j.Cluster))
}

// DeleteJob removes a job; one that is not there is no error.
func DeleteJob(cluster, name string) Write {
	return remove(jobKey(cluster, name), condition{}, nil)
}

func putJob(j model.Job, from time.Time, c condition, refused error) Write {
	more := map[string]types.AttributeValue{"expires": number(from.Add(jobKeptFor).Unix())}
	return put(jobKey(j.Cluster, j.Name), j, more, c, refused)
}

// PutPolicy writes a policy: a new one at version 0, or one that still has the
// version that it was read at.
func PutPolicy(p model.Policy) Write {
	c := versioned(p.Version)
	p.Version++
	return put(policyKey(p.Cluster, p.Name), p,
		indexed(join("ALARM", p.Spec.Alarm), p.Cluster+"/"+p.Name), c,
		changed("policy %s of cluster %s", p.Name, p.Cluster))
}

// DeletePolicy removes a policy; one that is not there is no error.
func DeletePolicy(cluster, name string) Write {
	return remove(policyKey(cluster, name), condition{}, nil)
}

// PutBinding writes a binding: a new one at version 0, or one that still has the
// version that it was read at.
func PutBinding(b model.Binding) Write {
	c := versioned(b.Version)
	b.Version++
	source := "pipeline/" + b.Spec.Pipeline
	if b.Spec.Pipeline == "" {
		source = "repository/" + b.Spec.Repository
	}
	return put(bindingKey(b.Cluster, b.Name), b,
		indexed(join("SOURCE", source), b.Cluster+"/"+b.Name), c,
		changed("binding %s of cluster %s", b.Name, b.Cluster))
}

// DeleteBinding removes a binding; one that is not there is no error.
func DeleteBinding(cluster, name string) Write {
	return remove(bindingKey(cluster, name), condition{}, nil)
}

func versioned(read int64) condition {
	if read == 0 {
		return absent
	}
	return atVersion(read)
}

// CreateDecision keeps what was decided for a policy.
func CreateDecision(d model.Decision) Write {
	k := key{join("DECISIONS", d.Cluster+"/"+d.Policy, Day(d.Time)), join(stamp(d.Time), d.ID)}
	return put(k, d, nil, condition{}, nil)
}

// CreateAudit keeps an audit record; the same record a second time changes
// nothing.
func CreateAudit(a model.AuditRecord) Write {
	k := key{join("AUDIT", a.Cluster, Day(a.Time)), join(stamp(a.Time), a.EventID)}
	var more map[string]types.AttributeValue
	if a.Service != "" {
		more = indexed(join("AUDIT", a.Cluster+"/"+a.Service, Day(a.Time)), k.sort)
	}
	return put(k, a, more, condition{}, nil)
}

// Seen marks an event as handled, for as long as it may come again. Commit
// returns ErrSeen when it was marked before.
func Seen(source, event string, until time.Time) Write {
	more := map[string]types.AttributeValue{"expires": number(until.Unix())}
	return put(seenKey(source, event), struct{}{}, more, absent, ErrSeen)
}
