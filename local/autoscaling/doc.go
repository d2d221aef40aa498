// Package autoscaling is Amazon EC2 Auto Scaling of the embedded AWS: groups
// that keep a desired number of instances, and the instances themselves, which
// launch in about a minute, can be killed, and are replaced.
//
// An instance whose user data names an ECS cluster registers with it, as the ECS
// agent does, and one with the tags of a node group of EKS joins its cluster. What launch templates and EC2 instances are is not known here: both
// are asked for or told through interfaces.
package autoscaling
