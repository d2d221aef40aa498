// Package secretsmanager is AWS Secrets Manager of the embedded AWS: secrets with
// their versions and staging labels, and the days that a deleted one waits.
//
// It must never know what a secret is for, and it writes no value anywhere but to
// its own records. Nothing is rotated, replicated, or encrypted with a key: what it
// keeps is for one developer's machine.
package secretsmanager
