package orchestrator

import "portolan/shared/contract"

// ClusterRef names a cluster, and carries what a driver has to know of it.
type ClusterRef struct {
	Name  string `json:"name"`
	Team  string `json:"team,omitempty"`
	Facts Facts  `json:"facts"`
}

// Facts are what provisioning found out about a cluster: one block for each
// orchestrator, of which exactly one is set.
type Facts struct {
	ECS        *ECSFacts        `json:"ecs,omitempty"`
	Kubernetes *KubernetesFacts `json:"kubernetes,omitempty"`
	Swarm      *SwarmFacts      `json:"swarm,omitempty"`
}

// ECSFacts are the outputs of an ECS cluster's stack.
type ECSFacts struct {
	ClusterARN string                      `json:"clusterArn"`
	Capacity   contract.EcsClusterCapacity `json:"capacity"`

	// CapacityProvider is what services run on; the cluster's default strategy
	// when it is empty.
	CapacityProvider string `json:"capacityProvider,omitempty"`

	// ListenerARN is the load balancer's listener that services add rules to.
	ListenerARN string `json:"listenerArn,omitempty"`

	VPC           string   `json:"vpc"`
	Subnets       []string `json:"subnets"`
	SecurityGroup string   `json:"securityGroup"`

	// AssignPublicIP gives Fargate tasks a public address, which they need in
	// subnets without NAT or endpoints in order to pull their image.
	AssignPublicIP bool `json:"assignPublicIp,omitempty"`

	TaskExecutionRoleARN string `json:"taskExecutionRoleArn"`
	LogGroup             string `json:"logGroup"`
	AutoScalingGroup     string `json:"autoScalingGroup,omitempty"`
}

// KubernetesFacts say how a Kubernetes cluster's API server is reached, and what
// the cluster is made of. Either Credentials is set or EKSCluster with Endpoint.
type KubernetesFacts struct {
	// Credentials is the ARN of the secret with an adopted cluster's kubeconfig.
	// Context is the context in it that counts; the current one when it is empty.
	Credentials string `json:"credentials,omitempty"`
	Context     string `json:"context,omitempty"`

	// EKSCluster is the cluster's name in Amazon EKS; empty for one that is none,
	// whose services can have no IAM roles.
	EKSCluster string `json:"eksCluster,omitempty"`

	// Endpoint is the API server's URL, and CertificateAuthority the certificates
	// that it is trusted by, in PEM and base64, as EKS tells them.
	Endpoint             string `json:"endpoint,omitempty"`
	CertificateAuthority string `json:"certificateAuthority,omitempty"`

	// Connector is the ARN of the function in the cluster's VPC through which the
	// API server is called; empty when it is called directly.
	Connector string `json:"connector,omitempty"`

	// Namespace is that of services which name none.
	Namespace string `json:"namespace,omitempty"`

	// AutoScalingGroups are those of the managed node groups, by node pool.
	AutoScalingGroups map[string]string `json:"autoScalingGroups,omitempty"`

	VPC     string   `json:"vpc,omitempty"`
	Subnets []string `json:"subnets,omitempty"`
}

// SwarmFacts say how the managers of a swarm are reached, and what the cluster is
// made of.
type SwarmFacts struct {
	// Managers are where the managers' Engine API is: host:port, or unix:///path for the
	// socket of an adopted engine on the machine of `portolan local`. Managers come and
	// go, so one that does not answer says nothing about the others.
	Managers []string `json:"managers,omitempty"`

	// Credentials is the ARN of the secret with the client's side of mutual TLS, a JSON
	// object of ca, certificate and key in PEM; empty for a socket.
	Credentials string `json:"credentials,omitempty"`

	// EngineSecret is the ARN of the secret with the engines' side, which the nodes of a
	// cluster that Portolan made read when they start.
	EngineSecret string `json:"engineSecret,omitempty"`

	// ServerName is the name in the engines' certificates where they share one; the
	// address itself when it is empty.
	ServerName string `json:"serverName,omitempty"`

	// Connector is the ARN of the function in the cluster's VPC through which the engines
	// are called; empty when they are called directly.
	Connector string `json:"connector,omitempty"`

	// SwarmID is the swarm's own id, known once its first manager has made it. An engine
	// that tells of another one is in another swarm.
	SwarmID string `json:"swarmId,omitempty"`

	// Initiator is the instance that makes the swarm, and no other does; known once one
	// was chosen.
	Initiator string `json:"initiator,omitempty"`

	// Joined stands for the instances that the groups had when all of them were nodes.
	Joined string `json:"joined,omitempty"`

	// Interrupted are the instances that EC2 takes back, and that leave before it does.
	Interrupted []string `json:"interrupted,omitempty"`

	// AutoScalingGroups are those of the node pools; SwarmManagersPool is the managers'.
	AutoScalingGroups map[string]string `json:"autoScalingGroups,omitempty"`

	// LoadBalancerARN is the load balancer that published ports become listeners of, and
	// ListenerARN its listener that services add rules to. Both are empty on an adopted
	// swarm.
	LoadBalancerARN string `json:"loadBalancerArn,omitempty"`
	ListenerARN     string `json:"listenerArn,omitempty"`

	VPC     string   `json:"vpc,omitempty"`
	Subnets []string `json:"subnets,omitempty"`

	// SecurityGroup is that of the nodes; the load balancer reaches every port of theirs.
	SecurityGroup string `json:"securityGroup,omitempty"`

	// LogGroup is where the tasks' output goes; empty when it stays on the nodes.
	LogGroup string `json:"logGroup,omitempty"`

	// FileSystem is the id of the shared storage; empty when there is none.
	FileSystem string `json:"fileSystem,omitempty"`
}

// SwarmManagersPool is the name of the node pool of a swarm's managers.
const SwarmManagersPool = "managers"

// ServiceRef names a service on a cluster.
type ServiceRef struct {
	Cluster ClusterRef `json:"cluster"`
	Name    string     `json:"name"`

	// Namespace is the one that the service is in, where an orchestrator has
	// namespaces; the cluster's own when it is empty. It stays the same.
	Namespace string `json:"namespace,omitempty"`
}

// NodeRef names a node of a cluster by the id that ListNodes gave it.
type NodeRef struct {
	Cluster ClusterRef `json:"cluster"`
	ID      string     `json:"id"`
}

// Capabilities say what a cluster has, so that a caller leaves out a step that
// has no meaning there instead of calling a verb that does nothing.
type Capabilities struct {
	// Nodes is false where tasks run on no node that anybody can name (Fargate).
	// ListNodes is empty there, and the other verbs of Nodes answer NotFound.
	Nodes bool

	// CordonDrains is true where a cordon moves the tasks away too.
	CordonDrains bool

	// Jobs is true where run-once workloads run; the orchestrator then implements Jobs.
	Jobs bool

	// Quorum is true where some nodes are managers or masters that must keep a
	// majority; the orchestrator then implements Managers.
	Quorum bool
}

// HealthState is whether a cluster can be used.
type HealthState string

const (
	// Healthy means that the cluster takes requests and runs tasks.
	Healthy HealthState = "Healthy"

	// Unhealthy means that it does not; the reason says why.
	Unhealthy HealthState = "Unhealthy"
)

// Health is the state of a cluster with the reason, in words that a developer
// understands. NodesRegistered counts the nodes that joined, in whatever state. Version is
// what a healthy orchestrator says of itself, such as v1.34.2; empty where nobody chooses it.
type Health struct {
	State           HealthState
	Reason          string
	NodesRegistered int
	Version         string
}
