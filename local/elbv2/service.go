package elbv2

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/records"
	"portolan/local/unique"
	"portolan/local/wire"
)

// A Config is what a Service is made of.
type Config struct {
	Account, Region string
	Clock           *clock.Clock
	Disk            *disk.Disk // nil keeps nothing
	IDs             *unique.Source
	// Subnet tells the VPC and the availability zone of a subnet, and whether
	// there is one. Where Subnet is nil every subnet is in one VPC.
	Subnet func(id string) (vpcID, zone string, ok bool)
	// Answers tells whether a target passes its health checks. Where Answers is
	// nil every target does. It is called without any lock of this package's.
	Answers func(targetGroupARN, targetID string, port int) bool
}

// A Service holds one account's load balancers in one region.
type Service struct {
	config Config

	mu            sync.Mutex
	loadBalancers *records.Of[LoadBalancer]
	listeners     *records.Of[Listener]
	rules         *records.Of[Rule]
	targetGroups  *records.Of[TargetGroup]
}

// New reads the state back.
func New(config Config) (*Service, error) {
	s := &Service{config: config}
	d := config.Disk
	var err error
	s.loadBalancers, err = records.Load(d, "elbv2/load-balancers", func(v LoadBalancer) string { return v.ARN })
	if err != nil {
		return nil, fmt.Errorf("loading load balancers: %w", err)
	}
	if s.listeners, err = records.Load(d, "elbv2/listeners", func(v Listener) string { return v.ARN }); err != nil {
		return nil, fmt.Errorf("loading listeners: %w", err)
	}
	if s.rules, err = records.Load(d, "elbv2/rules", func(v Rule) string { return v.ARN }); err != nil {
		return nil, fmt.Errorf("loading rules: %w", err)
	}
	s.targetGroups, err = records.Load(d, "elbv2/target-groups", func(v TargetGroup) string { return v.ARN })
	if err != nil {
		return nil, fmt.Errorf("loading target groups: %w", err)
	}
	return s, nil
}

// Handler answers for the signing name elasticloadbalancing.
func (s *Service) Handler() *wire.Service {
	operations := map[string]wire.Operation{}
	for _, add := range []func(map[string]wire.Operation){
		s.balancerOperations, s.listenerOperations, s.ruleOperations, s.groupOperations, s.targetOperations,
		s.tagOperations,
	} {
		add(operations)
	}
	return &wire.Service{
		Name: "Elastic Load Balancing v2", Version: "2015-12-01",
		Namespace: "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
		Protocol:  wire.Query, Operations: operations,
	}
}

func (s *Service) now() time.Time { return s.config.Clock.Now() }

func (s *Service) arn(resource string) string {
	return fmt.Sprintf("arn:aws:elasticloadbalancing:%s:%s:%s", s.config.Region, s.config.Account, resource)
}

// nothing is what calls answer that only change something.
var nothing = &struct{}{}

func notFound(what, noun string, arns ...string) *wire.Error {
	if len(arns) == 0 {
		return wire.Errorf(what+"NotFound", "One or more %s not found", noun)
	}
	return wire.Errorf(what+"NotFound", "%s '[%s]' not found", noun, strings.Join(arns, ", "))
}

func invalid(format string, args ...any) *wire.Error {
	return wire.Errorf("ValidationError", format, args...)
}

// A paging is what all Describe calls share.
type paging struct {
	Marker   string `json:"Marker"`
	PageSize int    `json:"PageSize"`
}

// page cuts one page out of a list. The marker is the index of the next item.
func page[T any](all []T, p paging) (items []T, next string, err error) {
	start := 0
	if p.Marker != "" {
		n, err := strconv.Atoi(p.Marker)
		if err != nil || n < 0 || n > len(all) {
			return nil, "", invalid("The marker '%s' is not valid", p.Marker)
		}
		start = n
	}
	if p.PageSize <= 0 || start+p.PageSize >= len(all) {
		return all[start:], "", nil
	}
	return all[start : start+p.PageSize], strconv.Itoa(start + p.PageSize), nil
}

// choose lists what has one of the ARNs and one of the names, where there are
// any; each of them must be there.
func choose[T any](all []T, arnOf, nameOf func(T) string, arns, names []string, absent func(...string) *wire.Error) ([]T, error) {
	for _, arn := range arns {
		if !slices.ContainsFunc(all, func(v T) bool { return arnOf(v) == arn }) {
			return nil, absent(arn)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(v T) bool { return nameOf(v) == name }) {
			return nil, absent(name)
		}
	}
	return slices.DeleteFunc(all, func(v T) bool {
		return len(arns) > 0 && !slices.Contains(arns, arnOf(v)) || len(names) > 0 && !slices.Contains(names, nameOf(v))
	}), nil
}
