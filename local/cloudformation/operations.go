package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"portolan/local/wire"
)

type parameter struct {
	Key         string `json:"ParameterKey"`
	Value       string `json:"ParameterValue"`
	UsePrevious bool   `json:"UsePreviousValue,omitempty"`
	Resolved    string `json:"ResolvedValue,omitempty"`
}

// stackInput is what CreateStack and UpdateStack share.
type stackInput struct {
	StackName          string      `json:"StackName"`
	TemplateBody       string      `json:"TemplateBody"`
	TemplateURL        string      `json:"TemplateURL"`
	Parameters         []parameter `json:"Parameters"`
	Capabilities       []string    `json:"Capabilities"`
	Tags               []Tag       `json:"Tags"`
	RoleARN            string      `json:"RoleARN"`
	NotificationARNs   []string    `json:"NotificationARNs"`
	ClientRequestToken string      `json:"ClientRequestToken"`
	DisableRollback    bool        `json:"DisableRollback"`
}

type createStackInput struct {
	stackInput
	OnFailure        string `json:"OnFailure"`
	TimeoutInMinutes int    `json:"TimeoutInMinutes"`
	Protected        bool   `json:"EnableTerminationProtection"`
}

type stackIDOutput struct {
	StackID string `json:"StackId"`
}

var stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

func validation(format string, args ...any) *wire.Error {
	return wire.Errorf("ValidationError", format, args...)
}

// asValidation turns a refusal of a template into what the wire answers.
func asValidation(err error) error {
	if refused, ok := errors.AsType[*TemplateError](err); ok {
		return validation("%s", refused.Message)
	}
	return err
}

func (s *Service) createStack(ctx context.Context, in *createStackInput) (*stackIDOutput, error) {
	if !stackName.MatchString(in.StackName) {
		return nil, validation("1 validation error detected: Value '%s' at 'stackName' failed to satisfy constraint: "+
			"Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", in.StackName)
	}
	if in.OnFailure == "" {
		in.OnFailure = "ROLLBACK"
	} else if in.DisableRollback {
		return nil, validation("Only one of DisableRollback or OnFailure can be specified")
	}
	if in.DisableRollback {
		in.OnFailure = "DO_NOTHING"
	}
	next, err := s.versionOf(ctx, in.stackInput, nil)
	if err != nil {
		return nil, asValidation(err)
	}
	s.mu.Lock()
	defer s.unlock()
	if existing, ok := s.byName(in.StackName); ok {
		if in.ClientRequestToken != "" && existing.Tokens[in.ClientRequestToken] == "CreateStack" {
			return &stackIDOutput{existing.ID}, nil
		}
		return nil, wire.Errorf("AlreadyExistsException", "Stack [%s] already exists", in.StackName)
	}
	id := fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/%s", s.config.Region, s.config.Account, in.StackName, s.newUUID())
	st := &stack{
		ID: id, Name: in.StackName, version: *next, Created: s.now(), OnFailure: in.OnFailure,
		TimeoutMins: in.TimeoutInMinutes, Protected: in.Protected,
	}
	if in.TimeoutInMinutes > 0 {
		st.Deadline = s.now().Add(time.Duration(in.TimeoutInMinutes) * time.Minute)
	}
	if err := s.arrange(st); err != nil {
		return nil, asValidation(err)
	}
	st.take(in.ClientRequestToken, "CreateStack")
	s.begin(st, creating)
	return &stackIDOutput{st.ID}, s.setStatus(st, "CREATE_IN_PROGRESS", "User Initiated")
}

// take makes the token that of the operation under way, and remembers it.
func (st *stack) take(token, operation string) {
	if st.Token = token; token != "" {
		st.Tokens = maps.Clone(st.Tokens)
		if st.Tokens == nil {
			st.Tokens = map[string]string{}
		}
		st.Tokens[token] = operation
	}
}

// versionOf checks what a caller wants a stack to be. Previous is what the stack
// is, for an update.
func (s *Service) versionOf(ctx context.Context, in stackInput, previous *version) (*version, error) {
	if in.TemplateURL != "" {
		return nil, validation("the embedded AWS reads no TemplateURL: pass a TemplateBody")
	}
	if len(in.TemplateBody) > MaxTemplateBody {
		return nil, validation("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "+
			"Member must have length less than or equal to %d", MaxTemplateBody)
	}
	template, err := Parse([]byte(in.TemplateBody))
	if err != nil {
		return nil, err
	}
	if err := s.checkTemplate(template, in.Capabilities); err != nil {
		return nil, err
	}
	given, err := givenValues(template, in.Parameters, previous)
	if err != nil {
		return nil, err
	}
	values, err := template.ParameterValues(ctx, given, s.config.Source)
	if err != nil {
		return nil, err
	}
	return &version{
		Body: in.TemplateBody, Given: given, Values: values, Tags: in.Tags, Capabilities: in.Capabilities,
		RoleARN: in.RoleARN, NotificationARNs: in.NotificationARNs, Description: template.Description,
	}, nil
}

// givenValues are the parameters that a caller passed, those included that were
// to stay as they are.
func givenValues(template *Template, passed []parameter, previous *version) (map[string]string, error) {
	given := map[string]string{}
	for _, p := range passed {
		if !p.UsePrevious {
			given[p.Key] = p.Value
			continue
		}
		if previous != nil {
			if value, had := previous.Given[p.Key]; had {
				given[p.Key] = value
				continue
			}
		}
		if previous == nil || template.Parameters[p.Key].Default == nil {
			return nil, validation("Invalid input for parameter key %s. Cannot specify usePreviousValue as true "+
				"for a parameter key not in the previous template", p.Key)
		}
	}
	return given, nil
}

func (s *Service) checkTemplate(template *Template, capabilities []string) error {
	if len(template.Transforms) > 0 {
		return validation("the embedded AWS runs no transforms in stacks, not %s either", brackets(template.Transforms))
	}
	var unknown []string
	for _, id := range template.LogicalIDs() {
		kind := template.Resources[id].Type
		if _, ok := s.config.Kinds[kind]; !ok && !slices.Contains(unknown, kind) {
			unknown = append(unknown, kind)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return validation("Template format error: Unrecognized resource types: %s", brackets(unknown))
	}
	needed := template.capabilities()
	for _, given := range capabilities {
		if given == needed || given == "CAPABILITY_NAMED_IAM" {
			return nil
		}
	}
	if needed != "" {
		return wire.Errorf("InsufficientCapabilitiesException", "Requires capabilities : [%s]", needed)
	}
	return nil
}

// capabilities is what a caller must acknowledge: that the stack makes IAM
// resources, and whether it names them. It is empty where there are none.
func (t *Template) capabilities() string {
	needed := ""
	for _, resource := range t.Resources {
		if !strings.HasPrefix(resource.Type, "AWS::IAM::") {
			continue
		}
		for _, name := range []string{"RoleName", "InstanceProfileName", "UserName", "GroupName", "ManagedPolicyName"} {
			if resource.Properties[name] != nil {
				return "CAPABILITY_NAMED_IAM"
			}
		}
		needed = "CAPABILITY_IAM"
	}
	return needed
}

type updateStackInput struct {
	stackInput
	UsePreviousTemplate bool `json:"UsePreviousTemplate"`
}

func (s *Service) updateStack(ctx context.Context, in *updateStackInput) (*stackIDOutput, error) {
	s.mu.Lock()
	st, ok := s.find(in.StackName)
	if !ok || st.ended() {
		s.unlock()
		return nil, validation("Stack [%s] does not exist", in.StackName)
	}
	previous, repeated := st.version, in.ClientRequestToken != "" && st.Tokens[in.ClientRequestToken] == "UpdateStack"
	s.unlock()
	if repeated {
		return &stackIDOutput{st.ID}, nil
	}
	if in.UsePreviousTemplate {
		in.TemplateBody = previous.Body
	}
	if in.Tags == nil {
		in.Tags = previous.Tags
	}
	if in.RoleARN == "" {
		in.RoleARN = previous.RoleARN
	}
	next, err := s.versionOf(ctx, in.stackInput, &previous)
	if err != nil {
		return nil, asValidation(err)
	}
	s.mu.Lock()
	defer s.unlock()
	return s.beginUpdate(st, next, in.ClientRequestToken)
}

var updatable = []string{
	"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
}

func (s *Service) beginUpdate(st *stack, next *version, token string) (*stackIDOutput, error) {
	if !slices.Contains(updatable, st.Status) {
		return nil, validation("Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
	}
	if st.version.sameAs(next) {
		return nil, validation("No updates are to be performed.")
	}
	if err := s.checkTypes(st, next); err != nil {
		return nil, asValidation(err)
	}
	previous := st.version
	st.version = *next
	if err := s.arrange(st); err != nil {
		st.version = previous
		return nil, asValidation(errors.Join(err, s.arrange(st)))
	}
	st.Previous, st.GoingBack, st.Updated = &previous, false, s.now()
	st.take(token, "UpdateStack")
	s.begin(st, updating)
	return &stackIDOutput{st.ID}, s.setStatus(st, "UPDATE_IN_PROGRESS", "User Initiated")
}

// sameAs tells whether two versions of a stack come to the same.
func (v *version) sameAs(other *version) bool {
	a, errA := Parse([]byte(v.Body))
	b, errB := Parse([]byte(other.Body))
	return errA == nil && errB == nil && reflect.DeepEqual(a.Resources, b.Resources) &&
		reflect.DeepEqual(a.Outputs, b.Outputs) && reflect.DeepEqual(a.Conditions, b.Conditions) &&
		reflect.DeepEqual(a.Mappings, b.Mappings) && textOf(any(v.Values)) == textOf(any(other.Values)) &&
		slices.Equal(v.Tags, other.Tags)
}

func (s *Service) checkTypes(st *stack, next *version) error {
	template, err := Parse([]byte(next.Body))
	if err != nil {
		return err
	}
	var changed []string
	for _, id := range st.logicalIDs() {
		if declared, ok := template.Resources[id]; ok && declared.Type != st.Resources[id].Type {
			changed = append(changed, id)
		}
	}
	if len(changed) > 0 {
		return validation("Update of resource type is not permitted. The new template modifies resource type of the "+
			"following resources: %s", brackets(changed))
	}
	return nil
}

type deleteStackInput struct {
	StackName          string   `json:"StackName"`
	RetainResources    []string `json:"RetainResources"`
	RoleARN            string   `json:"RoleARN"`
	ClientRequestToken string   `json:"ClientRequestToken"`
}

// nothing is what calls answer that only begin something.
var nothing = &struct{}{}

// deleteStack succeeds for a stack that is not there, and again for one that is
// being deleted.
func (s *Service) deleteStack(ctx context.Context, in *deleteStackInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.unlock()
	st, ok := s.find(in.StackName)
	if !ok || st.ended() || st.Phase == deleting || st.Phase == deletingFailed {
		return nothing, nil
	}
	if st.Protected {
		return nil, validation("Stack [%s] cannot be deleted while TerminationProtection is enabled", st.Name)
	}
	if st.inProgress() && st.Phase != creating && st.Phase != rollingBack {
		return nil, validation("Stack [%s] cannot be deleted while in status %s", st.ID, st.Status)
	}
	if len(in.RetainResources) > 0 && st.Status != "DELETE_FAILED" {
		return nil, validation("Invalid operation on stack [%s]: RetainResources can be specified only for a stack in "+
			"the DELETE_FAILED state", st.ID)
	}
	for _, output := range st.Outputs {
		if user, used := s.importerOf(output.ExportName); used {
			st.take(in.ClientRequestToken, "DeleteStack")
			return nothing, s.setStatus(st, "DELETE_FAILED",
				"Export "+output.ExportName+" cannot be deleted as it is in use by "+user)
		}
	}
	st.Retained = in.RetainResources
	st.take(in.ClientRequestToken, "DeleteStack")
	s.deleteAll(st)
	s.begin(st, deleting)
	return nothing, s.setStatus(st, "DELETE_IN_PROGRESS", "User Initiated")
}

type protectionInput struct {
	StackName string `json:"StackName"`
	Enable    bool   `json:"EnableTerminationProtection"`
}

func (s *Service) updateTerminationProtection(ctx context.Context, in *protectionInput) (*stackIDOutput, error) {
	s.mu.Lock()
	defer s.unlock()
	st, ok := s.find(in.StackName)
	if !ok || st.ended() {
		return nil, validation("Stack [%s] does not exist", in.StackName)
	}
	st.Protected = in.Enable
	return &stackIDOutput{st.ID}, s.stacks.Put(st)
}

// byName is the stack of that name that is not gone.
func (s *Service) byName(name string) (*stack, bool) {
	return s.stacks.First(func(st *stack) bool { return st.Name == name && !st.ended() })
}

// find is a stack by its name, or by its id, also when it is gone.
func (s *Service) find(nameOrID string) (*stack, bool) {
	if strings.HasPrefix(nameOrID, "arn:") {
		return s.stacks.Get(nameOrID)
	}
	return s.byName(nameOrID)
}

// exportOf is the value that a stack exports under a name.
func (s *Service) exportOf(name string) (string, bool) {
	for _, st := range s.stacks.All() {
		for _, output := range st.Outputs {
			if !st.ended() && output.ExportName == name {
				return output.Value, true
			}
		}
	}
	return "", false
}

// importerOf is a stack that uses an export.
func (s *Service) importerOf(name string) (string, bool) {
	st, ok := s.stacks.First(func(st *stack) bool { return !st.ended() && slices.Contains(st.Imports, name) })
	if !ok || name == "" {
		return "", false
	}
	return st.Name, true
}

func (s *Service) checkExports(st *stack) error {
	for _, output := range st.Outputs {
		other, taken := s.stacks.First(func(other *stack) bool {
			return other.ID != st.ID && !other.ended() && slices.ContainsFunc(other.Outputs, func(o ResolvedOutput) bool {
				return o.ExportName == output.ExportName
			})
		})
		if taken && output.ExportName != "" {
			return templateError("Export with name %s is already exported by stack %s. Rollback requested by user.",
				output.ExportName, other.Name)
		}
	}
	return nil
}

func notFoundByID(nameOrID string) *wire.Error {
	return &wire.Error{
		Code: "ValidationError", Message: "Stack with id " + nameOrID + " does not exist", Status: http.StatusBadRequest,
	}
}
