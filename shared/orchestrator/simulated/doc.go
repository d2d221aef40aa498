// Package simulated is an orchestrator in memory that behaves: its tasks take
// time to start, replace each other as the rollout settings say, and fail when
// the image's name says so ("crash", "pull-fail", "unhealthy"). The tasks of jobs end
// well, or as the image's name says ("exit-1", "pull-fail").
//
// It has no goroutine and no timer. Each call first plays what has happened since
// the call before, in order and up to the present of the clock it was given, so
// it is deterministic, and as fast in virtual time as in none.
package simulated
