// Package trail is AWS CloudTrail of the embedded AWS, as far as EventBridge has
// it: a record of each call that changes something, whoever made it, some seconds
// after the call.
//
// Calls on data (items, messages, metrics, invocations) are no management events
// and are not recorded, as on a trail without data events. Records never have
// credentials, nor values that CloudTrail hides.
package trail
