package eks

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"time"

	"portolan/local/kubernetes"
	"portolan/local/wire"
)

// What clusters, node groups, add-ons and updates are.
const (
	creating   = "CREATING"
	active     = "ACTIVE"
	updating   = "UPDATING"
	deleting   = "DELETING"
	failed     = "CREATE_FAILED"
	inProgress = "InProgress"
	successful = "Successful"

	unsuccessful = "Failed"
)

// The pace of clusters.
const (
	createLow, createHigh = 7 * time.Minute, 10 * time.Minute
	deleteLow, deleteHigh = 2 * time.Minute, 4 * time.Minute
)

// cluster is a cluster of EKS.
type cluster struct {
	Name            string            `json:"name"`
	ARN             string            `json:"arn"`
	CreatedAt       wire.Time         `json:"createdAt"`
	Version         string            `json:"version"`
	RoleARN         string            `json:"roleArn"`
	Status          string            `json:"status"`
	VPC             vpcConfig         `json:"resourcesVpcConfig"`
	Access          accessConfig      `json:"accessConfig"`
	UpgradePolicy   upgradePolicy     `json:"upgradePolicy"`
	Logging         any               `json:"logging,omitempty"`
	Tags            map[string]string `json:"tags"`
	Endpoint        string            `json:"endpoint,omitempty"`
	CA              authority         `json:"certificateAuthority"`
	Identity        issuer            `json:"identity"`
	PlatformVersion string            `json:"platformVersion"`
	Token           string            `json:"clientRequestToken,omitempty"`

	// Secret is the token by which EKS itself enters the cluster.
	Secret string    `json:"secret,omitempty"`
	Due    time.Time `json:"due,omitzero"`
}

type vpcConfig struct {
	Subnets       []string `json:"subnetIds"`
	Groups        []string `json:"securityGroupIds"`
	ClusterGroup  string   `json:"clusterSecurityGroupId,omitempty"`
	VPC           string   `json:"vpcId"`
	PublicAccess  *bool    `json:"endpointPublicAccess"`
	PrivateAccess *bool    `json:"endpointPrivateAccess"`
	PublicCIDRs   []string `json:"publicAccessCidrs"`
}

type accessConfig struct {
	Mode      string `json:"authenticationMode"`
	Bootstrap *bool  `json:"bootstrapClusterCreatorAdminPermissions,omitempty"`
}

type upgradePolicy struct {
	SupportType string `json:"supportType"`
}

type authority struct {
	Data string `json:"data,omitempty"`
}

type issuer struct {
	OIDC struct {
		Issuer string `json:"issuer"`
	} `json:"oidc"`
}

// view is the cluster as EKS shows it: without what is nobody's business.
func (c cluster) view() cluster {
	c.Token, c.Secret, c.Due = "", "", time.Time{}
	if c.Status == creating {
		c.Endpoint, c.CA = "", authority{}
	}
	return c
}

// versions are those that EKS starts clusters of; the default is the middle one.
var versions = []string{"1.31", "1.32", "1.33", "1.34", "1.35", "1.36"}

const defaultVersion = "1.34"

// kubeletVersion is the release of a minor version.
func kubeletVersion(minor string) string { return "v" + minor + ".2-eks-3cfe0ce" }

var clusterName = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

type clusterOutput struct {
	Cluster cluster `json:"cluster"`
}

type clusterInput struct {
	Name string `json:"name"`
}

// createCluster makes a cluster once for each token.
func (s *Server) createCluster(ctx context.Context, in *cluster) (*clusterOutput, error) {
	s.mu.Lock()
	if old, ok := s.clusters.Get(in.Name); ok {
		s.mu.Unlock()
		if in.Token != "" && old.Token == in.Token {
			return &clusterOutput{old.view()}, nil
		}
		return nil, inUse("Cluster already exists with name: %s", in.Name)
	}
	s.mu.Unlock()
	c := *in
	if err := s.check(&c); err != nil {
		return nil, err
	}
	if err := s.equip(ctx, &c); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.clusters.Put(c); err != nil {
		return nil, err
	}
	s.note("cluster "+c.Name, c.Due, func() { s.stepCluster(c.Name) })
	return &clusterOutput{c.view()}, nil
}

// check refuses what EKS does not make, and fills in what it makes of what is left out.
func (s *Server) check(c *cluster) error {
	c.Version = cmp.Or(c.Version, defaultVersion)
	switch {
	case !clusterName.MatchString(c.Name):
		return invalid("The cluster name %q is not valid: it can contain only alphanumeric characters, hyphens and underscores", c.Name)
	case !slices.Contains(versions, c.Version):
		return invalid("unsupported Kubernetes version %s", c.Version)
	case c.RoleARN == "":
		return invalid("The role with name null cannot be found")
	case len(c.VPC.Subnets) < 2:
		return invalid("Subnets specified must be in at least two different AZs")
	}
	zones := map[string]bool{}
	for _, id := range c.VPC.Subnets {
		vpc, zone, ok := s.config.Network.Subnet(id)
		if !ok {
			return invalid("The subnet ID '%s' does not exist", id)
		}
		c.VPC.VPC, zones[zone] = vpc, true
	}
	if len(zones) < 2 {
		return invalid("Subnets specified must be in at least two different AZs")
	}
	public, private := c.VPC.PublicAccess == nil || *c.VPC.PublicAccess, c.VPC.PrivateAccess != nil && *c.VPC.PrivateAccess
	if !public && !private {
		return invalid("Private and public endpoint access cannot be false")
	}
	c.VPC.PublicAccess, c.VPC.PrivateAccess = &public, &private
	if public && len(c.VPC.PublicCIDRs) == 0 {
		c.VPC.PublicCIDRs = []string{"0.0.0.0/0"}
	}
	c.Access.Mode = cmp.Or(c.Access.Mode, "CONFIG_MAP")
	c.UpgradePolicy.SupportType = cmp.Or(c.UpgradePolicy.SupportType, "EXTENDED")
	return nil
}

// equip gives a new cluster what EKS makes for it.
func (s *Server) equip(ctx context.Context, c *cluster) (err error) {
	ids := s.config.IDs
	id := ids.Hex(32)
	c.ARN, c.CreatedAt, c.Status = s.arn("cluster/"+c.Name), wire.At(s.now()), creating
	c.PlatformVersion, c.Secret, c.Due = "eks.1", ids.Hex(40), s.after(createLow, createHigh)
	c.Endpoint = "https://" + id + ".gr7." + s.config.Region + ".eks.amazonaws.com"
	c.Identity.OIDC.Issuer = "https://oidc.eks." + s.config.Region + ".amazonaws.com/id/" + id
	if c.CA.Data, err = newAuthority(s.now(), ids); err != nil {
		return err
	}
	c.VPC.ClusterGroup, err = s.config.Network.CreateSecurityGroup(ctx, c.VPC.VPC, "eks-cluster-sg-"+c.Name+"-"+ids.Digits(8),
		"EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.",
		map[string]string{"Name": "eks-cluster-sg-" + c.Name, "aws:eks:cluster-name": c.Name, "kubernetes.io/cluster/" + c.Name: "owned"})
	return err
}

// stepCluster takes a cluster to its next state.
func (s *Server) stepCluster(name string) {
	s.mu.Lock()
	c, ok := s.clusters.Get(name)
	s.mu.Unlock()
	switch {
	case !ok:
	case c.Status == creating:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.run(c) == nil {
			c.Status, c.Due = active, time.Time{}
			_ = s.clusters.Put(c)
		}
	case c.Status == deleting:
		s.destroy(c)
	}
}

// destroy ends a cluster and all that EKS keeps of it.
func (s *Server) destroy(c cluster) {
	s.mu.Lock()
	server := s.running[c.Name]
	delete(s.running, c.Name)
	s.mu.Unlock()
	if server != nil {
		_ = server.Destroy()
	}
	if err := s.config.Network.DeleteSecurityGroup(s.ctx, c.VPC.ClusterGroup); err != nil {
		s.note("cluster "+c.Name, s.after(time.Minute, 2*time.Minute), func() { s.stepCluster(c.Name) })
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.addons.All() {
		if a.Cluster == c.Name {
			_ = s.addons.Remove(a.id())
		}
	}
	for _, e := range s.entries.All() {
		if e.Cluster == c.Name {
			_ = s.entries.Remove(e.id())
		}
	}
	for _, a := range s.associations.All() {
		if a.Cluster == c.Name {
			_ = s.associations.Remove(a.id())
		}
	}
	for _, u := range s.updates.All() {
		if u.Cluster == c.Name {
			_ = s.updates.Remove(u.ID)
		}
	}
	_ = s.clusters.Remove(c.Name)
}

// find is the cluster of that name, or the error that there is none. The caller has the
// lock.
func (s *Server) find(name string) (cluster, error) {
	c, ok := s.clusters.Get(name)
	if !ok {
		return c, notFound(name, "No cluster found for name: %s.", name)
	}
	return c, nil
}

// findActive is the cluster of that name, which has to be active.
func (s *Server) findActive(name string) (cluster, *kubernetes.Server, error) {
	c, err := s.find(name)
	if err == nil && c.Status != active && c.Status != updating {
		err = refused("Cluster '%s' is not in ACTIVE status", name)
	}
	return c, s.running[name], err
}

func (s *Server) describeCluster(_ context.Context, in *clusterInput) (*clusterOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(in.Name)
	return &clusterOutput{c.view()}, err
}

type listClustersOutput struct {
	Clusters []string `json:"clusters"`
}

func (s *Server) listClusters(context.Context, *struct{}) (*listClustersOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &listClustersOutput{Clusters: []string{}}
	for _, c := range s.clusters.All() {
		out.Clusters = append(out.Clusters, c.Name)
	}
	return out, nil
}

func (s *Server) deleteCluster(_ context.Context, in *clusterInput) (*clusterOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	if _, has := s.groups.First(func(g nodeGroup) bool { return g.Cluster == c.Name }); has {
		return nil, inUse("Cluster has nodegroups attached")
	}
	if c.Status == creating || c.Status == updating {
		return nil, inUse("Cluster has status %s", c.Status)
	}
	if c.Status != deleting {
		c.Status, c.Due = deleting, s.after(deleteLow, deleteHigh)
		if err := s.clusters.Put(c); err != nil {
			return nil, err
		}
		s.note("cluster "+c.Name, c.Due, func() { s.stepCluster(c.Name) })
	}
	return &clusterOutput{c.view()}, nil
}
