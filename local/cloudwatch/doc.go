// Package cloudwatch is Amazon CloudWatch of the embedded AWS: alarms, their
// states, and what follows from a change of state. Metrics are taken and listed
// but not evaluated: an alarm changes its state when SetAlarmState says so, as it
// does in a rehearsal on AWS.
//
// It must never know what an action does: a function is called with its ARN.
package cloudwatch
