package local

import (
	"fmt"
	"strings"

	"portolan/local/access"
	"portolan/local/states"
)

// startGuard lets each role do here what the template lets it do on AWS.
func (l *Local) startGuard() error {
	roles, err := readRoles(l.deployment, l.config.Stack)
	if err != nil {
		return err
	}
	l.Guard = access.New(access.Config{
		Account: Account, Region: l.config.Region, Roles: roles,
		PartitionKeys: map[string]string{l.deployment.table.name: partitionKey(l.deployment.table)},
		Group:         func(name string) (string, map[string]string) { return l.AutoScaling.GroupOf(name) },
		Machine:       states.MachineOf, Log: l.config.Log,
	})
	l.AWS.Use(l.Guard.Middleware)
	return nil
}

// readRoles reads the policies of all roles of the deployment, by the roles' names.
func readRoles(d *deployment, stack string) (map[string]access.Role, error) {
	out := map[string]access.Role{}
	add := func(name string, policies []any, trust any) error {
		var role access.Role
		for _, document := range policies {
			policy, err := access.Parse(document)
			if err != nil {
				return fmt.Errorf("reading the policies of role %s: %w", name, err)
			}
			role.Policies = append(role.Policies, policy)
		}
		if trust != nil {
			policy, err := access.Parse(trust)
			if err != nil {
				return fmt.Errorf("reading who may assume role %s: %w", name, err)
			}
			role.Trust = policy
		}
		out[name] = role
		return nil
	}
	for _, f := range d.functions {
		if err := add(roleName(stack, f.logicalID), f.policies, nil); err != nil {
			return nil, err
		}
	}
	for _, m := range d.machines {
		if err := add(roleName(stack, m.logicalID), m.policies, nil); err != nil {
			return nil, err
		}
	}
	for _, r := range d.roles {
		if err := add(r.arn[strings.LastIndexByte(r.arn, '/')+1:], r.policies, r.trust); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func partitionKey(table resource) string {
	schema, _ := table.properties["KeySchema"].([]any)
	for _, part := range schema {
		if name, ok := path(part, "AttributeName").(string); ok && path(part, "KeyType") == "HASH" {
			return name
		}
	}
	return ""
}
