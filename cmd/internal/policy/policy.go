// SPDX-License-Identifier: Apache-2.0

// Package policy has the flags with which an operator limits the fields of Images.
package policy

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"goldsmith.dev/goldsmith/apiserver"
	"goldsmith.dev/goldsmith/cmd/internal/duration"
)

const (
	maxLogBytes        = "max-log-bytes"
	maxLogRetention    = "max-log-retention"
	maxRecordRetention = "max-record-retention"
	maxHistory         = "max-history"
	maxParametersBytes = "max-parameters-bytes"
)

// Flags are the values of the flags. The zero value allows everything but Kueue.
type Flags struct {
	kueue                         bool
	logBytes                      string
	logRetention, recordRetention time.Duration
	history                       int32
	parametersBytes               int
}

// AddTo adds the flags.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.BoolVar(&f.kueue, "kueue", false, "support for spec.template.queueName: Kueue runs in the cluster, and admits the Jobs of such builds regardless of --max-builds")
	flags.StringVar(&f.logBytes, maxLogBytes, "", "maximum of spec.history.logMaxBytes, such as 256Mi; a maximum below the default of 1Gi requires the field in every Image; default: no limit")
	duration.Var(flags, &f.logRetention, maxLogRetention, 0, "maximum of spec.history.logRetention, such as 30d; requires the field in every Image; 0 is no limit")
	duration.Var(flags, &f.recordRetention, maxRecordRetention, 0, "maximum of spec.history.recordRetention, such as 30d; requires the field in every Image; 0 is no limit")
	flags.Int32Var(&f.history, maxHistory, 0, "maximum of spec.history.succeeded and spec.history.failed; a maximum below the default of 3 requires both fields in every Image; 0 is the limit of the API, 1000")
	flags.IntVar(&f.parametersBytes, maxParametersBytes, 0, "maximum size of the parameters of an Image or a build, in bytes of JSON; 0 is the limit of the API, 64 KiB")
}

// Read returns the policy, or an error that names each invalid flag.
func (f *Flags) Read() (apiserver.Policy, error) {
	policy := apiserver.Policy{
		Kueue: f.kueue, MaxLogRetention: f.logRetention, MaxRecordRetention: f.recordRetention, MaxHistory: f.history, MaxParametersBytes: f.parametersBytes,
	}
	var errs []error
	if f.logBytes != "" {
		size, err := resource.ParseQuantity(f.logBytes)
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s %q: must be a quantity of bytes, such as 256Mi", maxLogBytes, f.logBytes))
		}
		policy.MaxLogBytes = size.Value()
	}
	for name, value := range map[string]int64{
		maxLogBytes: policy.MaxLogBytes, maxLogRetention: int64(f.logRetention), maxRecordRetention: int64(f.recordRetention),
		maxHistory: int64(f.history), maxParametersBytes: int64(f.parametersBytes),
	} {
		if value < 0 {
			errs = append(errs, fmt.Errorf("--%s must be 0 (no limit) or greater", name))
		}
	}
	return policy, errors.Join(errs...)
}
