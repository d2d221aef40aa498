// Package tagging is the Resource Groups Tagging API in one process: it finds
// resources of all services by their tags.
//
// It must never know what a resource is: services list theirs as a Source. As on
// AWS, not every service does: IAM's roles and Auto Scaling's groups are not
// found, and whoever sweeps up must ask those services themselves.
package tagging
