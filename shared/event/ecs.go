package event

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// TaskState is a change of the state of an ECS task.
type TaskState struct {
	Header

	// Task is the id at the end of the task's ARN.
	Task    string
	TaskARN string

	// Cluster is the name of the ECS cluster, and Service that of the ECS service:
	// empty for a task that runs for none.
	Cluster        string
	ClusterARN     string
	Service        string
	TaskDefinition string
	LastStatus     string
	DesiredStatus  string
	StopCode       string
	StoppedReason  string

	// RoleOverride and ExecutionRoleOverride are ARNs that take the place of the
	// task definition's roles; mostly empty.
	RoleOverride          string
	ExecutionRoleOverride string

	// Containers are at most 10, the most that a task can have.
	Containers []Container
	StartedAt  time.Time
	StoppedAt  time.Time

	// Version grows with each change of the task: an event of a lower one is late.
	Version int64
}

// Container is one container of a task.
type Container struct {
	Name, Image, ImageDigest string
}

func decodeTaskState(h Header, detail json.RawMessage) (any, error) {
	var d struct {
		TaskARN        string `json:"taskArn"`
		ClusterARN     string `json:"clusterArn"`
		Group          string `json:"group"`
		TaskDefinition string `json:"taskDefinitionArn"`
		LastStatus     string `json:"lastStatus"`
		DesiredStatus  string `json:"desiredStatus"`
		StopCode       string `json:"stopCode"`
		StoppedReason  string `json:"stoppedReason"`
		StartedAt      string `json:"startedAt"`
		StoppedAt      string `json:"stoppedAt"`
		Overrides      struct {
			Role          string `json:"taskRoleArn"`
			ExecutionRole string `json:"executionRoleArn"`
		} `json:"overrides"`
		Containers []struct {
			Name        string `json:"name"`
			Image       string `json:"image"`
			ImageDigest string `json:"imageDigest"`
		} `json:"containers"`
		Version loose `json:"version"`
	}
	if err := json.Unmarshal(detail, &d); err != nil {
		return nil, err
	}
	task, cluster := afterSlash(d.TaskARN, "task"), afterSlash(d.ClusterARN, "cluster")
	version, err := json.Number(d.Version).Float64()
	if len(task) == 0 || len(cluster) == 0 || d.LastStatus == "" || err != nil || version < 0 || version > 1<<53 {
		return nil, errors.New("it has no taskArn, clusterArn, lastStatus or version")
	}
	service, _ := strings.CutPrefix(d.Group, "service:")
	if service == d.Group {
		service = ""
	}
	out := TaskState{
		Header: h, Task: clip(task[len(task)-1], 64), TaskARN: clip(d.TaskARN, 500),
		Cluster: clip(cluster[0], 255), ClusterARN: clip(d.ClusterARN, 500), Service: clip(service, 255),
		TaskDefinition: clip(d.TaskDefinition, 500), LastStatus: clip(d.LastStatus, 50),
		DesiredStatus: clip(d.DesiredStatus, 50), StopCode: clip(d.StopCode, 50),
		StoppedReason: clip(d.StoppedReason, 500), RoleOverride: clip(d.Overrides.Role, 500),
		ExecutionRoleOverride: clip(d.Overrides.ExecutionRole, 500),
		StartedAt:             optionalTime(d.StartedAt), StoppedAt: optionalTime(d.StoppedAt),
		Version: int64(version),
	}
	for _, c := range d.Containers[:min(len(d.Containers), 10)] {
		out.Containers = append(out.Containers,
			Container{clip(c.Name, 255), clip(c.Image, 500), clip(c.ImageDigest, 100)})
	}
	return out, nil
}

// Deployment is a change of the state of an ECS service's deployment.
type Deployment struct {
	Header
	Cluster    string
	Service    string
	Deployment string

	// Name is SERVICE_DEPLOYMENT_COMPLETED and so on.
	Name   string
	Reason string
}

// ServiceAction is something that ECS did or could not do for a service.
type ServiceAction struct {
	Header
	Cluster string
	Service string

	// Type is INFO, WARN or ERROR, and Name SERVICE_STEADY_STATE and so on.
	Type   string
	Name   string
	Reason string
}

type serviceDetail struct {
	EventType    string `json:"eventType"`
	EventName    string `json:"eventName"`
	ClusterARN   string `json:"clusterArn"`
	DeploymentID string `json:"deploymentId"`
	Reason       string `json:"reason"`
}

// ofService reads what both events of services have. A service's ARN in the old
// format has no cluster; the detail of some events has it.
func ofService(h Header, detail json.RawMessage) (d serviceDetail, cluster, service string, err error) {
	if err := json.Unmarshal(detail, &d); err != nil {
		return d, "", "", err
	}
	names := afterSlash(h.resource(), "service")
	if of := afterSlash(d.ClusterARN, "cluster"); len(names) == 1 && len(of) > 0 {
		names = []string{of[0], names[0]}
	}
	if len(names) < 2 || d.EventName == "" {
		return d, "", "", errors.New("it has no service among its resources, or no eventName")
	}
	return d, clip(names[0], 255), clip(names[1], 255), nil
}

func decodeDeployment(h Header, detail json.RawMessage) (any, error) {
	d, cluster, service, err := ofService(h, detail)
	if err != nil {
		return nil, err
	}
	return Deployment{
		Header: h, Cluster: cluster, Service: service, Deployment: clip(d.DeploymentID, 100),
		Name: clip(d.EventName, 100), Reason: clip(d.Reason, 500),
	}, nil
}

func decodeServiceAction(h Header, detail json.RawMessage) (any, error) {
	d, cluster, service, err := ofService(h, detail)
	if err != nil {
		return nil, err
	}
	return ServiceAction{
		Header: h, Cluster: cluster, Service: service, Type: clip(d.EventType, 20),
		Name: clip(d.EventName, 100), Reason: clip(d.Reason, 500),
	}, nil
}
