// Package elbv2 is Elastic Load Balancing's Application Load Balancers in one
// process: load balancers, listeners, rules, target groups and the health of
// their targets as time goes by.
//
// It must never know what a target is: who runs targets tells whether one
// answers. No request is ever balanced.
package elbv2
