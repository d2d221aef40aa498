package ec2

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"portolan/local/wire"
)

// A LaunchTemplate is a launch template with all of its versions.
type LaunchTemplate struct {
	ID             string            `json:"launchTemplateId"`
	Name           string            `json:"launchTemplateName"`
	CreateTime     wire.Time         `json:"createTime"`
	CreatedBy      string            `json:"createdBy"`
	DefaultVersion int64             `json:"defaultVersionNumber"`
	LatestVersion  int64             `json:"latestVersionNumber"`
	Tags           []Tag             `json:"tagSet"`
	Versions       []TemplateVersion `json:"versions"`
}

// A TemplateVersion is one version of a launch template.
type TemplateVersion struct {
	TemplateID   string       `json:"launchTemplateId"`
	TemplateName string       `json:"launchTemplateName"`
	Number       int64        `json:"versionNumber"`
	Description  string       `json:"versionDescription,omitempty"`
	CreateTime   wire.Time    `json:"createTime"`
	CreatedBy    string       `json:"createdBy"`
	IsDefault    bool         `json:"defaultVersion"`
	Data         TemplateData `json:"launchTemplateData"`
	ClientToken  string       `json:"clientToken,omitempty"`
}

// TemplateData is what a launch template says of an instance.
type TemplateData struct {
	templateScalars
	BlockDevices      []BlockDevice       `json:"blockDeviceMappingSet"`
	NetworkInterfaces []TemplateInterface `json:"networkInterfaceSet"`
	SecurityGroupIDs  []string            `json:"securityGroupIdSet"`
	TagSpecifications []TemplateTags      `json:"tagSpecificationSet"`
}

// templateScalars are the members that calls and answers name alike.
type templateScalars struct {
	ImageID          string             `json:"imageId,omitempty"`
	InstanceType     string             `json:"instanceType,omitempty"`
	KeyName          string             `json:"keyName,omitempty"`
	UserData         string             `json:"userData,omitempty"`
	EbsOptimized     *bool              `json:"ebsOptimized"`
	InstanceProfile  *ProfileReference  `json:"iamInstanceProfile"`
	MetadataOptions  *MetadataOptions   `json:"metadataOptions"`
	Monitoring       *monitoring        `json:"monitoring"`
	MarketOptions    *marketOptions     `json:"instanceMarketOptions"`
	ShutdownBehavior string             `json:"instanceInitiatedShutdownBehavior,omitempty"`
	Placement        *templatePlacement `json:"placement"`
}

// A ProfileReference names an instance profile.
type ProfileReference struct {
	ARN  string `json:"arn,omitempty"`
	Name string `json:"name,omitempty"`
}

// MetadataOptions says how an instance's metadata is reached.
type MetadataOptions struct {
	HTTPTokens              string `json:"httpTokens,omitempty"`
	HTTPPutResponseHopLimit int    `json:"httpPutResponseHopLimit,omitempty"`
	HTTPEndpoint            string `json:"httpEndpoint,omitempty"`
}

type monitoring struct {
	Enabled bool `json:"enabled"`
}

type marketOptions struct {
	MarketType string `json:"marketType,omitempty"`
}

type templatePlacement struct {
	Tenancy          string `json:"tenancy,omitempty"`
	AvailabilityZone string `json:"availabilityZone,omitempty"`
}

// A BlockDevice is a volume of an instance.
type BlockDevice struct {
	DeviceName string `json:"deviceName"`
	Ebs        *Ebs   `json:"ebs"`
}

// Ebs is what a volume is made of.
type Ebs struct {
	VolumeType          string `json:"volumeType,omitempty"`
	VolumeSize          int    `json:"volumeSize,omitempty"`
	Iops                int    `json:"iops,omitempty"`
	Throughput          int    `json:"throughput,omitempty"`
	Encrypted           *bool  `json:"encrypted"`
	DeleteOnTermination *bool  `json:"deleteOnTermination"`
	KmsKeyID            string `json:"kmsKeyId,omitempty"`
}

// A TemplateInterface is a network interface of an instance.
type TemplateInterface struct {
	DeviceIndex              int      `json:"deviceIndex"`
	AssociatePublicIPAddress *bool    `json:"associatePublicIpAddress"`
	DeleteOnTermination      *bool    `json:"deleteOnTermination"`
	SubnetID                 string   `json:"subnetId,omitempty"`
	Groups                   []string `json:"groupSet" item:"groupId"`
}

// TemplateTags are the tags that what an instance comes with gets.
type TemplateTags struct {
	ResourceType string `json:"resourceType"`
	Tags         []Tag  `json:"tagSet"`
}

// templateDataInput is TemplateData as calls name its lists.
type templateDataInput struct {
	templateScalars
	BlockDevices      []BlockDevice        `json:"BlockDeviceMapping"`
	NetworkInterfaces []interfaceDataInput `json:"NetworkInterface"`
	SecurityGroupIDs  []string             `json:"SecurityGroupId"`
	TagSpecifications []tagSpecification   `json:"TagSpecification"`
}

type interfaceDataInput struct {
	DeviceIndex              int      `json:"DeviceIndex"`
	AssociatePublicIPAddress *bool    `json:"AssociatePublicIpAddress"`
	DeleteOnTermination      *bool    `json:"DeleteOnTermination"`
	SubnetID                 string   `json:"SubnetId"`
	Groups                   []string `json:"SecurityGroupId"`
}

func (in templateDataInput) data() TemplateData {
	data := TemplateData{
		templateScalars: in.templateScalars, BlockDevices: in.BlockDevices, SecurityGroupIDs: in.SecurityGroupIDs,
	}
	for _, i := range in.NetworkInterfaces {
		data.NetworkInterfaces = append(data.NetworkInterfaces, TemplateInterface(i))
	}
	for _, t := range in.TagSpecifications {
		data.TagSpecifications = append(data.TagSpecifications, TemplateTags(t))
	}
	return data
}

func (s *Service) templateOperations(operations map[string]wire.Operation) {
	operations["CreateLaunchTemplate"] = wire.Op(s.createLaunchTemplate)
	operations["CreateLaunchTemplateVersion"] = wire.Op(s.createLaunchTemplateVersion)
	operations["ModifyLaunchTemplate"] = wire.Op(s.modifyLaunchTemplate)
	operations["DescribeLaunchTemplates"] = wire.Op(s.describeLaunchTemplates)
	operations["DescribeLaunchTemplateVersions"] = wire.Op(s.describeLaunchTemplateVersions)
	operations["DeleteLaunchTemplate"] = wire.Op(s.deleteLaunchTemplate)
}

type createLaunchTemplateInput struct {
	Name              string             `json:"LaunchTemplateName"`
	Description       string             `json:"VersionDescription"`
	Data              templateDataInput  `json:"LaunchTemplateData"`
	ClientToken       string             `json:"ClientToken"`
	TagSpecifications []tagSpecification `json:"TagSpecification"`
}

// launchTemplateView is a LaunchTemplate without its versions.
type launchTemplateView struct {
	ID             string    `json:"launchTemplateId"`
	Name           string    `json:"launchTemplateName"`
	CreateTime     wire.Time `json:"createTime"`
	CreatedBy      string    `json:"createdBy"`
	DefaultVersion int64     `json:"defaultVersionNumber"`
	LatestVersion  int64     `json:"latestVersionNumber"`
	Tags           []Tag     `json:"tagSet"`
}

func (t LaunchTemplate) view() launchTemplateView {
	return launchTemplateView{t.ID, t.Name, t.CreateTime, t.CreatedBy, t.DefaultVersion, t.LatestVersion, t.Tags}
}

type launchTemplateOutput struct {
	LaunchTemplate launchTemplateView `json:"launchTemplate"`
}

func (s *Service) createLaunchTemplate(ctx context.Context, in *createLaunchTemplateInput) (*launchTemplateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	existing, ok := s.launchTemplates.First(func(t LaunchTemplate) bool { return t.Name == in.Name })
	if ok && in.ClientToken != "" && existing.Versions[0].ClientToken == in.ClientToken {
		return &launchTemplateOutput{existing.view()}, nil
	}
	if ok {
		return nil, wire.Errorf("InvalidLaunchTemplateName.AlreadyExistsException",
			"Launch template name already in use.")
	}
	template := LaunchTemplate{
		ID: s.newID("lt"), Name: in.Name, CreateTime: wire.At(s.now()), CreatedBy: wire.Caller(ctx).ARN,
		DefaultVersion: 1, LatestVersion: 1, Tags: tagsFor("launch-template", in.TagSpecifications),
	}
	template.Versions = []TemplateVersion{s.newVersion(ctx, template, 1, in.Description, in.ClientToken, in.Data)}
	return &launchTemplateOutput{template.view()}, s.launchTemplates.Put(template)
}

func (s *Service) newVersion(ctx context.Context, t LaunchTemplate, number int64, description, token string, data templateDataInput) TemplateVersion {
	return TemplateVersion{
		TemplateID: t.ID, TemplateName: t.Name, Number: number, Description: description,
		CreateTime: wire.At(s.now()), CreatedBy: wire.Caller(ctx).ARN, IsDefault: number == t.DefaultVersion,
		Data: data.data(), ClientToken: token,
	}
}

type templateReference struct {
	ID   string `json:"LaunchTemplateId"`
	Name string `json:"LaunchTemplateName"`
}

func (s *Service) findTemplate(ref templateReference) (LaunchTemplate, error) {
	template, ok := s.launchTemplates.First(func(t LaunchTemplate) bool {
		return ref.ID != "" && t.ID == ref.ID || ref.ID == "" && t.Name == ref.Name
	})
	if ok {
		return template, nil
	}
	if ref.ID != "" {
		return template, wire.Errorf("InvalidLaunchTemplateId.NotFound",
			"The specified launch template, with template ID %s, does not exist.", ref.ID)
	}
	return template, wire.Errorf("InvalidLaunchTemplateName.NotFoundException",
		"The specified launch template, with template name %s, does not exist.", ref.Name)
}

type createVersionInput struct {
	templateReference
	Description string            `json:"VersionDescription"`
	Data        templateDataInput `json:"LaunchTemplateData"`
	ClientToken string            `json:"ClientToken"`
}

type versionOutput struct {
	Version TemplateVersion `json:"launchTemplateVersion"`
}

func (s *Service) createLaunchTemplateVersion(ctx context.Context, in *createVersionInput) (*versionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	template, err := s.findTemplate(in.templateReference)
	if err != nil {
		return nil, err
	}
	for _, version := range template.Versions {
		if in.ClientToken != "" && version.ClientToken == in.ClientToken {
			return &versionOutput{version}, nil
		}
	}
	template.LatestVersion++
	version := s.newVersion(ctx, template, template.LatestVersion, in.Description, in.ClientToken, in.Data)
	template.Versions = append(slices.Clone(template.Versions), version)
	return &versionOutput{version}, s.launchTemplates.Put(template)
}

type modifyLaunchTemplateInput struct {
	templateReference
	DefaultVersion string `json:"SetDefaultVersion"`
}

func (s *Service) modifyLaunchTemplate(ctx context.Context, in *modifyLaunchTemplateInput) (*launchTemplateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	template, err := s.findTemplate(in.templateReference)
	if err != nil {
		return nil, err
	}
	version, err := template.version(in.DefaultVersion)
	if err != nil {
		return nil, err
	}
	template.DefaultVersion = version.Number
	template.Versions = slices.Clone(template.Versions)
	for i := range template.Versions {
		template.Versions[i].IsDefault = template.Versions[i].Number == version.Number
	}
	return &launchTemplateOutput{template.view()}, s.launchTemplates.Put(template)
}

// version finds a version by its number, $Latest, $Default or the empty text,
// which means the default.
func (t LaunchTemplate) version(name string) (TemplateVersion, error) {
	number := t.DefaultVersion
	if name == "$Latest" {
		number = t.LatestVersion
	} else if name != "" && name != "$Default" {
		n, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			return TemplateVersion{}, wire.Errorf("InvalidParameterValue", "Invalid launch template version: %s", name)
		}
		number = n
	}
	for _, version := range t.Versions {
		if version.Number == number {
			return version, nil
		}
	}
	return TemplateVersion{}, wire.Errorf("InvalidLaunchTemplateId.VersionNotFound",
		"Could not find launch template version %s for template %s", name, t.ID)
}

// LaunchTemplateVersion is a version of a launch template, found by the id or
// the name of the template and a number, $Latest or $Default.
func (s *Service) LaunchTemplateVersion(id, name, version string) (TemplateVersion, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	template, err := s.findTemplate(templateReference{id, name})
	if err != nil {
		return TemplateVersion{}, fmt.Errorf("finding a launch template: %w", err)
	}
	return template.version(version)
}

type describeLaunchTemplatesInput struct {
	query
	IDs   []string `json:"LaunchTemplateId"`
	Names []string `json:"LaunchTemplateName"`
}

type describeLaunchTemplatesOutput struct {
	LaunchTemplates []launchTemplateView `json:"launchTemplates"`
	NextToken       string               `json:"nextToken,omitempty"`
}

func (s *Service) describeLaunchTemplates(ctx context.Context, in *describeLaunchTemplatesInput) (*describeLaunchTemplatesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range in.Names {
		template, err := s.findTemplate(templateReference{Name: name})
		if err != nil {
			return nil, err
		}
		in.IDs = append(in.IDs, template.ID)
	}
	found, next, err := describe(s.launchTemplates.All(), listing[LaunchTemplate]{
		id: func(t LaunchTemplate) string { return t.ID }, tags: func(t LaunchTemplate) []Tag { return t.Tags },
		absent: func(id string) *wire.Error {
			return wire.Errorf("InvalidLaunchTemplateId.NotFound",
				"The specified launch template, with template ID %s, does not exist.", id)
		},
		fields: func(t LaunchTemplate) map[string][]string {
			return map[string][]string{"launch-template-name": {t.Name}}
		},
	}, in.IDs, in.query)
	out := &describeLaunchTemplatesOutput{NextToken: next}
	for _, template := range found {
		out.LaunchTemplates = append(out.LaunchTemplates, template.view())
	}
	return out, err
}

type describeVersionsInput struct {
	query
	templateReference
	Versions []string `json:"LaunchTemplateVersion"`
}

type describeVersionsOutput struct {
	Versions  []TemplateVersion `json:"launchTemplateVersionSet"`
	NextToken string            `json:"nextToken,omitempty"`
}

func (s *Service) describeLaunchTemplateVersions(ctx context.Context, in *describeVersionsInput) (*describeVersionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	template, err := s.findTemplate(in.templateReference)
	if err != nil {
		return nil, err
	}
	found := slices.Clone(template.Versions)
	slices.Reverse(found) // The newest comes first.
	if len(in.Versions) > 0 {
		found = nil
		for _, name := range in.Versions {
			version, err := template.version(name)
			if err != nil {
				return nil, err
			}
			found = append(found, version)
		}
	}
	found, next, err := page(found, in.MaxResults, in.NextToken)
	return &describeVersionsOutput{found, next}, err
}

func (s *Service) deleteLaunchTemplate(ctx context.Context, in *templateReference) (*launchTemplateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	template, err := s.findTemplate(*in)
	if err != nil {
		return nil, err
	}
	return &launchTemplateOutput{template.view()}, s.launchTemplates.Remove(template.ID)
}
