// Package local is the whole control plane in one process, with an AWS of its
// own beneath it. It is wired from template.yaml itself: the same handlers, the
// same state machine files and the same SDK clients that are deployed run here,
// over services that speak AWS's wire protocols.
//
// Only cmd and tests import it.
package local
