// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ImageTest is a test of one artifact of a build. It has boot, with or without checks and goss, or runner.
type ImageTest struct {
	// name is the name of the test, a DNS label of at most 63 characters. It is unique among the tests of the Image.
	// +required
	// +k8s:required
	// +k8s:format=k8s-short-name
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// target is the platform and the format of the artifact that is tested, joined by a slash, such as linux/amd64/raw. A test with
	// boot needs raw or qcow2 for amd64. Without target, the first target of format qcow2 for amd64 is tested, or else the first of format raw. A
	// test with runner then tests the first target.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=128
	Target string `json:"target,omitempty" protobuf:"bytes,2,opt,name=target"`
	// boot boots the artifact in a virtual machine. The test passes if the guest reaches boot.until, no unit of systemd has failed, and all
	// checks and goss pass. Tests with the same target and the same boot share one boot.
	// +optional
	// +k8s:optional
	Boot *TestBoot `json:"boot,omitempty" protobuf:"bytes,3,opt,name=boot"`
	// checks lists what is checked in the guest once it has reached boot.until. It needs boot. Defaults to none.
	// +optional
	// +k8s:optional
	Checks *TestChecks `json:"checks,omitempty" protobuf:"bytes,4,opt,name=checks"`
	// goss is the name of a file of source, in YAML, that the program goss validates in the guest. It needs boot. Defaults to none.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=3071
	Goss string `json:"goss,omitempty" protobuf:"bytes,5,opt,name=goss"`
	// runner selects a registered builder that tests the artifact instead of Goldsmith. A test has either boot or runner.
	// +optional
	// +k8s:optional
	Runner *TestRunner `json:"runner,omitempty" protobuf:"bytes,6,opt,name=runner"`
	// required is whether the build fails if the test does not pass. The result of a test that is not required is only reported. Defaults to true.
	// +optional
	Required *bool `json:"required,omitempty" protobuf:"varint,7,opt,name=required"`
	// timeout is the longest time that the test can take, counted from the start of its virtual machine or its runner. It is four times as long
	// if the machine emulates the processor. 10s to 24h. Defaults to 5m.
	// +optional
	Timeout *Duration `json:"timeout,omitempty" protobuf:"bytes,8,opt,name=timeout"`
	// flaky runs a test that failed again at once. Defaults to none.
	// +optional
	// +k8s:optional
	Flaky *FlakyTest `json:"flaky,omitempty" protobuf:"bytes,9,opt,name=flaky"`
	// quarantine lets the test run without an effect on builds until a time. Defaults to none.
	// +optional
	// +k8s:optional
	Quarantine *TestQuarantine `json:"quarantine,omitempty" protobuf:"bytes,10,opt,name=quarantine"`
}

// TestFirmware is the firmware of a virtual machine.
// +enum
// +k8s:enum
type TestFirmware string

const (
	// TestFirmwareBIOS is the BIOS of a PC.
	TestFirmwareBIOS TestFirmware = "bios"
	// TestFirmwareUEFI is UEFI without Secure Boot.
	TestFirmwareUEFI TestFirmware = "uefi"
	// TestFirmwareSecureBoot is UEFI that enforces Secure Boot with the keys of Microsoft.
	TestFirmwareSecureBoot TestFirmware = "secureboot"
)

// TestNetwork is what a guest reaches.
// +enum
// +k8s:enum
type TestNetwork string

const (
	// TestNetworkClosed means that the guest has a network in which it reaches nothing.
	TestNetworkClosed TestNetwork = "Closed"
	// TestNetworkOpen means that the guest reaches what the pod of the test reaches.
	TestNetworkOpen TestNetwork = "Open"
)

// TestBoot is a virtual machine that boots an artifact.
type TestBoot struct {
	// firmware is bios, uefi or secureboot. Defaults to bios.
	// +optional
	// +k8s:optional
	Firmware TestFirmware `json:"firmware,omitempty" protobuf:"bytes,1,opt,name=firmware,casttype=TestFirmware"`
	// until is what the guest must reach: a target of systemd such as multi-user.target, or login for a login prompt on its serial console. A
	// target, checks and goss need systemd 256 or later in the guest. Defaults to multi-user.target.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=255
	Until string `json:"until,omitempty" protobuf:"bytes,2,opt,name=until"`
	// allowFailedUnits lists units of systemd that may have failed. At most 32. Defaults to none. With until login, failed units are not looked at.
	// +optional
	// +listType=set
	// +k8s:listType=set
	// +k8s:optional
	// +k8s:maxItems=32
	AllowFailedUnits []string `json:"allowFailedUnits,omitempty" protobuf:"bytes,3,rep,name=allowFailedUnits"`
	// memory is the memory of the guest. 64Mi to 64Gi. Defaults to 1Gi.
	// +optional
	Memory *Quantity `json:"memory,omitempty" protobuf:"bytes,4,opt,name=memory"`
	// network is Closed or Open. Checks of ports work with both. Defaults to Closed.
	// +optional
	// +k8s:optional
	Network TestNetwork `json:"network,omitempty" protobuf:"bytes,5,opt,name=network,casttype=TestNetwork"`
}

// TestChecks lists what is checked in a guest. At least one check.
type TestChecks struct {
	// units lists units of systemd that must be active. At most 64.
	// +optional
	// +listType=set
	// +k8s:listType=set
	// +k8s:optional
	// +k8s:maxItems=64
	Units []string `json:"units,omitempty" protobuf:"bytes,1,rep,name=units"`
	// ports lists TCP ports on which the guest must accept connections from its network. At most 32.
	// +optional
	// +patchMergeKey=port
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=port
	// +k8s:optional
	// +k8s:maxItems=32
	Ports []PortCheck `json:"ports,omitempty" patchStrategy:"merge" patchMergeKey:"port" protobuf:"bytes,2,rep,name=ports"`
	// commands lists commands that must succeed. At most 64.
	// +optional
	// +listType=atomic
	// +k8s:optional
	// +k8s:maxItems=64
	Commands []CommandCheck `json:"commands,omitempty" protobuf:"bytes,3,rep,name=commands"`
	// files lists files that must exist. At most 64.
	// +optional
	// +patchMergeKey=path
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=path
	// +k8s:optional
	// +k8s:maxItems=64
	Files []FileCheck `json:"files,omitempty" patchStrategy:"merge" patchMergeKey:"path" protobuf:"bytes,4,rep,name=files"`
}

// PortCheck checks a TCP port of a guest.
type PortCheck struct {
	// port is the number of the port. 1 to 65535.
	// +required
	// +k8s:required
	// +k8s:minimum=1
	// +k8s:maximum=65535
	Port int32 `json:"port" protobuf:"varint,1,opt,name=port"`
	// http sends an HTTP request to the port. Without http, the port must only accept a connection. Defaults to none.
	// +optional
	// +k8s:optional
	HTTP *HTTPCheck `json:"http,omitempty" protobuf:"bytes,2,opt,name=http"`
}

// HTTPCheck is a GET request and what its answer must be. Redirects are not followed.
type HTTPCheck struct {
	// path is the path of the request, with an optional query. It begins with a slash. At most 1024 printable characters. Defaults to /.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Path string `json:"path,omitempty" protobuf:"bytes,1,opt,name=path"`
	// status is the status code of the answer. 100 to 599. Defaults to 200.
	// +optional
	// +k8s:optional
	// +k8s:minimum=100
	// +k8s:maximum=599
	Status *int32 `json:"status,omitempty" protobuf:"varint,2,opt,name=status"`
	// body is a text that the first MiB of the answer must contain. At most 1024 bytes. Defaults to none.
	// +optional
	// +k8s:optional
	// +k8s:maxBytes=1024
	Body string `json:"body,omitempty" protobuf:"bytes,3,opt,name=body"`
}

// CommandCheck runs a command in a guest, as root, with /bin/sh -c.
type CommandCheck struct {
	// run is the command. 1 to 4096 bytes, without NUL.
	// +required
	// +k8s:required
	// +k8s:maxBytes=4096
	Run string `json:"run" protobuf:"bytes,1,opt,name=run"`
	// exitCode is the exit code that the command must have. 0 to 255. Defaults to 0.
	// +optional
	// +k8s:optional
	// +k8s:minimum=0
	// +k8s:maximum=255
	ExitCode *int32 `json:"exitCode,omitempty" protobuf:"varint,2,opt,name=exitCode"`
	// contains is a text that the first MiB of the output of the command must contain. At most 1024 bytes. Defaults to none.
	// +optional
	// +k8s:optional
	// +k8s:maxBytes=1024
	Contains string `json:"contains,omitempty" protobuf:"bytes,3,opt,name=contains"`
}

// FileCheck checks a file of a guest.
type FileCheck struct {
	// path is the absolute path of the file, or of a directory. At most 4095 bytes, without NUL.
	// +required
	// +k8s:required
	// +k8s:maxBytes=4095
	Path string `json:"path" protobuf:"bytes,1,opt,name=path"`
	// contains is a text that a line of the file must contain. At most 1024 bytes. Defaults to none.
	// +optional
	// +k8s:optional
	// +k8s:maxBytes=1024
	Contains string `json:"contains,omitempty" protobuf:"bytes,2,opt,name=contains"`
}

// TestRunner selects what runs a test.
type TestRunner struct {
	// name is the name of a registered builder, a DNS label of at most 63 characters. It gets the artifact as the artifact of its base, and
	// the test in its input.
	// +required
	// +k8s:required
	// +k8s:format=k8s-short-name
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
}

// FlakyTest runs a failed test again.
type FlakyTest struct {
	// attempts is how often the test runs at most, until it passes. A test that passes after a failure has the outcome Flaky. 2 to 5.
	// +required
	// +k8s:required
	// +k8s:minimum=2
	// +k8s:maximum=5
	Attempts int32 `json:"attempts" protobuf:"varint,1,opt,name=attempts"`
}

// TestQuarantine lets a test run without an effect on builds.
type TestQuarantine struct {
	// until is the end of the quarantine. Builds that are created later need the test again.
	// +required
	Until metav1.Time `json:"until" protobuf:"bytes,1,opt,name=until"`
	// reason tells why. One line of at most 1024 printable characters. Defaults to none.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Reason string `json:"reason,omitempty" protobuf:"bytes,2,opt,name=reason"`
}

// TestedBuild identifies an earlier build whose artifacts another build tests.
type TestedBuild struct {
	// name is the name of the earlier build, a DNS label of at most 63 characters.
	// +required
	// +k8s:required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// uid is the UID of the earlier build. At most 128 characters.
	// +required
	// +k8s:required
	// +k8s:maxLength=128
	UID types.UID `json:"uid" protobuf:"bytes,2,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`
	// artifacts lists the artifacts of the earlier build, which become those of the other build. 1 to 16.
	// +required
	// +patchMergeKey=target
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=target
	// +k8s:required
	// +k8s:maxItems=16
	Artifacts []Artifact `json:"artifacts" patchStrategy:"merge" patchMergeKey:"target" protobuf:"bytes,3,rep,name=artifacts"`
	// attested is whether the condition Attested of the earlier build was True. The server sets it.
	// +optional
	Attested bool `json:"attested,omitempty" protobuf:"varint,4,opt,name=attested"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// TestRequest requests a new build that tests the artifacts of an earlier build again, with the tests that the Image has now. Users create a
// TestRequest at the tests subresource of the earlier build, which returns the new ImageBuild. The earlier build must have finished with artifacts,
// and the Image must still exist. The new build is one-off, unless it runs all tests, and its artifacts are those of the newest build of the
// present inputs.
type TestRequest struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name and the uid are optional. If they are set, they must be those of the build.
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// requestID is the requester's ID for this request. It has the form and the effect of requestID of a BuildRequest.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=128
	RequestID string `json:"requestID,omitempty" protobuf:"bytes,2,opt,name=requestID"`
	// message explains the request for a human reader. One line of at most 1024 printable characters.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=1024
	Message string `json:"message,omitempty" protobuf:"bytes,3,opt,name=message"`
	// tests lists the names of the tests to run. At most 16. Defaults to all tests of the Image.
	// +optional
	// +listType=set
	// +k8s:listType=set
	// +k8s:optional
	// +k8s:maxItems=16
	Tests []string `json:"tests,omitempty" protobuf:"bytes,4,rep,name=tests"`
}

// TestOutcome is the result of a test.
// +enum
type TestOutcome string

const (
	// TestPassed means that the test passed at its first run.
	TestPassed TestOutcome = "Passed"
	// TestFlaky means that the test passed after at least one run had failed.
	TestFlaky TestOutcome = "Flaky"
	// TestFailed means that the artifact does not have what the test requires.
	TestFailed TestOutcome = "Failed"
	// TestError means that the test could not be run to its end, so that nothing is known about the artifact.
	TestError TestOutcome = "Error"
)

// Passed reports whether the artifact has what the test requires.
func (o TestOutcome) Passed() bool { return o == TestPassed || o == TestFlaky }

// TestStatus is the result of a test of a build.
type TestStatus struct {
	// name is the name of the test.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// target is the platform and the format of the artifact that was tested.
	// +required
	Target string `json:"target" protobuf:"bytes,2,opt,name=target"`
	// gates is true if the build can succeed only with a test that has passed: the test is required, and was not in quarantine when the build was
	// created.
	// +optional
	Gates bool `json:"gates,omitempty" protobuf:"varint,3,opt,name=gates"`
	// outcome is Passed, Flaky, Failed or Error. It is empty until the test has ended.
	// +optional
	Outcome TestOutcome `json:"outcome,omitempty" protobuf:"bytes,4,opt,name=outcome,casttype=TestOutcome"`
	// attempt is the number of the attempt of the build that ran the test, whose log has the lines of the test. It is 0 before.
	// +optional
	Attempt int32 `json:"attempt,omitempty" protobuf:"varint,5,opt,name=attempt"`
	// runs is how often the test ran in this attempt.
	// +optional
	Runs int32 `json:"runs,omitempty" protobuf:"varint,6,opt,name=runs"`
	// duration is how long the test ran, all runs together.
	// +optional
	Duration *metav1.Duration `json:"duration,omitempty" protobuf:"bytes,7,opt,name=duration"`
	// passed is the number of checks that passed in the last run. The boot itself is one.
	// +optional
	Passed int32 `json:"passed,omitempty" protobuf:"varint,8,opt,name=passed"`
	// failed is the number of checks that failed in the last run.
	// +optional
	Failed int32 `json:"failed,omitempty" protobuf:"varint,9,opt,name=failed"`
	// message tells why the test did not pass: the first check that failed, what it found, and the last line of the console where that helps. At
	// most 512 bytes.
	// +optional
	Message string `json:"message,omitempty" protobuf:"bytes,10,opt,name=message"`
	// report is the report about the tests of the attempt, as JUnit XML. It is empty if the attempt left none.
	// +optional
	Report *ArtifactDocument `json:"report,omitempty" protobuf:"bytes,11,opt,name=report"`
}
