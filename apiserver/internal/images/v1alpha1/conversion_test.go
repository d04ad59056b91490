// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"net/url"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	public "goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/internal/images/install"
)

func TestAParameterThatIsNoNumberIsNamed(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := install.Install(scheme); err != nil {
		t.Fatal(err)
	}
	for parameter, options := range map[string][]runtime.Object{
		"limit":   {&public.ImageHistoryOptions{}, &public.ImageJournalOptions{}},
		"attempt": {&public.ImageBuildLogOptions{}}, "tailLines": {&public.ImageBuildLogOptions{}}, "limitBytes": {&public.ImageBuildLogOptions{}},
	} {
		for _, into := range options {
			if err := scheme.Convert(&url.Values{parameter: {"many"}}, into, nil); err == nil || !strings.HasSuffix(err.Error(), parameter+" must be a number, not \"many\"") {
				t.Errorf("%T: got %v", into, err)
			}
			if err := scheme.Convert(&url.Values{parameter: {"3"}, "uid": {"x"}}, into, nil); err != nil {
				t.Errorf("%T: %v", into, err)
			}
		}
	}
}
