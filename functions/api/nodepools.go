package api

import (
	"context"
	"fmt"

	"portolan/shared/contract"
	"portolan/shared/decide"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/problem"
	"portolan/shared/store"
)

func (h *Handler) getNodePool(ctx context.Context, r *request) (answer, error) {
	c, err := h.Store.Cluster(ctx, r.parameters["cluster"])
	if err != nil {
		return answer{}, err
	}
	pool, err := poolOf(c, r)
	if err != nil {
		return answer{}, err
	}
	return ok(nodePoolView(c, *pool))
}

func poolOf(c *model.Cluster, r *request) (*model.NodePool, error) {
	pool := c.Pool(r.parameters["nodePool"])
	if pool == nil {
		return nil, fault.New(fault.NotFound, "node pool %s of cluster %s does not exist",
			r.parameters["nodePool"], c.Name())
	}
	return pool, nil
}

func (h *Handler) scaleNodePool(ctx context.Context, r *request) (answer, error) {
	wanted, err := decode[contract.NodePoolScale](r)
	if err != nil {
		return answer{}, err
	}
	return h.change(ctx, r, func(ctx context.Context) (decision, error) {
		c, err := h.changeable(ctx, r)
		if err != nil {
			return decision{}, err
		}
		pool, err := poolOf(c, r)
		if err != nil {
			return decision{}, err
		}
		queue, err := h.Store.Queue(ctx, model.TargetKey(r.target()))
		if err != nil {
			return decision{}, err
		}
		scaled, wrong := decide.ScaleNodePool(*c, pool.Name, wanted.Size, len(queue.Operations) > 0)
		if err := problem.Of(problem.Invalid, wrong); err != nil {
			return decision{}, err
		}
		if scaled.Generation == c.Generation {
			a, err := ok(nodePoolView(c, *pool))
			return decision{answer: a, reason: "the node pool has this size already"}, err
		}
		return h.accept(ctx, r, wish{
			kind: contract.KindScale, target: r.target(), team: c.Spec.Team, generation: scaled.Generation,
			nodePool: pool.Name, reason: fmt.Sprintf("the node pool is to have %d nodes instead of %d, and has %d",
				wanted.Size, pool.Size, pool.SizeObserved),
		}, store.UpdateCluster(scaled))
	})
}
