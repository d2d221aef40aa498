// Package contract holds the Go types of the API, made from openapi.yaml. What a
// team asks for (ClusterSpec, ServiceSpec and so on) is stored and handed to the
// orchestrators in these very types, so that the contract is said once.
//
// It must never know where its values are kept or what they lead to.
package contract

//go:generate go run github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2 -config oapi-codegen.yaml ../../openapi.yaml
//go:generate go generate ./schema
