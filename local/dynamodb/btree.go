package dynamodb

// A tree keeps entries in the order of their keys' bytes: a B-tree, because a
// partition is read in order from any key, forward and backward.
type tree[T any] struct {
	root *treeNode[T]
	size int
}

type treeNode[T any] struct {
	keys     []string
	values   []T
	children []*treeNode[T]
}

const (
	nodeMax = 63
	nodeMin = nodeMax / 2
)

// search returns the first place whose key is not below key.
func (n *treeNode[T]) search(key string) (int, bool) {
	low, high := 0, len(n.keys)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if n.keys[middle] < key {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(n.keys) && n.keys[low] == key
}

func (t *tree[T]) get(key string) (found T, ok bool) {
	for n := t.root; n != nil; {
		at, here := n.search(key)
		if here {
			return n.values[at], true
		}
		if n.children == nil {
			break
		}
		n = n.children[at]
	}
	return found, false
}

// put stores v under key, in place of what was there.
func (t *tree[T]) put(key string, v T) {
	if t.root == nil {
		t.root = &treeNode[T]{}
	}
	if len(t.root.keys) == nodeMax {
		t.root = &treeNode[T]{children: []*treeNode[T]{t.root}}
		t.root.split(0)
	}
	n := t.root
	for {
		at, here := n.search(key)
		if here {
			n.values[at] = v
			return
		}
		if n.children == nil {
			n.keys = insertAt(n.keys, at, key)
			n.values = insertAt(n.values, at, v)
			t.size++
			return
		}
		if len(n.children[at].keys) == nodeMax {
			n.split(at)
			continue
		}
		n = n.children[at]
	}
}

// split divides the full child at a place, and lifts its middle entry.
func (n *treeNode[T]) split(at int) {
	left := n.children[at]
	middle := len(left.keys) / 2
	right := &treeNode[T]{
		keys:   append([]string(nil), left.keys[middle+1:]...),
		values: append([]T(nil), left.values[middle+1:]...),
	}
	if left.children != nil {
		right.children = append([]*treeNode[T](nil), left.children[middle+1:]...)
		clear(left.children[middle+1:])
		left.children = left.children[:middle+1]
	}
	n.keys = insertAt(n.keys, at, left.keys[middle])
	n.values = insertAt(n.values, at, left.values[middle])
	n.children = insertAt(n.children, at+1, right)
	clear(left.keys[middle:])
	clear(left.values[middle:])
	left.keys, left.values = left.keys[:middle], left.values[:middle]
}

func insertAt[E any](s []E, at int, e E) []E {
	var zero E
	s = append(s, zero)
	copy(s[at+1:], s[at:])
	s[at] = e
	return s
}

func removeAt[E any](s []E, at int) []E {
	copy(s[at:], s[at+1:])
	var zero E
	s[len(s)-1] = zero
	return s[:len(s)-1]
}

// delete removes key, if it is there.
func (t *tree[T]) delete(key string) {
	if t.root == nil || !t.root.delete(key) {
		return
	}
	t.size--
	if len(t.root.keys) == 0 && t.root.children != nil {
		t.root = t.root.children[0]
	}
}

func (n *treeNode[T]) delete(key string) bool {
	at, here := n.search(key)
	if n.children == nil {
		if here {
			n.keys, n.values = removeAt(n.keys, at), removeAt(n.values, at)
		}
		return here
	}
	if here {
		// The entry before it, which is in a leaf, takes its place.
		last := n.children[at]
		for last.children != nil {
			last = last.children[len(last.children)-1]
		}
		end := len(last.keys) - 1
		n.keys[at], n.values[at] = last.keys[end], last.values[end]
		n.children[at].delete(n.keys[at])
	} else if !n.children[at].delete(key) {
		return false
	}
	if len(n.children[at].keys) < nodeMin {
		n.refill(at)
	}
	return true
}

// refill brings the child at a place back to its least size, from a neighbour
// or by joining with one.
func (n *treeNode[T]) refill(at int) {
	switch {
	case at > 0 && len(n.children[at-1].keys) > nodeMin:
		n.lendRight(at - 1)
	case at < len(n.keys) && len(n.children[at+1].keys) > nodeMin:
		n.lendLeft(at)
	case at > 0:
		n.join(at - 1)
	default:
		n.join(at)
	}
}

func (n *treeNode[T]) lendRight(at int) {
	from, to := n.children[at], n.children[at+1]
	end := len(from.keys) - 1
	to.keys = insertAt(to.keys, 0, n.keys[at])
	to.values = insertAt(to.values, 0, n.values[at])
	n.keys[at], n.values[at] = from.keys[end], from.values[end]
	from.keys, from.values = removeAt(from.keys, end), removeAt(from.values, end)
	if from.children != nil {
		to.children = insertAt(to.children, 0, from.children[end+1])
		from.children = removeAt(from.children, end+1)
	}
}

func (n *treeNode[T]) lendLeft(at int) {
	to, from := n.children[at], n.children[at+1]
	to.keys = append(to.keys, n.keys[at])
	to.values = append(to.values, n.values[at])
	n.keys[at], n.values[at] = from.keys[0], from.values[0]
	from.keys, from.values = removeAt(from.keys, 0), removeAt(from.values, 0)
	if from.children != nil {
		to.children = append(to.children, from.children[0])
		from.children = removeAt(from.children, 0)
	}
}

// join makes one of the children at a place and behind it.
func (n *treeNode[T]) join(at int) {
	left, right := n.children[at], n.children[at+1]
	left.keys = append(append(left.keys, n.keys[at]), right.keys...)
	left.values = append(append(left.values, n.values[at]), right.values...)
	left.children = append(left.children, right.children...)
	n.keys, n.values = removeAt(n.keys, at), removeAt(n.values, at)
	n.children = removeAt(n.children, at+1)
}

// ascend visits the entries from the first that is not below from, until visit
// returns false.
func (t *tree[T]) ascend(from string, visit func(key string, v T) bool) {
	if t.root != nil {
		t.root.ascend(from, visit)
	}
}

func (n *treeNode[T]) ascend(from string, visit func(key string, v T) bool) bool {
	at, _ := n.search(from)
	for ; at < len(n.keys); at++ {
		if n.children != nil && !n.children[at].ascend(from, visit) {
			return false
		}
		if !visit(n.keys[at], n.values[at]) {
			return false
		}
	}
	return n.children == nil || n.children[at].ascend(from, visit)
}

// descend visits the entries from the last that is below before, backwards,
// until visit returns false.
func (t *tree[T]) descend(before string, visit func(key string, v T) bool) {
	if t.root != nil {
		t.root.descend(before, visit)
	}
}

func (n *treeNode[T]) descend(before string, visit func(key string, v T) bool) bool {
	at, _ := n.search(before)
	for {
		if n.children != nil && !n.children[at].descend(before, visit) {
			return false
		}
		if at--; at < 0 {
			return true
		}
		if !visit(n.keys[at], n.values[at]) {
			return false
		}
	}
}
