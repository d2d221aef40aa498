package eks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/local/kubernetes"
)

// registration is what the kubelet of a group's instance tells the API server.
func (g nodeGroup) registration(k Kubelet, region string) kubernetes.Registration {
	labels := g.wantedLabels()
	if strings.Contains(g.AMIType, "ARM_64") {
		labels[corev1.LabelArchStable] = "arm64"
	}
	return kubernetes.Registration{
		Name:          "ip-" + strings.ReplaceAll(k.Address, ".", "-") + "." + region + ".compute.internal",
		EC2InstanceID: k.Instance, Zone: k.Zone, InstanceType: k.InstanceType, CPU: k.CPU, Memory: k.MemoryMiB,
		Labels: labels, Version: kubeletVersion(g.Next),
	}
}

// node is what of a node EKS looks at.
type node corev1.Node

func (n *node) ready() bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (n *node) instance() string {
	return n.Spec.ProviderID[strings.LastIndexByte(n.Spec.ProviderID, '/')+1:]
}

// nodes are those of a node group.
func (s *Server) nodes(g nodeGroup) []node {
	var list struct{ Items []node }
	selector := url.QueryEscape("eks.amazonaws.com/nodegroup=" + g.Name)
	if s.ask(g.Cluster, http.MethodGet, "/api/v1/nodes?labelSelector="+selector, "", nil, &list) != nil {
		return nil
	}
	return list.Items
}

// cordon keeps new pods from a node.
func (s *Server) cordon(cluster, name string) error {
	return s.ask(cluster, http.MethodPatch, "/api/v1/nodes/"+name, "application/merge-patch+json",
		map[string]any{"spec": map[string]any{"unschedulable": true}}, nil)
}

// drain asks each pod of a node to go, as far as disruption budgets let it, and counts
// those that are still there. What a DaemonSet runs stays.
func (s *Server) drain(cluster, name string) (left []string, err error) {
	var list corev1.PodList
	if err := s.ask(cluster, http.MethodGet, "/api/v1/pods?fieldSelector="+url.QueryEscape("spec.nodeName="+name), "", nil, &list); err != nil {
		return nil, err
	}
	for _, p := range list.Items {
		owner := metav1.GetControllerOf(&p)
		if owner != nil && owner.Kind == "DaemonSet" || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
			continue
		}
		left = append(left, p.Namespace+"/"+p.Name)
		if p.DeletionTimestamp == nil {
			// Refused, it is asked again at the next look.
			_ = s.ask(cluster, http.MethodPost, "/api/v1/namespaces/"+p.Namespace+"/pods/"+p.Name+"/eviction", "application/json",
				map[string]any{"apiVersion": "policy/v1", "kind": "Eviction", "metadata": map[string]any{"name": p.Name, "namespace": p.Namespace}}, nil)
		}
	}
	return left, nil
}

// ask sends a request to the API server of a cluster in EKS's own name.
func (s *Server) ask(name, method, path, media string, body, out any) error {
	s.mu.Lock()
	server := s.running[name]
	c, _ := s.clusters.Get(name)
	s.mu.Unlock()
	if server == nil {
		return fmt.Errorf("cluster %s does not run", name)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(context.WithoutCancel(s.ctx), method, c.Endpoint+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.Secret)
	if media != "" {
		request.Header.Set("Content-Type", media)
	}
	response, err := server.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: %d: %s", method, path, response.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
