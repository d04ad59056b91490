// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"fmt"
	"slices"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/storage"
)

// addFieldLabels registers the fields by which objects can be selected. Their values come from the functions below.
func addFieldLabels(scheme *runtime.Scheme) error {
	core, batch, scheduling := corev1.SchemeGroupVersion, batchv1.SchemeGroupVersion, schedulingv1.SchemeGroupVersion
	for kind, selectable := range map[schema.GroupVersionKind]fields.Set{
		core.WithKind("Namespace"): namespaceFields(&corev1.Namespace{}),
		core.WithKind("ConfigMap"): objectFields(&metav1.ObjectMeta{}),
		core.WithKind("Secret"):    secretFields(&corev1.Secret{}),
		core.WithKind("Event"):     eventFields(&corev1.Event{}),
		core.WithKind("Pod"):       podFields(&corev1.Pod{}),
		batch.WithKind("Job"):      jobFields(&batchv1.Job{}),

		scheduling.WithKind("PriorityClass"): priorityClassFields(&schedulingv1.PriorityClass{}),
	} {
		if err := scheme.AddFieldLabelConversionFunc(kind, knownFields(selectable)); err != nil {
			return fmt.Errorf("register the fields of %s: %w", kind.Kind, err)
		}
	}
	return nil
}

func knownFields(selectable fields.Set) runtime.FieldLabelConversionFunc {
	return func(label, value string) (string, string, error) {
		if _, known := selectable[label]; !known {
			names := make([]string, 0, len(selectable))
			for name := range selectable {
				names = append(names, name)
			}
			slices.Sort(names)
			return "", "", fmt.Errorf("field label not supported: %s (there are %v)", label, names)
		}
		return label, value, nil
	}
}

// attributes makes the selectable attributes of a kind out of its fields.
func attributes[T any, P interface {
	*T
	runtime.Object
	metav1.Object
}](fieldsOf func(P) fields.Set) storage.AttrFunc {
	return func(object runtime.Object) (labels.Set, fields.Set, error) {
		typed, ok := object.(P)
		if !ok {
			return nil, nil, fmt.Errorf("%T is not a %T", object, typed)
		}
		return typed.GetLabels(), fieldsOf(typed), nil
	}
}

func objectFields(meta *metav1.ObjectMeta) fields.Set {
	return generic.ObjectMetaFieldsSet(meta, true)
}

func secretFields(secret *corev1.Secret) fields.Set {
	return generic.AddObjectMetaFieldsSet(fields.Set{"type": string(secret.Type)}, &secret.ObjectMeta, true)
}

func namespaceFields(namespace *corev1.Namespace) fields.Set {
	return generic.AddObjectMetaFieldsSet(fields.Set{
		"name":         namespace.Name,
		"status.phase": string(namespace.Status.Phase),
	}, &namespace.ObjectMeta, false)
}

func podFields(pod *corev1.Pod) fields.Set {
	return generic.AddObjectMetaFieldsSet(fields.Set{
		"spec.hostNetwork":         strconv.FormatBool(pod.Spec.HostNetwork),
		"spec.nodeName":            pod.Spec.NodeName,
		"spec.restartPolicy":       string(pod.Spec.RestartPolicy),
		"spec.schedulerName":       pod.Spec.SchedulerName,
		"spec.serviceAccountName":  pod.Spec.ServiceAccountName,
		"status.nominatedNodeName": pod.Status.NominatedNodeName,
		"status.phase":             string(pod.Status.Phase),
		"status.podIP":             pod.Status.PodIP,
	}, &pod.ObjectMeta, true)
}

func jobFields(job *batchv1.Job) fields.Set {
	return generic.AddObjectMetaFieldsSet(fields.Set{
		"status.successful": strconv.Itoa(int(job.Status.Succeeded)),
	}, &job.ObjectMeta, true)
}

func eventFields(event *corev1.Event) fields.Set {
	source := event.Source.Component
	if source == "" {
		source = event.ReportingController
	}
	object := event.InvolvedObject
	return generic.AddObjectMetaFieldsSet(fields.Set{
		"involvedObject.apiVersion":      object.APIVersion,
		"involvedObject.fieldPath":       object.FieldPath,
		"involvedObject.kind":            object.Kind,
		"involvedObject.name":            object.Name,
		"involvedObject.namespace":       object.Namespace,
		"involvedObject.resourceVersion": object.ResourceVersion,
		"involvedObject.uid":             string(object.UID),
		"reason":                         event.Reason,
		"reportingComponent":             event.ReportingController,
		"source":                         source,
		"type":                           event.Type,
	}, &event.ObjectMeta, true)
}
