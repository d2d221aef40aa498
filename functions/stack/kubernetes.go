package stack

import (
	"context"
	"errors"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"go.yaml.in/yaml/v4"

	"portolan/shared/fault"
)

// EKS is the part of its client that the steps use.
type EKS interface {
	DescribeNodegroup(context.Context, *eks.DescribeNodegroupInput, ...func(*eks.Options)) (*eks.DescribeNodegroupOutput, error)
}

// Secrets is the part of Secrets Manager's client that the steps use.
type Secrets interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// groups are the Auto Scaling groups of a cluster's node groups, by node pool. Pools
// that were not made are left out: a clean-up records what there is.
func (h *Handler) groups(ctx context.Context, w *work, cluster string) (map[string]string, error) {
	client := h.EKS(w.operation.ID)
	groups := map[string]string{}
	for _, pool := range w.cluster.Spec.NodePools {
		out, err := client.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &cluster, NodegroupName: &pool.Name})
		if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
			continue
		}
		if err != nil {
			return nil, fault.FromAWS(err, "looking at node group "+pool.Name+" of "+cluster)
		}
		if r := out.Nodegroup.Resources; r != nil && len(r.AutoScalingGroups) > 0 {
			groups[pool.Name] = aws.ToString(r.AutoScalingGroups[0].Name)
		}
	}
	return groups, nil
}

// A kubeconfig is what of one says where an API is.
type kubeconfig struct {
	Current  string `yaml:"current-context"`
	Contexts []struct {
		Name    string `yaml:"name"`
		Context struct {
			Cluster string `yaml:"cluster"`
		} `yaml:"context"`
	} `yaml:"contexts"`
	Clusters []struct {
		Name    string `yaml:"name"`
		Cluster struct {
			Server string `yaml:"server"`
		} `yaml:"cluster"`
	} `yaml:"clusters"`
}

// apiHost is the host, and the port where it is given, of the API in an adopted
// cluster's kubeconfig. Whether the rest of it can be used, the driver says.
func (h *Handler) apiHost(ctx context.Context, w *work) (string, error) {
	secret := w.cluster.Spec.Adopted.Credentials
	out, err := h.Secrets(w.operation.ID).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &secret})
	if err != nil {
		return "", fault.FromAWS(err, "reading the kubeconfig in "+secret)
	}
	raw := out.SecretBinary
	if out.SecretString != nil {
		raw = []byte(*out.SecretString)
	}
	host := hostIn(raw, w.cluster.Spec.Kubernetes.Context)
	if host == "" {
		return "", fault.New(fault.Invalid, "the kubeconfig in %s does not say where the API of its context is: the context's "+
			"cluster needs a server such as https://10.0.0.1:6443", secret)
	}
	return host, nil
}

// hostIn finds the host of a context's API, of the current one's when context is empty. It
// is empty where the kubeconfig does not say, and no error can repeat what is secret in it.
func hostIn(raw []byte, context string) string {
	var config kubeconfig
	if yaml.Load(raw, &config) != nil {
		return ""
	}
	if context == "" {
		context = config.Current
	}
	for _, c := range config.Contexts {
		for _, cluster := range config.Clusters {
			if c.Name != context || cluster.Name != c.Context.Cluster {
				continue
			}
			if address, err := url.Parse(cluster.Cluster.Server); err == nil && address.Scheme == "https" {
				return address.Host
			}
		}
	}
	return ""
}
