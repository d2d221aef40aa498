package swarm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// slotsMax bounds how many testbeds run at the same time on one machine.
const slotsMax = 64

// A slot is one testbed's place on this machine: its number is in the names and
// addresses that all testbeds share a range of.
type slot struct {
	number    int
	directory string
	lock      *os.File // held as long as the slot is in use, at the longest by this process
}

// takeSlot takes the first slot that nobody has, and removes what a process left that
// had it and was killed.
func takeSlot(parent string) (*slot, error) {
	for number := range slotsMax {
		directory := filepath.Join(parent, fmt.Sprintf("portolan-swarm-%d", number))
		lock, err := os.OpenFile(directory+".lock", os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
		if errors.Is(err, fs.ErrPermission) {
			continue // somebody else's
		}
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			lock.Close()
			continue
		}
		s := &slot{number, directory, lock}
		if err = errors.Join(err, s.clean(), os.Mkdir(directory, 0o700), s.favour()); err != nil {
			lock.Close()
			return nil, fmt.Errorf("taking a place for engines: %w", err)
		}
		return s, nil
	}
	return nil, fmt.Errorf("%d testbeds of engines run on this machine already", slotsMax)
}

// cgroup is the control group below which the slot's containers are.
func (s *slot) cgroup() string { return fmt.Sprintf("/portolan-swarm-%d", s.number) }

// favour gives the containers together as much of a busy processor as many processes
// outside of control groups have. There, in version 1 of control groups, each process
// counts as much as a whole group does by itself.
func (s *slot) favour() error {
	const root = "/sys/fs/cgroup/cpu"
	if _, err := os.Stat(root + "/cpu.shares"); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(root+s.cgroup(), 0o755); err != nil {
		return err
	}
	return os.WriteFile(root+s.cgroup()+"/cpu.shares", []byte("65536"), 0o644)
}

// clean removes the slot's data and control groups. Mounts and networks have gone with
// the processes that had them.
func (s *slot) clean() error {
	return errors.Join(os.RemoveAll(s.directory), removeCgroups(s.cgroup()))
}

// release gives the slot back.
func (s *slot) release() error {
	return errors.Join(s.clean(), s.lock.Close())
}

// removeCgroups removes a control group and those below it in every hierarchy. It is
// left where something runs in it.
func removeCgroups(name string) error {
	roots, err := filepath.Glob("/sys/fs/cgroup/*" + name)
	if err != nil {
		return err
	}
	for _, root := range append(roots, "/sys/fs/cgroup"+name) {
		var groups []string
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i := len(groups) - 1; i >= 0; i-- {
			err := os.Remove(groups[i])
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EBUSY) {
				return err
			}
		}
	}
	return nil
}
