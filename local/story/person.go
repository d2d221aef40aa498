package story

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

type object map[string]any

// A person has a cluster and works on it as with kubectl.
type person struct{ client *rest.RESTClient }

func newPerson(kubeconfig []byte, wrap func(http.RoundTripper) http.RoundTripper) (*person, error) {
	config, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	if wrap != nil {
		config.Wrap(wrap)
	}
	return personWith(config)
}

func personWith(config *rest.Config) (*person, error) {
	config.GroupVersion = &schema.GroupVersion{}
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme())
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return &person{client}, nil
}

// remove is kubectl delete.
func (p *person) remove(ctx context.Context, path string) error {
	return p.client.Delete().AbsPath(path).Do(ctx).Error()
}

// apply is kubectl apply --server-side.
func (p *person) apply(ctx context.Context, path string, o object) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return p.client.Patch(types.ApplyPatchType).AbsPath(path).Param("fieldManager", "kubectl").Body(body).Do(ctx).Error()
}

func (p *person) get(ctx context.Context, path string, out any) error {
	path, query, _ := strings.Cut(path, "?")
	request := p.client.Get().AbsPath(path)
	for _, each := range strings.Split(query, "&") {
		if name, value, ok := strings.Cut(each, "="); ok {
			request = request.Param(name, value)
		}
	}
	raw, err := request.DoRaw(ctx)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, out)
}

type metadata struct {
	Metadata struct {
		Name            string `json:"name"`
		ResourceVersion string `json:"resourceVersion"`
		Generation      int64  `json:"generation"`
	} `json:"metadata"`
}

// version is what changes with each write to an object, generation with each change of
// what is wanted of it.
func (p *person) version(ctx context.Context, path string) (string, error) {
	var seen metadata
	err := p.get(ctx, path, &seen)
	return seen.Metadata.ResourceVersion, err
}

func (p *person) generation(ctx context.Context, path string) (int64, error) {
	var seen metadata
	err := p.get(ctx, path, &seen)
	return seen.Metadata.Generation, err
}

// show prints what kubectl get prints: the table that the API server makes. It has more
// columns where the command asks for a wide one.
func (p *person) show(ctx context.Context, s *Stage, command, path string) error {
	wide := strings.HasSuffix(command, " -o wide")
	raw, err := p.client.Get().AbsPath(path).SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(ctx)
	if err != nil {
		return err
	}
	var table struct {
		ColumnDefinitions []struct {
			Name     string `json:"name"`
			Priority int    `json:"priority"`
		} `json:"columnDefinitions"`
		Rows []struct {
			Cells []any `json:"cells"`
		} `json:"rows"`
	}
	if err := json.Unmarshal(raw, &table); err != nil {
		return err
	}
	s.happened("$ %s", command)
	text := &strings.Builder{}
	columns := tabwriter.NewWriter(text, 0, 0, 3, ' ', 0)
	line := func(cell func(i int) any) {
		for i, column := range table.ColumnDefinitions {
			if column.Priority == 0 || wide {
				fmt.Fprintf(columns, "%v\t", cell(i))
			}
		}
		fmt.Fprintln(columns)
	}
	line(func(i int) any { return strings.ToUpper(table.ColumnDefinitions[i].Name) })
	for _, row := range table.Rows {
		line(func(i int) any { return row.Cells[i] })
	}
	if err := columns.Flush(); err != nil {
		return err
	}
	for row := range strings.Lines(text.String()) {
		s.happened("  %s", strings.TrimRight(row, " \n"))
	}
	return nil
}

type podList struct {
	Items []struct {
		Spec struct {
			NodeName string `json:"nodeName"`
		} `json:"spec"`
		Status struct {
			Phase string `json:"phase"`
		} `json:"status"`
	} `json:"items"`
}

// busiest is the node with the most tasks of the service.
func (p *person) busiest(ctx context.Context) (string, error) {
	var pods podList
	if err := p.get(ctx, "/api/v1/namespaces/"+namespace+"/pods", &pods); err != nil {
		return "", err
	}
	counts, busiest := map[string]int{}, ""
	for _, pod := range pods.Items {
		node := pod.Spec.NodeName
		if counts[node]++; counts[node] > counts[busiest] {
			busiest = node
		}
	}
	if busiest == "" {
		return "", fmt.Errorf("no node has tasks of the service")
	}
	return busiest, nil
}

func (p *person) tasksOn(ctx context.Context, node string) (int, error) {
	var pods podList
	err := p.get(ctx, "/api/v1/pods?fieldSelector=spec.nodeName="+node, &pods)
	return len(pods.Items), err
}

// made names what there is of Portolan's in the story's namespace.
func (p *person) made(ctx context.Context) ([]string, error) {
	var left []string
	base := "/namespaces/" + namespace + "/"
	for _, path := range []string{"/apis/apps/v1" + base + "deployments", "/api/v1" + base + "services", "/api/v1" + base + "serviceaccounts",
		"/apis/networking.k8s.io/v1" + base + "ingresses", "/apis/policy/v1" + base + "poddisruptionbudgets"} {
		var list struct {
			Items []metadata `json:"items"`
		}
		if err := p.get(ctx, path+"?labelSelector=app.kubernetes.io/managed-by=portolan", &list); err != nil {
			return nil, err
		}
		for _, o := range list.Items {
			left = append(left, path+"/"+o.Metadata.Name)
		}
	}
	return left, nil
}
