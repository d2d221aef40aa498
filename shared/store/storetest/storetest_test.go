package storetest

import "testing"

func TestTheStoreOverTheEmbeddedDynamoDB(t *testing.T) { Suite(t, Open) }
