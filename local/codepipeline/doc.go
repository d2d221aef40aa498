// Package codepipeline is AWS CodePipeline of the embedded AWS: pipelines and
// what their executions brought. Nothing is built: an execution's revisions and
// output variables are what whoever records it says they are.
//
// It must never know what is done with an image or a commit.
package codepipeline
