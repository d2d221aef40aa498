package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"portolan/shared/contract"
	"portolan/shared/store"
	"portolan/shared/store/storetest"
)

const keyed = "idempotency-key"

// TestAKeyMakesARequestSafeToSendTwice sends each kind of change twice, and then
// the same key with another request.
func TestAKeyMakesARequestSafeToSendTwice(t *testing.T) {
	d := open(t)
	client := storetest.Client(t)
	d.Store = store.New(client, "portolan")
	twice := func(method, path, body string) exchange {
		t.Helper()
		key := method + path
		first := d.send(method, path, body, keyed, key)
		if first.StatusCode >= 300 {
			t.Fatalf("%s %s: %s", method, path, first.Body)
		}
		before := everything(t, client)
		d.now = d.now.Add(time.Hour)
		if second := d.send(method, path, body, keyed, key); !reflect.DeepEqual(second, first) {
			t.Errorf("%s %s: the answers are\n%+v\n%+v", method, path, first, second)
		}
		if after := everything(t, client); after != before {
			t.Errorf("%s %s: the second one changed something", method, path)
		}
		return first
	}
	o := as[contract.Operation](twice("POST", clusters, onEC2), 202)
	d.end(o.Id, contract.ClusterReady)
	twice("PUT", demo+"/node-pools/main", `{"size":4}`)
	twice("PUT", theService, wildfly)
	twice("PUT", demo+"/policies/high", high)
	twice("PUT", demo+"/bindings/main", shop)
	twice("DELETE", demo+"/policies/high", "")
	twice("DELETE", demo+"/bindings/main", "")
	twice("DELETE", theService, "")
	twice("DELETE", demo, "")

	// The change is answered as it was then, whatever came after it.
	if again := d.send("POST", clusters, onEC2, keyed, "POST"+clusters); as[contract.Operation](again, 202).Id != o.Id {
		t.Errorf("the answer is %s", again.Body)
	}
	d.send("POST", clusters, fargate, keyed, "POST"+clusters).refused(422,
		"Idempotency-Key was used for another request; choose a new key for each change")
	d.send("DELETE", demo, "", keyed, "POST"+clusters).refused(422,
		"Idempotency-Key was used for another request; choose a new key for each change")

	// Another caller's keys are another caller's.
	r := event("POST", clusters, fargate, keyed, "POST"+clusters)
	r.RequestContext.Authorizer.IAM.UserARN = "arn:aws:iam::123456789012:user/other"
	x, err := d.Handle(t.Context(), r)
	if err != nil || x.StatusCode != 202 {
		t.Errorf("%+v %v", x, err)
	}
}

func TestARefusedRequestKeepsNoAnswer(t *testing.T) {
	d := open(t)
	d.send("PUT", theService, wildfly, keyed, "k").refused(404, "cluster demo does not exist")
	d.ready()
	as[contract.Operation](d.send("PUT", theService, wildfly, keyed, "k"), 202)
}

func TestOfTwoAtOnceOneGetsTheName(t *testing.T) {
	for _, key := range []string{"", "one-key"} {
		d := open(t)
		ids := make(chan string, 100)
		for i := range cap(ids) {
			ids <- "01KAQ6M3V6Z4YJ9T2R8N5C00" + string("0123456789"[i/10]) + string("0123456789"[i%10])
		}
		d.NewID = func() string { return <-ids }
		var group sync.WaitGroup
		results := make([]exchange, 8)
		for i := range results {
			group.Go(func() {
				headers := []string{}
				if key != "" {
					headers = []string{keyed, key}
				}
				response, err := d.Handle(t.Context(), event("POST", clusters, onEC2, headers...))
				if err != nil {
					t.Error(err)
				}
				results[i] = exchange{response, t}
			})
		}
		group.Wait()
		operations := map[string]bool{}
		for _, x := range results {
			switch {
			case x.StatusCode == http.StatusAccepted:
				operations[as[contract.Operation](x, 202).Id] = true
			case key != "" || x.StatusCode != http.StatusConflict:
				t.Errorf("with the key %q: %d %s", key, x.StatusCode, x.Body)
			}
		}
		if len(operations) != 1 {
			t.Errorf("with the key %q the operations are %v", key, operations)
		}
	}
}

// A paused client does something else once, after it has read the first item.
type paused struct {
	store.Client
	meanwhile func()
}

func (c *paused) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	out, err := c.Client.GetItem(ctx, in, o...)
	if meanwhile := c.meanwhile; meanwhile != nil {
		c.meanwhile = nil
		meanwhile()
	}
	return out, err
}

func TestATwinThatWasFasterIsNotInTheWay(t *testing.T) {
	d := open(t)
	client := &paused{Client: storetest.Client(t)}
	d.Store = store.New(client, "portolan")
	var first, second exchange
	client.meanwhile = func() { first = d.send("POST", clusters, onEC2, keyed, "k") }
	second = d.send("POST", clusters, onEC2, keyed, "k")
	if a, b := as[contract.Operation](first, 202), as[contract.Operation](second, 202); a.Id != b.Id {
		t.Errorf("operations %s and %s", a.Id, b.Id)
	}
	d.send("POST", clusters, onEC2, keyed, "another").refused(409, "cluster demo exists already; choose another name")
}

// A troubled client fails where it is told to.
type troubled struct {
	store.Client
	reading, writing error
}

func (c *troubled) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	if c.reading != nil {
		return nil, c.reading
	}
	return c.Client.GetItem(ctx, in, o...)
}

func (c *troubled) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput,
	o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	if c.writing != nil {
		return nil, c.writing
	}
	return c.Client.TransactWriteItems(ctx, in, o...)
}

func TestTroubleWithTheTable(t *testing.T) {
	d := open(t)
	client := &troubled{Client: storetest.Client(t)}
	d.Store = store.New(client, "portolan")
	const internal = "the request failed; its id leads to the reason in the log"
	for name, test := range map[string]struct {
		reading, writing error
		status           int
		detail           string
	}{
		"throttled":      {&types.ProvisionedThroughputExceededException{}, nil, 503, "the control plane's table did not answer in time; try again"},
		"out of time":    {context.DeadlineExceeded, nil, 503, "the control plane's table did not answer in time; try again"},
		"no table":       {&types.ResourceNotFoundException{}, nil, 500, internal},
		"a bug":          {errors.New("secret"), nil, 500, internal},
		"always slower":  {nil, &types.TransactionCanceledException{CancellationReasons: conflict()}, 503, "others change the same thing at this moment; try again"},
		"slow writes":    {nil, &types.TransactionInProgressException{}, 503, "the control plane's table did not answer in time; try again"},
		"no such action": {nil, errors.New("secret"), 500, internal},
	} {
		t.Run(name, func(t *testing.T) {
			client.reading, client.writing = test.reading, test.writing
			x := d.send("POST", clusters, onEC2)
			x.t = t
			x.refused(test.status, test.detail)
			if (x.Headers["Retry-After"] != "") != (test.status == 503) || strings.Contains(x.Body, "secret") {
				t.Errorf("%v %s", x.Headers, x.Body)
			}
		})
	}
}

func conflict() []types.CancellationReason {
	code := "TransactionConflict"
	return []types.CancellationReason{{Code: &code}}
}

func TestAPanicIsAnswered(t *testing.T) {
	d := open(t)
	d.NewID = func() string { panic("secret") }
	d.send("POST", clusters, onEC2).refused(500, "the request failed; its id leads to the reason in the log")
}
