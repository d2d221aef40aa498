package storetest

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"portolan/shared/contract"
	"portolan/shared/fault"
	"portolan/shared/model"
	"portolan/shared/store"
)

// walk reads a list page by page, and returns a name for each thing.
func walk[T any](t *table, size int, list func(store.Page) ([]T, string, error), name func(T) string) []string {
	t.Helper()
	var names []string
	p := store.Page{Limit: size}
	for range 100 {
		items, next := rows(list(p))(t)
		if len(items) > size {
			t.Errorf("a page of %d has %d things", size, len(items))
		}
		for _, item := range items {
			names = append(names, name(item))
		}
		if p.Next = next; next == "" {
			return names
		}
	}
	t.Fatal("the pages do not end")
	return nil
}

// is fails unless the names are those, in that order.
func (t *table) is(what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, not %q", what, got, want)
	}
}

func (t *table) pages() {
	for _, n := range []string{"c", "a", "e", "b", "d"} {
		t.commits(store.CreateCluster(cluster(n)), store.CreateService(service(n)),
			store.PutPolicy(policy(n, "arn:one")), store.PutBinding(binding(n, "pipe", "")))
		t.commits(store.PutBinding(binding("r"+n, "", "repo")))
	}
	target := contract.Target{Cluster: "demo", Service: "a"}
	for i := range 5 {
		t.commits(store.CreateOperation(operation(fmt.Sprintf("0%d", i), target))...)
		t.commits(store.CreateRelease(model.Release{Cluster: "demo", Service: "a", Number: int64(i + 8)}))
	}
	ctx := t.ctx()
	for _, size := range []int{1, 2, 5, 100} {
		clusters := walk(t, size, func(p store.Page) ([]model.Cluster, string, error) { return t.store.Clusters(ctx, p) },
			func(c model.Cluster) string { return c.Name() })
		t.is("clusters", clusters, "a", "b", "c", "d", "e")
		services := walk(t, size, func(p store.Page) ([]model.Service, string, error) { return t.store.Services(ctx, "demo", p) },
			func(v model.Service) string { return v.Name })
		t.is("services", services, "a", "b", "c", "d", "e")
		policyName := func(p model.Policy) string { return p.Name }
		t.is("policies", walk(t, size, func(p store.Page) ([]model.Policy, string, error) {
			return t.store.Policies(ctx, "demo", p)
		}, policyName), "a", "b", "c", "d", "e")
		t.is("policies of an alarm", walk(t, size, func(p store.Page) ([]model.Policy, string, error) {
			return t.store.PoliciesOfAlarm(ctx, "arn:one", p)
		}, policyName), "a", "b", "c", "d", "e")
		t.bindingPages(size)
		t.belongings(size)
		operations := walk(t, size, func(p store.Page) ([]model.Operation, string, error) {
			return t.store.Operations(ctx, model.TargetKey(target), p)
		}, func(o model.Operation) string { return o.ID })
		t.is("operations, newest first", operations, "04", "03", "02", "01", "00")
		releases := walk(t, size, func(p store.Page) ([]model.Release, string, error) {
			return t.store.Releases(ctx, "demo", "a", p)
		}, func(r model.Release) string { return fmt.Sprint(r.Number) })
		t.is("releases, newest first", releases, "12", "11", "10", "9", "8")
	}
}

// belongings reads bindings and services together, and nothing of what is beside them.
func (t *table) belongings(size int) {
	t.Helper()
	kept := func(p store.Page) ([]string, string, error) {
		page, next, err := t.store.Belongings(t.ctx(), "demo", p)
		var names []string
		for _, b := range page.Bindings {
			names = append(names, "binding "+b.Name)
		}
		for _, s := range page.Services {
			names = append(names, "service "+s.Name)
		}
		return names, next, err
	}
	var want []string
	for _, name := range []string{"a", "b", "c", "d", "e", "ra", "rb", "rc", "rd", "re"} {
		want = append(want, "binding "+name)
	}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		want = append(want, "service "+name)
	}
	t.is("belongings", walk(t, size, kept, func(name string) string { return name }), want...)
}

func (t *table) bindingPages(size int) {
	t.Helper()
	ctx := t.ctx()
	name := func(b model.Binding) string { return b.Name }
	t.is("bindings", walk(t, size, func(p store.Page) ([]model.Binding, string, error) {
		return t.store.Bindings(ctx, "demo", p)
	}, name), "a", "b", "c", "d", "e", "ra", "rb", "rc", "rd", "re")
	t.is("bindings of a pipeline", walk(t, size, func(p store.Page) ([]model.Binding, string, error) {
		return t.store.BindingsOfPipeline(ctx, "pipe", p)
	}, name), "a", "b", "c", "d", "e")
	t.is("bindings of a repository", walk(t, size, func(p store.Page) ([]model.Binding, string, error) {
		return t.store.BindingsOfRepository(ctx, "repo", p)
	}, name), "ra", "rb", "rc", "rd", "re")
}

func (t *table) sparse() {
	t.commits(store.CreateCluster(cluster("demo")), store.PutPolicy(policy("high", "arn:one")), store.PutBinding(binding("main", "pipe", "")))
	c := must(t.store.Cluster(t.ctx(), "demo"))(t)
	c.Status = contract.ClusterRetired
	p, b := must(t.store.Policy(t.ctx(), "demo", "high"))(t), must(t.store.Binding(t.ctx(), "demo", "main"))(t)
	p.Spec.Alarm = "arn:two"
	b.Spec.Pipeline, b.Spec.Repository = "", "repo"
	t.commits(store.UpdateCluster(*c), store.PutPolicy(*p), store.PutBinding(*b))
	if items, _ := rows(t.store.Clusters(t.ctx(), all))(t); len(items) != 0 {
		t.Errorf("a retired cluster is listed: %+v", items)
	}
	if items, _ := rows(t.store.PoliciesOfAlarm(t.ctx(), "arn:one", all))(t); len(items) != 0 {
		t.Errorf("the alarm before still has %+v", items)
	}
	if items, _ := rows(t.store.PoliciesOfAlarm(t.ctx(), "arn:two", all))(t); len(items) != 1 {
		t.Errorf("the alarm has %+v", items)
	}
	if items, _ := rows(t.store.BindingsOfPipeline(t.ctx(), "pipe", all))(t); len(items) != 0 {
		t.Errorf("the pipeline before still has %+v", items)
	}
	if items, _ := rows(t.store.BindingsOfRepository(t.ctx(), "repo", all))(t); len(items) != 1 {
		t.Errorf("the repository has %+v", items)
	}
}

func (t *table) days() {
	midnight := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	berlin := time.FixedZone("CET", 3600)
	for i, at := range []time.Time{midnight.Add(-time.Second), midnight, midnight.Add(time.Minute).In(berlin)} {
		id := fmt.Sprint(i)
		t.commits(store.CreateDecision(model.Decision{Cluster: "demo", Policy: "high", ID: id, Time: at}),
			store.CreateAudit(model.AuditRecord{Cluster: "demo", Service: []string{"web", "", "web"}[i], EventID: id, Time: at}))
	}
	again := model.AuditRecord{Cluster: "demo", Service: "web", EventID: "0", Time: midnight.Add(-time.Second)}
	t.commits(store.CreateAudit(again)) // the same record changes nothing
	decided := func(day string) []string {
		return walk(t, 1, func(p store.Page) ([]model.Decision, string, error) {
			return t.store.Decisions(t.ctx(), "demo", "high", day, p)
		}, func(d model.Decision) string { return d.ID })
	}
	audited := func(service, day string) []string {
		return walk(t, 1, func(p store.Page) ([]model.AuditRecord, string, error) {
			return t.store.Audit(t.ctx(), contract.Target{Cluster: "demo", Service: service}, day, p)
		}, func(a model.AuditRecord) string { return a.EventID })
	}
	t.is("decisions of the day before", decided("2026-11-23"), "0")
	t.is("decisions of the day", decided("2026-11-24"), "2", "1")
	t.is("records of the day before", audited("", "2026-11-23"), "0")
	t.is("records of the day", audited("", "2026-11-24"), "2", "1")
	t.is("a service's records of the day", audited("web", "2026-11-24"), "2")
}

func (t *table) foreignPages() {
	for _, name := range []string{"a", "b"} {
		t.commits(store.CreateService(service(name)), store.PutPolicy(policy(name, "arn:one")), store.CreateCluster(cluster(name)))
	}
	_, next := rows(t.store.Services(t.ctx(), "demo", store.Page{Limit: 1}))(t)
	_, errOther := rows2(t.store.Releases(t.ctx(), "demo", "web", store.Page{Limit: 1, Next: next}))
	_, errIndex := rows2(t.store.Clusters(t.ctx(), store.Page{Limit: 1, Next: next}))
	errs := map[string]error{"another list's": errOther, "an index's": errIndex}
	for name, text := range map[string]string{
		"no base64": "%%%", "no JSON": base64.RawURLEncoding.EncodeToString([]byte("{")), "an empty": "e30",
		"a strange": base64.RawURLEncoding.EncodeToString([]byte(`{"PK":1}`)),
		"a long":    base64.RawURLEncoding.EncodeToString([]byte(`{"PK":"` + strings.Repeat("x", 5000) + `","SK":"x"}`)),
	} {
		_, errs[name] = rows2(t.store.Services(t.ctx(), "demo", store.Page{Limit: 1, Next: text}))
	}
	for name, err := range errs {
		if fields := fault.FieldsOf(err); !fault.IsInvalid(err) || len(fields) != 1 || fields[0].Pointer != "next" {
			t.Errorf("%s next: %v", name, err)
		}
	}
}

func rows2[T any](items []T, _ string, err error) ([]T, error) { return items, err }

func (t *table) bounds() {
	var writes []store.Write
	for i := range 101 {
		writes = append(writes, store.CreateService(service(fmt.Sprintf("s%03d", i))))
	}
	t.commits(writes[:100]...) // as many as a transaction takes
	t.commits(writes[100:]...)
	for limit, want := range map[int]int{-1: 1, 0: 1, 7: 7, 100: 100, 5000: 100} {
		items, next := rows(t.store.Services(t.ctx(), "demo", store.Page{Limit: limit}))(t)
		if len(items) != want || next == "" {
			t.Errorf("a page of %d has %d things, and goes on with %q", limit, len(items), next)
		}
	}
}
