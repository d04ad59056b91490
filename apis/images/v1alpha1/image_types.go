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

// Image is a golden image that should exist. Whenever its inputs change, Goldsmith builds it and keeps the
// outcome in its status. Names are DNS labels of at most 45 characters, so that every name derived from one
// is a legal label value.
type Image struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec is the image that should exist.
	Spec ImageSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// status is what is known about it. It is written by the controller and ignored on writes to the image itself.
	// +optional
	Status ImageStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageList is a list of images.
type ImageList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items is the list of images.
	Items []Image `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// ImageSpec is the image that should exist.
type ImageSpec struct {
	// What goes into the image. A change here, or in what it refers to, is what makes a build due.
	BuildInputs `json:",inline" protobuf:"bytes,1,opt,name=buildInputs"`

	// triggers say what starts a build without anybody asking for one. Defaults to the defaults of its fields.
	// +optional
	Triggers *Triggers `json:"triggers,omitempty" protobuf:"bytes,2,opt,name=triggers"`
	// runPolicy says what happens when a build is due while another one of this image is not finished.
	// Serial, the default, lets it wait until that one has finished; SerialLatestOnly does too, and cancels builds that
	// wait before it with the reason Superseded; Parallel runs it beside.
	// +optional
	RunPolicy RunPolicy `json:"runPolicy,omitempty" protobuf:"bytes,3,opt,name=runPolicy,casttype=RunPolicy"`
	// suspend stops all triggers while true. Builds that exist go on, and builds can still be requested.
	// Defaults to false.
	// +optional
	Suspend *bool `json:"suspend,omitempty" protobuf:"varint,4,opt,name=suspend"`
	// timeouts bound the phases of each build. Defaults to the defaults of its fields.
	// +optional
	Timeouts *BuildTimeouts `json:"timeouts,omitempty" protobuf:"bytes,5,opt,name=timeouts"`
	// retry says which failures get another attempt, how many, and when. Defaults to the defaults of its fields.
	// +optional
	Retry *RetryPolicy `json:"retry,omitempty" protobuf:"bytes,6,opt,name=retry"`
	// history says how many finished builds are kept. Defaults to the defaults of its fields.
	// +optional
	History *HistoryLimits `json:"history,omitempty" protobuf:"bytes,7,opt,name=history"`
}

// BuildInputs is what goes into an image.
type BuildInputs struct {
	// builder is what makes the image.
	Builder Builder `json:"builder" protobuf:"bytes,1,opt,name=builder"`
	// base is what the image starts from.
	Base Base `json:"base" protobuf:"bytes,2,opt,name=base"`
	// source holds files for the builder, at most 64 KiB in all: the size of the canonical JSON object of names
	// and contents, without HTML escaping.
	// +optional
	Source *Source `json:"source,omitempty" protobuf:"bytes,3,opt,name=source"`
	// parameters are handed to the builder as they are. Their meaning is the builder's. At most 64, and 64 KiB in all:
	// the size of the canonical JSON object of names and values, without HTML escaping.
	// +optional
	// +listType=map
	// +listMapKey=name
	Parameters []Parameter `json:"parameters,omitempty" protobuf:"bytes,4,rep,name=parameters"`
	// targets are the artifacts to make, one for each platform and format. 1 to 16, each pair once.
	// +listType=map
	// +listMapKey=platform
	// +listMapKey=format
	Targets []Target `json:"targets" protobuf:"bytes,5,rep,name=targets"`
	// template says how the pods of builds are made: service account, resources, nodes and environment variables.
	// It counts as an input: a change of it makes a build due.
	// +optional
	Template *BuildTemplate `json:"template,omitempty" protobuf:"bytes,6,opt,name=template"`
}

// Builder names what makes an image: exactly one of name or image.
type Builder struct {
	// name of a builder that the operator of the server registered, a DNS label of at most 63 characters. "mock" is always there.
	// +optional
	Name string `json:"name,omitempty" protobuf:"bytes,1,opt,name=name"`
	// image is the reference of a container image that follows the builder contract, 1 to 512 characters without
	// spaces. Whether builders may be given this way is the operator's choice; where they may not, builds fail with
	// BuilderNotAllowed.
	// +optional
	Image string `json:"image,omitempty" protobuf:"bytes,2,opt,name=image"`
	// command replaces the entry point of image. Only together with image. At most 64 elements.
	// +optional
	// +listType=atomic
	Command []string `json:"command,omitempty" protobuf:"bytes,3,rep,name=command"`
}

// Base is what an image starts from: exactly one of reference or imageRef.
type Base struct {
	// reference of the base in the builder's terms, such as debian:bookworm. 1 to 512 characters without spaces.
	// +optional
	Reference string `json:"reference,omitempty" protobuf:"bytes,1,opt,name=reference"`
	// imageRef names another Image of the namespace to start from. Its digest is one of the inputs: when it moves, this
	// Image is built again. Images may not be based on each other in a circle.
	// +optional
	ImageRef *BaseImageReference `json:"imageRef,omitempty" protobuf:"bytes,2,opt,name=imageRef"`
}

// BaseImageReference names what another Image has made.
type BaseImageReference struct {
	// name of the Image.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// channel of that Image whose build is the base, a DNS label of at most 63 characters. Defaults to none: its latest
	// successful build.
	// +optional
	Channel string `json:"channel,omitempty" protobuf:"bytes,2,opt,name=channel"`
}

// Source holds files for the builder. At most one of its fields is set.
type Source struct {
	// inline holds the files themselves.
	// +optional
	Inline *InlineSource `json:"inline,omitempty" protobuf:"bytes,1,opt,name=inline"`
	// configMapRef names a ConfigMap whose data are the files. Its content is copied into each build.
	// +optional
	ConfigMapRef *ConfigMapReference `json:"configMapRef,omitempty" protobuf:"bytes,2,opt,name=configMapRef"`
}

// InlineSource holds files.
type InlineSource struct {
	// files by name. A name is a relative path of letters, digits, '-', '_', '.' and '/', with no element "..".
	// The content is text. At most 64 KiB in all, as said of source.
	Files map[string]string `json:"files" protobuf:"bytes,1,rep,name=files"`
}

// ConfigMapReference names a ConfigMap of the same namespace.
type ConfigMapReference struct {
	// name of the ConfigMap, a DNS subdomain of at most 253 characters.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
}

// Parameter is a named value for the builder.
type Parameter struct {
	// name of the parameter: letters, digits, '-', '_' and '.', 1 to 63 characters.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// value of the parameter, at most 4096 bytes. Defaults to the empty string.
	// +optional
	Value string `json:"value,omitempty" protobuf:"bytes,2,opt,name=value"`
}

// Target is one artifact to make.
type Target struct {
	// platform is os/architecture, or os/architecture/variant, such as linux/amd64. In lower case, at most 63
	// characters.
	Platform string `json:"platform" protobuf:"bytes,1,opt,name=platform"`
	// format of the artifact: raw, qcow2, vmdk, iso or oci.
	Format ArtifactFormat `json:"format" protobuf:"bytes,2,opt,name=format,casttype=ArtifactFormat"`
}

// ArtifactFormat is the file format of an artifact.
// +enum
type ArtifactFormat string

const (
	// ArtifactFormatRaw is a disk as it is, byte for byte.
	ArtifactFormatRaw ArtifactFormat = "raw"
	// ArtifactFormatQCOW2 is a QEMU copy-on-write disk.
	ArtifactFormatQCOW2 ArtifactFormat = "qcow2"
	// ArtifactFormatVMDK is a VMware disk.
	ArtifactFormatVMDK ArtifactFormat = "vmdk"
	// ArtifactFormatISO is an ISO 9660 image.
	ArtifactFormatISO ArtifactFormat = "iso"
	// ArtifactFormatOCI is an OCI image.
	ArtifactFormatOCI ArtifactFormat = "oci"
)

// Triggers say what starts a build without anybody asking for one.
type Triggers struct {
	// onSpecChange starts a build when nothing was built yet, and whenever the resolved inputs differ from those
	// of the last attempted build in more than the base Image. Defaults to true.
	// +optional
	OnSpecChange *bool `json:"onSpecChange,omitempty" protobuf:"varint,1,opt,name=onSpecChange"`
	// onBaseChange starts a build when the build that base.imageRef stands for has changed. Defaults to true.
	// +optional
	OnBaseChange *bool `json:"onBaseChange,omitempty" protobuf:"varint,2,opt,name=onBaseChange"`
	// schedule starts builds at times of the day. Defaults to none.
	// +optional
	Schedule *Schedule `json:"schedule,omitempty" protobuf:"bytes,3,opt,name=schedule"`
	// disableAfterFailures is how many builds in a row may fail before schedule and onBaseChange start no more. A change
	// of the spec or a build that succeeds, such as a requested one, starts them again. 0 to 1000; 0 is never.
	// Defaults to 5.
	// +optional
	DisableAfterFailures *int32 `json:"disableAfterFailures,omitempty" protobuf:"varint,4,opt,name=disableAfterFailures"`
}

// Schedule says at which times a build is started. After an absence of the controller at most one missed start is made
// up for: the last one.
type Schedule struct {
	// cron is when, as five fields: minute, hour, day of the month, month, day of the week, with names, lists, ranges
	// and steps, or one of @hourly, @daily, @weekly, @monthly and @yearly. The time zone is timeZone's: TZ= is refused.
	Cron string `json:"cron" protobuf:"bytes,1,opt,name=cron"`
	// timeZone is the name of a time zone of the IANA database, such as Europe/Berlin. A time that a change to
	// daylight-saving time leaves out is skipped, and one that comes twice starts one build. Defaults to UTC.
	// +optional
	TimeZone string `json:"timeZone,omitempty" protobuf:"bytes,2,opt,name=timeZone"`
	// mode says whether there is a build each time. Always, the default, builds each time; IfChanged only if the inputs
	// differ from those of the last attempted build.
	// +optional
	Mode ScheduleMode `json:"mode,omitempty" protobuf:"bytes,3,opt,name=mode,casttype=ScheduleMode"`
	// jitter delays each start by up to this long, so that images of the same schedule do not start together. The delay
	// depends on the Image and the time only. 0s to 24h. Defaults to 0s.
	// +optional
	Jitter *metav1.Duration `json:"jitter,omitempty" protobuf:"bytes,4,opt,name=jitter"`
	// startingDeadline is how late a start may be made up for, counted from the jittered time. 1s to 168h. Defaults to no limit.
	// +optional
	StartingDeadline *metav1.Duration `json:"startingDeadline,omitempty" protobuf:"bytes,5,opt,name=startingDeadline"`
}

// ScheduleMode says whether there is a build at each time of a schedule.
// +enum
type ScheduleMode string

const (
	// ScheduleAlways builds each time.
	ScheduleAlways ScheduleMode = "Always"
	// ScheduleIfChanged builds if the inputs differ from those of the last attempted build.
	ScheduleIfChanged ScheduleMode = "IfChanged"
)

// RunPolicy says how builds of one image follow each other.
// +enum
type RunPolicy string

const (
	// RunPolicySerial runs the builds of an image one after the other, in the order of their numbers.
	RunPolicySerial RunPolicy = "Serial"
	// RunPolicySerialLatestOnly does the same, and of the builds that wait keeps only the newest: the others are
	// cancelled with the reason Superseded.
	RunPolicySerialLatestOnly RunPolicy = "SerialLatestOnly"
	// RunPolicyParallel runs the builds of an image side by side.
	RunPolicyParallel RunPolicy = "Parallel"
)

// BuildTimeouts bound the phases of a build.
type BuildTimeouts struct {
	// start is how long an attempt may take from its Job's creation until its container has started: scheduling,
	// quota, pulling the image. Then the build fails with StartTimeout or ImagePullFailed. 1s to 24h, in whole
	// seconds. Defaults to 10m.
	// +optional
	Start *metav1.Duration `json:"start,omitempty" protobuf:"bytes,1,opt,name=start"`
	// run is how long the pod of an attempt may run, counted from the pod's start time. Then the build fails with
	// RunTimeout. 1s to 168h, in whole seconds. Defaults to 1h.
	// +optional
	Run *metav1.Duration `json:"run,omitempty" protobuf:"bytes,2,opt,name=run"`
	// queue is how long a build may wait for its first attempt, and each time that Kueue holds it later. Then the build fails with
	// QueueTimeout. 1s to 720h, in whole seconds. Defaults to 24h.
	// +optional
	Queue *metav1.Duration `json:"queue,omitempty" protobuf:"bytes,3,opt,name=queue"`
}

// RetryPolicy says which failures get another attempt. A disruption (the pod or its node went away) gets another
// attempt at once and counts neither against limit nor against classes; the tenth fails the build.
type RetryPolicy struct {
	// limit is how many further attempts a build gets. 0 to 10. Defaults to 2.
	// +optional
	Limit *int32 `json:"limit,omitempty" protobuf:"varint,1,opt,name=limit"`
	// classes lists the classes of failures that get another attempt: User, Config, Infrastructure, Registry or Timeout,
	// each at most once.
	// Defaults to Infrastructure and Registry, also when empty; limit 0 is how nothing is retried.
	// +optional
	// +listType=set
	Classes []FailureClass `json:"classes,omitempty" protobuf:"bytes,2,rep,name=classes,casttype=FailureClass"`
	// backoff is the wait between the end of an attempt and the start of the next. Defaults to the defaults of its
	// fields.
	// +optional
	Backoff *Backoff `json:"backoff,omitempty" protobuf:"bytes,3,opt,name=backoff"`
}

// Backoff is a wait that doubles with each failure. It is made up to a fifth longer, by a part that depends on the build
// and the attempt only, so that builds which failed together are not tried again together.
type Backoff struct {
	// initial is the wait after the first failure. 0s to 1h. Defaults to 10s.
	// +optional
	Initial *metav1.Duration `json:"initial,omitempty" protobuf:"bytes,1,opt,name=initial"`
	// max is the longest wait. Not less than initial, at most 24h. Defaults to 5m, or to initial where that is longer.
	// +optional
	Max *metav1.Duration `json:"max,omitempty" protobuf:"bytes,2,opt,name=max"`
}

// HistoryLimits say how many finished builds of an image are kept, and for how long, with their Jobs, pods and logs. The
// oldest go first; the latest successful build and the builds of channels are always kept.
type HistoryLimits struct {
	// succeeded is how many successful builds are kept. 1 to 1000. Defaults to 3.
	// +optional
	Succeeded *int32 `json:"succeeded,omitempty" protobuf:"varint,1,opt,name=succeeded"`
	// failed is how many failed and cancelled builds are kept. 0 to 1000. Defaults to 3.
	// +optional
	Failed *int32 `json:"failed,omitempty" protobuf:"varint,2,opt,name=failed"`
	// ttl is how long finished builds are kept, counted from their completion. Defaults to no limit.
	// +optional
	TTL *HistoryTTL `json:"ttl,omitempty" protobuf:"bytes,3,opt,name=ttl"`
	// logRetention is how long the archived logs of finished builds are kept, counted from their completion, whether the
	// builds themselves are still there or not. It means nothing where no archive is configured. Defaults to no limit.
	// +optional
	LogRetention *HistoryTTL `json:"logRetention,omitempty" protobuf:"bytes,4,opt,name=logRetention"`
	// logMaxBytes is how much of one attempt's log is archived, 64Ki to 1Ti. Of a longer log the first half of it and the
	// last half are kept; where it was cut, a line says so. Defaults to 1Gi.
	// +optional
	LogMaxBytes *resource.Quantity `json:"logMaxBytes,omitempty" protobuf:"bytes,5,opt,name=logMaxBytes"`
	// recordRetention is how long the records of finished builds are kept, counted from their completion. The record of a
	// build that is still there is kept whatever this says. It means nothing where no database of records is configured.
	// Defaults to no limit.
	// +optional
	RecordRetention *HistoryTTL `json:"recordRetention,omitempty" protobuf:"bytes,6,opt,name=recordRetention"`
}

// HistoryTTL says how long finished builds, their archived logs, or their records, are kept.
type HistoryTTL struct {
	// succeeded is how long those of successful builds are kept. 1m to 87600h. Defaults to no limit.
	// +optional
	Succeeded *metav1.Duration `json:"succeeded,omitempty" protobuf:"bytes,1,opt,name=succeeded"`
	// failed is how long those of failed and cancelled builds are kept. 1m to 87600h. Defaults to no limit.
	// +optional
	Failed *metav1.Duration `json:"failed,omitempty" protobuf:"bytes,2,opt,name=failed"`
}

// ImageStatus is what is known about an image.
type ImageStatus struct {
	// observedGeneration is the generation of the spec that this status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty" protobuf:"varint,1,opt,name=observedGeneration"`
	// buildCounter is the highest number given to a build of this image. Only the instantiate subresource moves it.
	// +optional
	BuildCounter int64 `json:"buildCounter,omitempty" protobuf:"varint,2,opt,name=buildCounter"`
	// inputsDigest is the digest of the inputs as they resolve now: "sha256:" and 64 hex digits.
	// +optional
	InputsDigest string `json:"inputsDigest,omitempty" protobuf:"bytes,3,opt,name=inputsDigest"`
	// activeBuilds is the number of builds that hold a slot: starting, running, retrying or being cancelled.
	// +optional
	ActiveBuilds int32 `json:"activeBuilds,omitempty" protobuf:"varint,4,opt,name=activeBuilds"`
	// queuedBuilds is the number of builds that wait.
	// +optional
	QueuedBuilds int32 `json:"queuedBuilds,omitempty" protobuf:"varint,5,opt,name=queuedBuilds"`
	// recentRequests are the last 32 requests for a build. They make requests idempotent: the same requestID is
	// answered with the same build. Only the instantiate subresource adds to them; the controller fills in uid.
	// +optional
	// +listType=map
	// +listMapKey=requestID
	RecentRequests []BuildRequestRecord `json:"recentRequests,omitempty" protobuf:"bytes,6,rep,name=recentRequests"`
	// lastAttempted is the newest build that is not one-off. It outlives that build: it is what a change
	// of inputs is measured against.
	// +optional
	LastAttempted *AttemptedBuild `json:"lastAttempted,omitempty" protobuf:"bytes,7,opt,name=lastAttempted"`
	// latestBuild is the build with the highest number.
	// +optional
	LatestBuild *LatestBuild `json:"latestBuild,omitempty" protobuf:"bytes,8,opt,name=latestBuild"`
	// latestSuccessful is the successful build with the highest number that is not one-off, and what it made.
	// +optional
	LatestSuccessful *SuccessfulBuild `json:"latestSuccessful,omitempty" protobuf:"bytes,9,opt,name=latestSuccessful"`
	// conditions: Ready, UpToDate, Building, InputsResolved, Stalled and ScheduleActive.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,10,rep,name=conditions"`
	// channels are names for successful builds. Only the channels subresource changes them.
	// +optional
	// +listType=map
	// +listMapKey=name
	Channels []ImageChannel `json:"channels,omitempty" protobuf:"bytes,11,rep,name=channels"`
	// lastScheduleTime is the last time of the schedule that was dealt with: by a build, or because none was due.
	// +optional
	LastScheduleTime *metav1.Time `json:"lastScheduleTime,omitempty" protobuf:"bytes,12,opt,name=lastScheduleTime"`
	// nextScheduleTime is when the schedule starts the next build, jitter included. Empty while the schedule is not active.
	// +optional
	NextScheduleTime *metav1.Time `json:"nextScheduleTime,omitempty" protobuf:"bytes,13,opt,name=nextScheduleTime"`
	// consecutiveFailures is how many builds of the spec as it is have failed since the last one that succeeded.
	// Cancelled builds and one-off builds do not count.
	// +optional
	ConsecutiveFailures int32 `json:"consecutiveFailures,omitempty" protobuf:"varint,14,opt,name=consecutiveFailures"`
	// countedBuild is the number up to which finished builds are counted in consecutiveFailures.
	// +optional
	CountedBuild int64 `json:"countedBuild,omitempty" protobuf:"varint,15,opt,name=countedBuild"`
}

// ImageChannel is a name for a successful build of an Image.
type ImageChannel struct {
	// name of the channel, a DNS label of at most 63 characters, such as stable.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// build is the name of the build. It is never pruned while the channel names it.
	Build string `json:"build" protobuf:"bytes,2,opt,name=build"`
	// digest of what the build made, as it counts for Images that are based on it: its artifact's, or, of several, one of
	// them all. Set by the server.
	// +optional
	Digest string `json:"digest,omitempty" protobuf:"bytes,3,opt,name=digest"`
	// time is when the channel was moved to this build. Set by the server.
	// +optional
	Time metav1.Time `json:"time,omitempty" protobuf:"bytes,4,opt,name=time"`
	// by is the authenticated user who moved it. Set by the server.
	// +optional
	By string `json:"by,omitempty" protobuf:"bytes,5,opt,name=by"`
}

// BuildRequestRecord remembers the number that a request for a build was given.
type BuildRequestRecord struct {
	// requestID is the name the requester gave to the request.
	RequestID string `json:"requestID" protobuf:"bytes,1,opt,name=requestID"`
	// number of the build.
	Number int64 `json:"number" protobuf:"varint,2,opt,name=number"`
	// uid of the build, filled in by the controller. A record with a uid whose build does not exist any more
	// speaks of a build that was deleted; one without a uid may speak of a build still to be created.
	// +optional
	UID types.UID `json:"uid,omitempty" protobuf:"bytes,3,opt,name=uid,casttype=k8s.io/apimachinery/pkg/types.UID"`
}

// AttemptedBuild is a build of an Image's own inputs, with the digest of what went into it. A one-off build is none.
type AttemptedBuild struct {
	// number of the build.
	Number int64 `json:"number" protobuf:"varint,1,opt,name=number"`
	// inputsDigest is the digest of the resolved inputs. Empty if they did not resolve.
	// +optional
	InputsDigest string `json:"inputsDigest,omitempty" protobuf:"bytes,2,opt,name=inputsDigest"`
	// baseDigest is the digest of the base Image among them. Empty if the base is none, or they did not resolve.
	// +optional
	BaseDigest string `json:"baseDigest,omitempty" protobuf:"bytes,3,opt,name=baseDigest"`
}

// LatestBuild is the build with the highest number.
type LatestBuild struct {
	// name of the build.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// number of the build.
	Number int64 `json:"number" protobuf:"varint,2,opt,name=number"`
	// phase of the build when this status was written.
	// +optional
	Phase BuildPhase `json:"phase,omitempty" protobuf:"bytes,3,opt,name=phase,casttype=BuildPhase"`
}

// SuccessfulBuild is a build that succeeded, and what it made.
type SuccessfulBuild struct {
	// name of the build.
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// number of the build.
	Number int64 `json:"number" protobuf:"varint,2,opt,name=number"`
	// inputsDigest is the digest of the inputs it was made from.
	InputsDigest string `json:"inputsDigest" protobuf:"bytes,3,opt,name=inputsDigest"`
	// completionTime is when it finished.
	CompletionTime metav1.Time `json:"completionTime" protobuf:"bytes,4,opt,name=completionTime"`
	// artifacts are what it made, one for each target.
	// +listType=map
	// +listMapKey=target
	Artifacts []Artifact `json:"artifacts" protobuf:"bytes,5,rep,name=artifacts"`
}

// Artifact is what a build made for one target.
type Artifact struct {
	// target is the platform and the format, joined by a slash: linux/amd64/raw.
	Target string `json:"target" protobuf:"bytes,1,opt,name=target"`
	// digest of the artifact's content: "sha256:" and 64 hex digits.
	Digest string `json:"digest" protobuf:"bytes,2,opt,name=digest"`
	// sizeBytes is the size of the artifact in bytes.
	SizeBytes int64 `json:"sizeBytes" protobuf:"varint,3,opt,name=sizeBytes"`
	// mediaType of the artifact, derived from its format.
	MediaType string `json:"mediaType" protobuf:"bytes,4,opt,name=mediaType"`
}
