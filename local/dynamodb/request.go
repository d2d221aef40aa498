package dynamodb

// A text is a string member that may be absent.
type text struct {
	set   bool
	value string
}

// A request is what the item operations take: the members of all of them, for
// their names mean the same everywhere. A part of a batch or a transaction is a
// request too.
type request struct {
	tableName, indexName            text
	returnConsumed, returnMetrics   text
	returnValues, returnOnFailure   text
	selected, conditionalOperator   text
	condition, update, filter       text
	keyCondition, projection, token text

	key, item, startKey, values attributes
	names                       nameMap
	attributesToGet             nameList
	expected                    conditions
	updates                     attributeUpdates
	queryFilter, scanFilter     conditions
	keyConditions               conditions

	consistent, backward          bool
	limit, segment, totalSegments optionalInt
	batches                       batchMap
	transaction                   []transactionPart
	hasTransaction                bool
	// partsText is TransactItems as it came.
	partsText string
	// operation is which one the request is for.
	operation string
	plan      plan
}

type (
	optionalInt struct {
		set   bool
		value int
	}
	nameList struct {
		present bool
		names   []string
	}
	// nameMap is ExpressionAttributeNames, in the order given.
	nameMap struct {
		present bool
		pairs   []namePair
	}
	namePair struct{ placeholder, name string }
	// conditions are Expected, KeyConditions, QueryFilter or ScanFilter.
	conditions struct {
		present bool
		list    []legacyCondition
	}
	legacyCondition struct {
		name     string
		operator text
		list     []value
		hasList  bool
		value    value
		hasValue bool
		exists   bool
		// hasExists tells Exists: false from none.
		hasExists bool
	}
	attributeUpdates struct {
		present bool
		list    []attributeUpdate
	}
	attributeUpdate struct {
		name     string
		action   text
		value    value
		hasValue bool
	}
	// batchMap is RequestItems: for each table keys to get or writes to make.
	batchMap struct {
		present bool
		tables  []tableBatch
	}
	tableBatch struct {
		name    string
		get     *request // KeysAndAttributes, with keys
		keys    []attributes
		hasKeys bool
		writes  []writeRequest
		present bool
	}
	writeRequest struct {
		put, delete *request
	}
	// transactionPart has exactly one request, if it is valid.
	transactionPart struct {
		check, put, delete, update, get *request
	}
)

func (d *decoder) textInto(into *text) { into.value, into.set = d.text() }

func (d *decoder) intInto(into *optionalInt) { into.value, into.set = d.integer("Integer") }

// request reads the members of an operation. parts reads RequestItems and
// TransactItems, whose shape is the operation's own.
func (d *decoder) request(r *request, parts func(name string) bool) {
	d.object(asField, "", func(name string) { d.requestMember(r, name, parts) })
}

func (d *decoder) requestMember(r *request, name string, parts func(name string) bool) {
	if into := r.textMember(name); into != nil {
		d.textInto(into)
		return
	}
	switch name {
	case "Key":
		d.attributes(asField, &r.key)
	case "Item":
		d.attributes(asField, &r.item)
	case "ExclusiveStartKey":
		d.attributes(asField, &r.startKey)
	case "ExpressionAttributeValues":
		d.attributes(asField, &r.values)
	case "ExpressionAttributeNames":
		d.nameMap(&r.names)
	case "AttributesToGet":
		r.attributesToGet.present = d.list(asField, func() {
			if name, present := d.text(); present {
				r.attributesToGet.names = append(r.attributesToGet.names, name)
			}
		})
	case "Expected":
		d.conditions("ExpectedAttributeValue", &r.expected)
	case "QueryFilter":
		d.conditions("Condition", &r.queryFilter)
	case "ScanFilter":
		d.conditions("Condition", &r.scanFilter)
	case "KeyConditions":
		d.conditions("Condition", &r.keyConditions)
	case "AttributeUpdates":
		d.attributeUpdates(&r.updates)
	case "ConsistentRead":
		r.consistent, _ = d.boolean()
	case "ScanIndexForward":
		forward, present := d.boolean()
		r.backward = present && !forward
	case "Limit":
		d.intInto(&r.limit)
	case "Segment":
		d.intInto(&r.segment)
	case "TotalSegments":
		d.intInto(&r.totalSegments)
	default:
		if parts == nil || !parts(name) {
			d.skip()
		}
	}
}

// textMember is where a member of type string goes.
func (r *request) textMember(name string) *text {
	switch name {
	case "TableName":
		return &r.tableName
	case "IndexName":
		return &r.indexName
	case "ReturnConsumedCapacity":
		return &r.returnConsumed
	case "ReturnItemCollectionMetrics":
		return &r.returnMetrics
	case "ReturnValues":
		return &r.returnValues
	case "ReturnValuesOnConditionCheckFailure":
		return &r.returnOnFailure
	case "Select":
		return &r.selected
	case "ConditionalOperator":
		return &r.conditionalOperator
	case "ConditionExpression":
		return &r.condition
	case "UpdateExpression":
		return &r.update
	case "FilterExpression":
		return &r.filter
	case "KeyConditionExpression":
		return &r.keyCondition
	case "ProjectionExpression":
		return &r.projection
	case "ClientRequestToken":
		return &r.token
	}
	return nil
}

func (d *decoder) nameMap(into *nameMap) {
	into.present = d.object(asField, "java.util.Map<java.lang.String, java.lang.String>",
		func(placeholder string) {
			if name, present := d.text(); present {
				into.pairs = append(into.pairs, namePair{placeholder, name})
			}
		})
}

// conditions reads a map of legacy conditions; class is its elements' type.
func (d *decoder) conditions(class string, into *conditions) {
	into.present = d.object(asField, "java.util.Map<java.lang.String, "+modelClass+class+">",
		func(name string) {
			c := legacyCondition{name: name}
			d.object(asElement, "class "+modelClass+class, func(member string) {
				d.conditionMember(&c, member)
			})
			into.list = append(into.list, c)
		})
}

func (d *decoder) conditionMember(c *legacyCondition, name string) {
	switch name {
	case "ComparisonOperator":
		d.textInto(&c.operator)
	case "AttributeValueList":
		c.hasList = d.list(asField, func() {
			if v, present := d.value(asElement); present {
				c.list = append(c.list, v)
			}
		})
	case "Value":
		c.value, c.hasValue = d.value(asField)
	case "Exists":
		c.exists, c.hasExists = d.boolean()
	default:
		d.skip()
	}
}

func (d *decoder) attributeUpdates(into *attributeUpdates) {
	const class = modelClass + "AttributeValueUpdate"
	into.present = d.object(asField, "java.util.Map<java.lang.String, "+class+">",
		func(name string) {
			u := attributeUpdate{name: name}
			d.object(asElement, "class "+class, func(member string) {
				switch member {
				case "Action":
					d.textInto(&u.action)
				case "Value":
					u.value, u.hasValue = d.value(asField)
				default:
					d.skip()
				}
			})
			into.list = append(into.list, u)
		})
}

// batchGets reads RequestItems of BatchGetItem.
func (d *decoder) batchGets(into *batchMap) {
	const class = modelClass + "KeysAndAttributes"
	into.present = d.object(asField, "java.util.Map<java.lang.String, "+class+">",
		func(name string) {
			batch := tableBatch{name: name, get: &request{}}
			batch.present = d.object(asElement, "class "+class, func(member string) {
				if member != "Keys" {
					d.requestMember(batch.get, member, nil)
					return
				}
				batch.hasKeys = d.list(asField, func() {
					var key attributes
					d.attributes(asParameterized, &key)
					batch.keys = append(batch.keys, key)
				})
			})
			into.tables = append(into.tables, batch)
		})
}

// batchWrites reads RequestItems of BatchWriteItem.
func (d *decoder) batchWrites(into *batchMap) {
	const class = "java.util.Map<java.lang.String, java.util.List<" + modelClass + "WriteRequest>>"
	into.present = d.object(asField, class, func(name string) {
		batch := tableBatch{name: name}
		batch.present = d.list(asParameterized, func() {
			var write writeRequest
			d.object(asElement, "class "+modelClass+"WriteRequest", func(member string) {
				switch member {
				case "PutRequest":
					write.put = d.part(member)
				case "DeleteRequest":
					write.delete = d.part(member)
				default:
					d.skip()
				}
			})
			batch.writes = append(batch.writes, write)
		})
		into.tables = append(into.tables, batch)
	})
}

// part reads a structure inside a batch or a transaction, nil when it is null.
func (d *decoder) part(class string) *request {
	r := &request{}
	present := d.object(asField, "class "+modelClass+class, func(member string) {
		d.requestMember(r, member, nil)
	})
	if !present {
		return nil
	}
	return r
}

// transactionParts reads TransactItems of either operation; class is the type
// of its elements.
func (d *decoder) transactionParts(class string, r *request) {
	start := d.at
	defer func() { r.partsText = d.data[start:d.at] }()
	r.hasTransaction = d.list(asField, func() {
		var part transactionPart
		d.object(asElement, "class "+modelClass+class, func(member string) {
			switch member {
			case "ConditionCheck":
				part.check = d.part(member)
			case "Put":
				part.put = d.part(member)
			case "Delete":
				part.delete = d.part(member)
			case "Update":
				part.update = d.part(member)
			case "Get":
				part.get = d.part(member)
			default:
				d.skip()
			}
		})
		r.transaction = append(r.transaction, part)
	})
}
