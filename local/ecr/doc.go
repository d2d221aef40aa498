// Package ecr is Amazon ECR of the embedded AWS: repositories, and the digests
// that their tags stand for. No layer is kept and nothing can be pulled.
//
// It must never know what runs an image.
package ecr
