package cloudwatch

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
)

type metricDataInput struct {
	Namespace  string `json:"Namespace"`
	MetricData []struct {
		MetricName string      `json:"MetricName"`
		Dimensions []dimension `json:"Dimensions"`
	} `json:"MetricData"`
}

// maxMetrics bounds what a program that invents metric names can make the
// server remember.
const maxMetrics = 10_000

func (s *Server) putMetricData(_ context.Context, in *metricDataInput) (*nothing, error) {
	if in.Namespace == "" {
		return nil, invalid("The parameter Namespace is required.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range in.MetricData {
		m := metric{Namespace: in.Namespace, MetricName: d.MetricName, Dimensions: orEmpty(d.Dimensions)}
		key, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		if len(s.metrics) < maxMetrics {
			s.metrics[string(key)] = m
		}
	}
	return &nothing{}, nil
}

type listMetricsInput struct {
	Namespace  string `json:"Namespace"`
	MetricName string `json:"MetricName"`
}

type listMetricsOutput struct {
	Metrics []metric `json:"Metrics"`
}

func (s *Server) listMetrics(_ context.Context, in *listMetricsInput) (*listMetricsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &listMetricsOutput{Metrics: []metric{}}
	for _, key := range slices.Sorted(maps.Keys(s.metrics)) {
		m := s.metrics[key]
		if (in.Namespace == "" || in.Namespace == m.Namespace) && (in.MetricName == "" || in.MetricName == m.MetricName) {
			out.Metrics = append(out.Metrics, m)
		}
	}
	return out, nil
}
