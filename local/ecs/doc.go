// Package ecs is Amazon ECS of the embedded AWS: clusters, task definitions,
// services, tasks and container instances, and the service scheduler that makes
// them behave in time as AWS's does. Tasks take some twenty to sixty seconds to
// start, are placed where memory, CPU and ports are left, and are replaced,
// drained and rolled out by the service's percentages.
//
// No container runs. How a task fares is read from its image's name: one that
// contains crash exits with 1 soon after it started, pull-fail is never pulled,
// and unhealthy never passes its health checks.
//
// It must never know who calls it for what: what the control plane expects of a
// rollout is not written here.
package ecs
