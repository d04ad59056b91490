// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"encoding/json"
	"fmt"
	"os"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/result"
)

// Reasons of failures before the builder runs, too.
const (
	// ReasonMirror means that a mirror cannot be reached, or that what it sends is not whole.
	ReasonMirror = "MirrorUnavailable"
	// ReasonDiskFull means that the disk on which the builder works is full.
	ReasonDiskFull = "DiskFull"
	// ReasonToolsMissing means that the machine lacks programs.
	ReasonToolsMissing = "ToolsMissing"
)

// WriteResult writes the result of a builder into the file that $GOLDSMITH_RESULT names: in place, because in a cluster it is a mount.
func WriteResult(path string, said result.Result) error {
	text, err := json.Marshal(said)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}

// failure is why a build fails. Any other error is a bug of the builder, or a fault of its machine.
type failure struct{ result.Failure }

func (f *failure) Error() string { return f.Reason + ": " + f.Message }

// refuse returns a failure that the user of the image can correct.
func refuse(reason, format string, args ...any) error {
	return &failure{result.Failure{Reason: reason, Message: fmt.Sprintf(format, args...)}}
}

// misconfigured returns a failure that the operator can correct.
func misconfigured(reason, format string, args ...any) error {
	return &failure{result.Failure{Reason: reason, Message: fmt.Sprintf(format, args...), Class: v1alpha1.FailureConfig}}
}

// unavailable returns a failure for which another attempt can help.
func unavailable(reason, format string, args ...any) error {
	return &failure{result.Failure{Reason: reason, Message: fmt.Sprintf(format, args...), Retryable: true}}
}
