// Package events holds events as AWS documents them, by source, for tests, for the
// demo and for invoking functions by hand. README.md says where each is from.
package events

import "embed"

// Files are the documents, such as cloudwatch/alarm-state-change.metric.json.
//
//go:embed */*.json
var Files embed.FS
