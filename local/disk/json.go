package disk

import (
	"encoding/json"
	"fmt"
)

// PutJSON writes value as JSON under key, in place of what was there.
func (t *Tx) PutJSON(bucket, key string, value any) error {
	if t.tx == nil {
		return nil
	}
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encoding %s %s: %w", bucket, key, err)
	}
	return t.Put(bucket, []byte(key), raw)
}

// LoadJSON calls fn for each value of a bucket that PutJSON wrote, in the order
// of the keys' bytes.
func LoadJSON[T any](d *Disk, bucket string, fn func(key string, value *T)) error {
	return d.Load(bucket, func(key, raw []byte) error {
		value := new(T)
		if err := json.Unmarshal(raw, value); err != nil {
			return fmt.Errorf("decoding %s %s: %w", bucket, key, err)
		}
		fn(string(key), value)
		return nil
	})
}
