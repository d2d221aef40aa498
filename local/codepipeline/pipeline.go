package codepipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/events"
	"portolan/local/unique"
	"portolan/local/wire"
)

// Config is what a Server is made of. Events may be nil.
type Config struct {
	Clock   *clock.Clock
	Disk    *disk.Disk
	IDs     *unique.Source
	Account string
	Region  string
	Events  events.Emitter
}

// A Server is CodePipeline in one Region of one account. It answers under the
// signing name codepipeline.
type Server struct {
	*wire.Service
	config Config

	mu         sync.Mutex
	pipelines  map[string]*pipeline
	executions map[string]*Execution // by id
	outbox     *events.Outbox
}

type pipeline struct {
	Name        string         `json:"name"`
	Version     int            `json:"version"`
	Declaration map[string]any `json:"declaration"`
	Created     wire.Time      `json:"created"`
	Updated     wire.Time      `json:"updated"`
}

// An Execution is one run of a pipeline.
type Execution struct {
	ID        string     // made where it is empty
	Pipeline  string     // made, with a source and a build, where it is not known
	Status    string     // InProgress, Succeeded, Failed, Stopping, Stopped, Superseded or Cancelled
	Type      string     // STANDARD or ROLLBACK; STANDARD where it is empty
	Version   int        // of the pipeline
	Revisions []Revision // of the source artifacts
	Actions   []Action   // in the order in which they ran
	Variables map[string]string
	StartedAt time.Time
	UpdatedAt time.Time
}

// A Revision is what a source action found: RevisionID is the commit.
type Revision struct {
	Name            string    `json:"name"`
	RevisionID      string    `json:"revisionId"`
	RevisionSummary string    `json:"revisionSummary,omitempty"`
	RevisionURL     string    `json:"revisionUrl,omitempty"`
	Created         wire.Time `json:"created,omitzero"`
}

// An Action is one action of an execution and its output variables.
type Action struct {
	ID              string
	Stage           string
	Name            string
	Category        string // Source, Build, Deploy, ...
	Provider        string // ECR, CodeBuild, CodeStarSourceConnection, ...
	Status          string
	OutputVariables map[string]string
	StartedAt       time.Time
	UpdatedAt       time.Time
}

const (
	pipelineBucket  = "codepipeline/pipelines"
	executionBucket = "codepipeline/executions"
)

// New returns a server with what is on disk.
func New(config Config) (*Server, error) {
	s := &Server{config: config, pipelines: map[string]*pipeline{}, executions: map[string]*Execution{}}
	s.Service = &wire.Service{Name: "CodePipeline", Target: "CodePipeline_20150709", Protocol: wire.JSON11,
		Operations: map[string]wire.Operation{
			"CreatePipeline":         wire.Op(s.createPipeline),
			"GetPipeline":            wire.Op(s.getPipeline),
			"DeletePipeline":         wire.Op(s.deletePipeline),
			"ListPipelines":          wire.Op(s.listPipelines),
			"GetPipelineExecution":   wire.Op(s.getPipelineExecution),
			"ListPipelineExecutions": wire.Op(s.listPipelineExecutions),
			"ListActionExecutions":   wire.Op(s.listActionExecutions),
		}}
	err := disk.LoadJSON(config.Disk, pipelineBucket, func(name string, p *pipeline) { s.pipelines[name] = p })
	if err == nil {
		err = disk.LoadJSON(config.Disk, executionBucket, func(id string, e *Execution) { s.executions[id] = e })
	}
	if err == nil {
		s.outbox, err = events.OpenOutbox(config.Disk, "codepipeline/outbox", config.Events)
	}
	if err != nil {
		return nil, fmt.Errorf("loading pipelines: %w", err)
	}
	return s, nil
}

// Record keeps an execution in place of what was known of it, and emits its
// state change. It returns the execution's id.
func (s *Server) Record(ctx context.Context, e Execution) (string, error) {
	out, err := s.record(&e)
	if err != nil {
		return "", fmt.Errorf("recording a pipeline execution: %w", err)
	}
	s.outbox.Send(ctx, out)
	return e.ID, nil
}

// record keeps an execution with the event that tells of it.
func (s *Server) record(e *Execution) (*events.Outgoing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.complete(e)
	if err != nil {
		return nil, err
	}
	s.executions[e.ID] = e
	out := s.outbox.Add(s.event(p, e))
	return out, s.config.Disk.Update(func(tx *disk.Tx) error {
		if err := tx.PutJSON(executionBucket, e.ID, e); err != nil {
			return err
		}
		return s.outbox.Keep(tx)
	})
}

func (s *Server) complete(e *Execution) (*pipeline, error) {
	if e.Pipeline == "" || e.Status == "" {
		return nil, fmt.Errorf("an execution needs a pipeline and a status")
	}
	now := s.config.Clock.Now()
	p, ok := s.pipelines[e.Pipeline]
	if !ok {
		p = &pipeline{Name: e.Pipeline, Version: 1, Created: wire.At(now), Updated: wire.At(now), Declaration: map[string]any{
			"name": e.Pipeline, "stages": []any{}, "roleArn": "arn:aws:iam::" + s.config.Account + ":role/" + e.Pipeline}}
		s.pipelines[e.Pipeline] = p
		if err := s.keep(p); err != nil {
			return nil, err
		}
	}
	if e.ID == "" {
		e.ID = s.config.IDs.UUID()
	}
	if e.Type == "" {
		e.Type = "STANDARD"
	}
	if e.Version == 0 {
		e.Version = p.Version
	}
	if e.StartedAt.IsZero() {
		e.StartedAt = now
	}
	e.UpdatedAt = now
	for i := range e.Actions {
		a := &e.Actions[i]
		if a.ID == "" {
			a.ID = s.config.IDs.UUID()
		}
		if a.Status == "" {
			a.Status = "Succeeded"
		}
		if a.StartedAt.IsZero() {
			a.StartedAt, a.UpdatedAt = e.StartedAt, now
		}
	}
	return p, nil
}

func (s *Server) keep(p *pipeline) error {
	return s.config.Disk.Update(func(tx *disk.Tx) error { return tx.PutJSON(pipelineBucket, p.Name, p) })
}

// states are the statuses as events spell them.
var states = map[string]string{"InProgress": "STARTED", "Succeeded": "SUCCEEDED", "Failed": "FAILED", "Stopping": "STOPPING",
	"Stopped": "STOPPED", "Superseded": "SUPERSEDED", "Cancelled": "CANCELED"}

func (s *Server) event(p *pipeline, e *Execution) events.Event {
	return events.Event{Source: "aws.codepipeline",
		DetailType: "CodePipeline Pipeline Execution State Change", Time: e.UpdatedAt, Resources: []string{s.arn(p.Name)},
		Detail: map[string]any{"pipeline": p.Name, "execution-id": e.ID, "state": states[e.Status], "version": e.Version,
			"execution-trigger": map[string]any{"trigger-type": "Webhook", "trigger-detail": ""}, "pipeline-execution-attempt": 1}}
}

func (s *Server) arn(name string) string {
	return "arn:aws:codepipeline:" + s.config.Region + ":" + s.config.Account + ":" + name
}

func (s *Server) find(name string) (*pipeline, error) {
	p, ok := s.pipelines[name]
	if !ok {
		return nil, wire.Errorf("PipelineNotFoundException", "Account '%s' does not have a pipeline with name '%s'",
			s.config.Account, name)
	}
	return p, nil
}

type declarationInput struct {
	Pipeline map[string]any `json:"pipeline"`
}

type declarationOutput struct {
	Pipeline map[string]any    `json:"pipeline"`
	Metadata *pipelineMetadata `json:"metadata,omitempty"`
}

type pipelineMetadata struct {
	PipelineArn string    `json:"pipelineArn"`
	Created     wire.Time `json:"created"`
	Updated     wire.Time `json:"updated"`
}

func (s *Server) createPipeline(_ context.Context, in *declarationInput) (*declarationOutput, error) {
	name, _ := in.Pipeline["name"].(string)
	if name == "" {
		return nil, wire.Errorf("ValidationException", "1 validation error detected: Value at 'pipeline.name' failed to satisfy "+
			"constraint: Member must not be null")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.pipelines[name]; ok {
		return nil, wire.Errorf("PipelineNameInUseException", "A pipeline with the name '%s' already exists in account '%s'",
			name, s.config.Account)
	}
	now := wire.At(s.config.Clock.Now())
	p := &pipeline{Name: name, Version: 1, Declaration: maps.Clone(in.Pipeline), Created: now, Updated: now}
	s.pipelines[name] = p
	return p.output(nil), s.keep(p)
}

func (p *pipeline) output(metadata *pipelineMetadata) *declarationOutput {
	declaration := maps.Clone(p.Declaration)
	declaration["version"] = p.Version
	return &declarationOutput{Pipeline: declaration, Metadata: metadata}
}

type nameInput struct {
	Name string `json:"name"`
}

func (s *Server) getPipeline(_ context.Context, in *nameInput) (*declarationOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	return p.output(&pipelineMetadata{PipelineArn: s.arn(p.Name), Created: p.Created, Updated: p.Updated}), nil
}

type nothing struct{}

func (s *Server) deletePipeline(_ context.Context, in *nameInput) (*nothing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pipelines, in.Name)
	return &nothing{}, s.config.Disk.Update(func(tx *disk.Tx) error { return tx.Delete(pipelineBucket, []byte(in.Name)) })
}

type listPipelinesOutput struct {
	Pipelines []pipelineSummary `json:"pipelines"`
}

type pipelineSummary struct {
	Name    string    `json:"name"`
	Version int       `json:"version"`
	Created wire.Time `json:"created"`
	Updated wire.Time `json:"updated"`
}

func (s *Server) listPipelines(context.Context, *nothing) (*listPipelinesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &listPipelinesOutput{Pipelines: []pipelineSummary{}}
	for _, name := range slices.Sorted(maps.Keys(s.pipelines)) {
		p := s.pipelines[name]
		out.Pipelines = append(out.Pipelines, pipelineSummary{p.Name, p.Version, p.Created, p.Updated})
	}
	return out, nil
}

// of are the pipeline's executions, the newest first.
func (s *Server) of(name string) []*Execution {
	var found []*Execution
	for _, e := range s.executions {
		if e.Pipeline == name {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *Execution) int {
		if c := b.StartedAt.Compare(a.StartedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return found
}
