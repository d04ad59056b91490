// SPDX-License-Identifier: Apache-2.0

//go:build linux

package debian

import (
	"encoding/json"
	"fmt"
	"os"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/result"
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

// fail returns a failure with one of the Reasons.
func fail(reason, format string, args ...any) error {
	return &failure{*NewFailure(reason, v1alpha1.HidePasswords(fmt.Sprintf(format, args...)))}
}
