package kinds

import (
	storagev1 "k8s.io/api/storage/v1"

	"portolan/local/kubernetes/store"
)

// DefaultClass is the name of the storage class of claims that name none; nil where
// there is none.
func DefaultClass(tx *store.Tx) *string {
	for _, c := range store.Find[*storagev1.StorageClass](tx, "storageclasses", "", nil) {
		if c.Annotations["storageclass.kubernetes.io/is-default-class"] == "true" {
			return &c.Name
		}
	}
	return nil
}
