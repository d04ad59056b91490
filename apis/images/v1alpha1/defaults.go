// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Defaults of the fields they are named after.
const (
	DefaultQueueTimeout     = 24 * time.Hour
	DefaultStartTimeout     = 10 * time.Minute
	DefaultRunTimeout       = time.Hour
	DefaultRetryLimit       = 2
	DefaultBackoffInitial   = 10 * time.Second
	DefaultBackoffMax       = 5 * time.Minute
	DefaultHistorySucceeded = 3
	DefaultHistoryFailed    = 3
	DefaultLogMaxBytes      = 1 << 30
	DefaultFileRetention    = 90 * 24 * time.Hour
	DefaultMaxFailures      = 5
	DefaultTimeZone         = "UTC"
	DefaultTagTemplate      = "{build}"
	DefaultTestTimeout      = 5 * time.Minute
	DefaultTestMemory       = 1 << 30
	DefaultTestUntil        = "multi-user.target"
	DefaultHTTPStatus       = 200
)

// SetDefaults_ImageSpec makes every default of an Image visible in the object.
func SetDefaults_ImageSpec(spec *ImageSpec) {
	if spec.Triggers == nil {
		spec.Triggers = &Triggers{}
	}
	if spec.RunPolicy == "" {
		spec.RunPolicy = RunPolicySerial
	}
	setDefault(&spec.Suspend, false)
	if spec.Timeouts == nil {
		spec.Timeouts = &BuildTimeouts{}
	}
	if spec.Retry == nil {
		spec.Retry = &RetryPolicy{}
	}
	if spec.History == nil {
		spec.History = &HistoryLimits{}
	}
}

// SetDefaults_ImageBuildSpec makes every default of an ImageBuild visible in the object.
func SetDefaults_ImageBuildSpec(spec *ImageBuildSpec) {
	if spec.Timeouts == nil {
		spec.Timeouts = &BuildTimeouts{}
	}
	if spec.Retry == nil {
		spec.Retry = &RetryPolicy{}
	}
}

// SetDefaults_ImageKindSpec makes the defaults of an ImageKind visible in the object.
func SetDefaults_ImageKindSpec(spec *ImageKindSpec) {
	if spec.OnDelete == "" {
		spec.OnDelete = ImageKindWait
	}
	if spec.DirectWrites == "" {
		spec.DirectWrites = ImageKindEnforce
	}
}

// SetDefaults_Output sets tagTemplate.
func SetDefaults_Output(output *Output) {
	if output.TagTemplate == "" {
		output.TagTemplate = DefaultTagTemplate
	}
}

// SetDefaults_ImageTest sets required and timeout.
func SetDefaults_ImageTest(test *ImageTest) {
	setDefault(&test.Required, true)
	setDefault(&test.Timeout, Duration{Duration: DefaultTestTimeout})
}

// SetDefaults_ChannelRule sets promote.
func SetDefaults_ChannelRule(rule *ChannelRule) {
	if rule.Promote == "" {
		rule.Promote = PromoteManual
	}
}

// SetDefaults_TestBoot sets firmware, until, memory and network.
func SetDefaults_TestBoot(boot *TestBoot) {
	if boot.Firmware == "" {
		boot.Firmware = TestFirmwareBIOS
	}
	if boot.Until == "" {
		boot.Until = DefaultTestUntil
	}
	setDefault(&boot.Memory, NewQuantity(*resource.NewQuantity(DefaultTestMemory, resource.BinarySI)))
	if boot.Network == "" {
		boot.Network = TestNetworkClosed
	}
}

// SetDefaults_HTTPCheck sets path and status.
func SetDefaults_HTTPCheck(check *HTTPCheck) {
	if check.Path == "" {
		check.Path = "/"
	}
	setDefault(&check.Status, DefaultHTTPStatus)
}

// SetDefaults_CommandCheck sets exitCode.
func SetDefaults_CommandCheck(check *CommandCheck) {
	setDefault(&check.ExitCode, 0)
}

// SetDefaults_Triggers sets everything but the schedule.
func SetDefaults_Triggers(triggers *Triggers) {
	setDefault(&triggers.OnSpecChange, true)
	setDefault(&triggers.OnBaseChange, true)
	setDefault(&triggers.OnSourceChange, true)
	setDefault(&triggers.DisableAfterFailures, DefaultMaxFailures)
}

// SetDefaults_Schedule sets the time zone, the mode and the jitter.
func SetDefaults_Schedule(schedule *Schedule) {
	if schedule.TimeZone == "" {
		schedule.TimeZone = DefaultTimeZone
	}
	if schedule.Mode == "" {
		schedule.Mode = ScheduleAlways
	}
	setDefault(&schedule.Jitter, Duration{})
}

// SetDefaults_PackageTrigger sets the mode and the minimum age.
func SetDefaults_PackageTrigger(trigger *PackageTrigger) {
	if trigger.Mode == "" {
		trigger.Mode = PackagesSecurity
	}
	setDefault(&trigger.MinimumAge, Duration{})
}

// SetDefaults_TriggerWindow sets the time zone.
func SetDefaults_TriggerWindow(window *TriggerWindow) {
	if window.TimeZone == "" {
		window.TimeZone = DefaultTimeZone
	}
}

// SetDefaults_BuildTimeouts sets queue, start and run.
func SetDefaults_BuildTimeouts(timeouts *BuildTimeouts) {
	setDefault(&timeouts.Queue, Duration{Duration: DefaultQueueTimeout})
	setDefault(&timeouts.Start, Duration{Duration: DefaultStartTimeout})
	setDefault(&timeouts.Run, Duration{Duration: DefaultRunTimeout})
}

// SetDefaults_RetryPolicy sets limit, classes and backoff.
func SetDefaults_RetryPolicy(retry *RetryPolicy) {
	setDefault(&retry.Limit, DefaultRetryLimit)
	if len(retry.Classes) == 0 {
		retry.Classes = []FailureClass{FailureInfrastructure, FailureRegistry}
	}
	if retry.Backoff == nil {
		retry.Backoff = &Backoff{}
	}
}

// SetDefaults_Backoff sets initial and max.
func SetDefaults_Backoff(backoff *Backoff) {
	setDefault(&backoff.Initial, Duration{Duration: DefaultBackoffInitial})
	setDefault(&backoff.Max, Duration{Duration: max(DefaultBackoffMax, backoff.Initial.Duration)})
}

// SetDefaults_HistoryLimits sets succeeded, failed, logMaxBytes and fileRetention.
func SetDefaults_HistoryLimits(history *HistoryLimits) {
	setDefault(&history.Succeeded, DefaultHistorySucceeded)
	setDefault(&history.Failed, DefaultHistoryFailed)
	setDefault(&history.LogMaxBytes, NewQuantity(*resource.NewQuantity(DefaultLogMaxBytes, resource.BinarySI)))
	setDefault(&history.FileRetention, Duration{Duration: DefaultFileRetention, Written: "90d"})
}

// SetDefaults_BuildRequest sets the reason. The request ID is the server's to choose.
func SetDefaults_BuildRequest(request *BuildRequest) {
	if request.Reason == "" {
		request.Reason = TriggerManual
	}
}

func setDefault[T any](field **T, value T) {
	if *field == nil {
		*field = &value
	}
}
