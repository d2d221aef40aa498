// Package orchestrator is the contract that every orchestrator's driver
// fulfils: services, tasks and nodes in words that mean the same on all of them.
// The suite in orchestratortest checks it, and runs unchanged against each.
//
// It must never know an orchestrator's API, an SDK, or what Portolan wants next:
// a driver looks and acts, and the control plane decides.
//
// Every verb is idempotent: it names the state to reach, so calling it again
// after an unknown outcome is right. No verb waits for the orchestrator to get
// there; the caller looks again. No verb makes an unbounded number of calls, so
// each fits into a Lambda function's time-out.
//
// # How the contract fits
//
// Each verb's counterpart in the four APIs. A Swarm change names the version
// index that it read, and a stale one is refused; a Marathon app under
// deployment answers 409. Both are Conflict.
//
//	verb         ECS                      Kubernetes                Swarm (Engine API)        Marathon and Mesos
//	-----------  -----------------------  ------------------------  ------------------------  ------------------------
//	Apply        RegisterTaskDefinition,  server-side apply of      POST /services/create or  PUT /v2/apps/{id}, with
//	             CreateService or         Deployment or DaemonSet,  /services/{id}/update,    upgradeStrategy; what is
//	             UpdateService, target    Service and Ingress       FailureAction pause;      deploying is cancelled
//	             group, listener rules                              listeners by us           first when it rolls back
//	Observe      DescribeServices,        Deployment status and     GET /services/{id} with   GET /v2/apps/{id} with
//	             stopped tasks            its Progressing           UpdateStatus, GET /tasks  embed=app.taskStats,
//	                                      condition, Pods                                     app.lastTaskFailure;
//	                                                                                          GET /v2/queue
//	Scale        UpdateService            scale subresource         /services/{id}/update     PUT /v2/apps/{id} with
//	             desiredCount                                       Replicated.Replicas       instances
//	Remove       desiredCount 0,          DELETE with propagation   DELETE /services/{id},    DELETE /v2/apps/{id},
//	             DeleteService, rules,    policy Foreground         then its tasks are gone   then its deployment ends
//	             target group, task
//	             definitions
//	RunJob       RegisterTaskDefinition,  batch/v1 Job              replicated-job service    none: Chronos and Metronome
//	             RunTask with a client                                                        are no part of DC/OS that
//	             token                                                                        Portolan calls
//	ObserveJob   ListTasks by family,     Job status, Pods          GET /services/{id},
//	             DescribeTasks                                      GET /tasks
//	RemoveJob    StopTask, Deregister-    DELETE with propagation   DELETE /services/{id}
//	             TaskDefinition           policy Foreground
//	Tasks        ListTasks,               Pods by label, limit and  GET /tasks by service     GET /v2/apps/{id}/tasks,
//	             DescribeTasks            continue                  filter                    Mesos GET_TASKS
//	Health       DescribeClusters         /readyz, Nodes            GET /info, Swarm section  GET /v2/info, /v2/leader
//	ListNodes    ListContainerInstances,  Nodes, limit and          GET /nodes                Mesos GET_AGENTS
//	             DescribeContainer-       continue
//	             Instances
//	Cordon       state DRAINING: there    spec.unschedulable        Availability pause        Mesos DEACTIVATE_AGENT
//	             is no state between
//	Uncordon     state ACTIVE             spec.unschedulable        Availability active       Mesos REACTIVATE_AGENT
//	Drain        state DRAINING           Eviction of each Pod;     Availability drain        Mesos DRAIN_AGENT
//	                                      one that a budget
//	                                      refuses is tried again
//	DrainStatus  running and pending      Pods on the node, but     GET /tasks by node        Mesos GET_AGENTS,
//	             tasks of the instance    for DaemonSets' and       filter                    drain_info and tasks
//	                                      static ones
//	Leave        Deregister-              DELETE node               demote, then              Mesos MARK_AGENT_GONE
//	             ContainerInstance                                  DELETE /nodes/{id}
//	Quorum       none                     etcd is EKS's             ManagerStatus of nodes    masters in ZooKeeper
//
// Nodes join by their own bootstrap (user data, join tokens), which is a matter
// of provisioning and not of this contract.
package orchestrator
