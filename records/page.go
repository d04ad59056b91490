// SPDX-License-Identifier: Apache-2.0

package records

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Limits of pages.
const (
	// DefaultLimit is the default number of items of a page.
	DefaultLimit = 100
	// MaxLimit is the maximum number of items of a page.
	MaxLimit = 500
)

// Paging selects a page of an answer.
type Paging struct {
	// Limit is the number of items, 1 to MaxLimit. Defaults to DefaultLimit.
	Limit int
	// Continue is the field Continue of the previous page. Defaults to the first page.
	Continue string
}

// Page is a page of an answer.
type Page[T any] struct {
	// Items in the order of the answer.
	Items []T
	// Continue is the opaque token for the next page of the same query. It is empty if there is no next page. Writes between two pages
	// neither repeat nor skip items.
	Continue string
}

// A token is the content of Continue: a hash of the query, and the key of the last item.
type token struct {
	Question string            `json:"q"`
	Key      []json.RawMessage `json:"k"`
}

// limit returns the number of rows to read, one more than the limit of the page.
func (p Paging) limit() (int, error) {
	switch {
	case p.Limit == 0:
		return DefaultLimit + 1, nil
	case p.Limit < 0, p.Limit > MaxLimit:
		return 0, fmt.Errorf("%w: limit is %d, must be 1 to %d", ErrInvalid, p.Limit, MaxLimit)
	}
	return p.Limit + 1, nil
}

// readKey reads the key of the last item of the previous page into pointers, and reports whether there was a previous page.
func (p Paging) readKey(question string, key ...any) (bool, error) {
	if p.Continue == "" {
		return false, nil
	}
	refused := fmt.Errorf("%w: continue token is not of this query: repeat the query without continue", ErrInvalid)
	var t token
	decoded, err := base64.RawURLEncoding.DecodeString(p.Continue)
	if err != nil || json.Unmarshal(decoded, &t) != nil || t.Question != question || len(t.Key) != len(key) {
		return false, refused
	}
	for i, part := range t.Key {
		if json.Unmarshal(part, key[i]) != nil { //nolint:gosec // both have the same length
			return false, refused
		}
	}
	return true, nil
}

// question is a hash of the query without its page.
func question(parts ...any) string {
	encoded, err := json.Marshal(parts)
	if err != nil {
		encoded = fmt.Append(nil, parts...)
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:8])
}

// pageOf returns a page of the rows that were read.
func pageOf[T any](rows []T, limit int, question string, key func(T) []any) (*Page[T], error) {
	if len(rows) < limit {
		return &Page[T]{Items: rows}, nil
	}
	rows = rows[:limit-1]
	t := token{Question: question}
	for _, part := range key(rows[len(rows)-1]) {
		encoded, err := json.Marshal(part)
		if err != nil {
			return nil, err
		}
		t.Key = append(t.Key, encoded)
	}
	encoded, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return &Page[T]{Items: rows, Continue: base64.RawURLEncoding.EncodeToString(encoded)}, nil
}
