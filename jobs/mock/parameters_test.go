// SPDX-License-Identifier: Apache-2.0

package mock

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/jobs/capability"
	"goldsmith.dev/goldsmith/jobs/mock/schema"
)

func TestEveryBadParameterIsNamed(t *testing.T) {
	bad := map[string]string{
		"duration": "-1s", "steps": "-1", "linesPerStep": "1.5", "lineBytes": "0", "failAt": "6", "retryable": "yes",
		"failAttempts": "-1", "exitCode": "256", "result": "great", "onTerm": "", "crash": "", "lock": "great", "reproducible": "maybe",
	}
	_, err := newBehaviour(bad, 1)
	if err == nil {
		t.Fatal("they are all taken")
	}
	for name := range bad {
		if !strings.Contains(err.Error(), "parameter "+name+" is ") {
			t.Errorf("%s is not named in %q", name, err)
		}
	}
	for name, value := range bad {
		if value == "6" && name == "failAt" {
			continue // only the builder knows the number of steps
		}
		for _, value := range []string{value, ""} {
			if errs := checked(name, value); len(errs) != 1 || !strings.Contains(errs[0].Error(), "parameter "+name+" must be ") {
				t.Errorf("the server checks %s %q: %v", name, value, errs)
			}
		}
	}
	for name, property := range schema.Parameters().Properties {
		given, err := map[string]string{name: capability.Text(property.Default)}, error(nil)
		if property.Default != nil {
			_, err = newBehaviour(given, 1)
		}
		if errs := checked(name, given[name]); property.Default != nil && (err != nil || len(errs) > 0) {
			t.Errorf("the default of %s: %v, %v", name, err, errs)
		}
	}
	for address, good := range map[string]bool{
		"https://h": true, "http://h:8080/debian/@x": true, "https:///x": false, "https://h/?token=x": false, "https://h/#x": false, "https://u:p@h/": false, "ftp://h": false,
	} {
		_, err := newBehaviour(map[string]string{"archive": address}, 1)
		if errs := checked("archive", address); (err == nil) != good || (len(errs) == 0) != good {
			t.Errorf("the archive %s: %v, %v", address, err, errs)
		}
	}
	if _, err := newBehaviour(map[string]string{"steps": "0", "failAt": "1"}, 1); err == nil || !strings.Contains(err.Error(), "if steps is 0") {
		t.Errorf("failAt without steps: %v", err)
	}
}

// checked returns the errors of the server for a parameter.
func checked(name, value string) field.ErrorList {
	capabilities := capability.Capabilities{Parameters: schema.Parameters()}
	return capabilities.CheckParameters("mock", []v1alpha1.Parameter{{Name: name, Value: value}}, field.NewPath("spec", "parameters"))
}

func TestEachAttemptHasItsDuration(t *testing.T) {
	for attempt, want := range map[int32]time.Duration{1: time.Hour, 2: time.Minute, 3: 0, 4: 0} {
		b, err := newBehaviour(map[string]string{"duration": "1h,1m,0s"}, attempt)
		if err != nil || b.duration != want {
			t.Errorf("attempt %d takes %v (%v), want %v", attempt, b.duration, err, want)
		}
	}
	for _, good := range []string{"0", "0s", "1d", "1d12h", "1h30m", "1.5s,.5s", "10ms,0", "1h,1m,0s"} {
		if _, err := newBehaviour(map[string]string{"duration": good}, 1); err != nil || len(checked("duration", good)) > 0 {
			t.Errorf("%q: %v, %v", good, err, checked("duration", good))
		}
	}
	for _, bad := range []string{"1h,", ",1h", "1h, 1m", "1h,-1s", "soon", "5"} {
		if len(checked("duration", bad)) != 1 {
			t.Errorf("the server takes %q", bad)
		}
		if _, err := newBehaviour(map[string]string{"duration": bad}, 1); err == nil || !strings.Contains(err.Error(), "one for each attempt") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
