package resources

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"portolan/local/cloudformation"
)

// storageKinds are EFS file systems and where they are mounted from. They are names
// that nobody keeps: nothing below Portolan mounts one.
func (m *maker) storageKinds(kinds map[string]cloudformation.Kind) {
	kinds["AWS::EFS::FileSystem"] = named("fs-", []string{"Encrypted", "PerformanceMode"}, "FileSystemId", 10*time.Second)
	kinds["AWS::EFS::MountTarget"] = named("fsmt-", []string{"FileSystemId", "SubnetId"}, "Id", 90*time.Second)
}

// named is a kind of which there is the id, the same for each try of a creation.
func named(prefix string, createOnly []string, attribute string, takes time.Duration) cloudformation.Kind {
	id := func(_ context.Context, r cloudformation.Request) (cloudformation.Made, error) {
		sum := sha256.Sum256([]byte(r.Token + r.StackID + r.Name))
		id := prefix + hex.EncodeToString(sum[:])[:17]
		return made(id, map[string]any{attribute: id})
	}
	return cloudformation.Kind{
		Provider: provider{
			create: id,
			update: func(_ context.Context, r cloudformation.Request) (cloudformation.Made, error) {
				return made(r.PhysicalID, map[string]any{attribute: r.PhysicalID})
			},
			remove: func(context.Context, cloudformation.Request) error { return nil },
		},
		CreateOnly: createOnly, CreateTakes: takes, UpdateTakes: time.Second, DeleteTakes: 5 * time.Second,
	}
}
