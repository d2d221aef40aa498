package portolan_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// mainMax is how many lines a function's main.go may have: it has no logic, and
// so needs no test.
const mainMax = 30

// folders are the functions by their folders.
func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("functions")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func TestEachFunctionIsDeployed(t *testing.T) {
	template := template(t)
	var ids []string
	for _, name := range folders(t) {
		id := logicalID(name, "Function")
		if inClusters[name] {
			id = logicalID(name, "Layer")
		}
		ids = append(ids, id)
		if _, ok := template.Resources[id]; !ok {
			t.Errorf("template.yaml has no %s for functions/%s", id, name)
		}
	}
	deployed := append(declared(template, "AWS::Serverless::Function"), declared(template, "AWS::Serverless::LayerVersion")...)
	if !slices.Equal(slices.Sorted(slices.Values(ids)), slices.Sorted(slices.Values(deployed))) {
		t.Errorf("the folders make %q, and the template deploys %q", ids, deployed)
	}
}

// inClusters are the functions that run in the stacks of clusters, by folder: of them
// the control plane deploys the code only, as a layer.
var inClusters = map[string]bool{"connector": true}

func TestMainsOnlyWire(t *testing.T) {
	for _, name := range folders(t) {
		file := filepath.Join("functions", name, "lambda", "main.go")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if lines := bytes.Count(text, []byte("\n")); lines > mainMax {
			t.Errorf("%s has %d lines", file, lines)
		}
		wired := "lambda.Start(fault.Boundary(" + name + ".New(environment.Lambda()).Handle))"
		if !bytes.Contains(text, []byte(wired)) {
			t.Errorf("%s does not %s", file, wired)
		}
	}
}

// What EventBridge, SNS and Lambda's asynchronous calls cannot deliver goes to the
// dead-letter queue, and each function and machine keeps its logs for so long only.
func TestNothingIsLostInSilence(t *testing.T) {
	template := template(t)
	for _, id := range declared(template, "AWS::Events::Rule") {
		targets, _ := template.Resources[id].Properties["Targets"].([]any)
		if len(targets) == 0 {
			t.Errorf("%s has no target", id)
		}
		for _, target := range targets {
			fields, _ := target.(map[string]any)
			letters, _ := fields["DeadLetterConfig"].(map[string]any)
			if refersTo(letters["Arn"]) != "DeadLetterQueue" {
				t.Errorf("%s loses what %v does not take", id, fields["Id"])
			}
			function, _ := fields["Id"].(string)
			called, _ := template.Resources[function].Properties["DeadLetterQueue"].(map[string]any)
			if refersTo(called["TargetArn"]) != "DeadLetterQueue" {
				t.Errorf("%s, which %s calls, loses what it fails on", function, id)
			}
		}
	}
	for _, id := range declared(template, "AWS::Serverless::Function") {
		group, ok := template.Resources[id+"LogGroup"]
		logging, _ := template.Resources[id].Properties["LoggingConfig"].(map[string]any)
		if !ok || group.Properties["RetentionInDays"] == nil || refersTo(logging["LogGroup"]) != id+"LogGroup" {
			t.Errorf("%s keeps its logs for ever", id)
		}
	}
	for _, id := range declared(template, "AWS::Serverless::StateMachine") {
		if template.Resources[id].Properties["Logging"] == nil {
			t.Errorf("%s logs nothing", id)
		}
	}
}
