// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

func TestBuildRequest(t *testing.T) {
	long := strings.Repeat("ä", 1025)
	for what, test := range map[string]struct {
		request v1alpha1.BuildRequest
		want    []string
	}{
		"the least":            {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual}, nil},
		"the most":             {v1alpha1.BuildRequest{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, RequestID: long[:256], Reason: v1alpha1.TriggerCreated, Message: long[:2048]}, nil},
		"another image":        {v1alpha1.BuildRequest{ObjectMeta: metav1.ObjectMeta{Name: "x"}, Reason: v1alpha1.TriggerManual}, []string{"metadata.name"}},
		"too long":             {v1alpha1.BuildRequest{RequestID: long[:258], Reason: v1alpha1.TriggerManual, Message: long}, []string{"message", "requestID"}},
		"an unprintable ID":    {v1alpha1.BuildRequest{RequestID: "a\x00", Reason: v1alpha1.TriggerManual}, []string{"requestID"}},
		"an unknown reason":    {v1alpha1.BuildRequest{Reason: "Because"}, []string{"reason"}},
		"a new base":           {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerBaseChange}, nil},
		"a schedule":           {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerSchedule}, nil},
		"a rerun":              {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerRerun}, []string{"reason"}},
		"new packages":         {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerPackageChange, RequestID: "packages:" + validationtest.Digest("a") + ":7"}, nil},
		"packages of a user":   {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerPackageChange, RequestID: "a"}, []string{"reason"}},
		"packages of a digest": {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerPackageChange, RequestID: validationtest.Digest("a") + ":7"}, []string{"reason"}},
		"packages by hand":     {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, RequestID: "packages:" + validationtest.Digest("a") + ":7"}, []string{"reason"}},
		"the Image's own":      {v1alpha1.BuildRequest{RequestID: validationtest.Digest("a") + ":7", Reason: v1alpha1.TriggerManual}, nil},
		"its parameters' ID":   {v1alpha1.BuildRequest{RequestID: validationtest.Digest("a") + ":7", Reason: v1alpha1.TriggerManual, Parameters: []v1alpha1.Parameter{{Name: "a"}}}, []string{"requestID"}},
		"its schedule's ID":    {v1alpha1.BuildRequest{RequestID: "schedule:2030-01-02T03:04:00Z", Reason: v1alpha1.TriggerManual, Parameters: []v1alpha1.Parameter{{Name: "a"}}}, []string{"requestID"}},
		"almost such an ID":    {v1alpha1.BuildRequest{RequestID: validationtest.Digest("a") + ":7a", Reason: v1alpha1.TriggerManual, Parameters: []v1alpha1.Parameter{{Name: "a"}}}, nil},
		"parameters":           {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Parameters: []v1alpha1.Parameter{{Name: "a", Value: "b"}}}, nil},
		"bad parameters":       {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Parameters: []v1alpha1.Parameter{{Name: "a b"}, {Name: "c"}, {Name: "c"}, {Name: "d", Value: strings.Repeat("x", 4097)}}}, []string{"parameters[0].name", "parameters[2].name", "parameters[3].value"}},
		"too many changes":     {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Changes: slices.Repeat([]v1alpha1.InputChange{{Path: "a"}}, 33)}, []string{"changes"}},
		"a change of nothing":  {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Changes: []v1alpha1.InputChange{{}}}, []string{"changes[0].path"}},
		"a change without end": {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Changes: []v1alpha1.InputChange{{Path: long[:1026], From: long[:258], To: long[:258]}}}, []string{"changes[0].path", "changes[0].from", "changes[0].to"}},
		"the longest change":   {v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Changes: []v1alpha1.InputChange{{Path: long[:1024], From: long[:256], To: long[:256]}}}, nil},
	} {
		t.Run(what, func(t *testing.T) {
			validationtest.ExpectPaths(t, ValidateBuildRequest(&test.request, "debian"), test.want)
		})
	}
}

func TestMergedParameters(t *testing.T) {
	validationtest.ExpectPaths(t, ValidateMergedParameters(validationtest.Parameters(64<<10, "x")), nil)
	validationtest.ExpectPaths(t, ValidateMergedParameters(validationtest.Parameters(64<<10+1, "x")), []string{"parameters"})
	many := make([]v1alpha1.Parameter, 65)
	for i := range many {
		many[i].Name = fmt.Sprint(i)
	}
	errs := ValidateMergedParameters(many)
	validationtest.ExpectPaths(t, errs, []string{"parameters"})
	if !strings.Contains(errs[0].Detail, "the parameters of the Image count too") {
		t.Errorf("the message does not say of whom they are: %v", errs)
	}
}

func TestRerunRequest(t *testing.T) {
	validationtest.ExpectPaths(t, ValidateRerunRequest(&v1alpha1.RerunRequest{}, "debian-1"), nil)
	validationtest.ExpectPaths(t, ValidateRerunRequest(&v1alpha1.RerunRequest{
		ObjectMeta: metav1.ObjectMeta{Name: "x", UID: "../y"}, RequestID: "a\nb", Message: strings.Repeat("x", 1025),
	}, "debian-1"), []string{"metadata.name", "metadata.uid", "requestID", "message"})
	for _, reserved := range []string{validationtest.Digest("a") + ":0", "schedule:2030-01-02T03:04:00Z", "packages:" + validationtest.Digest("a") + ":0"} {
		errs := ValidateRerunRequest(&v1alpha1.RerunRequest{RequestID: reserved}, "debian-1")
		validationtest.ExpectPaths(t, errs, []string{"requestID"})
		if !strings.Contains(errs[0].Detail, "choose another requestID") {
			t.Errorf("the message does not say why: %v", errs)
		}
	}
	validationtest.ExpectPaths(t, ValidateRerunRequest(&v1alpha1.RerunRequest{RequestID: "my-schedule:1"}, "debian-1"), nil)
}

func TestImageChannels(t *testing.T) {
	channel := func(name, build string) v1alpha1.ImageChannel { return v1alpha1.ImageChannel{Name: name, Build: build} }
	overridden := func(reason string) v1alpha1.ImageChannel {
		return v1alpha1.ImageChannel{Name: "stable", Build: "debian-1", Override: &v1alpha1.ChannelOverride{Reason: reason}}
	}
	many := make([]v1alpha1.ImageChannel, 17)
	for i := range many {
		many[i] = channel(fmt.Sprintf("c%d", i), "debian-1")
	}
	for what, test := range map[string]struct {
		channels []v1alpha1.ImageChannel
		want     []string
	}{
		"none":                      {nil, nil},
		"two of a build":            {[]v1alpha1.ImageChannel{channel("stable", "debian-1"), channel("testing", "debian-1")}, nil},
		"16":                        {many[:16], nil},
		"17":                        {many, []string{"channels"}},
		"one twice":                 {[]v1alpha1.ImageChannel{channel("stable", "debian-1"), channel("stable", "debian-2")}, []string{"channels[1].name"}},
		"a nameless one":            {[]v1alpha1.ImageChannel{channel("", "debian-1")}, []string{"channels[0].name"}},
		"a bad name":                {[]v1alpha1.ImageChannel{channel("Stable", "debian-1")}, []string{"channels[0].name"}},
		"a name too long":           {[]v1alpha1.ImageChannel{channel(strings.Repeat("a", 64), "debian-1")}, []string{"channels[0].name"}},
		"one without a build":       {[]v1alpha1.ImageChannel{channel("stable", "")}, []string{"channels[0].build"}},
		"an override":               {[]v1alpha1.ImageChannel{overridden("it must be")}, nil},
		"an override without end":   {[]v1alpha1.ImageChannel{overridden(strings.Repeat("a", 1025))}, []string{"channels[0].override.reason"}},
		"an override of two lines":  {[]v1alpha1.ImageChannel{overridden("a\nb")}, []string{"channels[0].override.reason"}},
		"an override for a blank":   {[]v1alpha1.ImageChannel{overridden("  ")}, []string{"channels[0].override.reason"}},
		"an override for no reason": {[]v1alpha1.ImageChannel{overridden("")}, []string{"channels[0].override.reason"}},
		"one of a build's bad name": {[]v1alpha1.ImageChannel{channel("stable", "debian_1")}, []string{"channels[0].build"}},
	} {
		t.Run(what, func(t *testing.T) {
			validationtest.ExpectPaths(t, ValidateChannels(&v1alpha1.ImageChannels{Channels: test.channels}, "debian"), test.want)
		})
	}
	validationtest.ExpectPaths(t, ValidateChannels(&v1alpha1.ImageChannels{ObjectMeta: metav1.ObjectMeta{Name: "ubuntu"}}, "debian"), []string{"metadata.name"})
}

func TestTextsForPeopleArePrintable(t *testing.T) {
	for name, text := range map[string]string{
		"the title of a terminal": "a\x1b]0;b\a", "a bell": "a\a", "a C1 control": "a\u009b2J", "another line": "a\nb", "a tab": "a\tb",
		"an override of direction": "a\u202eb", "an isolate": "a\u2066b", "a mark": "a\u200fb", "no UTF-8": "a\xff",
	} {
		t.Run(name, func(t *testing.T) {
			validationtest.ExpectPaths(t, imagebuild.ValidateCancelRequest(&v1alpha1.CancelRequest{Reason: text}, "debian-1"), []string{"reason"})
			validationtest.ExpectPaths(t, ValidateBuildRequest(&v1alpha1.BuildRequest{Reason: v1alpha1.TriggerManual, Message: text}, "debian"), []string{"message"})
			validationtest.ExpectPaths(t, ValidateRerunRequest(&v1alpha1.RerunRequest{Message: text}, "debian-1"), []string{"message"})
		})
	}
	validationtest.ExpectPaths(t, imagebuild.ValidateCancelRequest(&v1alpha1.CancelRequest{Reason: "Grüße 👩‍💻, שלום — „ja“"}, "debian-1"), nil)
}
