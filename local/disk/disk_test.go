package disk_test

import (
	"errors"
	"testing"

	"portolan/local/disk"
)

func load(t *testing.T, d *disk.Disk, bucket string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := d.Load(bucket, func(key, value []byte) error {
		got[string(key)] = string(value)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestDiskKeepsWhatWasUpdated(t *testing.T) {
	dir := t.TempDir()
	d, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	put := func(key, value string) func(*disk.Tx) error {
		return func(tx *disk.Tx) error { return tx.Put("b", []byte(key), []byte(value)) }
	}
	if err := d.Update(put("kept", "1")); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	err = d.Update(func(tx *disk.Tx) error {
		if err := put("lost", "2")(tx); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatalf("Update = %v, want %v", err, refused)
	}
	if _, err := disk.Open(dir); err == nil {
		t.Error("a second process opened the same file")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = disk.Open(dir); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got := load(t, d, "b"); len(got) != 1 || got["kept"] != "1" {
		t.Errorf("after a restart the bucket holds %v", got)
	}
}

func TestNilDiskKeepsNothing(t *testing.T) {
	var d *disk.Disk
	err := d.Update(func(tx *disk.Tx) error { return tx.Put("b", []byte("k"), []byte("v")) })
	if err != nil {
		t.Fatal(err)
	}
	if got := load(t, d, "b"); len(got) != 0 {
		t.Errorf("the nil disk holds %v", got)
	}
}
