package dynamodb

import (
	"slices"
	"strings"
)

// A tableSpec is a table's definition, in the members that CreateTable has, a
// template has, and the disk keeps.
type tableSpec struct {
	TableName                 string
	AttributeDefinitions      []attributeDefinition
	KeySchema                 []keyElement
	BillingMode               string         `json:",omitempty"`
	ProvisionedThroughput     *throughput    `json:",omitempty"`
	LocalSecondaryIndexes     []indexSpec    `json:",omitempty"`
	GlobalSecondaryIndexes    []indexSpec    `json:",omitempty"`
	StreamSpecification       *streamSpec    `json:",omitempty"`
	SSESpecification          map[string]any `json:",omitempty"`
	TableClass                string         `json:",omitempty"`
	DeletionProtectionEnabled bool           `json:",omitempty"`
	Tags                      []tag          `json:",omitempty"`

	// These have operations of their own.
	TimeToLive          *timeToLive `json:",omitempty"`
	PointInTimeRecovery bool        `json:",omitempty"`
	RecoverableSince    float64     `json:",omitempty"`
}

type (
	attributeDefinition struct{ AttributeName, AttributeType string }
	keyElement          struct{ AttributeName, KeyType string }
	throughput          struct{ ReadCapacityUnits, WriteCapacityUnits int64 }
	projectionSpec      struct {
		ProjectionType   string
		NonKeyAttributes []string `json:",omitempty"`
	}
	indexSpec struct {
		IndexName             string
		KeySchema             []keyElement
		Projection            projectionSpec
		ProvisionedThroughput *throughput `json:",omitempty"`
	}
	streamSpec struct {
		StreamEnabled  bool
		StreamViewType string `json:",omitempty"`
	}
	timeToLive struct {
		AttributeName string
		Enabled       bool
	}
	tag struct{ Key, Value string }
)

func (s *tableSpec) onDemand() bool { return s.BillingMode == "PAY_PER_REQUEST" }

// schemaOf turns key elements into a schema; the definitions give the types.
func (s *tableSpec) schemaOf(elements []keyElement) keySchema {
	var k keySchema
	for _, element := range elements {
		part := keyAttribute{name: element.AttributeName}
		for _, d := range s.AttributeDefinitions {
			if d.AttributeName == element.AttributeName {
				part.kind = kind(slices.Index(kindNames[:], d.AttributeType))
			}
		}
		if element.KeyType == "HASH" {
			k.hash = part
		} else {
			k.sort = part
		}
	}
	return k
}

// indexOf makes an empty index of a definition.
func (s *tableSpec) indexOf(spec indexSpec, global bool) *index {
	return &index{
		name: spec.IndexName, schema: s.schemaOf(spec.KeySchema), global: global,
		projection: spec.Projection.ProjectionType, include: spec.Projection.NonKeyAttributes,
	}
}

// check refuses a definition that makes no table, in AWS's words for the
// mistakes that people make.
func (s *tableSpec) check() *apiError {
	if err := checkTableName(s.TableName); err != nil {
		return err
	}
	var v violations
	if s.AttributeDefinitions == nil {
		v.missing("attributeDefinitions")
	}
	if s.KeySchema == nil {
		v.missing("keySchema")
	}
	v.oneOf(text{s.BillingMode != "", s.BillingMode}, "billingMode",
		"PROVISIONED, PAY_PER_REQUEST")
	for i, d := range s.AttributeDefinitions {
		v.oneOf(text{true, d.AttributeType}, "attributeDefinitions."+itoa(i+1)+
			".member.attributeType", "B, N, S")
	}
	for i, e := range s.KeySchema {
		v.oneOf(text{true, e.KeyType}, "keySchema."+itoa(i+1)+".member.keyType", "HASH, RANGE")
	}
	if err := v.err(); err != nil {
		return err
	}
	if err := s.checkBilling(); err != nil {
		return err
	}
	if err := s.checkKeys(s.KeySchema, ""); err != nil {
		return err
	}
	if err := s.checkIndexes(); err != nil {
		return err
	}
	return s.checkDefinitions()
}

func (s *tableSpec) checkBilling() *apiError {
	switch {
	case s.onDemand() && s.ProvisionedThroughput != nil:
		return invalidParameters("Neither ReadCapacityUnits nor WriteCapacityUnits can be " +
			"specified when BillingMode is PAY_PER_REQUEST")
	case !s.onDemand() && s.ProvisionedThroughput == nil:
		return invalidParameters("ReadCapacityUnits and WriteCapacityUnits must both be " +
			"specified when BillingMode is PROVISIONED")
	}
	return nil
}

// checkKeys checks one key schema; index is the index's name, or empty.
func (s *tableSpec) checkKeys(elements []keyElement, index string) *apiError {
	if n := len(elements); n == 0 || n > 2 {
		return validation("1 validation error detected: Value '[]' at 'keySchema' failed to " +
			"satisfy constraint: Member must have length greater than or equal to 1")
	}
	for _, e := range elements {
		if !s.defines(e.AttributeName) {
			return s.undefined(elements, index)
		}
	}
	switch {
	case len(elements) == 2 && elements[0].AttributeName == elements[1].AttributeName:
		return validation("Both the Hash Key and the Range Key element in the KeySchema have " +
			"the same name")
	case elements[0].KeyType != "HASH":
		return validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
	case len(elements) == 2 && elements[1].KeyType != "RANGE":
		return validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
	}
	return nil
}

func (s *tableSpec) defines(name string) bool {
	return slices.ContainsFunc(s.AttributeDefinitions, func(d attributeDefinition) bool {
		return d.AttributeName == name
	})
}

func (s *tableSpec) undefined(elements []keyElement, index string) *apiError {
	var keys, definitions []string
	for _, e := range elements {
		keys = append(keys, e.AttributeName)
	}
	for _, d := range s.AttributeDefinitions {
		definitions = append(definitions, d.AttributeName)
	}
	if index == "" {
		return validation("Invalid KeySchema: Some index key attribute have no definition")
	}
	return invalidParameters("Some index key attributes are not defined in " +
		"AttributeDefinitions. Keys: [" + strings.Join(keys, ", ") +
		"], AttributeDefinitions: [" + strings.Join(definitions, ", ") + "]")
}

// The quotas of indexes on one table.
const (
	localIndexesMax  = 5
	globalIndexesMax = 20
)

func (s *tableSpec) checkIndexes() *apiError {
	switch local, global := s.LocalSecondaryIndexes, s.GlobalSecondaryIndexes; {
	case local != nil && len(local) == 0:
		return invalidParameters("List of LocalSecondaryIndexes is empty")
	case global != nil && len(global) == 0:
		return invalidParameters("List of GlobalSecondaryIndexes is empty")
	case len(local) > 0 && len(s.KeySchema) < 2:
		return invalidParameters("Table KeySchema does not have a range key, which is required " +
			"when specifying a LocalSecondaryIndex")
	case len(local) > localIndexesMax:
		return invalidParameters("Number of LocalSecondaryIndexes exceeds per-table limit of 5")
	case len(global) > globalIndexesMax:
		return invalidParameters("GlobalSecondaryIndex count exceeds the per-table limit of 20")
	}
	var names []string
	for i, x := range slices.Concat(s.LocalSecondaryIndexes, s.GlobalSecondaryIndexes) {
		if err := s.checkKeys(x.KeySchema, x.IndexName); err != nil {
			return err
		}
		if i < len(s.LocalSecondaryIndexes) {
			if err := s.checkLocal(x); err != nil {
				return err
			}
		}
		if err := x.checkProjection(); err != nil {
			return err
		}
		if slices.Contains(names, x.IndexName) {
			return invalidParameters("Duplicate index name: " + x.IndexName)
		}
		names = append(names, x.IndexName)
	}
	return nil
}

// checkLocal checks that a local index shares the table's hash key.
func (s *tableSpec) checkLocal(x indexSpec) *apiError {
	own, table := x.KeySchema[0].AttributeName, s.KeySchema[0].AttributeName
	switch {
	case len(x.KeySchema) < 2:
		return invalidParameters("Index KeySchema does not have a range key for index: " +
			x.IndexName)
	case own != table:
		return invalidParameters("Index KeySchema does not have the same leading hash key as " +
			"table KeySchema for index: " + x.IndexName + ". index hash key: " + own +
			", table hash key: " + table)
	}
	return nil
}

func (x *indexSpec) checkProjection() *apiError {
	switch p := x.Projection; {
	case p.ProjectionType == "":
		return invalidParameters("Unknown ProjectionType: null")
	case p.ProjectionType != projectInclude && len(p.NonKeyAttributes) > 0:
		return invalidParameters("ProjectionType is " + p.ProjectionType +
			", but NonKeyAttributes is specified")
	case p.ProjectionType == projectInclude && len(p.NonKeyAttributes) == 0:
		return invalidParameters("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
	}
	return nil
}

// checkDefinitions refuses attributes that are defined and used by no key.
func (s *tableSpec) checkDefinitions() *apiError {
	var used []string
	for _, e := range s.KeySchema {
		used = append(used, e.AttributeName)
	}
	for _, x := range slices.Concat(s.LocalSecondaryIndexes, s.GlobalSecondaryIndexes) {
		for _, e := range x.KeySchema {
			used = append(used, e.AttributeName)
		}
	}
	for _, d := range s.AttributeDefinitions {
		if !slices.Contains(used, d.AttributeName) {
			return invalidParameters("Number of attributes in KeySchema does not exactly match " +
				"number of attributes defined in AttributeDefinitions")
		}
	}
	return nil
}
