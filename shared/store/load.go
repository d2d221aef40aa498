package store

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"portolan/shared/fault"
	"portolan/shared/model"
)

// A Read is one item that Load reads, and where to.
type Read struct {
	key      key
	into     any
	what     string
	optional bool
}

// ReadOperation reads an operation.
func ReadOperation(id string, into *model.Operation) Read {
	return Read{key: operationKey(id), into: into, what: "operation " + id}
}

// ReadLease reads a target's lease; a target that never had one has a free one.
func ReadLease(target string, into *model.Lease) Read {
	*into = model.Lease{Target: target}
	return Read{key: leaseKey(target), into: into, optional: true}
}

// ReadCluster reads a cluster, retired ones too.
func ReadCluster(name string, into *model.Cluster) Read {
	return Read{key: clusterKey(name), into: into, what: "cluster " + name}
}

// ReadService reads a service, retired ones too.
func ReadService(cluster, name string, into *model.Service) Read {
	return Read{key: serviceKey(cluster, name), into: into, what: fmt.Sprintf("service %s of cluster %s", name, cluster)}
}

// ReadPolicy reads a scaling policy.
func ReadPolicy(cluster, name string, into *model.Policy) Read {
	return Read{key: policyKey(cluster, name), into: into, what: fmt.Sprintf("policy %s of cluster %s", name, cluster)}
}

// ReadJob reads a job.
func ReadJob(cluster, name string, into *model.Job) Read {
	return Read{key: jobKey(cluster, name), into: into, what: fmt.Sprintf("job %s of cluster %s", name, cluster)}
}

// loadTries bounds how often Load asks for what DynamoDB left out of its answers.
const loadTries = 4

// Load reads up to a hundred items with one request, each strongly consistent, but not all
// as they were at one moment. It reads all that there are, and is NotFound for the first one
// in the order of reads that there is not.
func (s *Store) Load(ctx context.Context, reads ...Read) error {
	items, err := s.batch(ctx, reads)
	if err != nil {
		return err
	}
	var missing error
	for _, r := range reads {
		item, there := items[r.key]
		switch {
		case there:
			if err := decode(item, r.into); err != nil {
				return err
			}
		case !r.optional && missing == nil:
			missing = fault.New(fault.NotFound, "%s does not exist", r.what)
		}
	}
	return missing
}

// batch returns those of the items that there are.
func (s *Store) batch(ctx context.Context, reads []Read) (map[key]map[string]types.AttributeValue, error) {
	wanted := types.KeysAndAttributes{ConsistentRead: ptr(true)}
	for _, r := range reads {
		wanted.Keys = append(wanted.Keys, r.key.attributes())
	}
	items := make(map[key]map[string]types.AttributeValue, len(reads))
	for range loadTries {
		got, err := s.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{
			RequestItems: map[string]types.KeysAndAttributes{s.table: wanted},
		})
		if err != nil {
			return nil, unread(err, "reading "+reads[0].what)
		}
		for _, item := range got.Responses[s.table] {
			items[key{textOf(item["PK"]), textOf(item["SK"])}] = item
		}
		left, some := got.UnprocessedKeys[s.table]
		if !some || len(left.Keys) == 0 {
			return items, nil
		}
		wanted.Keys = left.Keys
	}
	return nil, fault.New(fault.Unavailable, "DynamoDB throttles the table: %d of %d items were not read", len(wanted.Keys), len(reads))
}
