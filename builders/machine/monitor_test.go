// SPDX-License-Identifier: Apache-2.0

package machine

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

func TestTheMonitorTellsWhatTheGuestAccepts(t *testing.T) {
	const greeting, ready = `{"QMP": {"version": {}, "capabilities": ["oob"]}}`, `{"return": {}}`
	connection := func(state, port string) string {
		shown, _ := json.Marshal("Hub -1 (network):\r\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r\n" +
			"  TCP[" + state + "]      9       127.0.0.1 " + port + "       10.0.2.15    80     0     0\r\n  TCP[HOST_FORWARD]   3       127.0.0.1 40000       10.0.2.15    80     0     0\r\n")
		return `{"event": "NIC_RX_FILTER_CHANGED"}{"return": ` + string(shown) + `}`
	}
	for name, test := range map[string]struct {
		answers string
		want    bool
		fails   string
	}{
		"accepted":                {greeting + ready + connection("ESTABLISHED", "40000"), true, ""},
		"not answered":            {greeting + ready + connection("SYN_SENT", "40000"), false, ""},
		"accepted by another":     {greeting + ready + connection("ESTABLISHED", "40001"), false, ""},
		"a command that is wrong": {greeting + `{"error": {"class": "CommandNotFound"}}`, false, "CommandNotFound"},
		"an answer of another":    {greeting + ready + ready, false, "read the connections of QEMU"},
		"QEMU has ended":          {greeting, false, "ask QEMU: EOF"},
	} {
		var asked bytes.Buffer
		monitor := NewMonitor(struct {
			io.Reader
			io.Writer
		}{strings.NewReader(test.answers), &asked})
		got, err := monitor.Accepted(40000)
		if got != test.want || (err == nil) != (test.fails == "") || err != nil && !strings.Contains(err.Error(), test.fails) {
			t.Errorf("%s: got %t, error %v", name, got, err)
		}
		if first, _, _ := strings.Cut(asked.String(), "\n"); first != `{"execute": "qmp_capabilities"}` {
			t.Errorf("%s: asked %s", name, &asked)
		}
	}
}
