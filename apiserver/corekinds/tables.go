// SPDX-License-Identifier: Apache-2.0

package corekinds

import (
	"cmp"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metatable "k8s.io/apimachinery/pkg/api/meta/table"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"

	tables "goldsmith.dev/goldsmith/apiserver/registry/table"
	"goldsmith.dev/goldsmith/apiserver/resources"
)

// The columns of kubectl get, as a cluster prints them.
var (
	namespaceTable = table("Name Status Age", func(namespace *corev1.Namespace) []any {
		return []any{namespace.Name, string(namespace.Status.Phase), age(namespace.CreationTimestamp)}
	})
	configMapTable = table("Name Data Age", func(configMap *corev1.ConfigMap) []any {
		return []any{configMap.Name, int64(len(configMap.Data) + len(configMap.BinaryData)), age(configMap.CreationTimestamp)}
	})
	secretTable = table("Name Type Data Age", func(secret *corev1.Secret) []any {
		return []any{secret.Name, string(secret.Type), int64(len(secret.Data)), age(secret.CreationTimestamp)}
	})
	priorityClassTable = table("Name Value Global-Default Age PreemptionPolicy", priorityClassCells)

	podTable   = table("Name Ready Status Restarts Age Node", podCells)
	jobTable   = table("Name Status Completions Duration Age", jobCells)
	eventTable = table("Last_Seen Type Reason Object Message", eventCells)
)

// table makes a table of columns without formats; an underscore stands for a space. A column of the wide view comes
// after Age.
func table[T any, P interface {
	*T
	runtime.Object
}](names string, cells func(P) []any) resources.Table[runtime.Object] {
	var columns []metav1.TableColumnDefinition
	var wide int32
	for name := range strings.FieldsSeq(names) {
		column := metav1.TableColumnDefinition{Name: strings.ReplaceAll(name, "_", " "), Type: "string", Priority: wide}
		switch name {
		case "Name":
			column.Format = "name"
		case "Data", "Restarts", "Value":
			column.Type = "integer"
		case "Global-Default":
			column.Type = "boolean"
		case "Age":
			wide = 1
		}
		columns = append(columns, column)
	}
	return tables.New(columns, func(object runtime.Object) []any {
		typed, ok := object.(P)
		if !ok {
			return make([]any, len(columns))
		}
		return cells(typed)
	})
}

func age(since metav1.Time) string {
	return metatable.ConvertToHumanReadableDateType(since)
}

func podCells(pod *corev1.Pod) []any {
	var ready int
	var restarts int64
	status := cmp.Or(pod.Status.Reason, string(pod.Status.Phase))
	for _, container := range pod.Status.ContainerStatuses {
		restarts += int64(container.RestartCount)
		switch {
		case container.Ready:
			ready++
		case container.State.Waiting != nil && container.State.Waiting.Reason != "":
			status = container.State.Waiting.Reason
		case container.State.Terminated != nil:
			status = terminatedReason(container.State.Terminated)
		}
	}
	if pod.DeletionTimestamp != nil {
		status = "Terminating"
	}
	containers := fmt.Sprintf("%d/%d", ready, len(pod.Spec.Containers))
	return []any{pod.Name, containers, status, restarts, age(pod.CreationTimestamp), cmp.Or(pod.Spec.NodeName, "<none>")}
}

func terminatedReason(state *corev1.ContainerStateTerminated) string {
	switch {
	case state.Reason != "":
		return state.Reason
	case state.Signal != 0:
		return fmt.Sprintf("Signal:%d", state.Signal)
	default:
		return fmt.Sprintf("ExitCode:%d", state.ExitCode)
	}
}

func jobCells(job *batchv1.Job) []any {
	completions := fmt.Sprintf("%d/1", job.Status.Succeeded)
	if job.Spec.Completions != nil {
		completions = fmt.Sprintf("%d/%d", job.Status.Succeeded, *job.Spec.Completions)
	}
	took := ""
	switch {
	case job.Status.StartTime == nil:
	case job.Status.CompletionTime == nil:
		took = age(*job.Status.StartTime)
	default:
		took = duration.HumanDuration(job.Status.CompletionTime.Sub(job.Status.StartTime.Time))
	}
	return []any{job.Name, jobStatus(job), completions, took, age(job.CreationTimestamp)}
}

func jobStatus(job *batchv1.Job) string {
	conditions := map[batchv1.JobConditionType]bool{}
	for _, condition := range job.Status.Conditions {
		conditions[condition.Type] = condition.Status == corev1.ConditionTrue
	}
	switch {
	case conditions[batchv1.JobComplete]:
		return "Complete"
	case conditions[batchv1.JobFailed]:
		return "Failed"
	case job.DeletionTimestamp != nil:
		return "Terminating"
	case conditions[batchv1.JobSuspended]:
		return "Suspended"
	case conditions[batchv1.JobFailureTarget]:
		return "FailureTarget"
	case conditions[batchv1.JobSuccessCriteriaMet]:
		return "SuccessCriteriaMet"
	default:
		return "Running"
	}
}

func eventCells(event *corev1.Event) []any {
	seen := event.LastTimestamp
	if event.Series != nil {
		seen = metav1.Time{Time: event.Series.LastObservedTime.Time}
	}
	if seen.IsZero() {
		seen = metav1.Time{Time: event.EventTime.Time}
	}
	if seen.IsZero() {
		seen = event.CreationTimestamp
	}
	object := strings.ToLower(event.InvolvedObject.Kind) + "/" + event.InvolvedObject.Name
	return []any{age(seen), event.Type, event.Reason, object, strings.TrimSpace(event.Message)}
}
