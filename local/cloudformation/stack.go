package cloudformation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"portolan/local/events"
)

// A phase is what is being done to a stack.
type phase string

const (
	idle           phase = ""
	creating       phase = "create"
	rollingBack    phase = "rollback"        // of a creation
	updating       phase = "update"          // also back to the previous version
	cleaningUp     phase = "cleanup"         // after an update
	deleting       phase = "delete"          // asked for
	deletingFailed phase = "delete-on-error" // asked for by OnFailure
)

// A stack is a stack as it is kept. Times are zero where there are none.
type stack struct {
	ID, Name, Status, Reason string
	version
	Previous    *version // what a failed update goes back to
	GoingBack   bool     // an update is going back to Previous
	Created     time.Time
	Updated     time.Time
	Deleted     time.Time
	OnFailure   string
	TimeoutMins int
	Protected   bool
	Retained    []string // what a DeleteStack was told to leave
	Token       string   // of the call that is being carried out
	Tokens      map[string]string
	Phase       phase
	NotBefore   time.Time // when the phase begins to act
	Deadline    time.Time // when a creation times out
	Resources   map[string]*resource
	Outputs     []ResolvedOutput
	Imports     []string
	Events      int

	parsed   *Template // of parsedOf, to parse each body once
	parsedOf string
}

// template is the stack's template. It was parsed before the stack was made, so
// it parses.
func (st *stack) template() (*Template, error) {
	if st.parsed != nil && st.parsedOf == st.Body {
		return st.parsed, nil
	}
	parsed, err := Parse([]byte(st.Body))
	if err != nil {
		return nil, err
	}
	st.parsed, st.parsedOf = parsed, st.Body
	return parsed, nil
}

// A version is what a stack is to be.
type version struct {
	Body             string
	Given            map[string]string
	Values           map[string]any
	Tags             []Tag
	Capabilities     []string
	RoleARN          string
	NotificationARNs []string
	Description      string
}

// A Tag is a tag on a stack; CloudFormation puts it on the stack's resources too.
type Tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

// progress is how far a resource is in the operation that is under way.
type progress string

const (
	waiting  progress = "waiting"  // for what it depends on
	starting progress = "starting" // the provider is to be called
	settling progress = "settling" // the provider was called
	finished progress = "finished"
	failed   progress = "failed"
)

// A resource is a resource of a stack as it is kept.
type resource struct {
	LogicalID, Type, PhysicalID, Status, Reason string
	Name, Token                                 string
	Changed                                     time.Time
	Properties                                  map[string]any
	Attributes                                  map[string]any
	Previous                                    map[string]any // the properties before the update under way
	DependsOn                                   []string
	DeletionPolicy, UpdateReplacePolicy         string
	Progress                                    progress
	Action                                      string // create, update or delete
	Due                                         time.Time
	GiveUp                                      time.Time
	Leftover                                    *leftover // what it was before it was replaced
	Removed                                     bool      // no longer in the template

	// untried is whether the provider was never asked for what is to be created. It is not kept:
	// after a restart nobody knows.
	untried bool
}

// A leftover is a physical resource that another one has replaced.
type leftover struct {
	PhysicalID string
	Name       string
	Properties map[string]any
	Attributes map[string]any
	Retain     bool
}

// ended tells whether a stack is gone.
func (st *stack) ended() bool { return st.Status == "DELETE_COMPLETE" }

func (st *stack) inProgress() bool { return strings.HasSuffix(st.Status, "_IN_PROGRESS") }

// logicalIDs lists the resources in alphabetical order.
func (st *stack) logicalIDs() []string {
	ids := make([]string, 0, len(st.Resources))
	for id := range st.Resources {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// An event is one line of what happened to a stack.
type event struct {
	StackID, StackName, EventID       string
	Sequence                          int
	LogicalID, PhysicalID, Type       string
	Status, Reason, Properties, Token string
	Time                              time.Time
}

func (e event) key() string { return fmt.Sprintf("%s/%08d", e.StackID, e.Sequence) }

// setStatus moves the stack and tells of it.
func (s *Service) setStatus(st *stack, status, reason string) error {
	st.Status, st.Reason = status, reason
	e := event{LogicalID: st.Name, PhysicalID: st.ID, Type: "AWS::CloudFormation::Stack", Status: status, Reason: reason}
	s.announce(st, "CloudFormation Stack Status Change", map[string]any{
		"stack-id":             st.ID,
		"status-details":       map[string]string{"status": status, "status-reason": reason},
		"client-request-token": st.Token,
	})
	return s.note(st, e)
}

// setResource moves a resource and tells of it.
func (s *Service) setResource(st *stack, r *resource, status, reason string) error {
	r.Status, r.Reason, r.Changed = status, reason, s.now()
	return s.noteResource(st, r, r.PhysicalID, status, reason)
}

func (s *Service) noteResource(st *stack, r *resource, physicalID, status, reason string) error {
	e := event{
		LogicalID: r.LogicalID, PhysicalID: physicalID, Type: r.Type, Status: status, Reason: reason,
		Properties: textOf(r.propertiesOrEmpty()),
	}
	s.announce(st, "CloudFormation Resource Status Change", map[string]any{
		"stack-id":             st.ID,
		"logical-resource-id":  r.LogicalID,
		"physical-resource-id": physicalID,
		"status-details":       map[string]string{"status": status, "status-reason": reason},
		"resource-type":        r.Type,
		"client-request-token": st.Token,
	})
	return s.note(st, e)
}

func (r *resource) propertiesOrEmpty() map[string]any {
	if r.Properties == nil {
		return map[string]any{}
	}
	return r.Properties
}

func (s *Service) announce(st *stack, detailType string, detail map[string]any) {
	s.outgoing = append(s.outgoing, s.outbox.Add(events.Event{
		Source: "aws.cloudformation", DetailType: detailType, Account: s.config.Account, Region: s.config.Region,
		Time: s.now(), Resources: []string{st.ID}, Detail: detail,
	}))
}

func (s *Service) note(st *stack, e event) error {
	st.Events++
	e.StackID, e.StackName, e.Sequence, e.Token, e.Time = st.ID, st.Name, st.Events, st.Token, s.now()
	e.EventID = e.LogicalID + "-" + e.Status + "-" + e.Time.Format("2006-01-02T15:04:05.000Z")
	if e.LogicalID == st.Name {
		e.EventID = s.newUUID()
	}
	if err := s.events.Put(e); err != nil {
		return err
	}
	return s.stacks.Put(st, s.outbox.Keep)
}

func (s *Service) newUUID() string {
	h := s.config.IDs.Hex(32)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
