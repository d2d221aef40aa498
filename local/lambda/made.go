package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"time"

	"portolan/local/records"
)

// A Function is one that somebody made by CreateFunction.
type Function struct {
	Name          string            `json:"FunctionName"`
	ARN           string            `json:"FunctionArn"`
	Role          string            `json:"Role"`
	Runtime       string            `json:"Runtime"`
	Handler       string            `json:"Handler"`
	Description   string            `json:"Description"`
	Timeout       int               `json:"Timeout"`
	MemorySize    int               `json:"MemorySize"`
	Architectures []string          `json:"Architectures"`
	Layers        []string          `json:"Layers"`
	Environment   variables         `json:"Environment"`
	VPC           vpcConfig         `json:"VpcConfig"`
	Tags          map[string]string `json:"Tags"`

	// Active is when the function can be invoked: one in a VPC has to get network
	// interfaces there first.
	Active time.Time `json:"Active"`
}

type variables struct {
	Variables map[string]string `json:"Variables"`
}

type vpcConfig struct {
	Subnets []string `json:"SubnetIds"`
	Groups  []string `json:"SecurityGroupIds"`
}

// interfacesTake is how long a function in a VPC waits for its network interfaces.
const interfacesTake = 25 * time.Second

var functionName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// load reads the functions back that were made before a restart.
func (s *Server) load() (err error) {
	s.made, err = records.Load(s.config.Disk, "lambda/functions", func(f Function) string { return f.Name })
	return err
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, payloadMax))
	f := Function{Timeout: 3, MemorySize: 128, Architectures: []string{"x86_64"}}
	if err == nil {
		err = json.Unmarshal(raw, &f)
	}
	switch {
	case err != nil:
		fail(w, http.StatusBadRequest, "SerializationException", "the request is no JSON that fits")
		return
	case !functionName.MatchString(f.Name):
		fail(w, http.StatusBadRequest, "InvalidParameterValueException", "The name "+f.Name+" is none of a function")
		return
	}
	f.ARN = "arn:aws:lambda:" + s.config.Region + ":" + s.config.Account + ":function:" + f.Name
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.made.Get(f.Name); taken || slices.Contains(s.config.Functions, f.ARN) {
		fail(w, http.StatusConflict, "ResourceConflictException", "Function already exist: "+f.Name)
		return
	}
	if f.Active = s.config.Clock.Now(); len(f.VPC.Subnets) > 0 {
		f.Active = f.Active.Add(interfacesTake)
	}
	if err := s.made.Put(f); err != nil {
		fail(w, http.StatusInternalServerError, "ServiceException", err.Error())
		return
	}
	answer(w, http.StatusCreated, s.configurationOf(f))
}

// configurationOf is a function that was made, as Lambda shows it.
func (s *Server) configurationOf(f Function) map[string]any {
	state := "Active"
	if s.config.Clock.Now().Before(f.Active) {
		state = "Pending"
	}
	return map[string]any{"FunctionName": f.Name, "FunctionArn": f.ARN, "Role": f.Role, "Runtime": f.Runtime, "Handler": f.Handler,
		"Description": f.Description, "Timeout": f.Timeout, "MemorySize": f.MemorySize, "Architectures": f.Architectures,
		"State": state, "LastUpdateStatus": "Successful", "Version": "$LATEST", "PackageType": "Zip",
		"VpcConfig": map[string]any{"SubnetIds": f.VPC.Subnets, "SecurityGroupIds": f.VPC.Groups}}
}

// find is a function that was made, by its name or ARN.
func (s *Server) find(function string) (Function, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.made.First(func(f Function) bool { return f.Name == function || f.ARN == function })
}

func (s *Server) remove(w http.ResponseWriter, function string) {
	f, ok := s.find(function)
	if !ok {
		fail(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+function)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, f.Name)
	if err := s.made.Remove(f.Name); err != nil {
		fail(w, http.StatusInternalServerError, "ServiceException", err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// A Code is what runs when a function is invoked. A function that fails is a
// *states.FunctionError.
type Code func(ctx context.Context, payload []byte) ([]byte, error)

// run invokes a function that was made, within its time.
func (s *Server) run(ctx context.Context, f Function, payload []byte) ([]byte, error) {
	if s.config.Clock.Now().Before(f.Active) {
		return nil, errors.New("the function is in state Pending")
	}
	s.mu.Lock()
	code, ok := s.running[f.Name]
	s.mu.Unlock()
	if !ok {
		if s.config.Code == nil {
			return nil, fmt.Errorf("nothing here runs the code of function %s", f.Name)
		}
		var err error
		if code, err = s.config.Code(f); err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.running[f.Name] = code
		s.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(f.Timeout)*time.Second)
	defer cancel()
	return code(ctx, payload)
}

// TaggedResources calls add with each function that was made and has tags.
func (s *Server) TaggedResources(add func(arn string, tags map[string]string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.made.All() {
		add(f.ARN, f.Tags)
	}
}
