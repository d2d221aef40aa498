package states

import (
	"strings"

	"portolan/local/states/value"
)

// render is the member of the event that holds its details, which AWS names
// after the type; many types have none.
func (e *event) render() (string, *value.Object) {
	d := e.details
	if d == nil {
		return "", nil
	}
	o := value.NewObject(6)
	switch {
	case strings.HasSuffix(e.kind, "StateEntered"):
		o.Set("name", d.name)
		d.document(o, "input")
		return "stateEnteredEventDetails", o
	case strings.HasSuffix(e.kind, "StateExited"):
		o.Set("name", d.name)
		d.document(o, "output")
		d.variables(o)
		return "stateExitedEventDetails", o
	case strings.HasPrefix(e.kind, "LambdaFunction"):
		return d.lambda(e.kind, o)
	case strings.HasPrefix(e.kind, "Task"):
		return d.task(e.kind, o)
	case strings.HasPrefix(e.kind, "MapIteration"):
		o.Set("name", d.name)
		o.Set("index", value.Whole(int64(d.index)))
		return member(e.kind), o
	}
	return d.other(e.kind, o)
}

// member is mapIterationStartedEventDetails for MapIterationStarted.
func member(kind string) string {
	return strings.ToLower(kind[:1]) + kind[1:] + "EventDetails"
}

func (d *details) lambda(kind string, o *value.Object) (string, *value.Object) {
	switch kind {
	case "LambdaFunctionScheduled":
		o.Set("resource", d.resource.function)
		d.document(o, "input")
		d.limit(o)
	case "LambdaFunctionSucceeded":
		d.document(o, "output")
	case "LambdaFunctionFailed", "LambdaFunctionTimedOut":
		d.problem(o)
	default:
		return "", nil
	}
	return member(kind), o
}

func (d *details) task(kind string, o *value.Object) (string, *value.Object) {
	if d.resource == nil {
		return "", nil
	}
	o.Set("resourceType", d.resource.kind)
	o.Set("resource", d.resource.name())
	switch kind {
	case "TaskScheduled":
		o.Set("region", d.region)
		o.Set("parameters", value.Text(d.doc))
		d.limit(o)
	case "TaskSucceeded", "TaskSubmitted":
		d.document(o, "output")
	case "TaskFailed", "TaskTimedOut", "TaskSubmitFailed":
		d.problem(o)
	}
	return member(kind), o
}

func (d *details) other(kind string, o *value.Object) (string, *value.Object) {
	switch kind {
	case "ExecutionStarted":
		d.document(o, "input")
		o.Set("roleArn", d.role)
	case "ExecutionSucceeded":
		d.document(o, "output")
	case "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut", "MapRunFailed":
		d.problem(o)
	case "ExecutionRedriven":
		o.Set("redriveCount", value.Whole(d.redriven))
	case "MapStateStarted":
		o.Set("length", value.Whole(int64(d.length)))
	case "MapRunStarted":
		o.Set("mapRunArn", d.mapRun)
	default:
		return "", nil
	}
	return member(kind), o
}

func (d *details) document(o *value.Object, name string) {
	if !d.hasDoc {
		return
	}
	o.Set(name, value.Text(d.doc))
	o.Set(name+"Details", value.Members("truncated", false))
}

// variables are those that the state assigned, each as JSON text.
func (d *details) variables(o *value.Object) {
	if d.assigned == nil {
		return
	}
	texts := value.NewObject(d.assigned.Len())
	for i := range d.assigned.Len() {
		name, v := d.assigned.At(i)
		texts.Set(name, value.Text(v))
	}
	o.Set("assignedVariables", texts)
	o.Set("assignedVariablesDetails", value.Members("truncated", false))
}

func (d *details) limit(o *value.Object) {
	if d.timeout > 0 {
		o.Set("timeoutInSeconds", value.Whole(d.timeout))
	}
	if d.heartbeat > 0 {
		o.Set("heartbeatInSeconds", value.Whole(d.heartbeat))
	}
}

func (d *details) problem(o *value.Object) {
	if d.failure == nil {
		return
	}
	if d.failure.Name != nil {
		o.Set("error", *d.failure.Name)
	}
	if d.failure.Cause != nil {
		o.Set("cause", *d.failure.Cause)
	}
}
