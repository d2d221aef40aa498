// Package ecs is the orchestrator contract on Amazon ECS: releases are task
// definitions, the circuit breaker tells when a rollout fails, and an Application
// Load Balancer's listener, which the cluster's stack made, gets the rules.
//
// It must never know Portolan's state or decide what comes next. It changes only
// what it made itself: target groups and rules are found again by a name that is
// made from cluster and service, and by their tags.
package ecs
