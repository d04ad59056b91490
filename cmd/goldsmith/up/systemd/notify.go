// SPDX-License-Identifier: Apache-2.0

// Package systemd tells the service manager the state of a service, and writes logs for the journal. Without a service manager it does
// nothing. It must never pass the socket of the service manager to another process.
package systemd

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
)

// Notifier sends states as sd_notify does. The zero value sends nothing. It is safe for concurrent use.
type Notifier struct{ socket string }

// NewNotifier takes the socket from $NOTIFY_SOCKET. It unsets the variable, because neither builders nor the library of API servers,
// which reports that it is ready before the controllers are, may use the socket.
func NewNotifier() Notifier {
	socket := os.Getenv("NOTIFY_SOCKET")
	_ = os.Unsetenv("NOTIFY_SOCKET") // never fails on Linux
	return Notifier{socket: socket}
}

// Ready reports that the service serves, also after Reloading.
func (n Notifier) Ready(status string) { n.send("READY=1", "STATUS="+oneLine(status)) }

// Status reports a line for users.
func (n Notifier) Status(status string) { n.send("STATUS=" + oneLine(status)) }

// Stopping reports that the service stops.
func (n Notifier) Stopping(status string) { n.send("STOPPING=1", "STATUS="+oneLine(status)) }

// Reloading reports that the service reads its configuration again, until Ready.
func (n Notifier) Reloading() {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return // never on Linux
	}
	n.send("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", now.Nano()/1000), "STATUS=reloading")
}

// ExtendUntil asks for more time to start, again and again until ctx is done.
func (n Notifier) ExtendUntil(ctx context.Context) {
	const interval = 10 * time.Second
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for ctx.Err() == nil && n.socket != "" {
		n.send(fmt.Sprintf("EXTEND_TIMEOUT_USEC=%d", (6 * interval).Microseconds()))
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

func (n Notifier) send(assignments ...string) {
	if n.socket == "" {
		return
	}
	connection, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err == nil {
		err = connection.SetWriteDeadline(time.Now().Add(time.Second)) // a manager that does not read delays nothing
		if err == nil {
			_, err = connection.Write([]byte(strings.Join(assignments, "\n")))
		}
		_ = connection.Close() // the datagram is sent, or err is set
	}
	if err != nil {
		klog.Background().Error(err, "Cannot notify the service manager", "state", assignments[0])
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
