package dynamodb

import (
	"strconv"
	"sync"
)

// An expressionCache keeps what was parsed by its text, for a program sends
// the same few expressions again and again.
type expressionCache struct {
	mu      sync.RWMutex
	entries map[string]*expression
}

// cachedMax bounds the cache; behind it, it starts anew.
const cachedMax = 2000

// get returns the parsed expression. section tells the grammars apart.
func (c *expressionCache) get(
	section byte, source string, parse func(string) *expression,
) *expression {
	key := string(section) + source
	c.mu.RLock()
	e := c.entries[key]
	c.mu.RUnlock()
	if e != nil {
		return e
	}
	e = parse(source)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil || len(c.entries) >= cachedMax {
		c.entries = make(map[string]*expression)
	}
	c.entries[key] = e
	return e
}

func itoa(n int) string { return strconv.Itoa(n) }
