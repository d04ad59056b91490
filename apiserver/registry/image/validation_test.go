// SPDX-License-Identifier: Apache-2.0

package image

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/apiserver/registry/imagebuild"
	"goldsmith.dev/goldsmith/apiserver/registry/validation/validationtest"
)

// example changes a valid object, and lists the fields that are then invalid.
type example[T any] struct {
	change func(*T)
	want   []string
}

func imageExamples() map[string]example[v1alpha1.Image] {
	const name, spec, packages = "metadata.name", "spec.", "spec.triggers.onPackageChange."
	long := strings.Repeat("a", 5000)
	manyParameters := make([]v1alpha1.Parameter, 65)
	for i := range manyParameters {
		manyParameters[i].Name = fmt.Sprint(i)
	}
	manyTargets := make([]v1alpha1.Target, 17)
	for i := range manyTargets {
		manyTargets[i] = v1alpha1.Target{Platform: fmt.Sprintf("linux/arch%d", i), Format: v1alpha1.ArtifactFormatOCI}
	}

	return map[string]example[v1alpha1.Image]{
		"a complete image":     {func(*v1alpha1.Image) {}, nil},
		"the longest name":     {func(i *v1alpha1.Image) { i.Name = long[:45] }, nil},
		"a name too long":      {func(i *v1alpha1.Image) { i.Name = long[:46] }, []string{name}},
		"no name":              {func(i *v1alpha1.Image) { i.Name = "" }, []string{name}},
		"a name with a dot":    {func(i *v1alpha1.Image) { i.Name = "debian.12" }, []string{name}},
		"an invalid label":     {func(i *v1alpha1.Image) { i.Labels = map[string]string{"a b": "c"} }, []string{"metadata.labels"}},
		"no builder":           {func(i *v1alpha1.Image) { i.Spec.Builder = v1alpha1.BuilderReference{} }, []string{spec + "builder"}},
		"two builders":         {func(i *v1alpha1.Image) { i.Spec.Builder.Image = "x" }, []string{spec + "builder"}},
		"a builder's bad name": {func(i *v1alpha1.Image) { i.Spec.Builder.Name = "../mock" }, []string{spec + "builder.name"}},
		"a builder by image": {func(i *v1alpha1.Image) {
			i.Spec.Builder = v1alpha1.BuilderReference{Image: "x:1", Command: []string{"y"}}
		}, nil},
		"a builder's bad image": {func(i *v1alpha1.Image) { i.Spec.Builder = v1alpha1.BuilderReference{Image: "x 1"} }, []string{spec + "builder.image"}},
		"a command of a name":   {func(i *v1alpha1.Image) { i.Spec.Builder.Command = []string{"sh"} }, []string{spec + "builder.command"}},
		"a command too long": {
			func(i *v1alpha1.Image) {
				i.Spec.Builder = v1alpha1.BuilderReference{Image: "x", Command: make([]string, 65)}
			},
			[]string{spec + "builder.command"},
		},
		"no base":                  {func(i *v1alpha1.Image) { i.Spec.Base.Reference = "" }, []string{spec + "base"}},
		"a base with a space":      {func(i *v1alpha1.Image) { i.Spec.Base.Reference = "a b" }, []string{spec + "base.reference"}},
		"a base with a line break": {func(i *v1alpha1.Image) { i.Spec.Base.Reference = "a\nb" }, []string{spec + "base.reference"}},
		"a base with an invisible character": {
			func(i *v1alpha1.Image) { i.Spec.Base.Reference = "debian\u200b:bookworm" }, []string{spec + "base.reference"},
		},
		"a base too long":          {func(i *v1alpha1.Image) { i.Spec.Base.Reference = long[:513] }, []string{spec + "base.reference"}},
		"no source":                {func(i *v1alpha1.Image) { i.Spec.Source = nil }, nil},
		"a ConfigMap":              {func(i *v1alpha1.Image) { i.Spec.Source = configMap("files.v1") }, nil},
		"a ConfigMap without name": {func(i *v1alpha1.Image) { i.Spec.Source = configMap("") }, []string{spec + "source.configMapRef.name"}},
		"a ConfigMap's bad name":   {func(i *v1alpha1.Image) { i.Spec.Source = configMap("A") }, []string{spec + "source.configMapRef.name"}},
		"two sources": {
			func(i *v1alpha1.Image) { i.Spec.Source.ConfigMapRef = &v1alpha1.ConfigMapReference{Name: "files"} },
			[]string{spec + "source"},
		},
		"files outside": {
			func(i *v1alpha1.Image) {
				i.Spec.Source.Inline.Files = map[string]string{"../x": "", "/y": "", "ok": ""}
			},
			[]string{spec + "source.inline.files[../x]", spec + "source.inline.files[/y]"},
		},
		"a file in its directory": {
			func(i *v1alpha1.Image) {
				i.Spec.Source.Inline.Files = map[string]string{"etc": "", "etc/motd": "", "getty@tty1.service": ""}
			},
			[]string{spec + "source.inline.files[etc]"},
		},
		"the most bytes of files": {func(i *v1alpha1.Image) { i.Spec.Source.Inline.Files = filesOf(64 << 10) }, nil},
		"too many bytes of files": {
			func(i *v1alpha1.Image) { i.Spec.Source.Inline.Files = filesOf(64<<10 + 1) },
			[]string{spec + "source.inline.files"},
		},
		"no parameters":          {func(i *v1alpha1.Image) { i.Spec.Parameters = nil }, nil},
		"64 parameters":          {func(i *v1alpha1.Image) { i.Spec.Parameters = manyParameters[:64] }, nil},
		"65 parameters":          {func(i *v1alpha1.Image) { i.Spec.Parameters = manyParameters }, []string{spec + "parameters"}},
		"a parameter twice":      {func(i *v1alpha1.Image) { i.Spec.Parameters = []v1alpha1.Parameter{{Name: "a"}, {Name: "a"}} }, []string{spec + "parameters[1].name"}},
		"a nameless parameter":   {func(i *v1alpha1.Image) { i.Spec.Parameters[0].Name = "" }, []string{spec + "parameters[0].name"}},
		"a parameter's bad name": {func(i *v1alpha1.Image) { i.Spec.Parameters[0].Name = "a=b" }, []string{spec + "parameters[0].name"}},
		"a parameter's long name": {
			func(i *v1alpha1.Image) { i.Spec.Parameters[0].Name = long[:64] }, []string{spec + "parameters[0].name"},
		},
		"the longest value":            {func(i *v1alpha1.Image) { i.Spec.Parameters[0].Value = long[:4096] }, nil},
		"a value too long":             {func(i *v1alpha1.Image) { i.Spec.Parameters[0].Value = long[:4097] }, []string{spec + "parameters[0].value"}},
		"the most bytes of parameters": {func(i *v1alpha1.Image) { i.Spec.Parameters = validationtest.Parameters(64<<10, "x") }, nil},
		"too many bytes of parameters": {
			func(i *v1alpha1.Image) { i.Spec.Parameters = validationtest.Parameters(64<<10+1, "x") }, []string{spec + "parameters"},
		},
		"no targets":            {func(i *v1alpha1.Image) { i.Spec.Targets = nil }, []string{spec + "targets"}},
		"16 targets":            {func(i *v1alpha1.Image) { i.Spec.Targets = manyTargets[:16] }, nil},
		"17 targets":            {func(i *v1alpha1.Image) { i.Spec.Targets = manyTargets }, []string{spec + "targets"}},
		"a target twice":        {func(i *v1alpha1.Image) { i.Spec.Targets = append(i.Spec.Targets, i.Spec.Targets[0]) }, []string{spec + "targets[1]"}},
		"a platform's variant":  {func(i *v1alpha1.Image) { i.Spec.Targets[0].Platform = "linux/arm64/v8" }, nil},
		"a platform without os": {func(i *v1alpha1.Image) { i.Spec.Targets[0].Platform = "amd64" }, []string{spec + "targets[0].platform"}},
		"no platform":           {func(i *v1alpha1.Image) { i.Spec.Targets[0].Platform = "" }, []string{spec + "targets[0].platform"}},
		"an unknown format":     {func(i *v1alpha1.Image) { i.Spec.Targets[0].Format = "tape" }, []string{spec + "targets[0].format"}},
		"no format":             {func(i *v1alpha1.Image) { i.Spec.Targets[0].Format = "" }, []string{spec + "targets[0].format"}},
		"a test": {func(i *v1alpha1.Image) {
			i.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots", Boot: &v1alpha1.TestBoot{}}}
		}, nil},
		"a test of nothing": {func(i *v1alpha1.Image) { i.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots"}} }, []string{spec + "tests[0]"}},
		"a goss of no file": {func(i *v1alpha1.Image) {
			i.Spec.Tests = []v1alpha1.ImageTest{{Name: "site", Boot: &v1alpha1.TestBoot{}, Goss: "site.yaml"}}
		}, []string{spec + "tests[0].goss"}},
		"a test of another target": {func(i *v1alpha1.Image) {
			i.Spec.Tests = []v1alpha1.ImageTest{{Name: "boots", Target: "linux/arm64/raw", Boot: &v1alpha1.TestBoot{}}}
		}, []string{spec + "tests[0].target"}},
		"an output": {func(i *v1alpha1.Image) {
			i.Spec.Output = outputOf("registry.example.com:5000/team/web")
			i.Spec.Output.TagTemplate = "{build}.{platform}_{format}"
		}, nil},
		"an output without a repository":   {func(i *v1alpha1.Image) { i.Spec.Output = outputOf("") }, []string{spec + "output.repository"}},
		"a repository without a host":      {func(i *v1alpha1.Image) { i.Spec.Output = outputOf("team/web") }, []string{spec + "output.repository"}},
		"a repository with a tag":          {func(i *v1alpha1.Image) { i.Spec.Output = outputOf("localhost/web:1") }, []string{spec + "output.repository"}},
		"a URL instead of a repository":    {func(i *v1alpha1.Image) { i.Spec.Output = outputOf("https://localhost/web") }, []string{spec + "output.repository"}},
		"an output with a nameless Secret": {func(i *v1alpha1.Image) { i.Spec.Output = outputOf("localhost/a"); i.Spec.Output.SecretRef.Name = "" }, []string{spec + "output.secretRef.name"}},
		"an unknown placeholder":           {func(i *v1alpha1.Image) { i.Spec.Output = outputOf("localhost/a"); i.Spec.Output.TagTemplate = "{date}" }, []string{spec + "output.tagTemplate"}},
		"a template that makes no tag": {func(i *v1alpha1.Image) {
			i.Spec.Output = outputOf("localhost/a")
			i.Spec.Output.TagTemplate = "-{build}"
		}, []string{spec + "output.tagTemplate"}},
		"a placeholder that does not end": {func(i *v1alpha1.Image) { i.Spec.Output = outputOf("localhost/a"); i.Spec.Output.TagTemplate = "{build" }, []string{spec + "output.tagTemplate"}},
		"a template that makes a long tag": {func(i *v1alpha1.Image) {
			i.Spec.Output = outputOf("localhost/a")
			i.Spec.Output.TagTemplate = strings.Repeat("a", 118) + "{platform}"
		}, []string{spec + "output.tagTemplate"}},
		"containerDisks of two platforms": {func(i *v1alpha1.Image) { setContainerDisks(i, "linux/amd64/qcow2", "linux/arm64/qcow2") }, nil},
		"a containerDisk and a disk":      {func(i *v1alpha1.Image) { setContainerDisks(i, "linux/amd64/qcow2", "linux/amd64/raw -") }, []string{spec + "output.tagTemplate"}},
		"a containerDisk and a disk with two tags": {func(i *v1alpha1.Image) {
			setContainerDisks(i, "linux/amd64/qcow2", "linux/amd64/raw -")
			i.Spec.Output.TagTemplate = "{build}-{format}"
		}, nil},
		"containerDisks of two systems":   {func(i *v1alpha1.Image) { setContainerDisks(i, "linux/amd64/qcow2", "windows/amd64/qcow2") }, []string{spec + "output.tagTemplate"}},
		"containerDisks that cannot be":   {func(i *v1alpha1.Image) { setContainerDisks(i, "linux/amd64/raw", "linux/arm64/iso") }, []string{spec + "targets[0].containerDisk", spec + "targets[1].containerDisk"}},
		"a containerDisk without a place": {func(i *v1alpha1.Image) { setContainerDisks(i, "linux/amd64/qcow2"); i.Spec.Output = nil }, []string{spec + "targets[0].containerDisk"}},
		"an unknown run policy":           {func(i *v1alpha1.Image) { i.Spec.RunPolicy = "Random" }, []string{spec + "runPolicy"}},
		"latest only":                     {func(i *v1alpha1.Image) { i.Spec.RunPolicy = v1alpha1.RunPolicySerialLatestOnly }, nil},
		"side by side":                    {func(i *v1alpha1.Image) { i.Spec.RunPolicy = v1alpha1.RunPolicyParallel }, nil},
		"timeouts at their bounds": {func(i *v1alpha1.Image) {
			i.Spec.Timeouts = &v1alpha1.BuildTimeouts{Queue: validationtest.Seconds(720 * 3600), Start: validationtest.Seconds(24 * 3600), Run: validationtest.Seconds(168 * 3600)}
		}, nil},
		"timeouts beyond their bounds": {func(i *v1alpha1.Image) {
			i.Spec.Timeouts = &v1alpha1.BuildTimeouts{Queue: validationtest.Seconds(720*3600 + 1), Start: validationtest.Seconds(24*3600 + 1), Run: validationtest.Seconds(0)}
		}, []string{spec + "timeouts.queue", spec + "timeouts.start", spec + "timeouts.run"}},
		"no time to wait":            {func(i *v1alpha1.Image) { i.Spec.Timeouts.Queue = validationtest.Seconds(0) }, []string{spec + "timeouts.queue"}},
		"half a second in the queue": {func(i *v1alpha1.Image) { i.Spec.Timeouts.Queue = &v1alpha1.Duration{Duration: 1500 * time.Millisecond} }, []string{spec + "timeouts.queue"}},
		"half a second":              {func(i *v1alpha1.Image) { i.Spec.Timeouts.Start.Duration += time.Second / 2 }, []string{spec + "timeouts.start"}},
		"a duration of many words":   {func(i *v1alpha1.Image) { i.Spec.Timeouts.Run.Written = strings.Repeat("1m", 33) }, []string{spec + "timeouts.run"}},
		"no retries":                 {func(i *v1alpha1.Image) { i.Spec.Retry.Limit = new(int32(0)) }, nil},
		"too many retries":           {func(i *v1alpha1.Image) { i.Spec.Retry.Limit = new(int32(11)) }, []string{spec + "retry.limit"}},
		"negative retries":           {func(i *v1alpha1.Image) { i.Spec.Retry.Limit = new(int32(-1)) }, []string{spec + "retry.limit"}},
		"an unknown class":           {func(i *v1alpha1.Image) { i.Spec.Retry.Classes[0] = "Weather" }, []string{spec + "retry.classes[0]"}},
		"retrying a cancel":          {func(i *v1alpha1.Image) { i.Spec.Retry.Classes[0] = v1alpha1.FailureCancelled }, []string{spec + "retry.classes[0]"}},
		"a class twice":              {func(i *v1alpha1.Image) { i.Spec.Retry.Classes = append(i.Spec.Retry.Classes, i.Spec.Retry.Classes[0]) }, []string{spec + "retry.classes[1]"}},
		"no wait": {func(i *v1alpha1.Image) {
			i.Spec.Retry.Backoff = &v1alpha1.Backoff{Initial: validationtest.Seconds(0), Max: validationtest.Seconds(0)}
		}, nil},
		"waits out of bound": {func(i *v1alpha1.Image) {
			i.Spec.Retry.Backoff = &v1alpha1.Backoff{Initial: validationtest.Seconds(3601), Max: validationtest.Seconds(86401)}
		}, []string{spec + "retry.backoff.initial", spec + "retry.backoff.max"}},
		"max below initial": {func(i *v1alpha1.Image) { i.Spec.Retry.Backoff.Max = validationtest.Seconds(9) }, []string{spec + "retry.backoff.max"}},
		"the least history": {func(i *v1alpha1.Image) {
			i.Spec.History = &v1alpha1.HistoryLimits{Succeeded: new(int32(1)), Failed: new(int32(0))}
		}, nil},
		"no history":       {func(i *v1alpha1.Image) { i.Spec.History.Succeeded = new(int32(0)) }, []string{spec + "history.succeeded"}},
		"too much history": {func(i *v1alpha1.Image) { i.Spec.History.Failed = new(int32(1001)) }, []string{spec + "history.failed"}},
		"the least and the most time": {func(i *v1alpha1.Image) {
			i.Spec.History.TTL = &v1alpha1.HistoryTTL{Succeeded: validationtest.Seconds(60), Failed: validationtest.Seconds(87600 * 3600)}
		}, nil},
		"times out of bound": {func(i *v1alpha1.Image) {
			i.Spec.History.TTL = &v1alpha1.HistoryTTL{Succeeded: validationtest.Seconds(59), Failed: validationtest.Seconds(87600*3600 + 1)}
		}, []string{spec + "history.ttl.succeeded", spec + "history.ttl.failed"}},
		"logs that are kept for as short or long as may be": {func(i *v1alpha1.Image) {
			i.Spec.History.LogRetention = &v1alpha1.HistoryTTL{Succeeded: validationtest.Seconds(60), Failed: validationtest.Seconds(87600 * 3600)}
			i.Spec.History.LogMaxBytes = &v1alpha1.Quantity{Text: "64Ki"}
		}, nil},
		"logs that are kept too short, too long, and too much of them": {func(i *v1alpha1.Image) {
			i.Spec.History.LogRetention = &v1alpha1.HistoryTTL{Succeeded: validationtest.Seconds(59), Failed: validationtest.Seconds(87600*3600 + 1)}
			i.Spec.History.LogMaxBytes = &v1alpha1.Quantity{Text: "1025Gi"}
		}, []string{spec + "history.logRetention.succeeded", spec + "history.logRetention.failed", spec + "history.logMaxBytes"}},
		"records that are kept for as short or long as may be": {func(i *v1alpha1.Image) {
			i.Spec.History.RecordRetention = &v1alpha1.HistoryTTL{Succeeded: validationtest.Seconds(87600 * 3600), Failed: validationtest.Seconds(60)}
		}, nil},
		"records that are kept too short and too long": {func(i *v1alpha1.Image) {
			i.Spec.History.RecordRetention = &v1alpha1.HistoryTTL{Succeeded: validationtest.Seconds(59), Failed: validationtest.Seconds(87600*3600 + 1)}
			i.Spec.History.FileRetention = validationtest.Seconds(59)
		}, []string{spec + "history.fileRetention", spec + "history.recordRetention.succeeded", spec + "history.recordRetention.failed"}},
		"next to nothing of a log":  {func(i *v1alpha1.Image) { i.Spec.History.LogMaxBytes = &v1alpha1.Quantity{Text: "65535"} }, []string{spec + "history.logMaxBytes"}},
		"another Image":             {func(i *v1alpha1.Image) { i.Spec.Base = baseImage("base", "") }, nil},
		"another Image's channel":   {func(i *v1alpha1.Image) { i.Spec.Base = baseImage(long[:45], "stable") }, nil},
		"two bases":                 {func(i *v1alpha1.Image) { i.Spec.Base = baseImage("base", ""); i.Spec.Base.Reference = "x" }, []string{spec + "base"}},
		"an Image without a name":   {func(i *v1alpha1.Image) { i.Spec.Base = baseImage("", "") }, []string{spec + "base.imageRef.name"}},
		"an Image's name too long":  {func(i *v1alpha1.Image) { i.Spec.Base = baseImage(long[:46], "") }, []string{spec + "base.imageRef.name"}},
		"an Image's bad name":       {func(i *v1alpha1.Image) { i.Spec.Base = baseImage("debian.12", "") }, []string{spec + "base.imageRef.name"}},
		"a channel's bad name":      {func(i *v1alpha1.Image) { i.Spec.Base = baseImage("base", "Stable!") }, []string{spec + "base.imageRef.channel"}},
		"a channel's name too long": {func(i *v1alpha1.Image) { i.Spec.Base = baseImage("base", long[:64]) }, []string{spec + "base.imageRef.channel"}},
		"a queue":                   {func(i *v1alpha1.Image) { i.Spec.Template = &v1alpha1.BuildTemplate{QueueName: "team.batch"} }, nil},
		"a queue's long name":       {func(i *v1alpha1.Image) { i.Spec.Template = &v1alpha1.BuildTemplate{QueueName: strings.Repeat("q", 64)} }, []string{spec + "template.queueName"}},
		"a queue's bad name":        {func(i *v1alpha1.Image) { i.Spec.Template = &v1alpha1.BuildTemplate{QueueName: "Team"} }, []string{spec + "template.queueName"}},
		"never disabled":            {func(i *v1alpha1.Image) { i.Spec.Triggers = &v1alpha1.Triggers{DisableAfterFailures: new(int32(0))} }, nil},
		"negative failures": {
			func(i *v1alpha1.Image) { i.Spec.Triggers = &v1alpha1.Triggers{DisableAfterFailures: new(int32(-1))} },
			[]string{spec + "triggers.disableAfterFailures"},
		},
		"too many failures": {
			func(i *v1alpha1.Image) { i.Spec.Triggers = &v1alpha1.Triggers{DisableAfterFailures: new(int32(1001))} },
			[]string{spec + "triggers.disableAfterFailures"},
		},
		"a schedule": {schedule(func(*v1alpha1.Schedule) {}), nil},
		"a schedule at its bounds": {schedule(func(s *v1alpha1.Schedule) {
			s.Mode, s.Jitter, s.StartingDeadline = v1alpha1.ScheduleIfChanged, validationtest.Seconds(24*3600), validationtest.Seconds(1)
		}), nil},
		"no cron":            {schedule(func(s *v1alpha1.Schedule) { s.Cron = "" }), []string{spec + "triggers.schedule.cron"}},
		"four fields":        {schedule(func(s *v1alpha1.Schedule) { s.Cron = "0 3 * *" }), []string{spec + "triggers.schedule.cron"}},
		"minute 60":          {schedule(func(s *v1alpha1.Schedule) { s.Cron = "60 3 * * *" }), []string{spec + "triggers.schedule.cron"}},
		"a zone in the cron": {schedule(func(s *v1alpha1.Schedule) { s.Cron = "TZ=UTC 0 3 * * *" }), []string{spec + "triggers.schedule.cron"}},
		"an interval":        {schedule(func(s *v1alpha1.Schedule) { s.Cron = "@every 1h" }), []string{spec + "triggers.schedule.cron"}},
		"30 February":        {schedule(func(s *v1alpha1.Schedule) { s.Cron = "0 0 30 2 *" }), []string{spec + "triggers.schedule.cron"}},
		"an unknown zone":    {schedule(func(s *v1alpha1.Schedule) { s.TimeZone = "Europe/Atlantis" }), []string{spec + "triggers.schedule.timeZone"}},
		"the local zone":     {schedule(func(s *v1alpha1.Schedule) { s.TimeZone = "Local" }), []string{spec + "triggers.schedule.timeZone"}},
		"an unknown mode":    {schedule(func(s *v1alpha1.Schedule) { s.Mode = "Sometimes" }), []string{spec + "triggers.schedule.mode"}},
		"negative jitter":    {schedule(func(s *v1alpha1.Schedule) { s.Jitter = validationtest.Seconds(-1) }), []string{spec + "triggers.schedule.jitter"}},
		"much jitter":        {schedule(func(s *v1alpha1.Schedule) { s.Jitter = validationtest.Seconds(24*3600 + 1) }), []string{spec + "triggers.schedule.jitter"}},
		"no deadline":        {schedule(func(s *v1alpha1.Schedule) { s.StartingDeadline = validationtest.Seconds(0) }), []string{spec + "triggers.schedule.startingDeadline"}},
		"a late deadline":    {schedule(func(s *v1alpha1.Schedule) { s.StartingDeadline = validationtest.Seconds(168*3600 + 1) }), []string{spec + "triggers.schedule.startingDeadline"}},
		"a wrong schedule": {schedule(func(s *v1alpha1.Schedule) { s.Cron, s.TimeZone = "tomorrow", "Mars/Olympus" }),
			[]string{spec + "triggers.schedule.cron", spec + "triggers.schedule.timeZone"}},
		"new packages": {packageTrigger(func(*v1alpha1.PackageTrigger) {}), nil},
		"new packages at any time": {packageTrigger(func(p *v1alpha1.PackageTrigger) {
			p.Mode, p.MinimumAge, p.Window = v1alpha1.PackagesAny, validationtest.Seconds(30*24*3600), nil
		}), nil},
		"the longest window":  {packageTrigger(func(p *v1alpha1.PackageTrigger) { p.Window.Duration = *validationtest.Seconds(168 * 3600) }), nil},
		"packages of no mode": {packageTrigger(func(p *v1alpha1.PackageTrigger) { p.Mode = "Some" }), []string{packages + "mode"}},
		"a negative age":      {packageTrigger(func(p *v1alpha1.PackageTrigger) { p.MinimumAge = validationtest.Seconds(-1) }), []string{packages + "minimumAge"}},
		"an old age":          {packageTrigger(func(p *v1alpha1.PackageTrigger) { p.MinimumAge = validationtest.Seconds(30*24*3600 + 1) }), []string{packages + "minimumAge"}},
		"a part of a second":  {packageTrigger(func(p *v1alpha1.PackageTrigger) { p.MinimumAge.Duration = 1500 * time.Millisecond }), []string{packages + "minimumAge"}},
		"a short window":      {packageTrigger(func(p *v1alpha1.PackageTrigger) { p.Window.Duration = *validationtest.Seconds(59) }), []string{packages + "window.duration"}},
		"a long window":       {packageTrigger(func(p *v1alpha1.PackageTrigger) { p.Window.Duration = *validationtest.Seconds(168*3600 + 1) }), []string{packages + "window.duration"}},
		"an uneven window":    {packageTrigger(func(p *v1alpha1.PackageTrigger) { p.Window.Duration.Duration++ }), []string{packages + "window.duration"}},
		"an empty window": {packageTrigger(func(p *v1alpha1.PackageTrigger) { *p.Window = v1alpha1.TriggerWindow{TimeZone: "UTC"} }),
			[]string{packages + "window.cron", packages + "window.duration"}},
		"a window that never opens": {packageTrigger(func(p *v1alpha1.PackageTrigger) { p.Window.Cron = "0 0 30 2 *" }), []string{packages + "window.cron"}},
		"a wrong window": {packageTrigger(func(p *v1alpha1.PackageTrigger) { p.Window.Cron, p.Window.TimeZone = "tomorrow", "Mars/Olympus" }),
			[]string{packages + "window.cron", packages + "window.timeZone"}},
		"several errors": {func(i *v1alpha1.Image) {
			i.Name, i.Spec.Base.Reference, i.Spec.RunPolicy = "A", "", "Whenever"
		}, []string{name, spec + "base", spec + "runPolicy"}},
	}
}

func TestImage(t *testing.T) {
	const name, spec = "metadata.name", "spec."
	for what, test := range imageExamples() {
		t.Run(what, func(t *testing.T) {
			image := validationtest.Image()
			test.change(image)
			validationtest.ExpectPaths(t, Validate(image), test.want)

			update := slices.DeleteFunc(slices.Clone(test.want), func(path string) bool { return strings.HasPrefix(path, "metadata") })
			validationtest.ExpectPaths(t, ValidateUpdate(image, validationtest.Image()), update)

			build := &v1alpha1.ImageBuild{ObjectMeta: image.ObjectMeta, Spec: v1alpha1.ImageBuildSpec{
				Inputs: image.Spec.BuildInputs, Timeouts: image.Spec.Timeouts, Retry: image.Spec.Retry, Tests: image.Spec.Tests,
			}}
			build.Name = "debian"
			var direct []string
			for _, path := range test.want {
				rest, ok := strings.CutPrefix(path, spec)
				switch {
				case !ok && path != name:
					direct = append(direct, path)
				case !ok, strings.HasPrefix(rest, "runPolicy"), strings.HasPrefix(rest, "history"), strings.HasPrefix(rest, "triggers"):
				case strings.HasPrefix(rest, "timeouts"), strings.HasPrefix(rest, "retry"), strings.HasPrefix(rest, "tests"):
					direct = append(direct, path)
				default:
					direct = append(direct, spec+"inputs."+rest)
				}
			}
			validationtest.ExpectPaths(t, imagebuild.ValidateDirect(build, nil), direct)
		})
	}
}

func baseImage(name, channel string) v1alpha1.Base {
	return v1alpha1.Base{ImageRef: &v1alpha1.BaseImageReference{Name: name, Channel: channel}}
}

// schedule gives an Image a schedule, as it is after defaults, and changes it.
func schedule(change func(*v1alpha1.Schedule)) func(*v1alpha1.Image) {
	return func(image *v1alpha1.Image) {
		schedule := &v1alpha1.Schedule{Cron: "0 3 * * *", TimeZone: "Europe/Berlin", Mode: v1alpha1.ScheduleAlways, Jitter: validationtest.Seconds(0)}
		change(schedule)
		image.Spec.Triggers = &v1alpha1.Triggers{Schedule: schedule}
	}
}

// packageTrigger gives an Image a trigger for new packages, as it is after defaults, and changes it.
func packageTrigger(change func(*v1alpha1.PackageTrigger)) func(*v1alpha1.Image) {
	return func(image *v1alpha1.Image) {
		packages := &v1alpha1.PackageTrigger{
			Mode: v1alpha1.PackagesSecurity, MinimumAge: validationtest.Seconds(7200),
			Window: &v1alpha1.TriggerWindow{Cron: "0 22 * * *", TimeZone: "Europe/Berlin", Duration: *validationtest.Seconds(6 * 3600)},
		}
		change(packages)
		image.Spec.Triggers = &v1alpha1.Triggers{OnPackageChange: packages}
	}
}

func configMap(name string) *v1alpha1.Source {
	return &v1alpha1.Source{ConfigMapRef: &v1alpha1.ConfigMapReference{Name: name}}
}

// filesOf are files whose JSON object has n bytes.
func filesOf(n int) map[string]string {
	return map[string]string{"f": strings.Repeat("x", n-len(`{"f":""}`))}
}

func TestANameThatIsTooLongHasOneLimit(t *testing.T) {
	for _, test := range []struct {
		name string
		want []string
	}{
		{strings.Repeat("a", 46), []string{"at most 45 characters"}},
		{strings.Repeat("a", 200), []string{"at most 45 characters"}},
		{strings.Repeat("A", 200), []string{"lowercase", "at most 45 characters"}},
	} {
		image := validationtest.Image()
		image.Name = test.name
		errs := Validate(image)
		if len(errs) != len(test.want) {
			t.Errorf("a name of %d characters: got %v, want %q", len(test.name), errs, test.want)
			continue
		}
		for i, want := range test.want {
			if !strings.Contains(errs[i].Detail, want) {
				t.Errorf("a name of %d characters: got %v, want %q", len(test.name), errs[i], want)
			}
		}
	}
}

func validStatus() v1alpha1.ImageStatus {
	return v1alpha1.ImageStatus{
		ObservedGeneration: 1, BuildCounter: 2, InputsDigest: validationtest.Digest("a"), ActiveBuilds: 1,
		LastAttempted:       &v1alpha1.AttemptedBuild{Number: 2, InputsDigest: validationtest.Digest("a"), BaseDigest: validationtest.Digest("b")},
		ConsecutiveFailures: 1, CountedBuild: 2,
		LatestBuild:      &v1alpha1.LatestBuild{Name: "debian-2", Number: 2, Phase: v1alpha1.BuildRunning},
		LastFinished:     &v1alpha1.FinishedBuild{Name: "debian-1", Number: 1, Phase: v1alpha1.BuildFailed, Reason: v1alpha1.ReasonOOMKilled, InputsDigest: validationtest.Digest("b")},
		LatestSuccessful: &v1alpha1.SuccessfulBuild{Name: "debian-1", Number: 1, InputsDigest: validationtest.Digest("b"), CompletionTime: metav1.Now(), Artifacts: validationtest.Artifacts()},
		Packages:         validationtest.Packages(),
		Conditions:       []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "BuildSucceeded", LastTransitionTime: metav1.Now()}},
	}
}

func imageStatusExamples() map[string]example[v1alpha1.ImageStatus] {
	const packages = "status.packages."
	return map[string]example[v1alpha1.ImageStatus]{
		"a complete status":       {func(*v1alpha1.ImageStatus) {}, nil},
		"an empty status":         {func(s *v1alpha1.ImageStatus) { *s = v1alpha1.ImageStatus{} }, nil},
		"negative failures":       {func(s *v1alpha1.ImageStatus) { s.ConsecutiveFailures = -1 }, []string{"status.consecutiveFailures"}},
		"a base's bad digest":     {func(s *v1alpha1.ImageStatus) { s.LastAttempted.BaseDigest = "latest" }, []string{"status.lastAttempted.baseDigest"}},
		"negative counts":         {func(s *v1alpha1.ImageStatus) { s.ActiveBuilds, s.QueuedBuilds, s.ObservedGeneration = -1, -1, -1 }, []string{"status.activeBuilds", "status.observedGeneration", "status.queuedBuilds"}},
		"a bad digest":            {func(s *v1alpha1.ImageStatus) { s.InputsDigest = "md5:1" }, []string{"status.inputsDigest"}},
		"a build without number":  {func(s *v1alpha1.ImageStatus) { s.LastAttempted.Number = 0 }, []string{"status.lastAttempted.number"}},
		"a latest build's phase":  {func(s *v1alpha1.ImageStatus) { s.LatestBuild.Phase = "Resting" }, []string{"status.latestBuild.phase"}},
		"a nameless latest build": {func(s *v1alpha1.ImageStatus) { s.LatestBuild.Name = "" }, []string{"status.latestBuild.name"}},
		"an end that is none":     {func(s *v1alpha1.ImageStatus) { s.LastFinished.Phase = v1alpha1.BuildCancelled }, []string{"status.lastFinished.phase"}},
		"an end of no build": {
			func(s *v1alpha1.ImageStatus) {
				*s.LastFinished = v1alpha1.FinishedBuild{Phase: v1alpha1.BuildSucceeded, InputsDigest: "md5:1"}
			},
			[]string{"status.lastFinished.inputsDigest", "status.lastFinished.name", "status.lastFinished.number"},
		},
		"an artifact twice": {
			func(s *v1alpha1.ImageStatus) {
				s.LatestSuccessful.Artifacts = append(s.LatestSuccessful.Artifacts, validationtest.Artifacts()...)
			},
			[]string{"status.latestSuccessful.artifacts[1].target"},
		},
		"an artifact of nothing": {
			func(s *v1alpha1.ImageStatus) { s.LatestSuccessful.Artifacts = []v1alpha1.Artifact{{SizeBytes: -1}} },
			[]string{
				"status.latestSuccessful.artifacts[0].digest", "status.latestSuccessful.artifacts[0].mediaType",
				"status.latestSuccessful.artifacts[0].sizeBytes", "status.latestSuccessful.artifacts[0].target",
			},
		},
		"no completion time": {func(s *v1alpha1.ImageStatus) { s.LatestSuccessful.CompletionTime = metav1.Time{} }, []string{"status.latestSuccessful.completionTime"}},
		"no packages":        {func(s *v1alpha1.ImageStatus) { s.Packages = nil }, nil},
		"packages of nothing": {func(s *v1alpha1.ImageStatus) {
			*s.Packages = v1alpha1.ImagePackages{Archives: make([]v1alpha1.ArchiveState, 1), Updates: make([]v1alpha1.PackageUpdate, 1), OtherCount: -1}
		}, []string{
			packages + "build", packages + "archives[0].name", packages + "archives[0].date", packages + "updates[0].name", packages + "updates[0].architecture",
			packages + "updates[0].from", packages + "updates[0].since", packages + "updates[0].archive", packages + "updateCount", packages + "otherCount",
		}},
		"a package that a build would add": {func(s *v1alpha1.ImageStatus) {
			s.Packages.Updates[0].From, s.Packages.Resolved = "", &v1alpha1.PackageResolve{Time: metav1.Unix(1, 0)}
		}, nil},
		"a package that a build would remove": {func(s *v1alpha1.ImageStatus) { s.Packages.Updates[0].To = "" }, nil},
		"a resolve without an end":            {func(s *v1alpha1.ImageStatus) { s.Packages.Resolved = &v1alpha1.PackageResolve{} }, []string{packages + "resolved.time"}},
		"a long message of a resolve": {func(s *v1alpha1.ImageStatus) {
			s.Packages.Resolved = &v1alpha1.PackageResolve{Time: metav1.Unix(1, 0), Message: strings.Repeat("m", v1alpha1.MaxMessageBytes+1)}
		}, []string{packages + "resolved.message"}},
		"an archive twice":       {func(s *v1alpha1.ImageStatus) { s.Packages.Archives[1].Name = "debian" }, []string{packages + "archives[1].name"}},
		"a bad archive":          {func(s *v1alpha1.ImageStatus) { s.Packages.Attempted[0].Name = "a b" }, []string{packages + "attempted[0].name"}},
		"an update from nowhere": {func(s *v1alpha1.ImageStatus) { s.Packages.Updates[0].Archive = "a b" }, []string{packages + "updates[0].archive"}},
		"the most updates": {func(s *v1alpha1.ImageStatus) {
			s.Packages.Updates, s.Packages.UpdateCount = slices.Repeat(s.Packages.Updates, v1alpha1.MaxImageUpdates), v1alpha1.MaxImageUpdates
		}, nil},
		"too many updates": {func(s *v1alpha1.ImageStatus) {
			s.Packages.Updates, s.Packages.UpdateCount = slices.Repeat(s.Packages.Updates, v1alpha1.MaxImageUpdates+1), v1alpha1.MaxImageUpdates+1
		}, []string{packages + "updates"}},
		"a source that was never checked": {func(s *v1alpha1.ImageStatus) { s.Source = &v1alpha1.ImageSource{Question: s.InputsDigest} }, nil},
		"checks of nothing":               {func(s *v1alpha1.ImageStatus) { s.Source = &v1alpha1.ImageSource{} }, []string{"status.source.question"}},
		"a check that never started":      {func(s *v1alpha1.ImageStatus) { s.Source = &v1alpha1.ImageSource{Question: s.InputsDigest, Checks: 1} }, []string{"status.source.startTime"}},
		"checks that ended before they were started": {func(s *v1alpha1.ImageStatus) {
			s.Source = &v1alpha1.ImageSource{Question: "main", Checks: 1, Ended: 2, FoundBy: 3, ConsecutiveFailures: -1}
		}, []string{"status.source.question", "status.source.ended", "status.source.foundBy", "status.source.consecutiveFailures"}},
		"a condition without reason": {func(s *v1alpha1.ImageStatus) { s.Conditions[0].Reason = "" }, []string{"status.conditions[0].reason"}},
	}
}

func TestImageStatus(t *testing.T) {
	for what, test := range imageStatusExamples() {
		t.Run(what, func(t *testing.T) {
			image := validationtest.Image()
			image.Status = validStatus()
			test.change(&image.Status)
			validationtest.ExpectPaths(t, ValidateStatus(image), test.want)
		})
	}
}

func outputOf(repository string) *v1alpha1.Output {
	return &v1alpha1.Output{Repository: repository, SecretRef: &v1alpha1.SecretReference{Name: "a"}}
}

// setContainerDisks sets targets, PLATFORM/FORMAT, which are containerDisks unless " -" follows.
func setContainerDisks(image *v1alpha1.Image, targets ...string) {
	image.Spec.Output, image.Spec.Targets = outputOf("localhost/a"), nil
	for _, target := range targets {
		name, plain := strings.CutSuffix(target, " -")
		platform, format := path.Split(name)
		image.Spec.Targets = append(image.Spec.Targets, v1alpha1.Target{Platform: path.Clean(platform), Format: v1alpha1.ArtifactFormat(format), ContainerDisk: !plain})
	}
}
