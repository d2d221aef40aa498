package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"portolan/shared/contract"
)

// A refusalError is a problem document.
type refusalError struct{ problem contract.Problem }

// refused reads a problem document, or makes one of what a proxy or API Gateway
// itself answered.
func refused(status int, body []byte) error {
	var p contract.Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Title == "" {
		var gateway struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(body, &gateway) // what it is not, it does not tell
		p = contract.Problem{Status: status, Title: http.StatusText(status), Detail: gateway.Message}
	}
	return &refusalError{p}
}

// Error is the problem's title and detail, then its fields, one on each line.
func (e *refusalError) Error() string {
	p := e.problem
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%d)", p.Title, p.Status)
	if p.Detail != "" {
		fmt.Fprintf(&b, ": %s", p.Detail)
	}
	if len(p.Errors) > 1 {
		for _, field := range p.Errors {
			fmt.Fprintf(&b, "\n  %s", strings.TrimSpace(field.Pointer+" "+field.Detail))
		}
	}
	if p.Status >= http.StatusInternalServerError && p.Instance != "" {
		fmt.Fprintf(&b, "\n  request %s", p.Instance)
	}
	return b.String()
}
