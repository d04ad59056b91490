// SPDX-License-Identifier: Apache-2.0

// Package policy has the flags by which an operator limits what Images may ask for.
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

// Flags are what the flags say. The zero value allows everything but Kueue.
type Flags struct {
	kueue                         bool
	logBytes                      string
	logRetention, recordRetention time.Duration
	history                       int32
	parametersBytes               int
}

// AddTo adds the flags.
func (f *Flags) AddTo(flags *pflag.FlagSet) {
	flags.BoolVar(&f.kueue, "kueue", false, "allow spec.template.queueName: Kueue runs in the cluster and admits the Jobs of such builds, whatever --max-builds is")
	flags.StringVar(&f.logBytes, maxLogBytes, "", "the largest spec.history.logMaxBytes, such as 256Mi; every Image has to set it then if that is less than the default of 1Gi; no limit by default")
	duration.Var(flags, &f.logRetention, maxLogRetention, 0, "the longest spec.history.logRetention, such as 30d, which every Image then has to set; 0 is no limit")
	duration.Var(flags, &f.recordRetention, maxRecordRetention, 0, "the longest spec.history.recordRetention, which every Image then has to set; 0 is no limit")
	flags.Int32Var(&f.history, maxHistory, 0, "the largest spec.history.succeeded and spec.history.failed, which every Image has to set then if that is less than the default of 3; 0 is no limit but the 1000 of the API")
	flags.IntVar(&f.parametersBytes, maxParametersBytes, 0, "how many bytes of JSON the parameters of an Image or a build may have; 0 is no limit but the 64 KiB of the API")
}

// Read returns the policy, or says which flag makes no sense.
func (f *Flags) Read() (apiserver.Policy, error) {
	policy := apiserver.Policy{
		Kueue: f.kueue, MaxLogRetention: f.logRetention, MaxRecordRetention: f.recordRetention, MaxHistory: f.history, MaxParametersBytes: f.parametersBytes,
	}
	var errs []error
	if f.logBytes != "" {
		size, err := resource.ParseQuantity(f.logBytes)
		if err != nil {
			errs = append(errs, fmt.Errorf("--%s: %q: %w", maxLogBytes, f.logBytes, err))
		}
		policy.MaxLogBytes = size.Value()
	}
	for name, value := range map[string]int64{
		maxLogBytes: policy.MaxLogBytes, maxLogRetention: int64(f.logRetention), maxRecordRetention: int64(f.recordRetention),
		maxHistory: int64(f.history), maxParametersBytes: int64(f.parametersBytes),
	} {
		if value < 0 {
			errs = append(errs, fmt.Errorf("--%s must be 0, which is no limit, or more", name))
		}
	}
	return policy, errors.Join(errs...)
}
