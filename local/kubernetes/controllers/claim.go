package controllers

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/local/kubernetes/kinds"
	"portolan/local/kubernetes/store"
)

// provisions is how long it takes to make a volume.
const provisions = 2 * time.Second

// claim gives a claim the volume that it asks for, and takes away that of a claim that
// is gone.
func (c *Controllers) claim(tx *store.Tx, namespace, name string) {
	claim, ok := store.Get[*corev1.PersistentVolumeClaim](tx, "persistentvolumeclaims", namespace, name)
	if !ok {
		c.reclaim(tx, namespace, name)
		return
	}
	if claim.DeletionTimestamp != nil {
		if slices.Contains(claim.Finalizers, kinds.ClaimProtection) && !claimUsed(tx, claim) {
			release(tx, kindOf("persistentvolumeclaims"), claim, kinds.ClaimProtection)
		}
		return
	}
	if claim.Spec.VolumeName != "" || claim.Spec.StorageClassName == nil {
		return
	}
	class, ok := store.Get[*storagev1.StorageClass](tx, "storageclasses", "", *claim.Spec.StorageClassName)
	if !ok || *class.VolumeBindingMode == storagev1.VolumeBindingWaitForFirstConsumer && !claimUsed(tx, claim) {
		return
	}
	if wait := claim.CreationTimestamp.Add(provisions).Sub(c.now()); wait > 0 {
		c.wake("claim", namespace, name, wait)
		return
	}
	volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pvc-" + string(claim.UID)},
		Spec: corev1.PersistentVolumeSpec{AccessModes: claim.Spec.AccessModes, StorageClassName: class.Name,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeReclaimPolicy: *class.ReclaimPolicy, VolumeMode: claim.Spec.VolumeMode,
			ClaimRef: &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: name, UID: claim.UID},
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: class.Provisioner,
				VolumeHandle: "vol-0" + c.config.IDs.Hex(16)}}}}
	made, ok := create(tx, "persistentvolumes", volume)
	if !ok {
		return
	}
	edit(tx, "persistentvolumes", made, func(v *corev1.PersistentVolume) { v.Status.Phase = corev1.VolumeBound })
	edit(tx, "persistentvolumeclaims", claim, func(claim *corev1.PersistentVolumeClaim) {
		claim.Spec.VolumeName = made.Name
		claim.Status = corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound, AccessModes: made.Spec.AccessModes,
			Capacity: map[corev1.ResourceName]resource.Quantity(made.Spec.Capacity)}
	})
	c.say(tx, "persistentvolumeclaims", claim, class.Provisioner, "ProvisioningSucceeded", "Successfully provisioned volume %s", made.Name)
}

func (c *Controllers) reclaim(tx *store.Tx, namespace, name string) {
	for _, v := range store.Find[*corev1.PersistentVolume](tx, "persistentvolumes", "", nil) {
		if v.Spec.ClaimRef == nil || v.Spec.ClaimRef.Namespace != namespace || v.Spec.ClaimRef.Name != name {
			continue
		}
		if v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete {
			c.remove(tx, "persistentvolumes", v)
			continue
		}
		edit(tx, "persistentvolumes", v, func(v *corev1.PersistentVolume) { v.Status.Phase = corev1.VolumeReleased })
	}
}

// claimsOf are the names of the claims that a pod uses.
func claimsOf(p *corev1.Pod) (names []string) {
	for _, v := range p.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		}
	}
	return names
}

func claimUsed(tx *store.Tx, claim *corev1.PersistentVolumeClaim) bool {
	return len(store.Find(tx, "pods", claim.Namespace, func(p *corev1.Pod) bool {
		return !ended(p) && slices.Contains(claimsOf(p), claim.Name)
	})) > 0
}

// claimsMissing says which volume of a pod is not there yet, if any.
func (c *Controllers) claimsMissing(tx *store.Tx, p *corev1.Pod, nodes int) string {
	why := ""
	for _, name := range claimsOf(p) {
		claim, ok := store.Get[*corev1.PersistentVolumeClaim](tx, "persistentvolumeclaims", p.Namespace, name)
		switch {
		case !ok:
			why = fmt.Sprintf("persistentvolumeclaim %q not found", name)
		case claim.DeletionTimestamp != nil:
			why = fmt.Sprintf("persistentvolumeclaim %q is being deleted", name)
		case claim.Spec.VolumeName == "":
			c.wake("claim", p.Namespace, name, reaction)
			why = "pod has unbound immediate PersistentVolumeClaims"
		}
	}
	if why == "" {
		return ""
	}
	return fmt.Sprintf("0/%d nodes are available: %s. not found", nodes, why) // as Kubernetes says it
}
