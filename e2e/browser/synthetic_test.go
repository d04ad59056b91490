// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package browser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"goldsmith.dev/goldsmith/apis/images/v1alpha1"
	"goldsmith.dev/goldsmith/console"
)

// loneSurrogate stands in objects for half of a UTF-16 pair. JSON can have one, but no string of Go.
const loneSurrogate = "\ue000"

// tables are the folders that define the columns of a resource's Tables.
var tables = map[string]string{"images": "image", "imagebuilds": "imagebuild"}

// synthetic is the console before an API server of which a spec decides every answer.
type synthetic struct {
	// link is a link to the console, which works once.
	link string

	mutex sync.Mutex
	// before answers requests first. It reports whether it has answered.
	before func(http.ResponseWriter, *http.Request) bool
	// answers are the answers to requests for objects, and for lists without a watch, by the path below the namespace: "images/web/plan".
	answers map[string]any
	// logs are the logs of builds, by path. Those of growing get more lines: clients that follow them wait.
	logs    map[string][]byte
	growing map[string]bool
	// refusal is why the user may do nothing, or empty.
	refusal string
	// ahead is how far the clock of the server is ahead.
	ahead time.Duration
	lists map[string]*syntheticList
	// version is the resource version of the latest change.
	version int
	// changed is closed, and replaced, with each change of a list.
	changed  chan struct{}
	received []syntheticRequest
	// streams are the watches and logs that clients follow now, and most how many they were at once.
	streams, most int
}

type syntheticRequest struct {
	method, path, query string
	at                  time.Time
}

func (r syntheticRequest) isWatch() bool { return strings.Contains(r.query, "watch=true") }

// syntheticList is a list of objects that clients can watch.
type syntheticList struct {
	columns []string
	items   map[string]syntheticItem
	events  []syntheticEvent
}

type syntheticItem struct {
	namespace, name, image string
	// object and row are the JSON of the object and of its row in a Table.
	object, row []byte
}

type syntheticEvent struct {
	kind    string
	version int
	item    syntheticItem
}

// serveSynthetic starts a server. cleanup gets the function that stops it.
func serveSynthetic(cleanup func(func())) *synthetic {
	GinkgoHelper()
	s := &synthetic{answers: map[string]any{}, logs: map[string][]byte{}, growing: map[string]bool{}, lists: map[string]*syntheticList{}, changed: make(chan struct{})}
	for resource := range tables {
		s.lists[resource] = &syntheticList{columns: columnsOf(resource), items: map[string]syntheticItem{}}
	}
	s.answers["namespaces"] = corev1.NamespaceList{Items: []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: metav1.NamespaceDefault}}}}
	api := httptest.NewServer(s)
	sessions := console.NewSessions(clock.RealClock{})
	handler, err := console.Local{
		Server: &rest.Config{Host: api.URL}, Namespace: metav1.NamespaceDefault, Command: "goldsmith console", Sessions: sessions,
		Reasons: []console.Reason{{Reason: explained, Reporter: "a build that " + hostile, Meaning: hostile, Remedy: hostile}},
	}.Handler()
	Expect(err).NotTo(HaveOccurred())
	pages := httptest.NewServer(handler)
	cleanup(func() {
		for _, server := range []*httptest.Server{pages, api} {
			server.CloseClientConnections() // ends the streams
			server.Close()
		}
	})
	s.link = sessions.Link(pages.Listener.Addr())
	return s
}

// columnsOf reads the names of a resource's columns from the source that defines them.
func columnsOf(resource string) []string {
	GinkgoHelper()
	source, err := os.ReadFile("../../apiserver/registry/" + tables[resource] + "/table.go")
	Expect(err).NotTo(HaveOccurred())
	var columns []string
	for _, match := range regexp.MustCompile(`(?m)^\t\{Name: "(\w+)", Type:`).FindAllStringSubmatch(string(source), -1) {
		columns = append(columns, match[1])
	}
	Expect(columns).To(ContainElements("Name", "Age"))
	return columns
}

// put adds an object of a list, or changes it. Clients that watch receive it. Columns without a cell are empty.
func (s *synthetic) put(resource string, object metav1.Object, cells map[string]any) {
	GinkgoHelper()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	list := s.lists[resource]
	s.version++
	object.SetResourceVersion(strconv.Itoa(s.version))
	values := make([]any, len(list.columns))
	for i, column := range list.columns {
		values[i] = ""
		if cell, ok := cells[column]; ok {
			values[i] = cell
		}
	}
	content := encode(object)
	var metadata struct {
		Metadata json.RawMessage `json:"metadata"`
	}
	Expect(json.Unmarshal(content, &metadata)).To(Succeed())
	item := syntheticItem{
		namespace: object.GetNamespace(), name: object.GetName(), image: object.GetLabels()[v1alpha1.GroupName+"/image"], object: content,
		row: encode(map[string]any{"cells": values, "object": map[string]any{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata.Metadata}}),
	}
	key, kind := item.namespace+"/"+item.name, "ADDED"
	if _, exists := list.items[key]; exists {
		kind = "MODIFIED"
	}
	list.items[key] = item
	list.events = append(list.events, syntheticEvent{kind, s.version, item})
	s.notify()
}

// notify wakes the requests that wait for a change.
func (s *synthetic) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// encode returns the JSON of a value, with lone surrogates.
func encode(value any) []byte {
	GinkgoHelper()
	content, err := json.Marshal(value)
	Expect(err).NotTo(HaveOccurred())
	return bytes.ReplaceAll(content, []byte(loneSurrogate), []byte(`\ud800`))
}

// set changes what the server answers.
func (s *synthetic) set(change func()) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	change()
	s.notify()
}

// requests returns the requests that the server received and that match.
func (s *synthetic) requests(matches func(syntheticRequest) bool) []syntheticRequest {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var found []syntheticRequest
	for _, request := range s.received {
		if matches(request) {
			found = append(found, request)
		}
	}
	return found
}

func (s *synthetic) openStreams() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.streams
}

// mostStreams returns how many streams were open at once since the last call.
func (s *synthetic) mostStreams() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	most := s.most
	s.most = s.streams
	return most
}

func (s *synthetic) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	s.mutex.Lock()
	s.received = append(s.received, syntheticRequest{request.Method, request.URL.Path, request.URL.RawQuery, time.Now()})
	before, ahead := s.before, s.ahead
	if query.Get("watch") == "true" || query.Get("follow") == "true" {
		s.streams++
		s.most = max(s.most, s.streams)
		defer func() {
			s.mutex.Lock()
			defer s.mutex.Unlock()
			s.streams--
		}()
	}
	s.mutex.Unlock()
	writer.Header().Set("Content-Type", "application/json")
	if ahead != 0 {
		writer.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
	}
	if before != nil && before(writer, request) {
		return
	}
	s.serve(writer, request)
}

func (s *synthetic) serve(writer http.ResponseWriter, request *http.Request) {
	namespace, path := "", strings.TrimPrefix(strings.TrimPrefix(request.URL.Path, "/apis/images.goldsmith.dev/v1alpha1/"), "/api/v1/")
	if rest, found := strings.CutPrefix(path, "namespaces/"); found {
		namespace, path, _ = strings.Cut(rest, "/")
	}
	s.mutex.Lock()
	list, answer, log, refusal := s.lists[path], s.answers[path], s.logs[path], s.refusal
	object := s.object(request, namespace, path)
	s.mutex.Unlock()
	switch {
	case strings.HasSuffix(path, "/selfsubjectaccessreviews"):
		_, _ = writer.Write(encode(map[string]any{"status": map[string]any{"allowed": refusal == "", "reason": refusal}}))
	case request.Method != http.MethodGet:
		refuseWith(writer, http.StatusUnprocessableEntity, hostile)
	case list != nil && request.URL.Query().Get("watch") == "true":
		s.watch(writer, request, list, namespace)
	case list != nil:
		_, _ = writer.Write(s.list(request, list, namespace))
	case object != nil:
		_, _ = writer.Write(object)
	case log != nil:
		writer.Header().Set("Content-Type", "text/plain")
		s.log(writer, request, path)
	case answer != nil:
		_, _ = writer.Write(encode(answer))
	default:
		refuseWith(writer, http.StatusNotFound, "nothing is at "+request.URL.Path)
	}
}

// refuseWith answers with a Status.
func refuseWith(writer http.ResponseWriter, code int32, message string) {
	writer.WriteHeader(int(code))
	_, _ = writer.Write(encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: code, Message: message,
		Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{{Field: message, Message: message}, {Field: message, Message: message}}},
	}))
}

// selects reports whether a request is for an object.
func selects(request *http.Request, namespace string, item syntheticItem) bool {
	name, named := strings.CutPrefix(request.URL.Query().Get("fieldSelector"), "metadata.name=")
	image, labelled := strings.CutPrefix(request.URL.Query().Get("labelSelector"), v1alpha1.GroupName+"/image=")
	return (namespace == "" || namespace == item.namespace) && (!named || name == item.name) && (!labelled || image == item.image)
}

func asTable(request *http.Request) bool {
	return strings.Contains(request.Header.Get("Accept"), "as=Table")
}

func (s *synthetic) list(request *http.Request, list *syntheticList, namespace string) []byte {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var items [][]byte
	for _, item := range list.items {
		if selects(request, namespace, item) {
			items = append(items, item.content(request))
		}
	}
	return list.document(request, s.version, items)
}

// object returns an object of a list, or its Table, or nothing.
func (s *synthetic) object(request *http.Request, namespace, path string) []byte {
	resource, name, _ := strings.Cut(path, "/")
	list := s.lists[resource]
	if list == nil {
		return nil
	}
	item, exists := list.items[namespace+"/"+name]
	if exists && asTable(request) {
		return list.document(request, s.version, [][]byte{item.row})
	}
	return item.object
}

// document returns a Table of rows, or a list of objects.
func (l *syntheticList) document(request *http.Request, version int, items [][]byte) []byte {
	head := `{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"%d"},"items":[`
	if asTable(request) {
		definitions := make([]metav1.TableColumnDefinition, len(l.columns))
		for i, column := range l.columns {
			definitions[i].Name = column
		}
		head = `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"%d"},"columnDefinitions":` + string(encode(definitions)) + `,"rows":[`
	}
	return slices.Concat(fmt.Appendf(nil, head, version), bytes.Join(items, []byte(",")), []byte("]}"))
}

func (i syntheticItem) content(request *http.Request) []byte {
	if asTable(request) {
		return i.row
	}
	return i.object
}

// watch sends the events after the version of a request until the client leaves.
func (s *synthetic) watch(writer http.ResponseWriter, request *http.Request, list *syntheticList, namespace string) {
	version, _ := strconv.Atoi(request.URL.Query().Get("resourceVersion"))
	flush := http.NewResponseController(writer).Flush
	_ = flush()
	for {
		s.mutex.Lock()
		var content bytes.Buffer
		for _, event := range list.events[firstAfter(list.events, version):] {
			if !selects(request, namespace, event.item) {
				continue
			}
			object := event.item.content(request)
			if asTable(request) {
				object = fmt.Appendf(nil, `{"kind":"Table","apiVersion":"meta.k8s.io/v1","metadata":{},"columnDefinitions":null,"rows":[%s]}`, object)
			}
			fmt.Fprintf(&content, `{"type":%q,"object":%s}`+"\n", event.kind, object)
		}
		version = s.version
		changed := s.changed
		s.mutex.Unlock()
		if _, err := writer.Write(content.Bytes()); err != nil {
			return
		}
		_ = flush()
		select {
		case <-changed:
		case <-request.Context().Done():
			return
		}
	}
}

// firstAfter returns the index of the first event after a version.
func firstAfter(events []syntheticEvent, version int) int {
	for i := len(events); i > 0; i-- {
		if events[i-1].version <= version {
			return i
		}
	}
	return 0
}

// log answers a request for a log. A client that follows a growing log gets its lines as they come.
func (s *synthetic) log(writer http.ResponseWriter, request *http.Request, path string) {
	query := request.URL.Query()
	for first, sent := true, 0; ; first = false {
		s.mutex.Lock()
		content, grows, changed := s.logs[path], s.growing[path], s.changed
		s.mutex.Unlock()
		if query.Get("timestamps") == "true" {
			content = stamped(content)
		}
		if count, err := strconv.Atoi(query.Get("tailLines")); err == nil && first {
			sent = len(content) - len(tail(content, count))
		}
		if _, err := writer.Write(content[sent:]); err != nil {
			return
		}
		sent = len(content)
		if query.Get("follow") != "true" || !grows {
			return
		}
		_ = http.NewResponseController(writer).Flush()
		select {
		case <-changed:
		case <-request.Context().Done():
			return
		}
	}
}

// tail returns the last lines of a log.
func tail(log []byte, count int) []byte {
	at := len(bytes.TrimSuffix(log, []byte("\n")))
	for ; count > 0 && at >= 0; count-- {
		at = bytes.LastIndexByte(log[:at], '\n')
	}
	return log[at+1:]
}

// stamped returns a log with a timestamp before each line.
func stamped(log []byte) []byte {
	var content bytes.Buffer
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for line := range bytes.Lines(log) {
		content.WriteString(at.Format(time.RFC3339Nano) + " ")
		content.Write(line)
		at = at.Add(time.Millisecond)
	}
	return content.Bytes()
}
