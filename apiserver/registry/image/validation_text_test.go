// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/archive"
	"goldsmith.dev/goldsmith/apiserver/registry/buildlog"
	"goldsmith.dev/goldsmith/apiserver/registry/history"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
	"goldsmith.dev/goldsmith/e2e/require"
	"goldsmith.dev/goldsmith/jobs/catalog"
)

// Why a field may have unprintable characters, which every output for people escapes.
const (
	manyLines    = "a builder gets it unchanged, and it may have many lines"
	fromStored   = "the server derives it from stored objects, requests and the names of users"
	byController = "only controllers write it: they remove unprintable characters of texts from elsewhere, and a refused status would stop a build"
	byKubernetes = "it has the rules of every Kubernetes object"
	asNumber     = "a text that is no number or duration is refused before, or ignored"
	elsewhere    = "validateReport of package imagebuild refuses them, and its test has examples"
	nobodyReads  = "it only selects what the same user reads"
	byOperator   = "the operator registers builders, and tables escape their texts"
	asWhole      = "a template with this field is refused"
	inAdvisories = "package advisories removes them"
)

// notOneLine are the types and fields whose text is not judged. A type stands for all its fields.
var notOneLine = map[string]string{
	"v1alpha1.Parameter.Value": manyLines, "v1alpha1.BuilderReference.Command": manyLines, "v1alpha1.InlineSource.Files value": manyLines, "v1.EnvVar.Value": manyLines,
	"v1alpha1.CommandCheck.Run": manyLines, "v1alpha1.CommandCheck.Contains": manyLines, "v1alpha1.HTTPCheck.Body": manyLines, "v1alpha1.FileCheck.Contains": manyLines,
	"v1alpha1.InputChange.From": manyLines, "v1alpha1.InputChange.To": manyLines,

	"v1.TypeMeta": byKubernetes, "v1.ObjectMeta": byKubernetes, "v1.ListMeta": byKubernetes,
	"v1alpha1.Duration": asNumber, "v1.Time": asNumber, "v1.MicroTime": asNumber, "v1alpha1.BuildReport": elsewhere, "v1alpha1.ImageHistoryOptions.User": nobodyReads,
	"v1alpha1.ImageHistoryOptions.Continue": nobodyReads, "v1alpha1.ImageJournalOptions.Continue": nobodyReads,
	"v1.ObjectFieldSelector": asWhole, "v1.ResourceFieldSelector": asWhole, "v1.FileKeySelector": asWhole,

	"v1alpha1.ImageStatus": byController, "v1alpha1.ImageKindStatus": byController, "v1alpha1.ImageBuildStatus": byController, "v1alpha1.ImagePlanStatus": fromStored,
	"v1alpha1.SigningKeyStatus": byController, "v1alpha1.ArchiveStatus": byController, "v1alpha1.BuildAttestation.WaitingFor": fromStored, "v1alpha1.SignedStatement": fromStored, "v1alpha1.StatementSignature": fromStored,
	"v1alpha1.ImageReference": fromStored, "v1alpha1.BuildTrigger": fromStored, "v1alpha1.PinnedInputs": fromStored, "v1alpha1.TestedBuild": fromStored, "v1alpha1.CancelRequested": fromStored, "v1alpha1.Revocation": fromStored,
	"v1alpha1.ImageBuildSpec.RunPolicy": fromStored, "v1alpha1.ImageChannel.Digest": fromStored, "v1alpha1.Artifact": fromStored, "v1alpha1.ArtifactDocument": fromStored, "v1alpha1.ImageChannel.By": fromStored, "v1alpha1.ImageChannel.Missing": byController, "v1alpha1.RevokedArtifactSpec": fromStored, "v1alpha1.ChannelOverride.By": fromStored,
	"v1alpha1.NoteRecord.Author": fromStored, "v1alpha1.QueuedBuild": fromStored, "v1alpha1.ImageBuildDiff": fromStored, "v1alpha1.ImageBuildPackages": fromStored, "v1alpha1.ImageReport": fromStored, "v1alpha1.FixCount": fromStored,
	"v1alpha1.ImageBuildVulnerabilities": inAdvisories, "v1alpha1.Vulnerability": inAdvisories, "v1alpha1.AdvisorySource": byOperator,
	"v1alpha1.Builder": byOperator, "v1alpha1.ImageHistory": fromStored, "v1alpha1.ImageStats": fromStored, "v1alpha1.ImageChanges": fromStored,
}

// unprintable are a control, an override, an isolate, and invisible characters of each kind.
var unprintable = []string{"\x1b[2J", "\u202e", "\u2066", "\u200b", "\u200d", "\U000e0041", "\ufe0f", "\u2028", "\u2800", "\u3164"}

// requestsOf returns valid objects that set, together, every field that users set and that is one line.
func requestsOf(ctx context.Context) map[string]func() (object any, judge func() field.ErrorList) {
	return map[string]func() (any, func() field.ErrorList){
		"an image": func() (any, func() field.ErrorList) {
			image := validationtest.Image()
			image.Spec.Builder = v1alpha1.BuilderReference{Image: "builder:1"}
			image.Spec.Template = validTemplate()
			image.Spec.Template.QueueName = "builds"
			near := &image.Spec.Template.Affinity.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0]
			near.MatchLabelKeys, near.MismatchLabelKeys = []string{"a"}, []string{"b"}
			near.LabelSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "a", Operator: metav1.LabelSelectorOpIn, Values: []string{"b"}}}
			image.Spec.Output = outputOf("registry.example.com/team/web")
			image.Spec.Output.TagTemplate, image.Spec.Output.Attest = "{build}", v1alpha1.AttestRequired
			image.Spec.History.LogMaxBytes = &v1alpha1.Quantity{Text: "1Gi"}
			image.Spec.Triggers = &v1alpha1.Triggers{Schedule: &v1alpha1.Schedule{Cron: "0 3 * * *", TimeZone: "Europe/Berlin", Mode: v1alpha1.ScheduleAlways}}
			packages := &v1alpha1.PackageTrigger{Mode: v1alpha1.PackagesAny}
			packages.Window = &v1alpha1.TriggerWindow{Cron: "0 22 * * *", TimeZone: "Europe/Berlin", Duration: v1alpha1.Duration{Duration: time.Hour}}
			image.Spec.Triggers.OnPackageChange = packages
			image.Spec.Source.Inline.Files["site.yaml"] = "service: {nginx: {running: true}}"
			image.Spec.Tests = []v1alpha1.ImageTest{
				{
					Name: "web", Target: "linux/amd64/raw", Goss: "site.yaml", Quarantine: &v1alpha1.TestQuarantine{Until: metav1.Unix(1, 0), Reason: "a bug"},
					Boot: &v1alpha1.TestBoot{
						Firmware: v1alpha1.TestFirmwareUEFI, Until: "multi-user.target", AllowFailedUnits: []string{"a.service"}, Memory: &v1alpha1.Quantity{Text: "1Gi"}, Network: v1alpha1.TestNetworkClosed,
					},
					Checks: &v1alpha1.TestChecks{
						Units: []string{"nginx.service"}, Ports: []v1alpha1.PortCheck{{Port: 80, HTTP: &v1alpha1.HTTPCheck{Path: "/index.html"}}}, Files: []v1alpha1.FileCheck{{Path: "/etc/motd"}},
					},
				},
				{Name: "ours", Runner: &v1alpha1.TestRunner{Name: "our-runner"}},
			}
			image.Spec.Channels = []v1alpha1.ChannelRule{{Name: "stable", Promote: v1alpha1.PromoteAutomatic, Requires: &v1alpha1.ChannelRequirements{
				Tests: []string{"web"}, MaxSeverity: v1alpha1.SeverityLimitLow,
			}}}
			return image, func() field.ErrorList { return Validate(image) }
		},
		"an image of another": func() (any, func() field.ErrorList) {
			image := validationtest.Image()
			image.Spec.Base = v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: "base", Channel: "stable"}}
			image.Spec.Source = &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: "files"}}
			return image, func() field.ErrorList { return Validate(image) }
		},
		"an image of a repository": func() (any, func() field.ErrorList) {
			image := validationtest.Image()
			image.Spec.Source = &v1alpha1.Source{Git: &v1alpha1.GitSource{URL: "https://git.example.com/team/web.git", Ref: "main", Path: "files"}}
			return image, func() field.ErrorList { return Validate(image) }
		},
		"an image of an artifact": func() (any, func() field.ErrorList) {
			image := validationtest.Image()
			image.Spec.Source = &v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: "registry.example.com/team/web", Tag: "stable"}}
			return image, func() field.ErrorList { return Validate(image) }
		},
		"a build": func() (any, func() field.ErrorList) {
			build := validationtest.ImageBuild()
			sum := "sha256:" + strings.Repeat("a", 64)
			build.Spec.Reproduces = &v1alpha1.Reproduction{
				Name: "debian-1", UID: "a", BuilderImage: "builder@" + sum, Artifacts: []v1alpha1.ReproducedArtifact{{Target: "linux/amd64/raw", Digest: sum, Lock: sum}},
			}
			return build, func() field.ErrorList { return imagebuild.ValidateDirect(build, build.Spec.Trigger) }
		},
		"a request for a build": func() (any, func() field.ErrorList) {
			request := &v1alpha1.BuildRequest{
				RequestID: "a", Reason: v1alpha1.TriggerManual, Message: "because", Parameters: []v1alpha1.Parameter{{Name: "edition"}},
				Changes: []v1alpha1.InputChange{{Path: "base.reference"}},
			}
			return request, func() field.ErrorList { return ValidateBuildRequest(request, "debian") }
		},
		"a request for a rerun": func() (any, func() field.ErrorList) {
			request := &v1alpha1.RerunRequest{RequestID: "a", Message: "because"}
			return request, func() field.ErrorList { return ValidateRerunRequest(request, "debian-1") }
		},
		"a request for tests": func() (any, func() field.ErrorList) {
			request := &v1alpha1.TestRequest{RequestID: "a", Message: "because", Tests: []string{"boots"}}
			return request, func() field.ErrorList { return ValidateTestRequest(request, "debian-1") }
		},
		"a request to revoke": func() (any, func() field.ErrorList) {
			request := &v1alpha1.RevokeRequest{Reason: "because"}
			return request, func() field.ErrorList { return imagebuild.ValidateRevokeRequest(request, "debian-1", time.Now()) }
		},
		"a request to restore": func() (any, func() field.ErrorList) {
			request := &v1alpha1.RestoreRequest{Reason: "because"}
			return request, func() field.ErrorList { return imagebuild.ValidateRestoreRequest(request, "debian-1") }
		},
		"a request to cancel": func() (any, func() field.ErrorList) {
			request := &v1alpha1.CancelRequest{Reason: "because", SupersededBy: "debian-2"}
			return request, func() field.ErrorList { return imagebuild.ValidateCancelRequest(request, "debian-1") }
		},
		"an attestation": func() (any, func() field.ErrorList) {
			request := &v1alpha1.BuildAttestation{Artifact: &validationtest.Artifacts()[0], Manifest: "sha256:" + strings.Repeat("a", 64)}
			return request, func() field.ErrorList { return imagebuild.ValidateAttestation(request, "debian-1") }
		},
		"signatures": func() (any, func() field.ErrorList) {
			request := &v1alpha1.BuildSignatures{Key: "release", Signatures: []v1alpha1.DigestSignature{{SignedDigest: "sha256:" + strings.Repeat("a", 64)}}}
			return request, func() field.ErrorList { return imagebuild.ValidateSignatures(request, "debian-1") }
		},
		"channels": func() (any, func() field.ErrorList) {
			channels := &v1alpha1.ImageChannels{Channels: []v1alpha1.ImageChannel{{Name: "stable", Build: "debian-1", Override: &v1alpha1.ChannelOverride{Reason: "because"}}}}
			return channels, func() field.ErrorList { return ValidateChannels(channels, "debian") }
		},
		"a note": func() (any, func() field.ErrorList) {
			note := &v1alpha1.ImageNote{NoteRecord: v1alpha1.NoteRecord{ID: "a", Text: "two\nlines"}}
			return note, func() field.ErrorList { return history.ValidateNote(note, "debian") }
		},
		"a kind": func() (any, func() field.ErrorList) {
			kind := &v1alpha1.ImageKind{ObjectMeta: metav1.ObjectMeta{Name: "servers"}}
			kind.Spec.OnDelete, kind.Spec.DirectWrites = v1alpha1.ImageKindWait, v1alpha1.ImageKindEnforce
			kind.Spec.Names = v1alpha1.ImageKindNames{Kind: "Server", Singular: "server", ShortNames: []string{"srv"}, Categories: []string{"offers"}}
			kind.Spec.Template.Raw = []byte(`{"builder": {"name": "mock"}, "targets": [{"platform": "linux/amd64", "format": "raw"}]}`)
			version := v1alpha1.ImageKindVersion{Name: "v1"}
			version.Schema.Raw = []byte(`{"type": "object", "required": ["base", "size"], "properties": {
				"base": {"type": "string", "minLength": 1, "maxLength": 64}, "size": {"type": "string", "enum": ["small"]}, "count": {"type": "integer"},
				"tags": {"type": "array", "items": {"type": "string"}}}}`)
			version.Bindings = []v1alpha1.ImageKindBinding{
				{Field: "spec.base", To: "spec.base.reference", Prefix: "debian:"},
				{Field: "spec.size", To: "spec.parameters[size]", Values: []v1alpha1.ImageKindValue{{Value: "small", To: "20Gi"}}},
				{Field: "spec.count", To: "spec.parameters[count]"},
				{Field: "spec.tags", To: "spec.parameters[tags]", Join: ", "},
			}
			version.Derived = []v1alpha1.ImageKindDerivation{{To: "spec.parameters[host]", Expression: "metadata.name"}}
			version.Columns = []v1alpha1.ImageKindColumn{{Name: "Count", Type: "integer", Format: "int64", Description: "Number", JSONPath: ".spec.count"}}
			kind.Spec.Versions = []v1alpha1.ImageKindVersion{version}
			return kind, func() field.ErrorList {
				_, errs := catalog.Compile(ctx, kind)
				return errs
			}
		},
		"an archive": func() (any, func() field.ErrorList) {
			of := &v1alpha1.Archive{ObjectMeta: metav1.ObjectMeta{Name: "debian"}, Spec: v1alpha1.ArchiveSpec{Builder: "debian", URI: "http://deb.debian.org/debian", Suite: "trixie"}}
			return of, func() field.ErrorList { return archive.Validate(of) }
		},
		"a query of the history": func() (any, func() field.ErrorList) {
			options := &v1alpha1.ImageHistoryOptions{Outcome: string(v1alpha1.BuildFailed), Trigger: string(v1alpha1.TriggerManual), Since: "7d", Until: "1d", UID: "a"}
			return options, func() field.ErrorList { return history.ValidateHistoryOptions(options, time.Now()) }
		},
		"a query of statistics": func() (any, func() field.ErrorList) {
			options := &v1alpha1.ImageStatsOptions{Since: "7d", UID: "a"}
			return options, func() field.ErrorList { return history.ValidateStatsOptions(options) }
		},
		"a query of notes": func() (any, func() field.ErrorList) {
			options := &v1alpha1.ImageJournalOptions{UID: "a"}
			return options, func() field.ErrorList { return history.ValidateJournalOptions(options) }
		},
		"a query of a log": func() (any, func() field.ErrorList) {
			options := &v1alpha1.ImageBuildLogOptions{UID: "a"}
			return options, func() field.ErrorList { return buildlog.ValidateLogOptions(options) }
		},
		"a query of differences": func() (any, func() field.ErrorList) {
			options := &v1alpha1.ImageBuildDiffOptions{With: "debian-1", UID: "a", WithUID: "b"}
			return options, func() field.ErrorList { return imagebuild.ValidateDiffOptions(options) }
		},
		"a query of packages": func() (any, func() field.ErrorList) {
			options := &v1alpha1.ImageBuildPackagesOptions{UID: "a", Target: "linux/amd64/raw"}
			return options, func() field.ErrorList { return imagebuild.ValidatePackagesOptions(options) }
		},
		"a query of vulnerabilities": func() (any, func() field.ErrorList) {
			options := &v1alpha1.ImageBuildVulnerabilitiesOptions{UID: "a", Target: "linux/amd64/raw"}
			return options, func() field.ErrorList { return imagebuild.ValidateVulnerabilitiesOptions(options) }
		},
	}
}

// TestUnprintableCharactersAreRefusedInEveryLine fails for a new field that neither refuses them nor is in notOneLine.
func TestUnprintableCharactersAreRefusedInEveryLine(t *testing.T) {
	judged := map[string]bool{}
	for what, valid := range requestsOf(t.Context()) {
		object, judge := valid()
		if errs := judge(); len(errs) > 0 {
			t.Errorf("%s: %v", what, errs.ToAggregate())
			continue
		}
		eachText(reflect.ValueOf(object), "", func(name, text string, set func(string)) {
			judged[name] = true
			for _, character := range unprintable {
				set(text[:len(text)/2] + character + text[len(text)/2:])
				if len(judge()) == 0 {
					t.Errorf("%s: %s has %+q", what, name, character)
				}
			}
			set(text)
		})
	}
	found := map[string]bool{}
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	for _, kind := range scheme.KnownTypes(v1alpha1.SchemeGroupVersion) {
		if kind.PkgPath() != reflect.TypeFor[v1alpha1.Image]().PkgPath() {
			continue // a type that all groups share
		}
		eachTextOf(kind, "", found, map[reflect.Type]bool{})
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !judged[name] {
			t.Errorf("no request has a text in %s: add one to requests, or the field to notOneLine with the reason", name)
		}
	}
	if len(judged) < 50 {
		t.Errorf("only %d fields are judged", len(judged))
	}
}

// eachText visits the texts of a value, and the keys of maps, except those of notOneLine.
func eachText(value reflect.Value, name string, visit func(name, text string, set func(string))) {
	if notOneLine[name] != "" || notOneLine[value.Type().String()] != "" {
		return
	}
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			eachText(value.Elem(), name, visit)
		}
	case reflect.Struct:
		for i := range value.NumField() {
			eachText(value.Field(i), value.Type().String()+"."+value.Type().Field(i).Name, visit)
		}
	case reflect.Slice:
		for i := range value.Len() {
			eachText(value.Index(i), name, visit)
		}
	case reflect.Map:
		for _, key := range value.MapKeys() {
			eachEntry(value, key, name, visit)
		}
	case reflect.String:
		if text := value.String(); text != "" {
			visit(name, text, value.SetString)
		}
	}
}

func eachEntry(entries, key reflect.Value, name string, visit func(name, text string, set func(string))) {
	entry := reflect.New(entries.Type().Elem()).Elem()
	entry.Set(entries.MapIndex(key))
	current := key
	visit(name+" key", key.String(), func(text string) {
		entries.SetMapIndex(current, reflect.Value{})
		current = reflect.ValueOf(text).Convert(entries.Type().Key())
		entries.SetMapIndex(current, entry)
	})
	eachText(entry, name+" value", func(name, text string, set func(string)) {
		visit(name, text, func(text string) {
			set(text)
			entries.SetMapIndex(key, entry)
		})
	})
}

// eachTextOf collects the names that eachText gives the texts of a type.
func eachTextOf(of reflect.Type, name string, found map[string]bool, seen map[reflect.Type]bool) {
	if notOneLine[of.String()] != "" || notOneLine[name] != "" {
		return
	}
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice:
		eachTextOf(of.Elem(), name, found, seen)
	case reflect.Struct:
		if seen[of] {
			return
		}
		seen[of] = true
		for field := range of.Fields() {
			eachTextOf(field.Type, of.String()+"."+field.Name, found, seen)
		}
	case reflect.Map:
		found[name+" key"] = true
		eachTextOf(of.Elem(), name+" value", found, seen)
	case reflect.String:
		found[name] = true
	}
}
