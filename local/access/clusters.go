package access

import "strings"

// eks asks as the service authorization reference has it: what is made is made in the
// cluster, and what is there has an ARN of its own.
func (c *call) eks() []Request {
	name := c.text("name")
	if name == "" {
		name = c.text("clusterName")
	}
	cluster := c.arn("cluster/", name)
	group, addon := c.text("nodegroupName"), c.text("addonName")
	switch c.operation {
	case "CreateCluster":
		return append(c.labelled(cluster, cluster), c.pass("eks.amazonaws.com", "roleArn")...)
	case "CreateNodegroup":
		requests := append(c.labelled(cluster, c.arn("nodegroup/", name+"/"+group+"/*")), c.pass("eks.amazonaws.com", "nodeRole")...)
		return append(requests, c.launches()...)
	case "UpdateNodegroupVersion":
		return append(c.on(c.arn("nodegroup/", name+"/"+group+"/*")), c.launches()...)
	case "CreateAddon":
		return append(c.labelled(cluster, c.arn("addon/", name+"/"+addon+"/*")), c.rolesOfAddon(cluster)...)
	case "DeleteAddon":
		return append(c.on(c.arn("addon/", name+"/"+addon+"/*")),
			Request{Action: "eks:DeletePodIdentityAssociation", Resource: c.arn("podidentityassociation/", name+"/*")})
	case "CreateAccessEntry":
		return c.labelled(cluster, c.arn("access-entry/", name+"/*"))
	case "CreatePodIdentityAssociation":
		return append(c.labelled(cluster, c.arn("podidentityassociation/", name+"/*")), c.gives(c.text("roleArn"))...)
	case "UpdatePodIdentityAssociation":
		return append(c.on(c.arn("podidentityassociation/", name+"/"+c.text("associationId"))), c.gives(c.text("roleArn"))...)
	case "DescribePodIdentityAssociation", "DeletePodIdentityAssociation":
		return c.on(c.arn("podidentityassociation/", name+"/"+c.text("associationId")))
	case "DescribeAccessEntry", "DeleteAccessEntry", "AssociateAccessPolicy", "ListAssociatedAccessPolicies":
		_, principal, _ := strings.Cut(c.text("principalArn"), ":iam::")
		return c.on(c.arn("access-entry/", name+"/"+strings.Replace(principal, ":", "/", 1)+"/*"))
	case "ListTagsForResource":
		return c.on(c.text("resourceArn"))
	case "ListClusters":
		return nil
	}
	switch {
	case group != "":
		return c.on(c.arn("nodegroup/", name+"/"+group+"/*"))
	case addon != "":
		return c.on(c.arn("addon/", name+"/"+addon+"/*"))
	}
	return c.on(cluster)
}

// labelled asks for the call's own action on a resource, and for tagging what is made.
func (c *call) labelled(on, made string) []Request {
	requests := c.on(on)
	if c.has("tags") {
		requests = append(requests, Request{Action: "eks:TagResource", Resource: made})
	}
	return requests
}

// launches asks for what EKS does in the caller's name to start a group's instances.
func (c *call) launches() []Request {
	via := map[string][]string{"aws:calledvia": {"eks.amazonaws.com"}}
	var out []Request
	for _, action := range []string{"ec2:RunInstances", "ec2:CreateTags", "ec2:DescribeLaunchTemplateVersions"} {
		out = append(out, Request{action, "*", via})
	}
	return out
}

// rolesOfAddon asks for giving an add-on's service accounts their roles.
func (c *call) rolesOfAddon(cluster string) []Request {
	var out []Request
	for _, each := range c.in.Member("podIdentityAssociations").Items() {
		out = append(out, Request{Action: "eks:CreatePodIdentityAssociation", Resource: cluster})
		out = append(out, c.gives(each.Member("roleArn").Text())...)
	}
	return out
}

// gives asks for giving pods a role, at which EKS looks first.
func (c *call) gives(role string) []Request {
	if role == "" {
		return nil
	}
	return []Request{{Action: "iam:GetRole", Resource: c.role(role)},
		{"iam:PassRole", c.role(role), map[string][]string{"iam:passedtoservice": {"pods.eks.amazonaws.com"}}}}
}

// lambda finds the function in the path of the request, but for one that is made.
func (c *call) lambda() []Request {
	switch c.operation {
	case "ListFunctions":
		return nil
	case "CreateFunction":
		function := c.arn("function:", c.text("FunctionName"))
		requests := append(c.on(function), c.pass("lambda.amazonaws.com", "Role")...)
		for _, layer := range c.texts("Layers") {
			requests = append(requests, Request{Action: "lambda:GetLayerVersion", Resource: layer})
		}
		if c.has("Tags") {
			requests = append(requests, Request{Action: "lambda:TagResource", Resource: function})
		}
		return requests
	}
	_, name, _ := strings.Cut(c.path, "/functions/")
	name, _, _ = strings.Cut(name, "/")
	request := Request{Action: c.action(), Resource: c.arn("function:", name)}
	if c.operation == "Invoke" {
		request.Action = "lambda:InvokeFunction"
	}
	return []Request{request}
}
