// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"
)

func TestOnlyWhatAPodDoesNotSayIsNewsOfAJob(t *testing.T) {
	plain := &batchv1.Job{}
	suspended := &batchv1.Job{Spec: batchv1.JobSpec{Suspend: new(true)}}
	resumed := &batchv1.Job{Spec: batchv1.JobSpec{Suspend: new(false)}}
	active := &batchv1.Job{Status: batchv1.JobStatus{Active: 1}}
	failing := &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue}}}}
	deleted := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{}}}
	for name, test := range map[string]struct {
		before, after *batchv1.Job
		news          bool
	}{
		"its pod runs":                {plain, active, false},
		"Kueue lets it go on":         {suspended, resumed, true},
		"Kueue holds it up":           {plain, suspended, true},
		"still held":                  {suspended, suspended, false},
		"said in so many words":       {plain, resumed, false},
		"it fails":                    {active, failing, true},
		"somebody has it deleted":     {active, deleted, true},
		"it was created by ourselves": {nil, plain, false},
	} {
		t.Run(name, func(t *testing.T) {
			var news bool
			if test.before == nil {
				news = jobNews().Create(event.CreateEvent{Object: test.after})
			} else {
				news = jobNews().Update(event.UpdateEvent{ObjectOld: test.before, ObjectNew: test.after})
			}
			if news != test.news {
				t.Errorf("it is news: %v", news)
			}
		})
	}
}
