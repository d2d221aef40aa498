// Package event reads what AWS sends: state changes that come through EventBridge,
// the two other forms of an alarm's action, and CloudTrail's records. Decode turns
// a document into one of this package's types.
//
// It takes from a document only what a door needs, and never credentials. It must
// never know what is done about an event, or ask AWS for more.
package event
