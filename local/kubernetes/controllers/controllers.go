package controllers

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"portolan/local/agenda"
	"portolan/local/clock"
	"portolan/local/kubernetes/store"
	"portolan/local/unique"
)

// Images knows what was pushed under which tags. An image pinned by its digest
// still fares as the tags say that it was pushed with.
type Images interface {
	LookUpImage(image string) (digest string, tags []string, ok bool)
}

// A Started is a pod whose node has begun to start it.
type Started struct {
	Namespace, Name, UID, ServiceAccount, Node string
}

// Config is what Controllers are made of. Images and Started may be nil.
type Config struct {
	Clock  *clock.Clock
	IDs    *unique.Source
	Store  *store.Store
	Images Images

	// Host is what the names of load balancers end in.
	Host string

	// Started is told of each pod that starts; it must not call the store.
	Started func(Started)
}

// Controllers are all that acts in one cluster.
type Controllers struct {
	config Config
	agenda *agenda.Agenda
	works  map[string]func(tx *store.Tx, namespace, name string)

	mu    sync.Mutex
	woken map[string]time.Time // when a work is next done, by its key

	lives map[types.UID]life   // of pods on nodes
	told  map[string]string    // the names of recent events, by what they tell
	slow  map[types.UID]streak // of failed starts
}

// reaction is the time from a change to the look at it.
const reaction = 20 * time.Millisecond

// Start starts the controllers of a store, which go on with whatever is under way in
// it.
func Start(config Config) *Controllers {
	c := &Controllers{config: config, agenda: agenda.New(config.Clock), woken: map[string]time.Time{},
		lives: map[types.UID]life{}, told: map[string]string{}, slow: map[types.UID]streak{}}
	c.works = map[string]func(*store.Tx, string, string){
		"deployment": c.deployment, "replicaset": c.replicaSet, "schedule": c.schedule, "kubelet": c.kubelet,
		"node": c.node, "budgets": c.budgets, "collect": c.collect, "namespace": c.namespace, "forget": c.forgetEvent,
		"evict": c.evictTainted, "adopt": c.adopt,
		"daemonset": c.daemonSet, "statefulset": c.statefulSet, "job": c.job, "claim": c.claim, "balance": c.balance,
	}
	config.Store.Listen(c.noticed)
	config.Store.View(func(tx *store.Tx) {
		for _, resource := range []string{"namespaces", "nodes", "pods", "deployments", "replicasets", "daemonsets",
			"statefulsets", "jobs", "poddisruptionbudgets", "persistentvolumeclaims", "events", "services", "ingresses"} {
			for _, e := range tx.List(resource, "") {
				c.noticed(store.Event{Resource: resource, After: e})
			}
		}
	})
	return c
}

// Close stops the controllers.
func (c *Controllers) Close() { c.agenda.Close() }

// wake makes a work look at an object after a while, unless it does so earlier anyway.
func (c *Controllers) wake(work, namespace, name string, after time.Duration) {
	key := work + " " + namespace + "/" + name
	due := c.now().Add(after)
	c.mu.Lock()
	defer c.mu.Unlock()
	if earlier, ok := c.woken[key]; ok && !earlier.After(due) {
		return
	}
	c.woken[key] = due
	c.agenda.At(key, due, func() {
		c.mu.Lock()
		delete(c.woken, key)
		c.mu.Unlock()
		// There is nobody to tell when the disk refuses it: the work is tried again.
		err := c.config.Store.Change(func(tx *store.Tx) error {
			c.works[work](tx, namespace, name)
			return nil
		})
		if err != nil {
			c.wake(work, namespace, name, time.Second)
		}
	})
}

func (c *Controllers) now() time.Time { return c.config.Clock.Now() }

// noticed wakes whom a change concerns. It must not call the store.
func (c *Controllers) noticed(e store.Event) {
	o := e.Object()
	namespace, name := o.GetNamespace(), o.GetName()
	soon := func(work string) { c.wake(work, namespace, name, reaction) }
	switch e.Resource {
	case "pods":
		c.podNoticed(e, o.(*corev1.Pod))
	case "nodes":
		if e.After == nil {
			delete(c.lives, o.GetUID())
		}
		soon("node")
		c.wake("schedule", "", "", reaction)
		c.wake("daemonset", "", "", reaction)
	case "namespaces":
		soon("namespace")
	case "deployments":
		soon("deployment")
		c.wake("budgets", namespace, "", reaction)
	case "replicasets":
		soon("replicaset")
		c.wakeOwner(o)
		if metav1.GetControllerOf(o) == nil && e.After != nil {
			c.wake("adopt", namespace, "", reaction)
		}
	case "daemonsets":
		soon("daemonset")
	case "statefulsets":
		soon("statefulset")
		c.wake("budgets", namespace, "", reaction)
	case "jobs":
		soon("job")
	case "poddisruptionbudgets":
		c.wake("budgets", namespace, "", reaction)
	case "persistentvolumeclaims":
		soon("claim")
		c.wake("schedule", "", "", reaction)
	case "services", "ingresses":
		soon("balance")
	case "events":
		if e.After != nil {
			soon("forget")
		}
	}
	if e.After == nil || o.GetDeletionTimestamp() != nil {
		c.wake("collect", "", "", reaction)
	}
	if e.After == nil && namespace != "" {
		c.wake("namespace", "", namespace, reaction)
	}
}

func (c *Controllers) podNoticed(e store.Event, p *corev1.Pod) {
	c.wakeOwner(p)
	if metav1.GetControllerOf(p) == nil && active(p) {
		c.wake("adopt", p.Namespace, "", reaction)
	}
	c.wake("budgets", p.Namespace, "", reaction)
	switch {
	case e.After == nil:
		for _, name := range claimsOf(p) {
			c.wake("claim", p.Namespace, name, reaction)
		}
		delete(c.lives, p.UID)
		delete(c.slow, p.UID)
		c.wake("schedule", "", "", reaction) // there is room now
	case p.Spec.NodeName == "":
		c.wake("schedule", "", "", reaction)
	default:
		c.wake("kubelet", p.Namespace, p.Name, 0)
		if ended(p) {
			c.wake("schedule", "", "", reaction)
		}
	}
}

// wakeOwner wakes the controller of whatever an object belongs to.
func (c *Controllers) wakeOwner(o store.Object) {
	for _, owner := range o.GetOwnerReferences() {
		if owner.Controller == nil || !*owner.Controller {
			continue
		}
		switch owner.Kind {
		case "Deployment":
			c.wake("deployment", o.GetNamespace(), owner.Name, reaction)
		case "ReplicaSet":
			c.wake("replicaset", o.GetNamespace(), owner.Name, reaction)
		case "DaemonSet":
			c.wake("daemonset", o.GetNamespace(), owner.Name, reaction)
		case "StatefulSet":
			c.wake("statefulset", o.GetNamespace(), owner.Name, reaction)
		case "Job":
			c.wake("job", o.GetNamespace(), owner.Name, reaction)
		}
	}
}
