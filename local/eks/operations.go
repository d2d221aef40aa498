package eks

import "portolan/local/wire"

var page = []wire.Parameter{{Name: "maxResults", Kind: wire.Number}, {Name: "nextToken"}}

// routes are EKS's operations, as the control plane, CloudFormation and the AWS CLI call
// them. The longer paths come first where two begin alike.
var routes = []wire.Route{
	{Method: "POST", Path: "/clusters", Operation: "CreateCluster"},
	{Method: "GET", Path: "/clusters", Operation: "ListClusters", Query: page},
	{Method: "GET", Path: "/clusters/{name}", Operation: "DescribeCluster"},
	{Method: "DELETE", Path: "/clusters/{name}", Operation: "DeleteCluster"},
	{Method: "POST", Path: "/clusters/{name}/updates", Operation: "UpdateClusterVersion"},
	{Method: "GET", Path: "/clusters/{name}/updates", Operation: "ListUpdates",
		Query: append([]wire.Parameter{{Name: "nodegroupName"}, {Name: "addonName"}}, page...)},
	{Method: "GET", Path: "/clusters/{name}/updates/{updateId}", Operation: "DescribeUpdate",
		Query: []wire.Parameter{{Name: "nodegroupName"}, {Name: "addonName"}}},

	{Method: "POST", Path: "/clusters/{clusterName}/insights", Operation: "ListInsights"},
	{Method: "GET", Path: "/clusters/{clusterName}/insights/{id}", Operation: "DescribeInsight"},

	{Method: "POST", Path: "/clusters/{clusterName}/node-groups", Operation: "CreateNodegroup"},
	{Method: "GET", Path: "/clusters/{clusterName}/node-groups", Operation: "ListNodegroups", Query: page},
	{Method: "GET", Path: "/clusters/{clusterName}/node-groups/{nodegroupName}", Operation: "DescribeNodegroup"},
	{Method: "DELETE", Path: "/clusters/{clusterName}/node-groups/{nodegroupName}", Operation: "DeleteNodegroup"},

	{Method: "POST", Path: "/clusters/{clusterName}/node-groups/{nodegroupName}/update-version", Operation: "UpdateNodegroupVersion"},
	{Method: "POST", Path: "/clusters/{clusterName}/node-groups/{nodegroupName}/update-config", Operation: "UpdateNodegroupConfig"},

	{Method: "POST", Path: "/clusters/{clusterName}/addons", Operation: "CreateAddon"},
	{Method: "GET", Path: "/clusters/{clusterName}/addons", Operation: "ListAddons", Query: page},
	{Method: "GET", Path: "/clusters/{clusterName}/addons/{addonName}", Operation: "DescribeAddon"},
	{Method: "DELETE", Path: "/clusters/{clusterName}/addons/{addonName}", Operation: "DeleteAddon",
		Query: []wire.Parameter{{Name: "preserve", Kind: wire.Truth}}},

	{Method: "POST", Path: "/clusters/{clusterName}/access-entries", Operation: "CreateAccessEntry"},
	{Method: "GET", Path: "/clusters/{clusterName}/access-entries", Operation: "ListAccessEntries", Query: page},
	{Method: "GET", Path: "/clusters/{clusterName}/access-entries/{principalArn}", Operation: "DescribeAccessEntry"},
	{Method: "DELETE", Path: "/clusters/{clusterName}/access-entries/{principalArn}", Operation: "DeleteAccessEntry"},
	{Method: "POST", Path: "/clusters/{clusterName}/access-entries/{principalArn}/access-policies", Operation: "AssociateAccessPolicy"},
	{Method: "GET", Path: "/clusters/{clusterName}/access-entries/{principalArn}/access-policies",
		Operation: "ListAssociatedAccessPolicies", Query: page},

	{Method: "POST", Path: "/clusters/{clusterName}/pod-identity-associations", Operation: "CreatePodIdentityAssociation"},
	{Method: "GET", Path: "/clusters/{clusterName}/pod-identity-associations", Operation: "ListPodIdentityAssociations",
		Query: append([]wire.Parameter{{Name: "namespace"}, {Name: "serviceAccount"}}, page...)},
	{Method: "GET", Path: "/clusters/{clusterName}/pod-identity-associations/{associationId}", Operation: "DescribePodIdentityAssociation"},
	{Method: "POST", Path: "/clusters/{clusterName}/pod-identity-associations/{associationId}", Operation: "UpdatePodIdentityAssociation"},
	{Method: "DELETE", Path: "/clusters/{clusterName}/pod-identity-associations/{associationId}", Operation: "DeletePodIdentityAssociation"},

	{Method: "GET", Path: "/tags/{resourceArn}", Operation: "ListTagsForResource"},
}

func (s *Server) operations() map[string]wire.Operation {
	return map[string]wire.Operation{
		"CreateCluster":                  wire.Op(s.createCluster),
		"ListClusters":                   wire.Op(s.listClusters),
		"DescribeCluster":                wire.Op(s.describeCluster),
		"DeleteCluster":                  wire.Op(s.deleteCluster),
		"UpdateClusterVersion":           wire.Op(s.updateClusterVersion),
		"ListUpdates":                    wire.Op(s.listUpdates),
		"DescribeUpdate":                 wire.Op(s.describeUpdate),
		"ListInsights":                   wire.Op(s.listInsights),
		"DescribeInsight":                wire.Op(s.describeInsight),
		"CreateNodegroup":                wire.Op(s.createNodeGroup),
		"ListNodegroups":                 wire.Op(s.listNodeGroups),
		"DescribeNodegroup":              wire.Op(s.describeNodeGroup),
		"DeleteNodegroup":                wire.Op(s.deleteNodeGroup),
		"UpdateNodegroupVersion":         wire.Op(s.updateNodeGroupVersion),
		"UpdateNodegroupConfig":          wire.Op(s.updateNodeGroupConfig),
		"CreateAddon":                    wire.Op(s.createAddon),
		"ListAddons":                     wire.Op(s.listAddons),
		"DescribeAddon":                  wire.Op(s.describeAddon),
		"DeleteAddon":                    wire.Op(s.deleteAddon),
		"CreateAccessEntry":              wire.Op(s.createEntry),
		"ListAccessEntries":              wire.Op(s.listEntries),
		"DescribeAccessEntry":            wire.Op(s.describeEntry),
		"DeleteAccessEntry":              wire.Op(s.deleteEntry),
		"AssociateAccessPolicy":          wire.Op(s.associatePolicy),
		"ListAssociatedAccessPolicies":   wire.Op(s.listPolicies),
		"CreatePodIdentityAssociation":   wire.Op(s.createAssociation),
		"ListPodIdentityAssociations":    wire.Op(s.listAssociations),
		"DescribePodIdentityAssociation": wire.Op(s.describeAssociation),
		"UpdatePodIdentityAssociation":   wire.Op(s.updateAssociation),
		"DeletePodIdentityAssociation":   wire.Op(s.deleteAssociation),
		"ListTagsForResource":            wire.Op(s.listTags),
	}
}
