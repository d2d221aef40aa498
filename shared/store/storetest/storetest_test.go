package storetest

import (
	"errors"
	"testing"
	"time"

	"portolan/shared/fault"
	"portolan/shared/store"
)

func TestTheStoreRefusesWhatWasSeen(t *testing.T) {
	s := Open(t)
	seen := store.Seen("test", "event", time.Now().Add(time.Hour))
	if err := s.Commit(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(t.Context(), seen); !errors.Is(err, store.ErrSeen) {
		t.Errorf("got %v", err)
	}
	if _, err := s.Cluster(t.Context(), "shop"); !fault.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}
