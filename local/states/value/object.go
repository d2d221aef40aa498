package value

// Number is a number in the spelling that it arrived with, so that 1.0 stays
// 1.0 and no digit is lost.
type Number string

// Object is a JSON object in the order in which its members were written.
//
// Set is for whoever builds it; once it was handed on, With makes the changed
// copy instead.
type Object struct {
	keys   []string
	values []any
	index  map[string]int
}

// indexFrom is the size from which a map beats looking at each key in turn.
const indexFrom = 9

// NewObject returns an empty object with room for size members.
func NewObject(size int) *Object {
	return &Object{keys: make([]string, 0, size), values: make([]any, 0, size)}
}

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
func (o *Object) Len() int { return len(o.keys) }

// At returns the member at position i, in the order of writing.
func (o *Object) At(i int) (string, any) { return o.keys[i], o.values[i] }

// Get returns the member named key.
func (o *Object) Get(key string) (any, bool) {
	if i := o.find(key); i >= 0 {
		return o.values[i], true
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
	for i, k := range o.keys {
		if k == key {
			return i
		}
	}
	return -1
}

// Set writes a member, in its old place when there is one.
func (o *Object) Set(key string, v any) {
	if i := o.find(key); i >= 0 {
		o.values[i] = v
		return
	}
	o.keys = append(o.keys, key)
	o.values = append(o.values, v)
	if o.index != nil {
		o.index[key] = len(o.keys) - 1
	} else if len(o.keys) >= indexFrom {
		o.index = make(map[string]int, 2*len(o.keys))
		for i, k := range o.keys {
			o.index[k] = i
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
	for i, k := range other.keys {
		c.Set(k, other.values[i])
	}
	return c
}

func (o *Object) copy(room int) *Object {
	c := NewObject(len(o.keys) + room)
	for i, k := range o.keys {
		c.Set(k, o.values[i])
	}
	return c
}
