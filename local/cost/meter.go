package cost

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/aws/aws-lambda-go/lambda"

	"portolan/local"
	"portolan/local/identity"
	"portolan/local/wire"
	"portolan/shared/environment"
)

// A Count is what AWS would bill, or would have to do, in some time.
type Count struct {
	Transitions map[string]int // by state machine
	Functions   map[string]int // calls by function
	Calls       map[string]int // of AWS's APIs by service and operation, without DynamoDB's
	Deliveries  map[string]int // of EventBridge, by function
	Requests    int            // of the API
	Reads       float64        // request units of DynamoDB
	Writes      float64
}

func newCount() Count {
	return Count{Transitions: map[string]int{}, Functions: map[string]int{}, Calls: map[string]int{},
		Deliveries: map[string]int{}}
}

// sum adds up one of a count's maps.
func sum(counts map[string]int) int {
	total := 0
	for _, n := range counts {
		total += n
	}
	return total
}

// minus is what was counted since before.
func (c Count) minus(before Count) Count {
	return Count{
		Transitions: difference(c.Transitions, before.Transitions),
		Functions:   difference(c.Functions, before.Functions),
		Calls:       difference(c.Calls, before.Calls),
		Deliveries:  difference(c.Deliveries, before.Deliveries),
		Requests:    c.Requests - before.Requests,
		Reads:       c.Reads - before.Reads,
		Writes:      c.Writes - before.Writes,
	}
}

func difference(after, before map[string]int) map[string]int {
	out := map[string]int{}
	for name, n := range after {
		if n != before[name] {
			out[name] = n - before[name]
		}
	}
	return out
}

// A meter counts what the functions and the state machines do, and leaves out what the
// person at the machine calls.
type meter struct {
	stack string

	mu    sync.Mutex
	count Count
}

// read is what was counted until now.
func (m *meter) read() Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.count
	c.Transitions, c.Functions = maps.Clone(c.Transitions), maps.Clone(c.Functions)
	c.Calls, c.Deliveries = maps.Clone(c.Calls), maps.Clone(c.Deliveries)
	return c
}

// counted builds a function's handler that counts its calls.
func (m *meter) counted(logicalID string, env *environment.Environment, build local.Builder) lambda.Handler {
	return &counted{Handler: build(env), meter: m, function: logicalID}
}

type counted struct {
	lambda.Handler
	meter    *meter
	function string
}

func (c *counted) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	c.meter.mu.Lock()
	c.meter.count.Functions[c.function]++
	c.meter.mu.Unlock()
	return c.Handler.Invoke(ctx, payload)
}

func (m *meter) delivered(targetARN string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count.Deliveries[m.short(targetARN)]++
}

// short is a function's or a machine's name without what the stack adds to it.
func (m *meter) short(nameOrARN string) string {
	name := nameOrARN[strings.LastIndexByte(nameOrARN, ':')+1:]
	return strings.TrimPrefix(name, m.stack+"-")
}

// middleware counts the calls of AWS. DynamoDB is asked what each request consumed, as
// anybody may ask it.
func (m *meter) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		service, operation := wire.OperationOf(r)
		switch {
		case !ours(wire.Caller(r.Context()).ARN):
			next.ServeHTTP(w, r)
		case service == "dynamodb":
			m.serveTable(next, w, r, operation)
		default:
			m.mu.Lock()
			m.count.Calls[service+":"+operation]++
			m.mu.Unlock()
			next.ServeHTTP(w, r)
		}
	})
}

// ours tells whether a caller is a function or a state machine, and neither a person, nor a
// service of AWS, nor CloudFormation under the role that it is given.
func ours(caller string) bool {
	role, session, ok := identity.Session(caller)
	return ok && !strings.HasPrefix(role, "AWSServiceRoleFor") && session != "Stack"
}

func (m *meter) serveTable(next http.Handler, w http.ResponseWriter, r *http.Request, operation string) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	if rest, ok := bytes.CutPrefix(body, []byte("{")); ok && !bytes.Contains(body, []byte("ReturnConsumedCapacity")) {
		body = append([]byte(`{"ReturnConsumedCapacity":"TOTAL",`), rest...)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answer := &copied{ResponseWriter: w}
	next.ServeHTTP(answer, r)
	reads, writes := consumed(operation, answer.body.Bytes())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.count.Reads += reads
	m.count.Writes += writes
}

// capacity is the structure ConsumedCapacity.
type capacity struct {
	CapacityUnits float64
}

// consumed reads what a request consumed from its answer. A refused conditional write
// does not tell; AWS bills it like a write, and so it counts as one of an item up to
// 1 KB, and in a transaction as two for each item.
func consumed(operation string, answer []byte) (reads, writes float64) {
	var told struct {
		Type                string `json:"__type"`
		ConsumedCapacity    json.RawMessage
		CancellationReasons []struct{}
	}
	if json.Unmarshal(answer, &told) != nil {
		return 0, 0
	}
	units := float64(2 * len(told.CancellationReasons))
	if strings.HasSuffix(told.Type, "#ConditionalCheckFailedException") {
		units = 1
	}
	var one capacity
	var many []capacity
	if json.Unmarshal(told.ConsumedCapacity, &one) == nil {
		units += one.CapacityUnits
	}
	if json.Unmarshal(told.ConsumedCapacity, &many) == nil {
		for _, each := range many {
			units += each.CapacityUnits
		}
	}
	switch operation {
	case "GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems":
		return units, 0
	}
	return 0, units
}

// A copied answer is kept while it is sent.
type copied struct {
	http.ResponseWriter
	body bytes.Buffer
}

func (c *copied) Write(p []byte) (int, error) {
	c.body.Write(p)
	return c.ResponseWriter.Write(p)
}
