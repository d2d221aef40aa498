package eks

import (
	"cmp"
	"context"
	"strings"

	"portolan/local/kubernetes"
	"portolan/local/wire"
)

// association gives the pods of a service account a role, by EKS Pod Identity.
type association struct {
	Cluster        string            `json:"clusterName"`
	Namespace      string            `json:"namespace"`
	ServiceAccount string            `json:"serviceAccount"`
	RoleARN        string            `json:"roleArn,omitempty"`
	ARN            string            `json:"associationArn"`
	ID             string            `json:"associationId"`
	Tags           map[string]string `json:"tags,omitempty"`
	CreatedAt      *wire.Time        `json:"createdAt,omitempty"`
	ModifiedAt     *wire.Time        `json:"modifiedAt,omitempty"`
	OwnerARN       string            `json:"ownerArn,omitempty"`
	Token          string            `json:"clientRequestToken,omitempty"`
}

func (a association) id() string { return a.Cluster + " " + a.ID }

func (a association) view() association {
	a.Token = ""
	return a
}

type associationOutput struct {
	Association association `json:"association"`
}

func (s *Server) createAssociation(_ context.Context, in *association) (*associationOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, _, err := s.findActive(in.Cluster); err != nil {
		return nil, err
	}
	made, fresh, err := s.associate(*in)
	if fresh {
		err = s.associations.Put(made)
	}
	return &associationOutput{made.view()}, err
}

// associate is an association that nobody has kept yet, or the one that the same request made
// before. The caller has the lock.
func (s *Server) associate(a association) (made association, fresh bool, err error) {
	old, taken := s.associations.First(func(o association) bool {
		return o.Cluster == a.Cluster && o.Namespace == a.Namespace && o.ServiceAccount == a.ServiceAccount
	})
	switch {
	case taken && a.Token != "" && old.Token == a.Token:
		return old, false, nil
	case taken:
		return old, false, inUse("Association already exists: %s", old.ID)
	case !strings.Contains(a.RoleARN, ":role/"):
		return a, false, invalid("Role provided in the request does not exist")
	}
	a.ID = "a-" + strings.ToLower(s.config.IDs.Base32(17))
	a.ARN = s.arn("podidentityassociation/" + a.Cluster + "/" + a.ID)
	a.CreatedAt = wire.AtPtr(s.now())
	a.ModifiedAt = a.CreatedAt
	return a, true, nil
}

type associationInput struct {
	Cluster        string `json:"clusterName"`
	ID             string `json:"associationId"`
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`
	RoleARN        string `json:"roleArn"`
}

type listAssociationsOutput struct {
	Associations []association `json:"associations"`
}

// listAssociations tells of each neither its role nor its tags, as EKS does.
func (s *Server) listAssociations(_ context.Context, in *associationInput) (*listAssociationsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(in.Cluster); err != nil {
		return nil, err
	}
	out := &listAssociationsOutput{Associations: []association{}}
	for _, a := range s.associations.All() {
		if a.Cluster != in.Cluster || cmp.Or(in.Namespace, a.Namespace) != a.Namespace ||
			cmp.Or(in.ServiceAccount, a.ServiceAccount) != a.ServiceAccount {
			continue
		}
		out.Associations = append(out.Associations, association{Cluster: a.Cluster, Namespace: a.Namespace,
			ServiceAccount: a.ServiceAccount, ARN: a.ARN, ID: a.ID, OwnerARN: a.OwnerARN})
	}
	return out, nil
}

func (s *Server) findAssociation(in *associationInput) (association, error) {
	if _, err := s.find(in.Cluster); err != nil {
		return association{}, err
	}
	a, ok := s.associations.Get(association{Cluster: in.Cluster, ID: in.ID}.id())
	if !ok {
		return a, notFound(in.Cluster, "Association not found: %s", in.ID)
	}
	return a, nil
}

func (s *Server) describeAssociation(_ context.Context, in *associationInput) (*associationOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAssociation(in)
	return &associationOutput{a.view()}, err
}

func (s *Server) updateAssociation(_ context.Context, in *associationInput) (*associationOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAssociation(in)
	if err != nil {
		return nil, err
	}
	a.RoleARN, a.ModifiedAt = cmp.Or(in.RoleARN, a.RoleARN), wire.AtPtr(s.now())
	return &associationOutput{a.view()}, s.associations.Put(a)
}

func (s *Server) deleteAssociation(_ context.Context, in *associationInput) (*associationOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAssociation(in)
	if err != nil {
		return nil, err
	}
	return &associationOutput{a.view()}, s.associations.Remove(a.id())
}

// assume gives a pod that starts the role of its service account, as the agent on its
// node does: the session is named after the cluster and the pod.
func (s *Server) assume(cluster string, pod kubernetes.Pod) {
	s.mu.Lock()
	found, ok := s.associations.First(func(a association) bool {
		return a.Cluster == cluster && a.Namespace == pod.Namespace && a.ServiceAccount == cmp.Or(pod.ServiceAccount, "default")
	})
	arn := s.arn("cluster/" + cluster)
	id := s.config.IDs.UUID()
	s.mu.Unlock()
	if !ok || s.config.Assumed == nil {
		return
	}
	session := sessionName(cluster, pod.Name, id)
	s.mu.Lock()
	s.sessions[cluster+"/"+pod.Namespace+"/"+pod.Name] = session
	s.mu.Unlock()
	s.config.Assumed(s.ctx, found.RoleARN, session, map[string]string{
		"eks-cluster-arn": arn, "eks-cluster-name": cluster, "kubernetes-namespace": pod.Namespace,
		"kubernetes-service-account": pod.ServiceAccount, "kubernetes-pod-name": pod.Name, "kubernetes-pod-uid": pod.UID,
	})
}

// SessionOf is the role session of a pod that started in this process.
func (s *Server) SessionOf(cluster, namespace, pod string) (session string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok = s.sessions[cluster+"/"+namespace+"/"+pod]
	return session, ok
}

// sessionName is eks-CLUSTER-POD-UUID, in at most 64 letters.
func sessionName(cluster, pod, id string) string {
	const most = 64 - len("eks--") - 36
	middle := cluster + "-" + pod
	if len(middle) > most {
		short := cluster
		if len(short) > 10 {
			short = short[:10]
		}
		rest := pod
		if room := most - len(short) - 1; len(rest) > room {
			rest = rest[:room]
		}
		middle = short + "-" + strings.TrimRight(rest, "-.")
	}
	return "eks-" + middle + "-" + id
}
