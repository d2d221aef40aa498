package records_test

import (
	"reflect"
	"testing"

	"portolan/local/disk"
	"portolan/local/records"
)

type item struct{ ID, Value string }

func load(t *testing.T, d *disk.Disk) *records.Of[item] {
	t.Helper()
	r, err := records.Load(d, "test/items", func(i item) string { return i.ID })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecordsComeBackFromDisk(t *testing.T) {
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r := load(t, d)
	for _, i := range []item{{"b", "1"}, {"a", "2"}, {"c", "3"}, {"b", "4"}} {
		if err := r.Put(i); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Remove("c"); err != nil {
		t.Fatal(err)
	}
	want := []item{{"a", "2"}, {"b", "4"}}
	if got := load(t, d).All(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a restart there are %v, want %v", got, want)
	}
}

func TestRecordsWithoutADisk(t *testing.T) {
	r := load(t, nil)
	if err := r.Put(item{"a", "1"}); err != nil {
		t.Fatal(err)
	}
	if _, ok := r.Get("a"); !ok || r.Len() != 1 {
		t.Error("what was put is not there")
	}
	if found := r.Find(func(i item) bool { return i.Value == "2" }); found != nil {
		t.Errorf("found %v", found)
	}
	if _, ok := r.First(func(i item) bool { return i.Value == "1" }); !ok {
		t.Error("the first match was not found")
	}
	if err := r.Put(item{"b", "1"}); err != nil || r.Remove("a") != nil || r.Len() != 1 {
		t.Error("removing did not remove")
	}
}
