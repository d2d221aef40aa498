// Package store keeps the control plane's state in one DynamoDB table. It owns
// the keys, and so every access pattern:
//
//	what                               partition key          sort key             access
//	cluster                            CLUSTER#name           CLUSTER              get
//	clusters that are not retired      index: CLUSTERS        name                 query, paged
//	service                            CLUSTER#name           SERVICE#name         get
//	services of a cluster              CLUSTER#name           SERVICE#…            query, paged
//	workloads seen by a survey         WORKLOADS#survey      number               query, paged, TTL
//	job, jobs of a cluster             JOBS#cluster           name                 get; query, paged; TTL
//	policy, policies of a cluster      CLUSTER#name           POLICY#name          get; query, paged
//	policies of an alarm               index: ALARM#arn       cluster/policy       query, bounded
//	binding, bindings of a cluster     CLUSTER#name           BINDING#name         get; query, paged
//	bindings of a pipeline or
//	repository                         index: SOURCE#name     cluster/binding      query, bounded
//	release, releases of a service     RELEASES#cluster/name  number               get; query backwards, paged
//	decisions of a policy on a day     DECISIONS#policy#day   time#id              query backwards, paged
//	operation                          OPERATION#id           OPERATION            get
//	operations on a target             index: TARGET#target   id                   query backwards, paged
//	lease of a target                  TARGET#target          LEASE                get
//	open operations on a target        TARGET#target          QUEUE#id             query, with the lease
//	open operations on all targets     index: OPEN            id                   query, paged
//	how far the sweeper came           index: OPEN            #CURSOR              query, with those
//	audit records of a cluster's day   AUDIT#cluster#day      time#eventID         query backwards, paged
//	audit records of a service's day   index: AUDIT#cluster/service#day  time#eventID  query backwards, paged
//	where a task came from             TASK#id                TASK                 get
//	mark of an event that was handled  SEEN#source#key        SEEN                 conditional put, TTL
//	answer to a keyed request          ANSWER#caller#key      ANSWER               get, conditional put, TTL
//	task token that waits for a thing  WAIT#thing             WAIT                 get, conditional delete
//
// "index" is GSI1, which is sparse: only items that are looked for carry its
// keys, and none is read from it that a decision must be certain of. What grows
// with time is bucketed by day. There is no Scan.
//
// All writes go through Commit: a transaction of conditional writes, each of
// which says what it means when it is refused.
//
// It must never know why something is written.
package store
