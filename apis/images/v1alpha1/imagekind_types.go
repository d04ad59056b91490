// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// +genclient
// +genclient:nonNamespaced
// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageKind declares a kind of the API group catalog.goldsmith.dev, whose objects are stored as Images. Users of the kind set only
// the fields of its schema, and need no permissions for Images. The name is the plural name of the kind in lower case.
//
// The configuration of the server can also declare ImageKinds, in files with the same form. They are not objects, and have no status.
type ImageKind struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object's metadata. The name is a DNS label of at most 63 characters.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// spec describes the kind.
	// +required
	Spec ImageKindSpec `json:"spec" protobuf:"bytes,2,opt,name=spec"`
	// status reports whether the kind is served, and its objects. The server ignores status in requests that create or update
	// the ImageKind.
	// +optional
	Status ImageKindStatus `json:"status,omitempty" protobuf:"bytes,3,opt,name=status"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageKindList is a list of ImageKinds.
type ImageKindList struct {
	metav1.TypeMeta `json:",inline"`
	// Standard list metadata.
	// +optional
	metav1.ListMeta `json:"metadata,omitempty" protobuf:"bytes,1,opt,name=metadata"`

	// items lists the ImageKinds.
	Items []ImageKind `json:"items" protobuf:"bytes,2,rep,name=items"`
}

// ImageKindSpec describes a kind: its names, the part of the Image that all its objects share, and the fields that its users set.
type ImageKindSpec struct {
	// names are the names of the kind. No other kind of the group has the same names.
	// +required
	Names ImageKindNames `json:"names" protobuf:"bytes,1,opt,name=names"`
	// template is a part of the spec of an Image: the fields that all Images of the kind have in common. Users of the kind do not
	// see them. A field that a binding or a derived value sets must be absent. Together they make a valid spec of an Image. At most
	// 256 KiB.
	// +patchStrategy=replace
	// +required
	Template runtime.RawExtension `json:"template" patchStrategy:"replace" protobuf:"bytes,2,opt,name=template"`
	// versions lists the versions of the kind: exactly one.
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	// +k8s:maxItems=1
	// +required
	// +k8s:required
	Versions []ImageKindVersion `json:"versions" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,3,rep,name=versions"`
	// onDelete sets what the deletion of the ImageKind does with its Images, which it never deletes. Wait keeps the kind until its last
	// object is deleted. Release makes its Images Images of no kind, which are built as before. Meanwhile no object of the kind can be
	// created. onDelete has no effect in the configuration of the server, where a kind is just removed. Defaults to Wait.
	// +optional
	// +k8s:optional
	OnDelete ImageKindDeletion `json:"onDelete,omitempty" protobuf:"bytes,4,opt,name=onDelete,casttype=ImageKindDeletion"`
	// directWrites sets what happens when a user with permission for Images changes an Image of the kind so that it has a value which no
	// object of the kind can have, or gives such an Image the label of the kind. Enforce refuses the change. Report accepts it with a
	// warning, and reports it in status.conformance of the Image. Values that an Image has already can stay, and fields that the kind does
	// not set are free. Defaults to Enforce.
	// +optional
	// +k8s:optional
	DirectWrites ImageKindDirectWrites `json:"directWrites,omitempty" protobuf:"bytes,5,opt,name=directWrites,casttype=ImageKindDirectWrites"`
}

// ImageKindDirectWrites sets what happens when an Image of a kind is changed directly.
// +enum
// +k8s:enum
type ImageKindDirectWrites string

const (
	// ImageKindEnforce refuses values that no object of the kind can have.
	ImageKindEnforce ImageKindDirectWrites = "Enforce"
	// ImageKindReport accepts such values with a warning, and reports them in the status of the Image.
	ImageKindReport ImageKindDirectWrites = "Report"
)

// ImageKindDeletion sets what the deletion of an ImageKind does with its Images.
// +enum
// +k8s:enum
type ImageKindDeletion string

const (
	// ImageKindWait keeps the kind until its last object is deleted.
	ImageKindWait ImageKindDeletion = "Wait"
	// ImageKindRelease removes the labels catalog.goldsmith.dev/kind and catalog.goldsmith.dev/revision from the Images of the kind.
	ImageKindRelease ImageKindDeletion = "Release"
)

const (
	// CatalogGroup is the API group of the kinds that ImageKinds declare.
	CatalogGroup = "catalog.goldsmith.dev"
	// ImageKindLabel is the label of Images that has the name of their ImageKind.
	ImageKindLabel = CatalogGroup + "/kind"
	// ImageKindRevisionLabel is the label of Images that has the revision of their kind when they were created through it. A later write
	// of the object does not change it, because it does not apply the template again.
	ImageKindRevisionLabel = CatalogGroup + "/revision"
	// ImageKindFinalizer delays the deletion of an ImageKind until no Image has its ImageKindLabel. The server adds it when an ImageKind
	// is created or changed. The controller removes it.
	ImageKindFinalizer = CatalogGroup + "/instances"
)

// ImageKindNames are the names of a kind, besides the plural name.
type ImageKindNames struct {
	// kind is the name of the kind in manifests, such as DebianServer: 1 to 59 letters and digits, of which the first is an
	// upper-case letter. The kind of lists has the suffix List. Names of kinds of Goldsmith and Kubernetes are refused, also as the
	// other names.
	// +k8s:maxLength=59
	// +k8s:validation:pattern="^[A-Z][A-Za-z0-9]*$"
	// +required
	// +k8s:required
	Kind string `json:"kind" protobuf:"bytes,1,opt,name=kind"`
	// singular is the name of one object in commands: a DNS label of at most 63 characters that begins with a letter. Without
	// singular, it is kind in lower case.
	// +optional
	// +k8s:optional
	// +k8s:maxLength=63
	// +k8s:validation:pattern="^([a-z]([-a-z0-9]*[a-z0-9])?)?$"
	Singular string `json:"singular,omitempty" protobuf:"bytes,2,opt,name=singular"`
	// shortNames lists abbreviations for commands, each a DNS label of at most 63 characters that begins with a letter. At most 16.
	// Defaults to none.
	// +optional
	// +k8s:optional
	// +listType=atomic
	// +k8s:maxItems=16
	ShortNames []string `json:"shortNames,omitempty" protobuf:"bytes,3,rep,name=shortNames"`
	// categories lists groups of resources that the kind belongs to, such as all, each a DNS label of at most 63 characters that begins
	// with a letter. At most 16. Defaults to none.
	// +optional
	// +k8s:optional
	// +listType=atomic
	// +k8s:maxItems=16
	Categories []string `json:"categories,omitempty" protobuf:"bytes,4,rep,name=categories"`
}

// ImageKindVersion is a version of a kind.
type ImageKindVersion struct {
	// name is the version in apiVersion: v1alpha1, v1beta1 or v1.
	// +required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// schema is the structural OpenAPI v3 schema of spec of the kind, as in a CustomResourceDefinition, with its rules in
	// CEL. Each field that has no properties of its own has exactly one binding. Lists, maps, and objects that the schema declares as
	// atomic are one field. At most 256 KiB, 128 fields and 128 rules, with schemas nested at most 32 deep.
	// +patchStrategy=replace
	// +required
	Schema runtime.RawExtension `json:"schema" patchStrategy:"replace" protobuf:"bytes,2,opt,name=schema"`
	// bindings lists which field of the Image has the value of each field. 1 to 128 bindings.
	// +patchMergeKey=field
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=field
	// +k8s:maxItems=128
	// +required
	// +k8s:required
	Bindings []ImageKindBinding `json:"bindings" patchStrategy:"merge" patchMergeKey:"field" protobuf:"bytes,3,rep,name=bindings"`
	// derived lists fields of the Image whose values are computed from the object. Users of the kind do not see them. At most 64.
	// Defaults to none.
	// +optional
	// +k8s:optional
	// +patchMergeKey=to
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=to
	// +k8s:maxItems=64
	Derived []ImageKindDerivation `json:"derived,omitempty" patchStrategy:"merge" patchMergeKey:"to" protobuf:"bytes,4,rep,name=derived"`
	// columns lists the columns that kubectl get prints after NAME, as additionalPrinterColumns of a CustomResourceDefinition. Ready,
	// Latest and Age follow, unless columns has them. At most 16. Defaults to none.
	// +optional
	// +k8s:optional
	// +patchMergeKey=name
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=name
	// +k8s:maxItems=16
	Columns []ImageKindColumn `json:"columns,omitempty" patchStrategy:"merge" patchMergeKey:"name" protobuf:"bytes,5,rep,name=columns"`
}

// ImageKindBinding stores a field of the kind in a field of the Image. It works both ways: each value of the field has a value in the
// Image of its own. A binding has at most one of a prefix, a list of values, the encoding as JSON, and a text that joins items. Without
// them, a field whose value is a string in the Image has the text of the value there, and other fields have the value itself.
type ImageKindBinding struct {
	// field is the path of the field in objects of the kind, such as spec.size.
	// +k8s:maxBytes=512
	// +required
	// +k8s:required
	Field string `json:"field" protobuf:"bytes,1,opt,name=field"`
	// to is the path of the field in the Image, such as spec.base.reference. An entry of a map, and the value of a parameter, is
	// selected by its name in brackets: spec.parameters[size]. Each field of an Image has at most one binding. The builder, the
	// service account, the queue, the priority, the targets and variables cannot be bound.
	// +k8s:maxBytes=512
	// +required
	// +k8s:required
	To string `json:"to" protobuf:"bytes,2,opt,name=to"`
	// prefix is the start of the text in the Image: the text of the field follows. Defaults to none.
	// +optional
	// +k8s:optional
	// +k8s:maxBytes=512
	Prefix string `json:"prefix,omitempty" protobuf:"bytes,3,opt,name=prefix"`
	// values lists every value of the field with its value in the Image. At most 128. Defaults to none.
	// +optional
	// +k8s:optional
	// +patchMergeKey=value
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=value
	// +k8s:maxItems=128
	Values []ImageKindValue `json:"values,omitempty" patchStrategy:"merge" patchMergeKey:"value" protobuf:"bytes,4,rep,name=values"`
	// json stores the value as its JSON, in a string of the Image. Maps and objects need it, and lists that are not joined. The schema
	// must declare them as atomic.
	// +optional
	JSON bool `json:"json,omitempty" protobuf:"varint,5,opt,name=json"`
	// join stores a list of strings or integers as a string of the Image: its items with this text between them, such as a space, a comma
	// or a line break. An item that is empty, or that contains this text, is refused. At most 16 bytes. Defaults to none.
	// +optional
	// +k8s:optional
	// +k8s:maxBytes=16
	Join string `json:"join,omitempty" protobuf:"bytes,6,opt,name=join"`
}

// ImageKindValue is a value of a field, and its value in the Image.
type ImageKindValue struct {
	// value is the text of the value of the field.
	// +k8s:maxBytes=512
	// +required
	// +k8s:optional
	Value string `json:"value" protobuf:"bytes,1,opt,name=value"`
	// to is the text of the value in the Image. No other value of the field has the same.
	// +k8s:maxBytes=4096
	// +required
	// +k8s:optional
	To string `json:"to" protobuf:"bytes,2,opt,name=to"`
}

// ImageKindDerivation computes a field of the Image from the object.
type ImageKindDerivation struct {
	// to is the path of the field in the Image, like to of a binding. No binding has the same.
	// +k8s:maxBytes=512
	// +required
	// +k8s:required
	To string `json:"to" protobuf:"bytes,1,opt,name=to"`
	// expression is a CEL expression, whose result has the type of the field. Its variables are spec, and metadata with name and
	// namespace. The result can be optional, such as spec.?owner: an Image does not have the field if the result has no value. The
	// server evaluates the expression at each write. At most 4096 bytes, and a cost of at most 1000000 for the largest object. All derived
	// values of a kind cost at most 3333333 together.
	// +k8s:maxBytes=4096
	// +required
	// +k8s:required
	Expression string `json:"expression" protobuf:"bytes,2,opt,name=expression"`
}

// ImageKindColumn is a column that kubectl get prints.
type ImageKindColumn struct {
	// name is the heading of the column.
	// +k8s:maxBytes=63
	// +required
	// +k8s:required
	Name string `json:"name" protobuf:"bytes,1,opt,name=name"`
	// type is the type of the values: string, integer, number, boolean or date.
	// +required
	Type string `json:"type" protobuf:"bytes,2,opt,name=type"`
	// format is the format of the values, such as int64. Defaults to none.
	// +optional
	// +k8s:optional
	// +k8s:maxBytes=63
	Format string `json:"format,omitempty" protobuf:"bytes,3,opt,name=format"`
	// description explains the column to users. Defaults to none.
	// +optional
	// +k8s:optional
	// +k8s:maxBytes=1024
	Description string `json:"description,omitempty" protobuf:"bytes,4,opt,name=description"`
	// priority is 0 for a column that is always printed, and greater for a column that only -o wide prints. Defaults to 0.
	// +optional
	Priority int32 `json:"priority,omitempty" protobuf:"varint,5,opt,name=priority"`
	// jsonPath is the path of the value in the object, such as .spec.size. The schema must have the field.
	// +k8s:maxBytes=512
	// +required
	// +k8s:required
	JSONPath string `json:"jsonPath" protobuf:"bytes,6,opt,name=jsonPath"`
}

// ImageKindStatus reports whether a kind is served, and its objects.
type ImageKindStatus struct {
	// observedGeneration is the generation of the ImageKind that conditions and revision describe. The server sets it.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty" protobuf:"varint,1,opt,name=observedGeneration"`
	// revision identifies how the kind makes Images: it changes with the template, the bindings and the derived values. The server
	// sets it. revision is empty if the kind is not served.
	// +optional
	Revision string `json:"revision,omitempty" protobuf:"bytes,2,opt,name=revision"`
	// conditions contains the types Accepted, NamesAccepted and Established, which the server sets, and Terminating, which the
	// controller sets.
	// +optional
	// +patchMergeKey=type
	// +patchStrategy=merge
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty" patchStrategy:"merge" patchMergeKey:"type" protobuf:"bytes,3,rep,name=conditions"`
	// instances is the number of Images of the kind. The controller sets it.
	// +optional
	Instances int32 `json:"instances,omitempty" protobuf:"varint,4,opt,name=instances"`
	// outdated is the number of Images that an earlier revision of the kind made. The controller sets it.
	// +optional
	Outdated int32 `json:"outdated,omitempty" protobuf:"varint,5,opt,name=outdated"`
	// nonconforming is the number of Images of the current revision whose status.conformance reports a value that no object of the kind
	// can have. The controller sets it.
	// +optional
	Nonconforming int32 `json:"nonconforming,omitempty" protobuf:"varint,6,opt,name=nonconforming"`
}
