package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/problem"
	"portolan/shared/store"
)

// A Check says what of the description of a service of that name an orchestrator
// cannot do on a cluster.
type Check func(name string, spec contract.ServiceSpec, cluster *model.Cluster) []fault.Field

// Handler answers the requests of the API.
type Handler struct {
	Store  *store.Store
	Checks map[contract.Orchestrator]Check

	// JobChecks are those of the orchestrators that run jobs.
	JobChecks map[contract.Orchestrator]Check

	Now   func() time.Time
	NewID func() string // ULIDs
	Log   *slog.Logger
}

// An operation is what answers the requests of one operationId of openapi.yaml.
type operation func(*Handler, context.Context, *request) (answer, error)

var operations = map[string]operation{
	"createCluster": (*Handler).createCluster,
	"listClusters":  (*Handler).listClusters,
	"getCluster":    (*Handler).getCluster,
	"changeCluster": (*Handler).changeCluster,
	"retireCluster": (*Handler).retireCluster,
	"surveyCluster": (*Handler).surveyCluster, "recoverCluster": (*Handler).recoverCluster,
	"listWorkloads": (*Handler).listWorkloads,
	"putNode":       (*Handler).putNode,

	"upgradeCluster": (*Handler).upgradeCluster,
	"getNodePool":    (*Handler).getNodePool,
	"scaleNodePool":  (*Handler).scaleNodePool,

	"listServices":  (*Handler).listServices,
	"getService":    (*Handler).getService,
	"putService":    (*Handler).putService,
	"retireService": (*Handler).retireService,
	"listReleases":  (*Handler).listReleases,

	"listJobs": (*Handler).listJobs,
	"getJob":   (*Handler).getJob,
	"runJob":   (*Handler).runJob,
	"stopJob":  (*Handler).stopJob,

	"listPolicies":  (*Handler).listPolicies,
	"getPolicy":     (*Handler).getPolicy,
	"putPolicy":     (*Handler).putPolicy,
	"deletePolicy":  (*Handler).deletePolicy,
	"listDecisions": (*Handler).listDecisions,

	"listBindings":  (*Handler).listBindings,
	"getBinding":    (*Handler).getBinding,
	"putBinding":    (*Handler).putBinding,
	"deleteBinding": (*Handler).deleteBinding,

	"listOperations": (*Handler).listOperations,
	"getOperation":   (*Handler).getOperation,
	"listAudit":      (*Handler).listAudit,
	"getTaskRole":    (*Handler).getTaskRole,
}

// Handle answers one request. Its error is always nil: what goes wrong is told in
// a problem document.
func (h *Handler) Handle(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	a, err := h.answer(ctx, &event)
	if err == nil {
		return a.response(), nil
	}
	id := event.RequestContext.RequestID
	document := problem.Document(err, id)
	level := slog.LevelInfo
	if document.Status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	h.Log.Log(ctx, level, "refused", "request", id, "method", event.RequestContext.HTTP.Method,
		"path", event.RawPath, "caller", callerOf(&event), "status", document.Status, "reason", err.Error())
	return refusal(document, err).response(), nil
}

func (h *Handler) answer(ctx context.Context, event *events.APIGatewayV2HTTPRequest) (a answer, err error) {
	// A bug answers one request with its id; it does not take the function down
	// together with the next request.
	defer func() {
		if bug := recover(); bug != nil {
			err = fmt.Errorf("panic: %v\n%s", bug, debug.Stack())
		}
	}()
	r, err := read(event)
	if err != nil {
		return answer{}, err
	}
	return operations[r.operation.ID](h, ctx, r)
}
