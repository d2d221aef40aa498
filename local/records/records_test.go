package records_test

import (
	"errors"
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

func open(t *testing.T) *disk.Disk {
	t.Helper()
	d, err := disk.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestRecordsComeBackFromDisk(t *testing.T) {
	d := open(t)
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

func TestTwoKindsAreKeptTogetherOrNotAtAll(t *testing.T) {
	d := open(t)
	r := load(t, d)
	others, err := records.Load(d, "test/others", func(i item) string { return i.ID })
	if err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if err := r.Put(item{"a", "1"}, others.With(item{"x", "1"}), func(*disk.Tx) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("the write ended in %v", err)
	}
	if r.Len()+others.Len() != 0 {
		t.Errorf("of a write that was refused are there %v and %v", r.All(), others.All())
	}
	if err := r.Put(item{"a", "1"}, others.With(item{"x", "1"})); err != nil {
		t.Fatal(err)
	}
	if r.Len() != 1 || others.Len() != 1 {
		t.Errorf("there are %v and %v", r.All(), others.All())
	}
	unkept := load(t, nil)
	if err := load(t, nil).Put(item{"a", "1"}, unkept.With(item{"x", "1"})); err != nil || unkept.Len() != 1 {
		t.Errorf("without a disk there are %v, %v", unkept.All(), err)
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
