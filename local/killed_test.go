package local_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"portolan"
	"portolan/local"
	"portolan/local/story"
	"portolan/shared/contract"
	"portolan/shared/environment"
)

// A watched control plane knows which events its functions have handled, and keeps
// its disk as it is at moments.
type watched struct {
	*testing.T
	*story.Stage
	directory string

	mu      sync.Mutex
	handled map[string]bool
	writes  int
	keep    func(write int) bool // whether the moment before that write is kept
	moments []moment
}

// A moment is what a process would leave that is killed right before a write, and
// what its functions had handled.
type moment struct {
	write   int
	disk    []byte // compressed: there may be thousands of moments
	handled map[string]bool
}

type watching struct {
	lambda.Handler
	w *watched
}

func (h watching) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	out, err := h.Handler.Invoke(ctx, payload)
	if label := labelOf(payload); label != "" && err == nil {
		h.w.mu.Lock()
		h.w.handled[label] = true
		h.w.mu.Unlock()
	}
	return out, err
}

// labelOf names an event that must not be lost, whatever its ids are.
func labelOf(payload []byte) string {
	var e struct {
		Kind      string          `json:"detail-type"`
		AlarmData json.RawMessage `json:"alarmData"`
		Detail    struct {
			EventName  string `json:"eventName"`
			LastStatus string `json:"lastStatus"`
			Digest     string `json:"image-digest"`
			Stack      string `json:"stack-id"`
			Execution  string `json:"execution-id"`
			Status     any    `json:"status-details"`
		} `json:"detail"`
	}
	if json.Unmarshal(payload, &e) != nil {
		return ""
	}
	d := e.Detail
	switch e.Kind {
	case "CloudWatch Alarm State Change":
		return e.Kind
	case "CloudFormation Stack Status Change":
		return fmt.Sprint(e.Kind, strings.SplitN(d.Stack, "/", 3)[1], d.Status)
	case "ECR Image Action", "CodePipeline Pipeline Execution State Change":
		return e.Kind + d.Digest + d.Execution
	case "ECS Deployment State Change":
		return e.Kind + d.EventName
	case "ECS Task State Change":
		return e.Kind + d.LastStatus
	}
	if e.AlarmData != nil {
		return "an alarm's action"
	}
	return ""
}

// watch runs a control plane in virtual time on a directory, from what was left there.
func watch(t *testing.T, directory string, seed uint64, act func(*watched)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &watched{T: t, directory: directory, handled: map[string]bool{}}
		l, err := local.Start(local.Config{Files: portolan.Files, Region: "us-east-1", Stack: "portolan", Seed: seed,
			Directory: directory, Log: slog.New(slog.DiscardHandler), Writing: w.writing,
			Build: func(_ string, env *environment.Environment, build local.Builder) lambda.Handler {
				return watching{build(env), w}
			}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}()
		w.Stage = &story.Stage{Local: l, Out: io.Discard}
		act(w)
	})
}

// writing keeps the moment before a write.
func (w *watched) writing() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
	if w.keep == nil || !w.keep(w.writes) {
		return
	}
	disk, err := os.ReadFile(filepath.Join(w.directory, "aws.db"))
	if err != nil {
		w.Error(err)
	}
	var compressed bytes.Buffer
	into, err := flate.NewWriter(&compressed, flate.BestSpeed)
	if err == nil {
		_, err = into.Write(disk)
		err = errors.Join(err, into.Close())
	}
	if err != nil {
		w.Error(err)
	}
	w.moments = append(w.moments, moment{w.writes, compressed.Bytes(), maps.Clone(w.handled)})
}

// lay lays the disk of the moment into a directory.
func (m moment) lay(directory string) error {
	disk, err := io.ReadAll(flate.NewReader(bytes.NewReader(m.disk)))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(directory, "aws.db"), disk, 0o600)
}

// follow does something, keeps moments from then on, and returns what was handled
// because of it.
func (w *watched) follow(do func(), keep func(int) bool) map[string]bool {
	w.mu.Lock()
	w.handled, w.moments, w.keep, w.writes = map[string]bool{}, nil, keep, 0
	w.mu.Unlock()
	do()
	time.Sleep(15 * time.Minute)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keep = nil
	return w.handled
}

func (w *watched) ask(method, path string, body any, want int) {
	w.Helper()
	if status, err := w.Call(w.Context(), method, path, body, nil); err != nil || status != want {
		w.Fatalf("%s %s answered %d, %v", method, path, status, err)
	}
}

const (
	shopPath = "/v1/clusters/shop"
	webPath  = shopPath + "/services/web"
)

func (w *watched) describe(tag string) contract.ServiceSpec {
	replicas := 2
	return contract.ServiceSpec{Container: "webapp", Image: "000000000000.dkr.ecr.us-east-1.amazonaws.com/shop/webapp:" + tag,
		Replicas: &replicas, Memory: contract.Memory{LimitMiB: 512}, Cpu: 256}
}

func (w *watched) push(tag, content string) {
	w.Helper()
	if _, err := w.Local.ECR.Push(w.Context(), "shop/webapp", tag, content); err != nil {
		w.Fatal(err)
	}
}

// bind ties a policy to an alarm that calls the door by itself too, and the service to
// a tag.
func (w *watched) bind() {
	w.Helper()
	name := "cpu-high"
	_, err := cloudwatch.NewFromConfig(w.Local.UserConfig()).PutMetricAlarm(w.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: &name, Namespace: aws.String("AWS/ECS"), MetricName: aws.String("CPUUtilization"),
		Statistic: cloudwatchtypes.StatisticAverage, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(75),
		ComparisonOperator: cloudwatchtypes.ComparisonOperatorGreaterThanThreshold,
		AlarmActions:       []string{"arn:aws:lambda:us-east-1:" + local.Account + ":function:portolan-AlarmFunction"},
	})
	if err != nil {
		w.Fatal(err)
	}
	w.ask(http.MethodPut, shopPath+"/policies/out", contract.PolicySpec{Service: "web", Adjustment: 1, SizeMin: 1, SizeMax: 3,
		Alarm: "arn:aws:cloudwatch:us-east-1:" + local.Account + ":alarm:" + name}, http.StatusOK)
	w.ask(http.MethodPut, shopPath+"/bindings/web", contract.BindingSpec{Service: "web", Repository: "shop/webapp", Tag: "stable"}, http.StatusOK)
}

// is says whether a GET of the API is answered.
func is(path string) func(*watched) bool {
	return func(w *watched) bool {
		status, err := w.Call(w.Context(), http.MethodGet, path, nil, nil)
		return err == nil && status == http.StatusOK
	}
}

func (w *watched) alarm() {
	w.Helper()
	_, err := cloudwatch.NewFromConfig(w.Local.UserConfig()).SetAlarmState(w.Context(), &cloudwatch.SetAlarmStateInput{
		AlarmName: aws.String("cpu-high"), StateValue: cloudwatchtypes.StateValueAlarm, StateReason: aws.String("Threshold Crossed")})
	if err != nil {
		w.Fatal(err)
	}
}

func (w *watched) isAlarmed() bool {
	out, err := cloudwatch.NewFromConfig(w.Local.UserConfig()).DescribeAlarms(w.Context(),
		&cloudwatch.DescribeAlarmsInput{StateValue: cloudwatchtypes.StateValueAlarm})
	return err == nil && len(out.MetricAlarms) == 1
}

func (w *watched) isPushed() bool {
	_, err := ecr.NewFromConfig(w.Local.UserConfig()).DescribeImages(w.Context(), &ecr.DescribeImagesInput{
		RepositoryName: aws.String("shop/webapp"), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("stable")}}})
	return err == nil
}

// A process that is killed right before any of its writes leaves all that has to be
// told of what it wrote: the next one tells it.
func TestKilledBetweenAWriteAndItsEvent(t *testing.T) {
	t.Parallel()
	const firstWrites, picked = 30, 12
	random := rand.New(rand.NewPCG(1, 0))
	// Events follow the first writes, and others come until all is at rest.
	keep := func(write int) bool { return write <= firstWrites || random.IntN(60) == 0 }
	type scene struct {
		name     string
		moments  []moment
		want     map[string]bool
		happened func(*watched) bool
	}
	var scenes []scene
	watch(t, t.TempDir(), 1, func(w *watched) {
		w.push("1.0", "made for the test")
		for _, step := range []struct {
			name        string
			prepare, do func()
			happened    func(*watched) bool
		}{
			{"provision", func() {}, func() {
				w.ask(http.MethodPost, "/v1/clusters", contract.ClusterSpec{Name: "shop", Team: "storefront",
					Orchestrator: contract.Ecs, Ecs: contract.EcsCluster{Capacity: contract.FARGATE}}, http.StatusAccepted)
			}, is(shopPath)},
			{"deploy", func() {}, func() { w.ask(http.MethodPut, webPath, w.describe("1.0"), http.StatusAccepted) }, is(webPath)},
			{"alarm", w.bind, w.alarm, (*watched).isAlarmed},
			{"push", func() {}, func() { w.push("stable", "pushed") }, (*watched).isPushed},
		} {
			step.prepare()
			time.Sleep(10 * time.Minute)
			want := w.follow(step.do, keep)
			later := w.moments[min(firstWrites, len(w.moments)):]
			random.Shuffle(len(later), func(i, j int) { later[i], later[j] = later[j], later[i] })
			moments := slices.Concat(w.moments[:len(w.moments)-len(later)], later[:min(picked, len(later))])
			scenes = append(scenes, scene{step.name, moments, want, step.happened})
		}
	})
	for _, s := range scenes {
		if len(s.want) == 0 || len(s.moments) < firstWrites/2 {
			t.Errorf("%s: %d moments, and to be told are %v", s.name, len(s.moments), s.want)
		}
		t.Logf("%s: killed at %d moments; to be told are %d events", s.name, len(s.moments), len(s.want))
		for i, m := range s.moments {
			directory := t.TempDir()
			if err := m.lay(directory); err != nil {
				t.Fatal(err)
			}
			watch(t, directory, uint64(i)+2, func(w *watched) {
				if !s.happened(w) {
					return // it was killed before
				}
				time.Sleep(15 * time.Minute)
				w.mu.Lock()
				defer w.mu.Unlock()
				for label := range s.want {
					if !m.handled[label] && !w.handled[label] {
						t.Errorf("%s, killed before write %d: nobody was told of %s", s.name, m.write, label)
					}
				}
			})
		}
	}
}
