// Package states is the embedded Step Functions: it keeps state machines, runs
// their executions, and answers on AWS's wire protocol.
//
// An execution is a tree of frames. A frame is one line of states: the machine's
// own, a branch of a Parallel, an iteration of a Map. Between two things that
// happen to it (a task's result, a timer, a token sent back) a frame is data
// alone, so that it can be saved, and goes on after a restart. What has an
// effect outside starts only after the frame that asks for it was saved: a task
// in flight when the process died is started again, at least once in all.
//
// It must never know what a function or a service does: both are called through
// TaskRunner.
package states
