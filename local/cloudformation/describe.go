package cloudformation

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"portolan/local/wire"
)

// pageSize is how many items one answer has at most.
const pageSize = 100

func page[T any](all []T, token string) (items []T, next string, err error) {
	start := 0
	if token != "" {
		n, err := strconv.Atoi(token)
		if err != nil || n < 0 || n > len(all) {
			return nil, "", validation("Invalid NextToken")
		}
		start = n
	}
	if start+pageSize >= len(all) {
		return all[start:], "", nil
	}
	return all[start : start+pageSize], strconv.Itoa(start + pageSize), nil
}

type output struct {
	Key         string `json:"OutputKey"`
	Value       string `json:"OutputValue"`
	Description string `json:"Description,omitempty"`
	ExportName  string `json:"ExportName,omitempty"`
}

type drift struct {
	Status string `json:"StackDriftStatus,omitempty"`
}

type stackView struct {
	ID               string      `json:"StackId"`
	Name             string      `json:"StackName"`
	Description      string      `json:"Description,omitempty"`
	Parameters       []parameter `json:"Parameters"`
	CreationTime     wire.Time   `json:"CreationTime"`
	DeletionTime     *wire.Time  `json:"DeletionTime"`
	LastUpdatedTime  *wire.Time  `json:"LastUpdatedTime"`
	Status           string      `json:"StackStatus"`
	Reason           string      `json:"StackStatusReason,omitempty"`
	DisableRollback  bool        `json:"DisableRollback"`
	NotificationARNs []string    `json:"NotificationARNs"`
	TimeoutInMinutes *int        `json:"TimeoutInMinutes"`
	Capabilities     []string    `json:"Capabilities"`
	Outputs          []output    `json:"Outputs"`
	RoleARN          string      `json:"RoleARN,omitempty"`
	Tags             []Tag       `json:"Tags"`
	Protected        bool        `json:"EnableTerminationProtection"`
	Drift            drift       `json:"DriftInformation"`
}

func (st *stack) view() stackView {
	v := stackView{
		ID: st.ID, Name: st.Name, Description: st.Description, CreationTime: wire.At(st.Created),
		DeletionTime: wire.AtPtr(st.Deleted), LastUpdatedTime: wire.AtPtr(st.Updated), Status: st.Status,
		Reason: st.Reason, DisableRollback: st.OnFailure == "DO_NOTHING", NotificationARNs: st.NotificationARNs,
		Capabilities: st.Capabilities, RoleARN: st.RoleARN, Tags: st.Tags, Protected: st.Protected,
		Drift: drift{"NOT_CHECKED"}, Parameters: st.parameters(),
	}
	if st.TimeoutMins > 0 {
		minutes := st.TimeoutMins
		v.TimeoutInMinutes = &minutes
	}
	for _, o := range st.Outputs {
		v.Outputs = append(v.Outputs, output(o))
	}
	return v
}

func (st *stack) parameters() []parameter {
	template, err := st.template()
	if err != nil {
		return nil
	}
	var all []parameter
	for _, name := range slices.Sorted(maps.Keys(template.Parameters)) {
		declared := template.Parameters[name]
		p := parameter{Key: name}
		given, ok := st.Given[name]
		if !ok && declared.Default != nil {
			given = *declared.Default
		}
		if p.Value = given; declared.NoEcho {
			p.Value = "****"
		}
		if strings.HasPrefix(declared.Type, ssmValuePrefix) {
			p.Resolved = textOf(st.Values[name])
		}
		all = append(all, p)
	}
	return all
}

type pagedInput struct {
	StackName string `json:"StackName"`
	NextToken string `json:"NextToken"`
}

type describeStacksOutput struct {
	Stacks    []stackView `json:"Stacks"`
	NextToken string      `json:"NextToken,omitempty"`
}

// byAge lists the stacks, the newest first.
func (s *Service) byAge() []*stack {
	all := s.stacks.All()
	slices.SortStableFunc(all, func(a, b *stack) int { return b.Created.Compare(a.Created) })
	return all
}

func (s *Service) describeStacks(ctx context.Context, in *pagedInput) (*describeStacksOutput, error) {
	s.mu.Lock()
	defer s.unlock()
	if in.StackName != "" {
		st, ok := s.find(in.StackName)
		if !ok {
			return nil, notFoundByID(in.StackName)
		}
		return &describeStacksOutput{Stacks: []stackView{st.view()}}, nil
	}
	var views []stackView
	for _, st := range s.byAge() {
		if !st.ended() {
			views = append(views, st.view())
		}
	}
	views, next, err := page(views, in.NextToken)
	return &describeStacksOutput{views, next}, err
}

type stackSummary struct {
	ID              string     `json:"StackId"`
	Name            string     `json:"StackName"`
	Description     string     `json:"TemplateDescription,omitempty"`
	CreationTime    wire.Time  `json:"CreationTime"`
	LastUpdatedTime *wire.Time `json:"LastUpdatedTime"`
	DeletionTime    *wire.Time `json:"DeletionTime"`
	Status          string     `json:"StackStatus"`
	Reason          string     `json:"StackStatusReason,omitempty"`
	Drift           drift      `json:"DriftInformation"`
}

type listStacksInput struct {
	NextToken string   `json:"NextToken"`
	Filter    []string `json:"StackStatusFilter"`
}

type listStacksOutput struct {
	Summaries []stackSummary `json:"StackSummaries"`
	NextToken string         `json:"NextToken,omitempty"`
}

func (s *Service) listStacks(ctx context.Context, in *listStacksInput) (*listStacksOutput, error) {
	s.mu.Lock()
	defer s.unlock()
	var all []stackSummary
	for _, st := range s.byAge() {
		if len(in.Filter) > 0 && !slices.Contains(in.Filter, st.Status) {
			continue
		}
		all = append(all, stackSummary{
			st.ID, st.Name, st.Description, wire.At(st.Created), wire.AtPtr(st.Updated), wire.AtPtr(st.Deleted),
			st.Status, st.Reason, drift{"NOT_CHECKED"},
		})
	}
	all, next, err := page(all, in.NextToken)
	return &listStacksOutput{all, next}, err
}

type eventView struct {
	StackID    string    `json:"StackId"`
	EventID    string    `json:"EventId"`
	StackName  string    `json:"StackName"`
	LogicalID  string    `json:"LogicalResourceId"`
	PhysicalID string    `json:"PhysicalResourceId"`
	Type       string    `json:"ResourceType"`
	Timestamp  wire.Time `json:"Timestamp"`
	Status     string    `json:"ResourceStatus"`
	Reason     string    `json:"ResourceStatusReason,omitempty"`
	Properties string    `json:"ResourceProperties,omitempty"`
	Token      string    `json:"ClientRequestToken,omitempty"`
}

type describeEventsOutput struct {
	Events    []eventView `json:"StackEvents"`
	NextToken string      `json:"NextToken,omitempty"`
}

// describeStackEvents lists the newest first.
func (s *Service) describeStackEvents(ctx context.Context, in *pagedInput) (*describeEventsOutput, error) {
	s.mu.Lock()
	defer s.unlock()
	st, ok := s.find(in.StackName)
	if !ok {
		return nil, validation("Stack [%s] does not exist", in.StackName)
	}
	found := s.events.Find(func(e event) bool { return e.StackID == st.ID })
	slices.SortFunc(found, func(a, b event) int { return b.Sequence - a.Sequence })
	found, next, err := page(found, in.NextToken)
	out := &describeEventsOutput{NextToken: next}
	for _, e := range found {
		out.Events = append(out.Events, eventView{
			e.StackID, e.EventID, e.StackName, e.LogicalID, e.PhysicalID, e.Type, wire.At(e.Time), e.Status, e.Reason,
			e.Properties, e.Token,
		})
	}
	return out, err
}

type resourceView struct {
	StackName  string    `json:"StackName"`
	StackID    string    `json:"StackId"`
	LogicalID  string    `json:"LogicalResourceId"`
	PhysicalID string    `json:"PhysicalResourceId,omitempty"`
	Type       string    `json:"ResourceType"`
	Timestamp  wire.Time `json:"Timestamp"`
	Updated    wire.Time `json:"LastUpdatedTimestamp"`
	Status     string    `json:"ResourceStatus"`
	Reason     string    `json:"ResourceStatusReason,omitempty"`
	Drift      struct {
		Status string `json:"StackResourceDriftStatus"`
	} `json:"DriftInformation"`
}

// resources lists those of the stack whose turn has come.
func (st *stack) resources() []resourceView {
	var all []resourceView
	for _, id := range st.logicalIDs() {
		r := st.Resources[id]
		if r.Status == "" {
			continue
		}
		v := resourceView{
			StackName: st.Name, StackID: st.ID, LogicalID: id, PhysicalID: r.PhysicalID, Type: r.Type,
			Timestamp: wire.At(r.Changed), Updated: wire.At(r.Changed), Status: r.Status, Reason: r.Reason,
		}
		v.Drift.Status = "NOT_CHECKED"
		all = append(all, v)
	}
	return all
}

type describeResourcesInput struct {
	StackName  string `json:"StackName"`
	LogicalID  string `json:"LogicalResourceId"`
	PhysicalID string `json:"PhysicalResourceId"`
}

type describeResourcesOutput struct {
	Resources []resourceView `json:"StackResources"`
}

func (s *Service) describeStackResources(ctx context.Context, in *describeResourcesInput) (*describeResourcesOutput, error) {
	s.mu.Lock()
	defer s.unlock()
	if in.StackName == "" {
		return s.resourcesBeside(in.PhysicalID)
	}
	st, ok := s.find(in.StackName)
	if !ok {
		return nil, notFoundByID(in.StackName)
	}
	return &describeResourcesOutput{slices.DeleteFunc(st.resources(), func(v resourceView) bool {
		return in.LogicalID != "" && v.LogicalID != in.LogicalID
	})}, nil
}

// resourcesBeside lists the resources of the stack that has the physical one.
func (s *Service) resourcesBeside(physicalID string) (*describeResourcesOutput, error) {
	for _, st := range s.byAge() {
		all := st.resources()
		if !st.ended() && slices.ContainsFunc(all, func(v resourceView) bool { return v.PhysicalID == physicalID }) {
			return &describeResourcesOutput{all}, nil
		}
	}
	return nil, validation("Stack for %s does not exist", physicalID)
}

type describeResourceOutput struct {
	Detail resourceView `json:"StackResourceDetail"`
}

func (s *Service) describeStackResource(ctx context.Context, in *describeResourcesInput) (*describeResourceOutput, error) {
	s.mu.Lock()
	defer s.unlock()
	st, ok := s.find(in.StackName)
	if !ok {
		return nil, validation("Stack '%s' does not exist", in.StackName)
	}
	for _, v := range st.resources() {
		if v.LogicalID == in.LogicalID {
			return &describeResourceOutput{v}, nil
		}
	}
	return nil, validation("Resource %s does not exist for stack %s", in.LogicalID, in.StackName)
}

type listResourcesOutput struct {
	Summaries []resourceView `json:"StackResourceSummaries"`
	NextToken string         `json:"NextToken,omitempty"`
}

func (s *Service) listStackResources(ctx context.Context, in *pagedInput) (*listResourcesOutput, error) {
	s.mu.Lock()
	defer s.unlock()
	st, ok := s.find(in.StackName)
	if !ok {
		return nil, notFoundByID(in.StackName)
	}
	found, next, err := page(st.resources(), in.NextToken)
	return &listResourcesOutput{found, next}, err
}

type export struct {
	StackID string `json:"ExportingStackId"`
	Name    string `json:"Name"`
	Value   string `json:"Value"`
}

type listExportsOutput struct {
	Exports   []export `json:"Exports"`
	NextToken string   `json:"NextToken,omitempty"`
}

func (s *Service) listExports(ctx context.Context, in *pagedInput) (*listExportsOutput, error) {
	s.mu.Lock()
	defer s.unlock()
	var all []export
	for _, st := range s.byAge() {
		for _, o := range st.Outputs {
			if o.ExportName != "" && !st.ended() {
				all = append(all, export{st.ID, o.ExportName, o.Value})
			}
		}
	}
	found, next, err := page(all, in.NextToken)
	return &listExportsOutput{found, next}, err
}

type getTemplateOutput struct {
	TemplateBody    string   `json:"TemplateBody"`
	StagesAvailable []string `json:"StagesAvailable"`
}

func (s *Service) getTemplate(ctx context.Context, in *pagedInput) (*getTemplateOutput, error) {
	s.mu.Lock()
	defer s.unlock()
	st, ok := s.find(in.StackName)
	if !ok {
		return nil, notFoundByID(in.StackName)
	}
	return &getTemplateOutput{st.Body, []string{"Original", "Processed"}}, nil
}

type validateInput struct {
	TemplateBody string `json:"TemplateBody"`
}

type templateParameter struct {
	Key         string  `json:"ParameterKey"`
	Default     *string `json:"DefaultValue"`
	NoEcho      bool    `json:"NoEcho"`
	Description string  `json:"Description,omitempty"`
}

type validateOutput struct {
	Parameters         []templateParameter `json:"Parameters"`
	Description        string              `json:"Description,omitempty"`
	Capabilities       []string            `json:"Capabilities"`
	CapabilitiesReason string              `json:"CapabilitiesReason,omitempty"`
	DeclaredTransforms []string            `json:"DeclaredTransforms"`
}

func (s *Service) validateTemplate(ctx context.Context, in *validateInput) (*validateOutput, error) {
	template, err := Parse([]byte(in.TemplateBody))
	if err != nil {
		return nil, asValidation(err)
	}
	out := &validateOutput{Description: template.Description, DeclaredTransforms: template.Transforms}
	for _, name := range slices.Sorted(maps.Keys(template.Parameters)) {
		p := template.Parameters[name]
		out.Parameters = append(out.Parameters, templateParameter{name, p.Default, p.NoEcho, p.Description})
	}
	if needed := template.capabilities(); needed != "" {
		out.Capabilities = []string{needed}
		var kinds []string
		for _, resource := range template.Resources {
			if strings.HasPrefix(resource.Type, "AWS::IAM::") && !slices.Contains(kinds, resource.Type) {
				kinds = append(kinds, resource.Type)
			}
		}
		slices.Sort(kinds)
		out.CapabilitiesReason = "The following resource(s) require capabilities: " + brackets(kinds)
	}
	return out, nil
}

// A Tagged is a stack with its tags.
type Tagged struct {
	ARN  string
	Tags []Tag
}

// Tagged lists the stacks that are not gone and have tags.
func (s *Service) Tagged() []Tagged {
	s.mu.Lock()
	defer s.unlock()
	var found []Tagged
	for _, st := range s.byAge() {
		if !st.ended() && len(st.Tags) > 0 {
			found = append(found, Tagged{st.ID, st.Tags})
		}
	}
	return found
}
