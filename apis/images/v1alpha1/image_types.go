// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// +genclient
// +genclient:method=Instantiate,verb=create,subresource=instantiate,input=BuildRequest,result=ImageBuild
// +genclient:method=GetPlan,verb=get,subresource=plan,result=ImagePlan
// +genclient:method=GetChannels,verb=get,subresource=channels,result=ImageChannels
// +genclient:method=UpdateChannels,verb=update,subresource=channels,input=ImageChannels,result=ImageChannels
// +genclient:method=GetHistory,verb=get,subresource=history,result=ImageHistory
// +genclient:method=GetStats,verb=get,subresource=stats,result=ImageStats
// +genclient:method=GetChanges,verb=get,subresource=changes,result=ImageChanges
// +genclient:method=GetNotes,verb=get,subresource=notes,result=ImageNoteList
// +genclient:method=CreateNote,verb=create,subresource=notes,input=ImageNote,result=ImageNote
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Image declares a golden image that should exist. Goldsmith builds the image whenever its inputs change, and reports
// the result in status. The name is a DNS label of at most 45 characters, so that every name derived from it is a valid
// label value.
type Image struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec describes the image that should exist.
	Spec ImageSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// status reports the observed state of the Image. The controller and the subresources set it. The server ignores it
	// in writes to the Image itself.
	// +optional
	Status ImageStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageList is a list of Images.
type ImageList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items lists the Images.
	Items []Image `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// ImageSpec describes the image that should exist.
type ImageSpec struct {
	// The inputs of a build. A build becomes due when an input, or an object that an input refers to, changes.
	BuildInputs `json:",inline" protobuf:"bytes,1,opt,name=buildInputs"`

	// triggers sets which events start a build without a request. Defaults to the defaults of its fields.
	// +optional
	Triggers *Triggers `json:"triggers,omitempty" protobuf:"bytes,2,opt,name=triggers"`
	// runPolicy sets what happens when a build is due while an earlier build of this Image is unfinished. Serial makes
	// the new build wait until the earlier build has finished. SerialLatestOnly does the same, and cancels older waiting
	// builds with the reason Superseded. A one-off build is never cancelled this way, and never causes such a
	// cancellation. Parallel runs builds at the same time. Defaults to Serial.
	// +optional
	RunPolicy RunPolicy `json:"runPolicy,omitempty" protobuf:"bytes,3,opt,name=runPolicy,casttype=RunPolicy"`
	// suspend stops all triggers while it is true. Existing builds continue, and users can still request builds.
	// Defaults to false.
	// +optional
	Suspend *bool `json:"suspend,omitempty" protobuf:"varint,4,opt,name=suspend"`
	// timeouts limits the duration of each phase of a build. Defaults to the defaults of its fields.
	// +optional
	Timeouts *BuildTimeouts `json:"timeouts,omitempty" protobuf:"bytes,5,opt,name=timeouts"`
	// retry sets which failures are retried, how often, and after which delay. Defaults to the defaults of its fields.
	// +optional
	Retry *RetryPolicy `json:"retry,omitempty" protobuf:"bytes,6,opt,name=retry"`
	// history sets how many finished builds are kept, and for how long. Defaults to the defaults of its fields.
	// +optional
	History *HistoryLimits `json:"history,omitempty" protobuf:"bytes,7,opt,name=history"`
}

// BuildInputs describes what an image is built from.
type BuildInputs struct {
	// builder sets the builder that makes the image.
	Builder Builder `json:"builder" protobuf:"bytes,1,opt,name=builder"`
	// base sets what the image starts from.
	Base Base `json:"base" protobuf:"bytes,2,opt,name=base"`
	// source provides files for the builder, of at most 64 KiB in total. The limit applies to the canonical JSON object
	// of names and contents, without HTML escaping. Defaults to no files.
	// +optional
	Source *Source `json:"source,omitempty" protobuf:"bytes,3,opt,name=source"`
	// parameters lists named values that Goldsmith passes to the builder unchanged. The builder defines their meaning.
	// At most 64 parameters, and 64 KiB in total. The limit in bytes applies to the canonical JSON object of names and
	// values, without HTML escaping. Defaults to none.
	// +optional
	// +listType=map
	// +listMapKey=name
	Parameters []Parameter `json:"parameters,omitempty" protobuf:"bytes,4,rep,name=parameters"`
	// targets lists the artifacts to build, one for each platform and format. 1 to 16 targets. Each combination of
	// platform and format is unique.
	// +listType=map
	// +listMapKey=platform
	// +listMapKey=format
	Targets []Target `json:"targets" protobuf:"bytes,5,rep,name=targets"`
	// template configures the pods of builds: service account, resources, nodes and environment variables. A change of
	// the template makes a build due, except for a change of queueName. Defaults to none.
	// +optional
	Template *BuildTemplate `json:"template,omitempty" protobuf:"bytes,6,opt,name=template"`
}

// Builder selects what makes an image. Exactly one of name and image is set.
type Builder struct {
	// name selects a builder that the operator of the server registered. It is a DNS label of at most 63 characters. The
	// builder "mock" is always registered.
	// +optional
	Name string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	// image is the reference of a container image that follows the builder contract. 1 to 512 characters without spaces.
	// The operator decides whether builders can be set by image. Where that is not allowed, builds fail with
	// BuilderNotAllowed.
	// +optional
	Image string `json:"image,omitempty" protobuf:"bytes,2,opt,name=image"`
	// command replaces the entry point of image. It is only valid together with image. At most 64 elements. Defaults to
	// the entry point of image.
	// +optional
	// +listType=atomic
	Command []string `json:"command,omitempty" protobuf:"bytes,3,rep,name=command"`
}

// Base selects what an image starts from. Exactly one of reference and imageRef is set.
type Base struct {
	// reference names the base in the terms of the builder, such as debian:bookworm. 1 to 512 characters without spaces.
	// +optional
	Reference string `json:"reference,omitempty" protobuf:"bytes,1,opt,name=reference"`
	// imageRef selects another Image of the namespace as the base. The digest of that Image is an input: when it
	// changes, this Image is built again. The server refuses Images that are based on each other in a cycle.
	// +optional
	ImageRef *BaseImageReference `json:"imageRef,omitempty" protobuf:"bytes,2,opt,name=imageRef"`
}

// BaseImageReference selects a build of another Image.
type BaseImageReference struct {
	// name is the name of the Image.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// channel selects the build that this channel of the Image names. It is a DNS label of at most 63 characters.
	// Defaults to empty, which selects the latest successful build of the Image.
	// +optional
	Channel string `json:"channel,omitempty" protobuf:"bytes,2,opt,name=channel"`
}

// Source provides files for the builder. At most one of its fields is set.
type Source struct {
	// inline contains the files themselves.
	// +optional
	Inline *InlineSource `json:"inline,omitempty" protobuf:"bytes,1,opt,name=inline"`
	// configMapRef selects a ConfigMap whose data are the files. The controller copies the files into each build.
	// +optional
	ConfigMapRef *ConfigMapReference `json:"configMapRef,omitempty" protobuf:"bytes,2,opt,name=configMapRef"`
}

// InlineSource contains files.
type InlineSource struct {
	// files maps the name of each file to its content. A name is a relative path of letters, digits, '-', '_', '.' and
	// '/', without the element "..". The content is text. At most 64 KiB in total, as described for source.
	Files map[string]string `json:"files" protobuf:"bytes,1,rep,name=files"`
}

// ConfigMapReference selects a ConfigMap of the same namespace.
type ConfigMapReference struct {
	// name is the name of the ConfigMap, a DNS subdomain of at most 253 characters.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
}

// Parameter is a named value for the builder.
type Parameter struct {
	// name is the name of the parameter. 1 to 63 letters, digits, '-', '_' and '.'.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// value is the value of the parameter, at most 4096 bytes. Defaults to the empty string.
	// +optional
	Value string `json:"value,omitempty" protobuf:"bytes,2,opt,name=value"`
}

// Target is one artifact to build.
type Target struct {
	// platform is os/architecture or os/architecture/variant, such as linux/amd64. Lower case, at most 63 characters.
	Platform string `json:"platform" protobuf:"bytes,1,opt,name=platform"`
	// format is the file format of the artifact: raw, qcow2, vmdk, iso or oci.
	Format ArtifactFormat `json:"format" protobuf:"bytes,2,opt,name=format,casttype=ArtifactFormat"`
}

// ArtifactFormat is the file format of an artifact.
// +enum
type ArtifactFormat string

const (
	// ArtifactFormatRaw is an unformatted disk image, byte for byte.
	ArtifactFormatRaw ArtifactFormat = "raw"
	// ArtifactFormatQCOW2 is a QEMU copy-on-write disk image.
	ArtifactFormatQCOW2 ArtifactFormat = "qcow2"
	// ArtifactFormatVMDK is a VMware disk image.
	ArtifactFormatVMDK ArtifactFormat = "vmdk"
	// ArtifactFormatISO is an ISO 9660 image.
	ArtifactFormatISO ArtifactFormat = "iso"
	// ArtifactFormatOCI is an OCI image.
	ArtifactFormatOCI ArtifactFormat = "oci"
)

// Triggers sets which events start a build without a request.
type Triggers struct {
	// onSpecChange starts the first build, and a build whenever the resolved inputs differ from those of the last
	// attempted build. A difference in the base Image alone does not count. Defaults to true.
	// +optional
	OnSpecChange *bool `json:"onSpecChange,omitempty" protobuf:"varint,1,opt,name=onSpecChange"`
	// onBaseChange starts a build when the build that base.imageRef selects has changed. Defaults to true.
	// +optional
	OnBaseChange *bool `json:"onBaseChange,omitempty" protobuf:"varint,2,opt,name=onBaseChange"`
	// schedule starts builds at fixed times. Defaults to none.
	// +optional
	Schedule *Schedule `json:"schedule,omitempty" protobuf:"bytes,3,opt,name=schedule"`
	// disableAfterFailures is the number of consecutive failures after which schedule and onBaseChange stop starting
	// builds. A change of the spec or a successful build, such as a requested one, enables them again. 0 to 1000; 0
	// disables the limit. Defaults to 5.
	// +optional
	DisableAfterFailures *int32 `json:"disableAfterFailures,omitempty" protobuf:"varint,4,opt,name=disableAfterFailures"`
}

// Schedule sets the times at which builds start. If the controller was unavailable at several of these times, only the
// last missed build is started.
type Schedule struct {
	// cron sets the times as five fields: minute, hour, day of the month, month, day of the week. Names, lists, ranges
	// and steps are allowed. Also allowed are @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually. The
	// server refuses TZ= and CRON_TZ=: timeZone sets the time zone.
	Cron string `json:"cron" protobuf:"bytes,1,opt,name=cron"`
	// timeZone is the time zone of cron, a name of the IANA database such as Europe/Berlin. A time that the change to
	// daylight-saving time skips is skipped. A time that occurs twice starts one build. Defaults to UTC.
	// +optional
	TimeZone string `json:"timeZone,omitempty" protobuf:"bytes,2,opt,name=timeZone"`
	// mode sets whether each scheduled time starts a build. Always starts a build each time. IfChanged starts a build
	// only if the inputs differ from those of the last attempted build. Defaults to Always.
	// +optional
	Mode ScheduleMode `json:"mode,omitempty" protobuf:"bytes,3,opt,name=mode,casttype=ScheduleMode"`
	// jitter is the longest delay of each start, so that Images with the same schedule do not start together. The delay
	// depends only on the Image and the scheduled time. 0s to 24h. Defaults to 0s.
	// +optional
	Jitter *Duration `json:"jitter,omitempty" protobuf:"bytes,4,opt,name=jitter"`
	// startingDeadline is how late a missed build can still start, counted from the scheduled time plus the delay of
	// jitter. 1s to 7d. Defaults to no limit.
	// +optional
	StartingDeadline *Duration `json:"startingDeadline,omitempty" protobuf:"bytes,5,opt,name=startingDeadline"`
}

// ScheduleMode sets whether each time of a schedule starts a build.
// +enum
type ScheduleMode string

const (
	// ScheduleAlways starts a build each time.
	ScheduleAlways ScheduleMode = "Always"
	// ScheduleIfChanged starts a build only if the inputs differ from those of the last attempted build.
	ScheduleIfChanged ScheduleMode = "IfChanged"
)

// RunPolicy sets how the builds of one Image follow each other.
// +enum
type RunPolicy string

const (
	// RunPolicySerial runs the builds of an Image one after the other, in the order of their numbers.
	RunPolicySerial RunPolicy = "Serial"
	// RunPolicySerialLatestOnly runs builds one after the other, and keeps only the newest waiting build. The other
	// waiting builds are cancelled with the reason Superseded.
	RunPolicySerialLatestOnly RunPolicy = "SerialLatestOnly"
	// RunPolicyParallel runs the builds of an Image at the same time.
	RunPolicyParallel RunPolicy = "Parallel"
)

// BuildTimeouts limits the duration of each phase of a build.
type BuildTimeouts struct {
	// start is the longest time from the creation of an attempt's Job until its container has started. That time
	// includes quota, scheduling and pulling the container image. After it, the build fails with StartTimeout or
	// ImagePullFailed. 1s to 24h, in whole seconds. Defaults to 10m.
	// +optional
	Start *Duration `json:"start,omitempty" protobuf:"bytes,1,opt,name=start"`
	// run is the longest time that the pod of an attempt can run, counted from the pod's start time. After it, the build
	// fails with RunTimeout. 1s to 7d, in whole seconds. Defaults to 1h.
	// +optional
	Run *Duration `json:"run,omitempty" protobuf:"bytes,2,opt,name=run"`
	// queue is the longest time that a build waits for its first attempt. The limit applies again to each later wait,
	// when Kueue has suspended the Job. After it, the build fails with QueueTimeout. 1s to 30d, in whole seconds.
	// Defaults to 24h.
	// +optional
	Queue *Duration `json:"queue,omitempty" protobuf:"bytes,3,opt,name=queue"`
}

// RetryPolicy sets which failures are retried. A disruption is the loss of the pod, its Job or its node. After a
// disruption the next attempt starts at once, independent of limit and classes. The tenth disruption fails the build.
type RetryPolicy struct {
	// limit is the maximum number of attempts after the first. 0 to 10; 0 disables retries. Defaults to 2.
	// +optional
	Limit *int32 `json:"limit,omitempty" protobuf:"varint,1,opt,name=limit"`
	// classes lists the failure classes that are retried: User, Config, Infrastructure, Registry or Timeout. Each class
	// appears at most once. An empty list means the default; to disable retries, set limit to 0. Defaults to
	// Infrastructure and Registry.
	// +optional
	// +listType=set
	Classes []FailureClass `json:"classes,omitempty" protobuf:"bytes,2,rep,name=classes,casttype=FailureClass"`
	// backoff sets the delay between the end of an attempt and the start of the next attempt. Defaults to the defaults
	// of its fields.
	// +optional
	Backoff *Backoff `json:"backoff,omitempty" protobuf:"bytes,3,opt,name=backoff"`
}

// Backoff sets a delay that doubles with each failure. Up to a fifth of the delay is added, so that builds that failed
// together are not retried together. The addition depends only on the build and the attempt.
type Backoff struct {
	// initial is the delay after the first failure. 0s to 1h. Defaults to 10s.
	// +optional
	Initial *Duration `json:"initial,omitempty" protobuf:"bytes,1,opt,name=initial"`
	// max is the longest delay, before the addition of up to a fifth. At least initial, at most 24h. Defaults to 5m, or
	// to initial if initial is longer.
	// +optional
	Max *Duration `json:"max,omitempty" protobuf:"bytes,2,opt,name=max"`
}

// HistoryLimits sets how many finished builds of an Image are kept, with their Jobs, pods and logs, and for how long.
// The oldest builds are deleted first. The latest successful build and the builds of channels are always kept.
type HistoryLimits struct {
	// succeeded is the number of successful builds to keep. 1 to 1000. Defaults to 3.
	// +optional
	Succeeded *int32 `json:"succeeded,omitempty" protobuf:"varint,1,opt,name=succeeded"`
	// failed is the number of failed and cancelled builds to keep. 0 to 1000. Defaults to 3.
	// +optional
	Failed *int32 `json:"failed,omitempty" protobuf:"varint,2,opt,name=failed"`
	// ttl sets how long finished builds are kept, counted from their completion. Defaults to no limit.
	// +optional
	TTL *HistoryTTL `json:"ttl,omitempty" protobuf:"bytes,3,opt,name=ttl"`
	// logRetention sets how long the archived logs of finished builds are kept, counted from the completion of the
	// build. It applies to existing and deleted builds. It has no effect without a log archive. Defaults to no limit.
	// +optional
	LogRetention *HistoryTTL `json:"logRetention,omitempty" protobuf:"bytes,4,opt,name=logRetention"`
	// logMaxBytes is the maximum size of the archived log of one attempt. Of a longer log, the archive keeps the
	// beginning and the end, half of the limit each. A line marks where the log was cut. 64Ki to 1Ti. Defaults to 1Gi.
	// +optional
	LogMaxBytes *resource.Quantity `json:"logMaxBytes,omitempty" protobuf:"bytes,5,opt,name=logMaxBytes"`
	// recordRetention sets how long the records of finished builds are kept, counted from the completion of the build.
	// The record of an existing build is always kept. It has no effect without a records database. Defaults to no limit.
	// +optional
	RecordRetention *HistoryTTL `json:"recordRetention,omitempty" protobuf:"bytes,6,opt,name=recordRetention"`
}

// HistoryTTL sets how long finished builds, their archived logs or their records are kept.
type HistoryTTL struct {
	// succeeded applies to successful builds. 1m to 3650d. Defaults to no limit.
	// +optional
	Succeeded *Duration `json:"succeeded,omitempty" protobuf:"bytes,1,opt,name=succeeded"`
	// failed applies to failed and cancelled builds. 1m to 3650d. Defaults to no limit.
	// +optional
	Failed *Duration `json:"failed,omitempty" protobuf:"bytes,2,opt,name=failed"`
}

// ImageStatus reports the observed state of an Image.
type ImageStatus struct {
	// observedGeneration is the generation of the Image that this status reports on. The controller sets it.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty" protobuf:"varint,1,opt,name=observedGeneration"`
	// buildCounter is the highest number of all builds of this Image. Only the subresources that create builds,
	// instantiate and rerun, set it.
	// +optional
	BuildCounter int64 `json:"buildCounter,omitempty" protobuf:"varint,2,opt,name=buildCounter"`
	// inputsDigest is the digest of the inputs as they resolve now: "sha256:" and 64 hex digits. The controller sets it.
	// It is empty while the inputs cannot be resolved.
	// +optional
	InputsDigest string `json:"inputsDigest,omitempty" protobuf:"bytes,3,opt,name=inputsDigest"`
	// activeBuilds is the number of builds that are starting, running, retrying or being cancelled. Each of them
	// occupies a slot. The controller sets it.
	// +optional
	ActiveBuilds int32 `json:"activeBuilds,omitempty" protobuf:"varint,4,opt,name=activeBuilds"`
	// queuedBuilds is the number of builds that wait to be admitted. The controller sets it.
	// +optional
	QueuedBuilds int32 `json:"queuedBuilds,omitempty" protobuf:"varint,5,opt,name=queuedBuilds"`
	// recentRequests lists the last 32 requests for a build. It makes requests idempotent: a repeated requestID returns
	// the same build. Only the subresources instantiate and rerun add requests. The controller sets the uid of each
	// request when it has observed the build.
	// +optional
	// +listType=map
	// +listMapKey=requestID
	RecentRequests []BuildRequestRecord `json:"recentRequests,omitempty" protobuf:"bytes,6,rep,name=recentRequests"`
	// lastAttempted is the newest build that is not one-off. The controller compares the inputs with this build to
	// detect changes, including after the build is deleted. The controller sets it.
	// +optional
	LastAttempted *AttemptedBuild `json:"lastAttempted,omitempty" protobuf:"bytes,7,opt,name=lastAttempted"`
	// latestBuild is the build with the highest number. The controller sets it.
	// +optional
	LatestBuild *LatestBuild `json:"latestBuild,omitempty" protobuf:"bytes,8,opt,name=latestBuild"`
	// latestSuccessful is the newest successful build, with its artifacts. One-off builds do not count. The controller
	// sets it. It is empty until such a build has succeeded.
	// +optional
	LatestSuccessful *SuccessfulBuild `json:"latestSuccessful,omitempty" protobuf:"bytes,9,opt,name=latestSuccessful"`
	// conditions contains the types Ready, UpToDate, Building, InputsResolved, Stalled and ScheduleActive. The
	// controller sets them.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,10,rep,name=conditions"`
	// channels lists named successful builds, at most 16. Only the channels subresource sets them.
	// +optional
	// +listType=map
	// +listMapKey=name
	Channels []ImageChannel `json:"channels,omitempty" protobuf:"bytes,11,rep,name=channels"`
	// lastScheduleTime is the last scheduled time that the controller processed, whether it started a build or not. The
	// controller sets it. It is empty until the controller has processed a scheduled time.
	// +optional
	LastScheduleTime *metav1.Time `json:"lastScheduleTime,omitempty" protobuf:"bytes,12,opt,name=lastScheduleTime"`
	// nextScheduleTime is when the schedule starts the next build, including jitter. The controller sets it. It is empty
	// while the schedule is not active.
	// +optional
	NextScheduleTime *metav1.Time `json:"nextScheduleTime,omitempty" protobuf:"bytes,13,opt,name=nextScheduleTime"`
	// consecutiveFailures is the number of builds of the current spec that have failed since the last success. Cancelled
	// builds and one-off builds do not count. The controller sets it.
	// +optional
	ConsecutiveFailures int32 `json:"consecutiveFailures,omitempty" protobuf:"varint,14,opt,name=consecutiveFailures"`
	// countedBuild is the number of the last finished build that consecutiveFailures takes into account. The controller
	// sets it.
	// +optional
	CountedBuild int64 `json:"countedBuild,omitempty" protobuf:"varint,15,opt,name=countedBuild"`
}

// ImageChannel is a named successful build of an Image.
type ImageChannel struct {
	// name is the name of the channel, such as stable. It is a DNS label of at most 63 characters.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// build is the name of the build. A build is never pruned while a channel names it.
	Build string `json:"build" protobuf:"bytes,2,opt,name=build"`
	// digest identifies what the build made. Images that are based on this channel are built again when it changes. It
	// is the digest of the artifact, or one digest over all artifacts if there are several. The server sets it.
	// +optional
	Digest string `json:"digest,omitempty" protobuf:"bytes,3,opt,name=digest"`
	// time is when the channel was moved to this build. The server sets it.
	// +optional
	Time metav1.Time `json:"time,omitempty" protobuf:"bytes,4,opt,name=time"`
	// by is the authenticated user who moved the channel. The server sets it.
	// +optional
	By string `json:"by,omitempty" protobuf:"bytes,5,opt,name=by"`
}

// BuildRequestRecord is a processed request for a build.
type BuildRequestRecord struct {
	// requestID is the ID that the requester chose.
	RequestID string `json:"requestID" protobuf:"bytes,1,opt,name=requestID"`
	// number is the number of the build.
	Number int64 `json:"number" protobuf:"varint,2,opt,name=number"`
	// uid is the UID of the build. The controller sets it when it has observed the build. If it is set and the build
	// does not exist, the build was deleted. If it is empty, the build may still be created.
	// +optional
	UID types.UID `json:"uid,omitempty" protobuf:"bytes,3,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`
}

// AttemptedBuild identifies a build of an Image's own inputs, with the digest of these inputs. It is never a one-off
// build.
type AttemptedBuild struct {
	// number is the number of the build.
	Number int64 `json:"number" protobuf:"varint,1,opt,name=number"`
	// inputsDigest is the digest of the resolved inputs. It is empty if the inputs could not be resolved.
	// +optional
	InputsDigest string `json:"inputsDigest,omitempty" protobuf:"bytes,2,opt,name=inputsDigest"`
	// baseDigest is the digest of the base Image. It is empty if the base is not an Image, or if the inputs could not be
	// resolved.
	// +optional
	BaseDigest string `json:"baseDigest,omitempty" protobuf:"bytes,3,opt,name=baseDigest"`
}

// LatestBuild is the newest build of an Image, which has the highest number.
type LatestBuild struct {
	// name is the name of the build.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// number is the number of the build.
	Number int64 `json:"number" protobuf:"varint,2,opt,name=number"`
	// phase is the phase of the build when the controller wrote this status.
	// +optional
	Phase BuildPhase `json:"phase,omitempty" protobuf:"bytes,3,opt,name=phase,casttype=BuildPhase"`
}

// SuccessfulBuild is a successful build with its artifacts.
type SuccessfulBuild struct {
	// name is the name of the build.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// number is the number of the build.
	Number int64 `json:"number" protobuf:"varint,2,opt,name=number"`
	// inputsDigest is the digest of the resolved inputs of the build.
	InputsDigest string `json:"inputsDigest" protobuf:"bytes,3,opt,name=inputsDigest"`
	// completionTime is when the build finished.
	CompletionTime metav1.Time `json:"completionTime" protobuf:"bytes,4,opt,name=completionTime"`
	// artifacts lists what the build made, one artifact for each target.
	// +listType=map
	// +listMapKey=target
	Artifacts []Artifact `json:"artifacts" protobuf:"bytes,5,rep,name=artifacts"`
}

// Artifact is what a build made for one target.
type Artifact struct {
	// target is the platform and the format, joined by a slash, such as linux/amd64/raw.
	Target string `json:"target" protobuf:"bytes,1,opt,name=target"`
	// digest is the digest of the artifact's content: "sha256:" and 64 hex digits.
	Digest string `json:"digest" protobuf:"bytes,2,opt,name=digest"`
	// sizeBytes is the size of the artifact in bytes.
	SizeBytes int64 `json:"sizeBytes" protobuf:"varint,3,opt,name=sizeBytes"`
	// mediaType is the media type of the artifact. It follows from the format.
	MediaType string `json:"mediaType" protobuf:"bytes,4,opt,name=mediaType"`
}
