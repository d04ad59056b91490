// SPDX-License-Identifier: Apache-2.0

package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

//go:embed ui/index.html ui/*.css ui/*.js ui/*.svg ui/pages/*.js ui/libraries/*/*.js ui/libraries/*/*.css ui/libraries/*/*/*.js
var files embed.FS

// types are the media types of the files, whatever the machine's own list says.
var types = map[string]string{".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// pages serves the files below Path. Every other path below Path is the address of a page, and has index.html.
func pages() http.Handler {
	digests := map[string]string{}
	_ = fs.WalkDir(files, "ui", func(name string, entry fs.DirEntry, err error) error { // nothing that is embedded fails to be read
		if err == nil && !entry.IsDir() {
			content, _ := files.ReadFile(name)
			digests[name] = fmt.Sprintf(`"%x"`, sha256.Sum256(content))
		}
		return err
	})
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		name := "ui/" + strings.TrimPrefix(request.URL.Path, Path)
		if _, known := digests[name]; !known {
			if !strings.HasPrefix(name, "ui/ns/") && name != "ui/" {
				refuse(writer, http.StatusNotFound, metav1.StatusReasonNotFound, "the console has no page "+request.URL.Path)
				return
			}
			name = "ui/index.html"
		}
		content, _ := files.ReadFile(name)
		header := writer.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("Content-Type", types[path.Ext(name)])
		header.Set("Cache-Control", "no-cache") // a browser asks whether its copy is current
		header.Set("ETag", digests[name])
		http.ServeContent(writer, request, name, time.Time{}, bytes.NewReader(content))
	})
}
