package value

// Number is a number in the spelling that it arrived with, so that 1.0 stays
// 1.0 and no digit is lost.
type Number string

// Object is a JSON object in the order in which its members were written.
//
// Set is for whoever builds it; once it was handed on, With makes the changed
// copy instead.
type Object struct {
	members []member
	index   map[string]int // of a large one
}

type member struct {
	key   string
	value any
}

// indexFrom is the size from which a map beats looking at each key in turn.
const indexFrom = 9

// NewObject returns an empty object with room for size members.
func NewObject(size int) *Object { return &Object{members: make([]member, 0, size)} }

// Members returns an object of alternating names and documents. It panics when
// a name is not a string, which is the caller's mistake.
func Members(pairs ...any) *Object {
	o := NewObject(len(pairs) / 2)
	for i := 0; i+1 < len(pairs); i += 2 {
		o.Set(pairs[i].(string), pairs[i+1])
	}
	return o
}

// Len is the number of members.
func (o *Object) Len() int { return len(o.members) }

// At returns the member at position i, in the order of writing.
func (o *Object) At(i int) (string, any) { return o.members[i].key, o.members[i].value }

// Get returns the member named key.
func (o *Object) Get(key string) (any, bool) {
	if i := o.find(key); i >= 0 {
		return o.members[i].value, true
	}
	return nil, false
}

func (o *Object) find(key string) int {
	if o.index != nil {
		if i, ok := o.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range o.members {
		if o.members[i].key == key {
			return i
		}
	}
	return -1
}

// Set writes a member, in its old place when there is one.
func (o *Object) Set(key string, v any) {
	if i := o.find(key); i >= 0 {
		o.members[i].value = v
		return
	}
	o.members = append(o.members, member{key, v})
	if o.index != nil {
		o.index[key] = len(o.members) - 1
	} else if len(o.members) >= indexFrom {
		o.index = make(map[string]int, 2*len(o.members))
		for i := range o.members {
			o.index[o.members[i].key] = i
		}
	}
}

// With returns a copy with one member written.
func (o *Object) With(key string, v any) *Object {
	c := o.copy(1)
	c.Set(key, v)
	return c
}

// Merge returns o with the members of other written over its own.
func (o *Object) Merge(other *Object) *Object {
	c := o.copy(other.Len())
	for _, m := range other.members {
		c.Set(m.key, m.value)
	}
	return c
}

func (o *Object) copy(room int) *Object {
	c := NewObject(len(o.members) + room)
	if o.index == nil {
		c.members = append(c.members, o.members...)
		return c
	}
	for _, m := range o.members {
		c.Set(m.key, m.value)
	}
	return c
}
