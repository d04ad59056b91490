// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// cast is a recording of a terminal: https://docs.asciinema.org/manual/asciicast/v2
type cast struct {
	header
	events []event
}

type header struct {
	Version int    `json:"version"`
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	Title   string `json:"title"`
}

// event is output of the programs in the terminal. The last event of a cast is empty: its time is the end.
type event struct {
	seconds float64
	output  string
}

func (c cast) marshal() ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out) // ends each value with a newline
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(c.header); err != nil {
		return nil, fmt.Errorf("encode header: %w", err)
	}
	for i, e := range c.events {
		if err := encoder.Encode([]any{e.seconds, "o", e.output}); err != nil {
			return nil, fmt.Errorf("encode event %d: %w", i, err)
		}
	}
	return out.Bytes(), nil
}

func parseCast(text []byte) (cast, error) {
	var parsed cast
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&parsed.header); err != nil {
		return cast{}, fmt.Errorf("decode header: %w", err)
	}
	if parsed.Version != 2 || parsed.Width < 1 || parsed.Height < 1 {
		return cast{}, fmt.Errorf("decode header: version %d, size %dx%d", parsed.Version, parsed.Width, parsed.Height)
	}
	for {
		var e event
		var kind string
		if err := decoder.Decode(&[]any{&e.seconds, &kind, &e.output}); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return cast{}, fmt.Errorf("decode event %d: %w", len(parsed.events), err)
		}
		if kind == "o" {
			parsed.events = append(parsed.events, e)
		}
	}
	if len(parsed.events) == 0 {
		return cast{}, errors.New("the cast has no events")
	}
	return parsed, nil
}
