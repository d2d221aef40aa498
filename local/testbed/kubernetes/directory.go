package kubernetes

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const directoryPrefix = "portolan-kubernetes-"

// newDirectory makes the directory of a cluster, with its lock, and removes those of
// clusters whose process ended before it could.
func newDirectory(parent string) (string, *os.File, error) {
	if err := removeOrphans(parent); err != nil {
		return "", nil, err
	}
	directory, err := os.MkdirTemp(parent, directoryPrefix)
	if err != nil {
		return "", nil, err
	}
	// Whoever looks for orphans sees the lock only when it is held.
	unseen := filepath.Join(directory, "unseen")
	held, err := lock(unseen)
	if err == nil {
		err = os.Rename(unseen, filepath.Join(directory, "lock"))
	}
	if err != nil {
		return "", nil, fmt.Errorf("locking the directory of a cluster: %w", err)
	}
	return directory, held, nil
}

// removeOrphans removes the directories that nobody holds.
func removeOrphans(parent string) error {
	locks, err := filepath.Glob(filepath.Join(parent, directoryPrefix+"*", "lock"))
	if err != nil {
		return err
	}
	for _, path := range locks {
		held, err := lock(path)
		switch {
		case errors.Is(err, errLocked), errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
			continue // in use, somebody else's, or just removed
		case err != nil:
			return err
		}
		err = os.RemoveAll(filepath.Dir(path))
		held.Close()
		if err != nil {
			return fmt.Errorf("removing what an earlier cluster left: %w", err)
		}
	}
	return nil
}
