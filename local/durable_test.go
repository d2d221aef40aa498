package local_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"portolan"
	"portolan/local"
	"portolan/shared/contract"
)

// kills is how often TestKilled kills the process.
const kills = 100

// lifetime is the longest that a process lives in TestKilled before it is killed.
const lifetime = 300 * time.Millisecond

// A process is `portolan local` with a data directory, as a child of the test.
type process struct {
	api, aws string
	greeting string // what it printed first
	table    *dynamodb.Client
	command  *exec.Cmd
	log      *bytes.Buffer
}

// built is the directory of the command line's binary, once a test has asked for it.
var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// build builds the command line's binary once for all tests of the package.
var build = sync.OnceValues(func() (string, error) {
	var err error
	if built, err = os.MkdirTemp("", "portolan-built-"); err != nil {
		return "", err
	}
	binary := filepath.Join(built, "portolan")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../cmd/portolan").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building portolan: %w\n%s", err, out)
	}
	return binary, nil
})

// launch starts the process and waits until it has told its addresses.
func launch(t *testing.T, arguments ...string) *process {
	t.Helper()
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{log: new(bytes.Buffer)}
	p.command = exec.Command(binary, append([]string{"local", "--api", "127.0.0.1:0", "--aws", "127.0.0.1:0"}, arguments...)...)
	p.command.Stderr = p.log
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	lines := bufio.NewScanner(out)
	for !strings.Contains(p.greeting, "Ctrl-C") && lines.Scan() {
		p.greeting += lines.Text() + "\n"
		name, address, _ := strings.Cut(strings.TrimSpace(lines.Text()), " http://")
		switch strings.TrimSpace(name) {
		case "API":
			p.api = "http://" + address
		case "embedded AWS":
			p.aws = "http://" + address
		}
	}
	if p.aws == "" || p.api == "" {
		p.kill()
		t.Fatalf("portolan local did not start:\n%s", p.log)
	}
	go io.Copy(io.Discard, out)
	p.table = dynamodb.New(dynamodb.Options{
		Region: "us-east-1", BaseEndpoint: &p.aws, HTTPClient: http.DefaultClient,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return local.User, nil }),
	})
	return p
}

// kill ends the process as kill -9 does; killing it twice does nothing.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// call calls the API. An answer's status tells that the call was acknowledged.
func (p *process) call(ctx context.Context, method, path string, body, out any) (status int, err error) {
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return 0, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, p.api+path, bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	err = v4.NewSigner().SignHTTP(ctx, local.User, request, "UNSIGNED-PAYLOAD", "execute-api", "us-east-1", time.Now())
	if err != nil {
		return 0, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err == nil && out != nil && answer.StatusCode < 300 {
		err = json.Unmarshal(raw, out)
	}
	return answer.StatusCode, err
}

// A diary is what was written and acknowledged, over all lives of the process.
type diary struct {
	refused    string
	busy       int // how often in a row the API said to try again
	puts       int // pages 1 to puts are written
	checked    int // and up to this one they were read after a kill
	operations []string
	asked      int
}

const diaryTable = "diary"

// once lets a call fail that was not acknowledged, so that it is not tried again in vain.
func once(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }

// open makes the table that the diary is written to.
func (d *diary) open(ctx context.Context, p *process) error {
	_, err := p.table.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: aws.String(diaryTable), BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("diary"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("page"), AttributeType: types.ScalarAttributeTypeN},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("diary"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("page"), KeyType: types.KeyTypeRange},
		},
	})
	if err != nil {
		return err
	}
	return dynamodb.NewTableExistsWaiter(p.table, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 10*time.Millisecond, 100*time.Millisecond
	}).Wait(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(diaryTable)}, time.Minute)
}

// write writes until ctx ends or the process does. Now and then it asks the API for a
// change, whose operation has to come to its end.
func (d *diary) write(ctx context.Context, p *process) {
	for i := 0; ctx.Err() == nil; i++ {
		_, err := p.table.PutItem(ctx, &dynamodb.PutItemInput{TableName: aws.String(diaryTable),
			Item: map[string]types.AttributeValue{
				"diary": &types.AttributeValueMemberS{Value: "1"},
				"page":  &types.AttributeValueMemberN{Value: strconv.Itoa(d.puts + 1)},
			}}, once)
		if err != nil {
			return
		}
		d.puts++
		if i%20 == 10 && !d.ask(ctx, p) {
			return
		}
	}
}

// busyMost is how often in a row the API may say that others change the same thing.
const busyMost = 3

// ask asks for one more service or another number of its tasks, as soon as the cluster
// takes services.
func (d *diary) ask(ctx context.Context, p *process) bool {
	d.asked++
	n := d.asked
	replicas := 1 + n%3
	var o contract.Operation
	status, err := p.call(ctx, http.MethodPut, fmt.Sprintf("/v1/clusters/shop/services/web%d", n%4), contract.ServiceSpec{
		Image: "registry.example.com/web:1", Replicas: &replicas, Memory: contract.Memory{LimitMiB: 512}, Cpu: 256,
	}, &o)
	switch {
	case err != nil:
	case status == http.StatusAccepted && slices.Contains(d.operations, o.Id):
		// The wish joined an operation that waits for its turn.
	case status == http.StatusAccepted:
		d.operations = append(d.operations, o.Id)
	case status == http.StatusServiceUnavailable && d.busy < busyMost:
		// Operations change the same service as fast as it is asked for: the client tries again.
		d.busy++
		return true
	case status != http.StatusOK && status != http.StatusConflict:
		d.refused = fmt.Sprintf("a service was answered with %d", status)
	}
	if err == nil {
		d.busy = 0
	}
	return err == nil
}

// check looks whether everything that was acknowledged behind page `after` is there.
func (d *diary) check(ctx context.Context, p *process, after int) error {
	pages := dynamodb.NewQueryPaginator(p.table, &dynamodb.QueryInput{TableName: aws.String(diaryTable),
		ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("diary = :diary AND page > :after"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":diary": &types.AttributeValueMemberS{Value: "1"},
			":after": &types.AttributeValueMemberN{Value: strconv.Itoa(after)},
		}})
	next := after + 1
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			if got := item["page"].(*types.AttributeValueMemberN).Value; got != strconv.Itoa(next) {
				return fmt.Errorf("page %d of %d is lost: behind it is %s", next, d.puts, got)
			}
			next++
		}
	}
	if next <= d.puts {
		return fmt.Errorf("page %d of %d is lost", next, d.puts)
	}
	for _, id := range d.operations[max(0, len(d.operations)-2):] {
		var o contract.Operation
		if status, err := p.call(ctx, http.MethodGet, "/v1/operations/"+id, nil, &o); err != nil || status != http.StatusOK {
			return errors.Join(err, fmt.Errorf("operation %s is lost: %d", id, status))
		}
	}
	d.checked = d.puts
	return nil
}

// TestKilled kills the process a hundred times while it provisions a cluster and
// deploys services. What was acknowledged is never lost, and everything that was begun
// comes to its end.
func TestKilled(t *testing.T) {
	seed := uint64(1)
	if text := os.Getenv("SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewPCG(seed, 0))
	ctx, dir, began := t.Context(), t.TempDir(), time.Now()
	arguments := []string{"--data", dir, "--speed", "100"}
	p, d := launch(t, arguments...), &diary{}
	if err := d.open(ctx, p); err != nil {
		t.Fatal(err)
	}
	var asked contract.Operation
	status, err := p.call(ctx, http.MethodPost, "/v1/clusters", contract.ClusterSpec{
		Name: "shop", Team: "storefront", Orchestrator: contract.Ecs, Ecs: contract.EcsCluster{Capacity: contract.FARGATE},
	}, &asked)
	if err != nil || status != http.StatusAccepted {
		t.Fatalf("the cluster was answered with %d, %v", status, err)
	}
	d.operations = append(d.operations, asked.Id)
	for kill := range kills {
		life, cancel := context.WithTimeout(ctx, time.Duration(random.Int64N(int64(lifetime))))
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.write(ctx, p)
		}()
		<-life.Done()
		cancel()
		p.kill()
		<-done
		p = launch(t, arguments...)
		if err := d.check(ctx, p, d.checked); err != nil {
			t.Fatalf("seed %d, after kill %d: %v\n%s", seed, kill+1, err, p.log)
		}
	}
	if err := d.check(ctx, p, 0); err != nil {
		t.Error(err)
	}
	if d.refused != "" {
		t.Error(d.refused)
	}
	t.Logf("%d items and %d operations were acknowledged in %v", d.puts, len(d.operations), time.Since(began).Round(time.Second))
	expectEnds(ctx, t, p, d.operations)
	var made contract.Cluster
	if _, err := p.call(ctx, http.MethodGet, "/v1/clusters/shop", nil, &made); err != nil || made.Status != contract.ClusterReady {
		t.Errorf("cluster shop is %s, %v", made.Status, err)
	}
}

// expectEnds waits until all operations have ended, none of them dirty.
func expectEnds(ctx context.Context, t *testing.T, p *process, ids []string) {
	t.Helper()
	ends := map[contract.OperationStatus]int{}
	for _, id := range ids {
		var o contract.Operation
		for deadline := time.Now().Add(30 * time.Second); o.EndedAt.IsZero() && time.Now().Before(deadline); {
			if _, err := p.call(ctx, http.MethodGet, "/v1/operations/"+id, nil, &o); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		ends[o.Status]++
		if o.Status != contract.OperationSucceeded {
			t.Logf("operation %s (%s) is %s: %s", id, o.Kind, o.Status, o.Reason)
		}
		if !slices.Contains([]contract.OperationStatus{contract.OperationSucceeded, contract.OperationFailedClean}, o.Status) {
			t.Errorf("operation %s (%s) is %s: %s %v", id, o.Kind, o.Status, o.Reason, o.Left)
		}
	}
	t.Logf("the operations ended: %v", ends)
}

// TestTimeGoesOn shows that a process never stamps anything before what the process
// before it stored, however fast its time ran.
func TestTimeGoesOn(t *testing.T) {
	directory := t.TempDir()
	var last time.Time
	for _, speed := range []float64{1000, 1, 20} {
		l, err := local.Start(local.Config{Files: portolan.Files, Region: "us-east-1", Stack: "portolan",
			Directory: directory, Speed: speed, Seed: uint64(speed), Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		now := l.Clock.Now()
		if now.Before(last) {
			t.Errorf("at speed %v the clock shows %v, and %v was stored before", speed, now, last)
		}
		if _, err := l.SQS.Send("portolan-DeadLetterQueue", "{}", nil); err != nil {
			t.Fatal(err)
		}
		last = now
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
