package dynamodb

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"portolan/local/disk"
)

// tokenLife is how long a ClientRequestToken makes a transaction idempotent.
const tokenLife = 10 * time.Minute

const tokenBucket = "dynamodb/tokens"

// A tokenBook remembers which transactions were made with a token.
type tokenBook struct {
	entries map[string]*tokenEntry
	// order has the entries by their time.
	order []*tokenEntry
}

type tokenEntry struct {
	Token       string
	Fingerprint string
	At          time.Time
	// outdated are the tokens that are forgotten with the same write.
	outdated []string
}

// fingerprint is the same for two requests that ask for the same.
func (r *request) fingerprint() string {
	if !r.token.set {
		return ""
	}
	sum := sha256.Sum256([]byte(r.partsText))
	return string(sum[:])
}

// check tells whether a transaction was made before. The same token with
// another transaction is an error.
func (b *tokenBook) check(
	token text, fingerprint string, now time.Time,
) (repeat bool, err *apiError) {
	entry := b.entries[token.value]
	if !token.set || entry == nil || now.Sub(entry.At) >= tokenLife {
		return false, nil
	}
	if entry.Fingerprint != fingerprint {
		return false, failure("IdempotentParameterMismatchException",
			"The request uses the same client token as a previous, but non-identical request.")
	}
	return true, nil
}

// entry makes the entry of a transaction, nil when it has no token.
func (b *tokenBook) entry(token text, fingerprint string, now time.Time) *tokenEntry {
	if !token.set {
		return nil
	}
	e := &tokenEntry{Token: token.value, Fingerprint: fingerprint, At: now}
	for _, old := range b.order {
		if now.Sub(old.At) < tokenLife {
			break
		}
		e.outdated = append(e.outdated, old.Token)
	}
	return e
}

func (e *tokenEntry) persist(tx *disk.Tx) error {
	if e == nil {
		return nil
	}
	for _, token := range e.outdated {
		if err := tx.Delete(tokenBucket, []byte(token)); err != nil {
			return err
		}
	}
	data, err := json.Marshal(struct {
		Fingerprint []byte
		At          time.Time
	}{[]byte(e.Fingerprint), e.At})
	if err != nil {
		return fmt.Errorf("encoding a token: %w", err)
	}
	return tx.Put(tokenBucket, []byte(e.Token), data)
}

// add remembers an entry and forgets those that are outdated.
func (b *tokenBook) add(e *tokenEntry) {
	if e == nil {
		return
	}
	if b.entries == nil {
		b.entries = make(map[string]*tokenEntry)
	}
	for _, old := range b.order[:len(e.outdated)] {
		if b.entries[old.Token] == old {
			delete(b.entries, old.Token)
		}
	}
	b.order = append(b.order[len(e.outdated):], e)
	b.entries[e.Token] = e
}

// loadTokens reads the tokens back.
func (s *Server) loadTokens() error {
	return s.config.Disk.Load(tokenBucket, func(token, data []byte) error {
		var saved struct {
			Fingerprint []byte
			At          time.Time
		}
		if err := json.Unmarshal(data, &saved); err != nil {
			return fmt.Errorf("reading a token: %w", err)
		}
		s.tokens.add(&tokenEntry{
			Token: string(token), Fingerprint: string(saved.Fingerprint), At: saved.At,
		})
		return nil
	})
}
