// SPDX-License-Identifier: Apache-2.0

package inputs

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
)

// Kinds of the objects that inputs name.
const (
	KindConfigMap      = "ConfigMap"
	KindImage          = "Image"
	KindLocalQueue     = "LocalQueue"
	KindSecret         = "Secret"
	KindServiceAccount = "ServiceAccount"
)

// defaultAccount is the service account of pods that name none.
const defaultAccount = "default"

// Reference is an object that inputs name, without its namespace. A build uses the object that has the name in the namespace of the build, so that the
// same inputs use other objects in another namespace.
type Reference struct {
	// Field is the path of the name.
	Field *field.Path
	// Part is the part of the inputs that uses the object, whatever its index in a list.
	Part string
	// Kind is the kind of the object.
	Kind string
	// Name is the name of the object.
	Name string
}

// References returns all objects of the namespace of a build that inputs name. path is the path of the inputs. The service account "default" is none of
// them, because builds that name none have it, too.
func References(of *v1alpha1.BuildInputs, path *field.Path) (all []Reference) {
	add := func(part, kind, name string, path *field.Path) { all = append(all, Reference{path, part, kind, name}) }
	if ref := of.Base.ImageRef; ref != nil {
		add("base", KindImage, ref.Name, path.Child("base", "imageRef", "name"))
	}
	if source := of.Source; source != nil {
		path := path.Child("source")
		if ref := source.ConfigMapRef; ref != nil {
			add("files", KindConfigMap, ref.Name, path.Child("configMapRef", "name"))
		}
		if source.Git != nil && source.Git.SecretRef != nil {
			add("git", KindSecret, source.Git.SecretRef.Name, path.Child("git", "secretRef", "name"))
		}
		if source.OCI != nil && source.OCI.SecretRef != nil {
			add("oci", KindSecret, source.OCI.SecretRef.Name, path.Child("oci", "secretRef", "name"))
		}
	}
	if output := of.Output; output != nil && output.SecretRef != nil {
		add("output", KindSecret, output.SecretRef.Name, path.Child("output", "secretRef", "name"))
	}
	if template := of.Template; template != nil {
		path := path.Child("template")
		if name := template.ServiceAccountName; name != "" && name != defaultAccount {
			add("account", KindServiceAccount, name, path.Child("serviceAccountName"))
		}
		for i := range template.Env {
			from, path := template.Env[i].ValueFrom, path.Child("env").Index(i).Child("valueFrom")
			if from != nil && from.SecretKeyRef != nil {
				add("env", KindSecret, from.SecretKeyRef.Name, path.Child("secretKeyRef", "name"))
			}
			if from != nil && from.ConfigMapKeyRef != nil {
				add("env", KindConfigMap, from.ConfigMapKeyRef.Name, path.Child("configMapKeyRef", "name"))
			}
		}
		if template.QueueName != "" {
			add("queue", KindLocalQueue, template.QueueName, path.Child("queueName"))
		}
	}
	return all
}
