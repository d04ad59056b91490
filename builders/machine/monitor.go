// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"sync"
)

// Monitor asks QEMU about its guest. The guest cannot reach it.
type Monitor struct {
	mu     sync.Mutex
	to     io.Writer
	from   *json.Decoder
	opened bool
}

// NewMonitor returns a monitor for the other end of Files.Monitor.
func NewMonitor(socket io.ReadWriter) *Monitor {
	return &Monitor{to: socket, from: json.NewDecoder(socket)}
}

// connections matches the lines of `info usernet` for connections that the guest has accepted. The third word is the port of Port.Host.
var connections = regexp.MustCompile(`(?m)^\s*TCP\[ESTABLISHED\]\s+\d+\s+\S+\s+(\d+)\s`)

// Accepted reports whether the guest has accepted a connection to a port of 127.0.0.1 that leads to it. QEMU accepts each such connection at once,
// before it knows whether the guest does.
func (m *Monitor) Accepted(port int) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.opened {
		if _, err := m.execute(`{"execute": "qmp_capabilities"}`); err != nil {
			return false, err
		}
		m.opened = true
	}
	text, err := m.execute(`{"execute": "human-monitor-command", "arguments": {"command-line": "info usernet"}}`)
	if err != nil {
		return false, err
	}
	shown := ""
	if err := json.Unmarshal(text, &shown); err != nil {
		return false, fmt.Errorf("read the connections of QEMU: %w", err)
	}
	for _, found := range connections.FindAllStringSubmatch(shown, -1) {
		if found[1] == strconv.Itoa(port) {
			return true, nil
		}
	}
	return false, nil
}

// execute executes a command of the QEMU Machine Protocol. Events, and the greeting, come between.
func (m *Monitor) execute(command string) (json.RawMessage, error) {
	if _, err := io.WriteString(m.to, command+"\n"); err != nil {
		return nil, fmt.Errorf("ask QEMU: %w", err)
	}
	for {
		answer := struct{ Return, Error json.RawMessage }{}
		switch err := m.from.Decode(&answer); {
		case err != nil:
			return nil, fmt.Errorf("ask QEMU: %w", err)
		case answer.Error != nil:
			return nil, fmt.Errorf("ask QEMU: %s", answer.Error)
		case answer.Return != nil:
			return answer.Return, nil
		}
	}
}
