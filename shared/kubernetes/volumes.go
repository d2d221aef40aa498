package kubernetes

import (
	"fmt"
	"strings"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portolan/shared/contract"
	"portolan/shared/orchestrator"
)

// claimName is the name of a volume's claim. A claim's volume cannot be changed, so
// one for another file system has another name.
func claimName(service string, volume contract.Volume) string {
	name := service + "-" + volume.Name
	if volume.FileSystemId != "" {
		name += "-" + strings.TrimPrefix(volume.FileSystemId, "fs-")
	}
	return name
}

func podVolumes(release orchestrator.Release) []core.Volume {
	var result []core.Volume
	for _, volume := range release.Spec.Volumes {
		result = append(result, core.Volume{
			Name: volume.Name,
			VolumeSource: core.VolumeSource{PersistentVolumeClaim: &core.PersistentVolumeClaimVolumeSource{
				ClaimName: claimName(release.Service.Name, volume), ReadOnly: volume.ReadOnly,
			}},
		})
	}
	return result
}

// volumeObjects are what the volumes of a release need beside its pods: a claim, and
// for an EFS file system the volume that the claim is for.
func volumeObjects(release orchestrator.Release, namespace string) []object {
	var result []object
	for _, volume := range release.Spec.Volumes {
		name := claimName(release.Service.Name, volume)
		claim := core.PersistentVolumeClaim{Spec: core.PersistentVolumeClaimSpec{
			AccessModes: []core.PersistentVolumeAccessMode{core.ReadWriteOnce},
			Resources:   core.VolumeResourceRequirements{Requests: storage(fmt.Sprintf("%dGi", volume.SizeGiB))},
		}}
		if volume.StorageClass != "" {
			claim.Spec.StorageClassName = &volume.StorageClass
		}
		if volume.FileSystemId != "" {
			backing := volumeName(release.Service.Cluster, namespace, name)
			result = append(result, fileSystem(release, backing, volume, namespace, name))
			claim.Spec = core.PersistentVolumeClaimSpec{
				AccessModes: []core.PersistentVolumeAccessMode{core.ReadWriteMany},
				Resources:   core.VolumeResourceRequirements{Requests: storage(anySize)},
				VolumeName:  backing, StorageClassName: new(""),
			}
		}
		result = append(result, object{kind: claims, name: name, content: claim})
	}
	return result
}

// anySize is what Kubernetes wants to be told of a file system that has no size.
const anySize = "1Gi"

func storage(size string) core.ResourceList {
	return core.ResourceList{core.ResourceStorage: resource.MustParse(size)}
}

// volumeName is unique in the cluster, which all namespaces share.
func volumeName(cluster orchestrator.ClusterRef, namespace, claim string) string {
	return fmt.Sprintf("portolan-%s-%s-%s", cluster.Name, namespace, claim)
}

func fileSystem(release orchestrator.Release, name string, volume contract.Volume, namespace, claim string) object {
	return object{kind: volumes, name: name, content: core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{},
		Spec: core.PersistentVolumeSpec{
			Capacity: storage(anySize), AccessModes: []core.PersistentVolumeAccessMode{core.ReadWriteMany},
			PersistentVolumeReclaimPolicy: core.PersistentVolumeReclaimRetain,
			// Nobody else's claim takes it.
			ClaimRef: &core.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: namespace, Name: claim},
			PersistentVolumeSource: core.PersistentVolumeSource{CSI: &core.CSIPersistentVolumeSource{
				Driver: "efs.csi.aws.com", VolumeHandle: volume.FileSystemId,
			}},
		},
	}}
}
