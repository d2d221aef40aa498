package ecs

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// NewFromConfig returns a driver that calls AWS as config says.
func NewFromConfig(config aws.Config) *Driver {
	return New(ecs.NewFromConfig(config), elbv2.NewFromConfig(config))
}
