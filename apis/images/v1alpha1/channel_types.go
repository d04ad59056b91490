// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageChannels lists the channels of an Image. A channel refers to a successful build. The channels subresource of an
// Image returns the list, and replaces it as a whole. An update with metadata.resourceVersion fails with a conflict if
// the Image has changed since that version.
// +k8s:validation-gen=true
type ImageChannels struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata: name, namespace, uid, resourceVersion and creationTimestamp of the Image.
	// +optional
	// +k8s:opaqueType
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// channels lists the channels, at most 16. An update sets name, build and override of each channel, and the server sets the
	// other fields. The server removes every channel that an update omits. If an update does not change the build of a
	// channel, the channel keeps its other fields.
	// +optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	// +k8s:optional
	// +k8s:maxItems=16
	Channels []ImageChannel `json:"channels,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,2,rep,name=channels"`
}

// ChannelRule is what a build needs for a channel of its Image, and who promotes it. The rule applies when the build of the channel changes.
type ChannelRule struct {
	// name is the name of the channel, such as stable. The name is a DNS label of at most 63 characters.
	// +required
	// +k8s:required
	// +k8s:format=k8s-short-name
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// requires lists what a build needs besides its success. Defaults to none.
	// +optional
	// +k8s:optional
	Requires *ChannelRequirements `json:"requires,omitempty" protobuf:"bytes,2,opt,name=requires"`
	// promote is Manual or Automatic. Manual lets users promote builds. Automatic also lets the controller promote: the newest build
	// that succeeds, counts, and meets the rule, if it is newer than the build of the channel and finished after the channel was last moved. So a
	// rollback stays until a later build meets the rule. Defaults to Manual.
	// +optional
	// +k8s:optional
	Promote ChannelPromotion `json:"promote,omitempty" protobuf:"bytes,3,opt,name=promote,casttype=ChannelPromotion"`
}

// ChannelRequirements lists what a build needs for a channel. A build that lacks any of it needs an override.
type ChannelRequirements struct {
	// tests lists names of spec.tests. Each test must have passed on the build, also if it is not required or in quarantine. At most 16.
	// Defaults to none.
	// +optional
	// +listType=set
	// +k8s:listType=set
	// +k8s:optional
	// +k8s:maxItems=16
	Tests []string `json:"tests,omitempty" protobuf:"bytes,1,rep,name=tests"`
	// attested requires that the artifacts of the build are signed: its condition Attested is True, or that of the earlier build whose artifacts
	// it tests again. The server refuses it if spec.output has attest Never.
	// +optional
	Attested bool `json:"attested,omitempty" protobuf:"varint,2,opt,name=attested"`
	// maxSeverity is the highest severity that a known vulnerability of the build may have: None, Negligible, Low, Medium or High. None allows
	// no vulnerability at all, and only None refuses one that no advisory rates. Every limit refuses a vulnerability whose rating cannot be read,
	// and packages whose vulnerabilities are unknown. A vulnerability that Debian rates as unimportant is
	// Negligible, whatever its CVSS score. A vulnerability that does not affect the image, as its operator states (OpenVEX), does not count.
	// It needs advisories, which the operator of the server sets. Defaults to no limit.
	// +optional
	// +k8s:optional
	MaxSeverity SeverityLimit `json:"maxSeverity,omitempty" protobuf:"bytes,3,opt,name=maxSeverity,casttype=SeverityLimit"`
	// noOtherArchives also refuses a build with packages that may come from other archives than Debian's, whose vulnerabilities no advisory knows.
	// The sources in the lock tell. It needs maxSeverity.
	// +optional
	NoOtherArchives bool `json:"noOtherArchives,omitempty" protobuf:"varint,4,opt,name=noOtherArchives"`
}

// SeverityLimit is the highest severity of vulnerabilities that a channel allows.
// +enum
// +k8s:enum
type SeverityLimit string

const (
	// SeverityLimitNone allows no vulnerability.
	SeverityLimitNone SeverityLimit = "None"
	// SeverityLimitNegligible allows negligible vulnerabilities.
	SeverityLimitNegligible SeverityLimit = "Negligible"
	// SeverityLimitLow allows vulnerabilities of low severity.
	SeverityLimitLow SeverityLimit = "Low"
	// SeverityLimitMedium allows vulnerabilities of medium severity.
	SeverityLimitMedium SeverityLimit = "Medium"
	// SeverityLimitHigh allows vulnerabilities of high severity, but no critical ones.
	SeverityLimitHigh SeverityLimit = "High"
)

// ChannelPromotion is who promotes builds to a channel.
// +enum
// +k8s:enum
type ChannelPromotion string

const (
	// PromoteManual means that only users promote.
	PromoteManual ChannelPromotion = "Manual"
	// PromoteAutomatic means that the controller promotes, too.
	PromoteAutomatic ChannelPromotion = "Automatic"
)

// ChannelOverride tells who moved a channel to a build that lacks what the channel requires, and why.
type ChannelOverride struct {
	// reason tells why. One line of 1 to 1024 printable characters.
	// +required
	// +k8s:required
	// +k8s:maxLength=1024
	Reason string `json:"reason" protobuf:"bytes,1,opt,name=reason"`
	// by is the authenticated user who moved the channel. The server sets it.
	// +optional
	By string `json:"by,omitempty" protobuf:"bytes,2,opt,name=by"`
}
