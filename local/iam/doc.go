// Package iam is AWS IAM's roles, instance profiles and policies in one process:
// kept, described, and refused where IAM refuses.
//
// It must never know whether a call is allowed: who decides that reads the
// policies through RolePolicies.
package iam
