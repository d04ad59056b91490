{{- /* A reference to a container image: its value, its default name and its default tag. */ -}}
{{- define "goldsmith.image" -}}
{{- $image := index . 0 -}}
{{- $name := $image.repository | default (index . 1) -}}
{{- if $image.tag }}{{ $name }}:{{ $image.tag }}
{{- else if $image.digest }}{{ $name }}@{{ $image.digest }}
{{- else }}{{ $name }}:{{ index . 2 }}
{{- end }}
{{- end }}
