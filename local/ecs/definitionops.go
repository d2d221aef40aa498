package ecs

import (
	"slices"
	"strconv"
	"strings"
)

type describeDefinitionInput struct {
	TaskDefinition string   `json:"taskDefinition"`
	Include        []string `json:"include"`
}

func (s *Server) describeTaskDefinition(in *describeDefinitionInput) (*definitionOutput, error) {
	d, err := s.findDefinition(in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	return d.output(slices.Contains(in.Include, "TAGS")), nil
}

func (s *Server) deregisterTaskDefinition(in *describeDefinitionInput) (*definitionOutput, error) {
	if !strings.Contains(lastOf(in.TaskDefinition), ":") {
		return nil, client("Revision is missing. Specify a valid revision and try again.")
	}
	d, err := s.findDefinition(in.TaskDefinition)
	if err != nil {
		return nil, client("The specified task definition does not exist. Specify a valid account, family, revision and try again.")
	}
	d.Status, d.DeregisteredAt = "INACTIVE", pointer(s.now())
	s.keep(definitionBucket, d.name(), d)
	return d.output(false), nil
}

type deleteDefinitionsInput struct {
	TaskDefinitions []string `json:"taskDefinitions"`
}

type deleteDefinitionsOutput struct {
	TaskDefinitions []definition `json:"taskDefinitions"`
	Failures        []failure    `json:"failures"`
}

func (s *Server) deleteTaskDefinitions(in *deleteDefinitionsInput) (*deleteDefinitionsOutput, error) {
	if len(in.TaskDefinitions) > 10 {
		return nil, invalid("Up to 10 task definitions can be deleted at once.")
	}
	out := &deleteDefinitionsOutput{TaskDefinitions: []definition{}, Failures: []failure{}}
	for _, ref := range in.TaskDefinitions {
		d, err := s.findDefinition(ref)
		switch {
		case err != nil:
			out.Failures = append(out.Failures, failure{Arn: ref, Reason: "The specified task definition does not exist. " +
				"Specify a valid account, family, revision and try again."})
			continue
		case d.Status == "ACTIVE":
			out.Failures = append(out.Failures, failure{Arn: d.Arn, Reason: "The specified task definition is still in ACTIVE " +
				"status. Please deregister the target and try again."})
			continue
		}
		d.Status = "DELETE_IN_PROGRESS"
		out.TaskDefinitions = append(out.TaskDefinitions, d.output(false).TaskDefinition)
		if s.inUse(d) {
			s.keep(definitionBucket, d.name(), d)
			continue
		}
		s.forgetDefinition(d)
	}
	return out, nil
}

func (s *Server) inUse(d *definition) bool {
	for _, t := range s.tasks {
		if t.View.TaskDefinitionArn == d.Arn && t.View.LastStatus != "STOPPED" {
			return true
		}
	}
	for _, svc := range s.services {
		if svc.Status != "INACTIVE" && slices.ContainsFunc(svc.Deployments, func(p *deployment) bool { return p.View.TaskDefinition == d.Arn }) {
			return true
		}
	}
	return false
}

// forgetDefinition drops all but the number: a revision is never used again.
func (s *Server) forgetDefinition(d *definition) {
	revisions := s.families[d.Family]
	if revisions[len(revisions)-1] == d {
		s.keep(definitionBucket, d.name(), d)
		return
	}
	s.families[d.Family] = slices.DeleteFunc(revisions, func(other *definition) bool { return other == d })
	s.keep(definitionBucket, d.name(), nil)
}

type listDefinitionsInput struct {
	paging
	FamilyPrefix string `json:"familyPrefix"`
	Status       string `json:"status"`
	Sort         string `json:"sort"`
}

type listDefinitionsOutput struct {
	TaskDefinitionArns []string `json:"taskDefinitionArns"`
	NextToken          string   `json:"nextToken,omitempty"`
}

func (s *Server) listTaskDefinitions(in *listDefinitionsInput) (*listDefinitionsOutput, error) {
	status := in.Status
	if status == "" {
		status = "ACTIVE"
	}
	var arns []string
	for _, family := range sortedKeys(s.families) {
		if in.FamilyPrefix != "" && family != in.FamilyPrefix {
			continue
		}
		for _, d := range s.families[family] {
			if d.Status == status {
				arns = append(arns, d.Arn)
			}
		}
	}
	if in.Sort == "DESC" {
		slices.Reverse(arns)
	}
	page, next, err := cutUnsorted(in.paging, arns)
	return &listDefinitionsOutput{TaskDefinitionArns: page, NextToken: next}, err
}

// cutUnsorted pages by position, for lists whose order is not that of their
// bytes: revision 10 follows 9.
func cutUnsorted(p paging, arns []string) (page []string, next string, err error) {
	from := 0
	if p.NextToken != "" {
		if from, err = strconv.Atoi(p.NextToken); err != nil || from < 0 || from > len(arns) {
			return nil, "", invalid("Invalid token %s", p.NextToken)
		}
	}
	p.NextToken = ""
	page, next, err = p.cut(arns[from:], 100)
	if next != "" {
		next = strconv.Itoa(from + len(page))
	}
	return page, next, err
}

type listFamiliesOutput struct {
	Families  []string `json:"families"`
	NextToken string   `json:"nextToken,omitempty"`
}

func (s *Server) listTaskDefinitionFamilies(in *listDefinitionsInput) (*listFamiliesOutput, error) {
	var families []string
	for _, family := range sortedKeys(s.families) {
		active := slices.ContainsFunc(s.families[family], func(d *definition) bool { return d.Status == "ACTIVE" })
		fits := in.Status == "ALL" || active == (in.Status != "INACTIVE")
		if strings.HasPrefix(family, in.FamilyPrefix) && fits {
			families = append(families, family)
		}
	}
	page, next, err := in.cut(families, 100)
	return &listFamiliesOutput{Families: page, NextToken: next}, err
}
