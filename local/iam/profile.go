package iam

import (
	"context"
	"net/http"
	"slices"

	"portolan/local/wire"
)

// An InstanceProfile carries a role to an instance.
type InstanceProfile struct {
	Path       string    `json:"Path"`
	Name       string    `json:"InstanceProfileName"`
	ID         string    `json:"InstanceProfileId"`
	ARN        string    `json:"Arn"`
	CreateDate wire.Time `json:"CreateDate"`
	RoleNames  []string  `json:"RoleNames"`
	Tags       []Tag     `json:"Tags"`
}

type profileView struct {
	Path       string     `json:"Path"`
	Name       string     `json:"InstanceProfileName"`
	ID         string     `json:"InstanceProfileId"`
	ARN        string     `json:"Arn"`
	CreateDate wire.Time  `json:"CreateDate"`
	Roles      []roleHead `json:"Roles"`
	Tags       []Tag      `json:"Tags"`
}

func (s *Service) viewOf(p InstanceProfile) profileView {
	view := profileView{Path: p.Path, Name: p.Name, ID: p.ID, ARN: p.ARN, CreateDate: p.CreateDate, Tags: p.Tags}
	for _, name := range p.RoleNames {
		if role, ok := s.roles.Get(name); ok {
			view.Roles = append(view.Roles, role.view())
		}
	}
	return view
}

func (s *Service) profileOperations(operations map[string]wire.Operation) {
	operations["CreateInstanceProfile"] = wire.Op(s.createInstanceProfile)
	operations["GetInstanceProfile"] = wire.Op(s.getInstanceProfile)
	operations["ListInstanceProfiles"] = wire.Op(s.listInstanceProfiles)
	operations["ListInstanceProfilesForRole"] = wire.Op(s.listInstanceProfilesForRole)
	operations["AddRoleToInstanceProfile"] = wire.Op(s.addRoleToInstanceProfile)
	operations["RemoveRoleFromInstanceProfile"] = wire.Op(s.removeRoleFromInstanceProfile)
	operations["DeleteInstanceProfile"] = wire.Op(s.deleteInstanceProfile)
}

type createProfileInput struct {
	Name string `json:"InstanceProfileName"`
	Path string `json:"Path"`
	Tags []Tag  `json:"Tags"`
}

type profileOutput struct {
	InstanceProfile profileView `json:"InstanceProfile"`
}

func (s *Service) createInstanceProfile(ctx context.Context, in *createProfileInput) (*profileOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.profiles.Get(in.Name); ok {
		return nil, &wire.Error{Code: "EntityAlreadyExists", Status: http.StatusConflict,
			Message: "Instance Profile " + in.Name + " already exists."}
	}
	profile := InstanceProfile{
		Path: pathOr(in.Path), Name: in.Name, ID: "AIPA" + s.config.IDs.Base32(17),
		CreateDate: wire.At(s.config.Clock.Now()), Tags: in.Tags,
	}
	profile.ARN = s.arn("instance-profile", profile.Path, profile.Name)
	return &profileOutput{s.viewOf(profile)}, s.profiles.Put(profile)
}

type profileInput struct {
	Name     string `json:"InstanceProfileName"`
	RoleName string `json:"RoleName"`
}

func (s *Service) findProfile(name string) (InstanceProfile, error) {
	profile, ok := s.profiles.Get(name)
	if !ok {
		return InstanceProfile{}, noSuchEntity("Instance Profile %s cannot be found.", name)
	}
	return profile, nil
}

func (s *Service) getInstanceProfile(ctx context.Context, in *profileInput) (*profileOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	profile, err := s.findProfile(in.Name)
	if err != nil {
		return nil, err
	}
	return &profileOutput{s.viewOf(profile)}, nil
}

type listProfilesOutput struct {
	InstanceProfiles []profileView `json:"InstanceProfiles"`
	IsTruncated      bool          `json:"IsTruncated"`
}

func (s *Service) listInstanceProfiles(ctx context.Context, in *struct{}) (*listProfilesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &listProfilesOutput{}
	for _, profile := range s.profiles.All() {
		out.InstanceProfiles = append(out.InstanceProfiles, s.viewOf(profile))
	}
	return out, nil
}

func (s *Service) listInstanceProfilesForRole(ctx context.Context, in *roleInput) (*listProfilesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.findRole(in.RoleName); err != nil {
		return nil, err
	}
	out := &listProfilesOutput{}
	for _, profile := range s.profiles.All() {
		if slices.Contains(profile.RoleNames, in.RoleName) {
			out.InstanceProfiles = append(out.InstanceProfiles, s.viewOf(profile))
		}
	}
	return out, nil
}

func (s *Service) addRoleToInstanceProfile(ctx context.Context, in *profileInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	profile, err := s.findProfile(in.Name)
	if err != nil {
		return nil, err
	}
	if _, err := s.findRole(in.RoleName); err != nil {
		return nil, err
	}
	if len(profile.RoleNames) > 0 {
		return nil, &wire.Error{Code: "LimitExceeded", Status: http.StatusConflict,
			Message: "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1"}
	}
	profile.RoleNames = []string{in.RoleName}
	return nothing, s.profiles.Put(profile)
}

func (s *Service) removeRoleFromInstanceProfile(ctx context.Context, in *profileInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	profile, err := s.findProfile(in.Name)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(profile.RoleNames, in.RoleName) {
		return nil, noSuchEntity("Role %s cannot be found on instance profile %s.", in.RoleName, in.Name)
	}
	profile.RoleNames = nil
	return nothing, s.profiles.Put(profile)
}

func (s *Service) deleteInstanceProfile(ctx context.Context, in *profileInput) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	profile, err := s.findProfile(in.Name)
	if err != nil {
		return nil, err
	}
	if len(profile.RoleNames) > 0 {
		return nil, deleteConflict("Cannot delete entity, must remove roles from instance profile first.")
	}
	return nothing, s.profiles.Remove(profile.Name)
}
