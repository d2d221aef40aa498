// Package events is Amazon EventBridge of the embedded AWS: the default event
// bus, its rules, the event pattern language, and delivery to targets at least
// once, with retries and dead letters.
//
// It must never know what a target is or what an event means: delivering is a
// function that it is given.
//
// One difference from AWS is on purpose: PutEvents takes sources that begin with
// aws. from any caller. On AWS only services have those; on a laptop, a person
// injects a documented alarm or pipeline event in just this way.
package events
