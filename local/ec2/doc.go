// Package ec2 is Amazon EC2's networking, security groups and launch templates
// in one process, with the instances that Auto Scaling runs shown as EC2 shows
// them. It is called over EC2's own wire protocol.
//
// It must never know what an instance does: who runs instances gives them to it
// through Instances. No packet is ever sent: routes and rules are kept, checked
// for what depends on what, and described.
package ec2
