package swarm

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"portolan/shared/fault"
)

// anyMembers draws managers, of whom some cannot be reached and some are leaving.
func anyMembers(t *rapid.T) []member {
	var members []member
	for i := range rapid.IntRange(1, 9).Draw(t, "managers") {
		members = append(members, member{
			id: fmt.Sprintf("node-%d", i), reachable: rapid.Bool().Draw(t, "reachable"), leaving: rapid.IntRange(0, 3).Draw(t, "leaving") == 0,
		})
	}
	return members
}

// TestNoDemotionLosesTheMajority goes through every order in which those that leave may
// have left when the demotion is done: whoever is left can be reached by a majority.
func TestNoDemotionLosesTheMajority(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := anyMembers(t)
		id := members[rapid.IntRange(0, len(members)-1).Draw(t, "which")].id
		err := mayDemote(members, id)
		if err != nil {
			if !fault.IsConflict(err) {
				t.Fatalf("got %v", err)
			}
			return
		}
		if !quorumOf(members).Kept() {
			t.Fatalf("%+v has no quorum that could have decided", members)
		}
		if left := afterDemotion(members, id); left.Managers == 0 || left.Reachable*2 <= left.Managers {
			t.Fatalf("demoting %s of %+v leaves %+v", id, members, left)
		}
	})
}

// TestDemotionsOneAfterTheOther demotes whom it may, in any order and with managers lost
// and back in between: there is always a majority, and always a manager.
func TestDemotionsOneAfterTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := anyMembers(t)
		for i := range members {
			members[i].reachable, members[i].leaving = true, false
		}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			at := rapid.IntRange(0, len(members)-1).Draw(t, "which")
			switch rapid.SampledFrom([]string{"demote", "forget", "lose", "return"}).Draw(t, "step") {
			case "demote":
				if mayDemote(members, members[at].id) == nil {
					members[at].leaving = true
				}
			case "forget": // the others have let go of one that was demoted
				if members[at].leaving {
					members = append(members[:at:at], members[at+1:]...)
				}
			case "lose": // only as many as the quorum bears, also when those that leave have left
				members[at].reachable = false
				if !quorumOf(members).Kept() || !afterDemotion(members, "").Kept() {
					members[at].reachable = true
				}
			case "return":
				members[at].reachable = true
			}
			if !quorumOf(members).Kept() || !afterDemotion(members, "").Kept() {
				t.Fatalf("the majority is lost: %+v", members)
			}
		}
	})
}

// TestADeadManagerMayGo is what replacing a lost manager begins with.
func TestADeadManagerMayGo(t *testing.T) {
	members := []member{{id: "a", reachable: true}, {id: "b", reachable: true}, {id: "c"}}
	if err := mayDemote(members, "c"); err != nil {
		t.Errorf("the lost one: %v", err)
	}
	if err := mayDemote(members, "a"); !fault.IsConflict(err) {
		t.Errorf("one of the two that are left: %v", err)
	}
	if err := mayDemote(members[:1], "a"); !fault.IsConflict(err) {
		t.Errorf("the last one: %v", err)
	}
}
