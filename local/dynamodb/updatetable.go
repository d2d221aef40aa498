package dynamodb

import (
	"context"
	"slices"
)

type tableUpdate struct {
	TableName                   string
	AttributeDefinitions        []attributeDefinition
	BillingMode                 string
	ProvisionedThroughput       *throughput
	StreamSpecification         *streamSpec
	DeletionProtectionEnabled   *bool
	TableClass                  string
	GlobalSecondaryIndexUpdates []struct {
		Create *indexSpec
		Update *struct {
			IndexName             string
			ProvisionedThroughput *throughput
		}
		Delete *struct{ IndexName string }
	}
}

func (s *Server) updateTable(_ context.Context, in *tableUpdate) (any, *apiError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.named(in.TableName)
	if err != nil {
		return nil, err
	}
	if s.now().Before(t.activeAt) {
		return nil, failure("ResourceInUseException",
			"Attempt to change a resource which is still in use: Table is being created: "+
				t.spec.TableName)
	}
	spec := t.spec
	if err := in.changeIndexes(t, &spec); err != nil {
		return nil, err
	}
	if in.BillingMode != "" {
		spec.BillingMode = in.BillingMode
		if spec.onDemand() {
			spec.ProvisionedThroughput = nil
		}
	}
	if in.ProvisionedThroughput != nil {
		spec.ProvisionedThroughput = in.ProvisionedThroughput
	}
	if in.DeletionProtectionEnabled != nil {
		spec.DeletionProtectionEnabled = *in.DeletionProtectionEnabled
	}
	if in.TableClass != "" {
		spec.TableClass = in.TableClass
	}
	if err := in.changeStream(t, &spec); err != nil {
		return nil, err
	}
	if err := s.redefine(t, spec); err != nil {
		return nil, err
	}
	description := s.describe(t)
	description["TableStatus"] = "UPDATING"
	return object{"TableDescription": description}, nil
}

func (in *tableUpdate) changeStream(t *table, spec *tableSpec) *apiError {
	wanted := in.StreamSpecification
	if wanted == nil {
		return nil
	}
	on := t.stream != nil && t.stream.enabled
	switch {
	case wanted.StreamEnabled && on:
		return validation("Table already has an enabled stream: TableName: " + spec.TableName)
	case !wanted.StreamEnabled && !on:
		return validation("Table is already disabled: TableName: " + spec.TableName)
	case wanted.StreamEnabled:
		spec.StreamSpecification = wanted
	default:
		spec.StreamSpecification = nil
	}
	return nil
}

func (in *tableUpdate) changeIndexes(t *table, spec *tableSpec) *apiError {
	spec.GlobalSecondaryIndexes = slices.Clone(spec.GlobalSecondaryIndexes)
	for _, d := range in.AttributeDefinitions {
		if !spec.defines(d.AttributeName) {
			spec.AttributeDefinitions = append(slices.Clone(spec.AttributeDefinitions), d)
		}
	}
	for _, update := range in.GlobalSecondaryIndexUpdates {
		switch {
		case update.Create != nil:
			if t.index(update.Create.IndexName) != nil {
				return validation("Attempting to create an index which already exists")
			}
			spec.GlobalSecondaryIndexes = append(spec.GlobalSecondaryIndexes, *update.Create)
		case update.Delete != nil:
			name := update.Delete.IndexName
			if t.index(name) == nil {
				return failure("ResourceNotFoundException", "Requested resource not found")
			}
			spec.GlobalSecondaryIndexes = slices.DeleteFunc(spec.GlobalSecondaryIndexes,
				func(x indexSpec) bool { return x.IndexName == name })
		case update.Update != nil:
			for i := range spec.GlobalSecondaryIndexes {
				if x := &spec.GlobalSecondaryIndexes[i]; x.IndexName == update.Update.IndexName {
					x.ProvisionedThroughput = update.Update.ProvisionedThroughput
				}
			}
		}
	}
	spec.dropUnusedDefinitions()
	return nil
}

// dropUnusedDefinitions forgets the types of attributes that were keys of an
// index only.
func (s *tableSpec) dropUnusedDefinitions() {
	s.AttributeDefinitions = slices.DeleteFunc(slices.Clone(s.AttributeDefinitions),
		func(d attributeDefinition) bool {
			elements := slices.Clone(s.KeySchema)
			for _, x := range slices.Concat(s.LocalSecondaryIndexes, s.GlobalSecondaryIndexes) {
				elements = append(elements, x.KeySchema...)
			}
			return !slices.ContainsFunc(elements, func(e keyElement) bool {
				return e.AttributeName == d.AttributeName
			})
		})
}
