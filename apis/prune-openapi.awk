# SPDX-License-Identifier: Apache-2.0
# Leaves out of generated OpenAPI definitions those of k8s.io/api/core/v1 that no other definition refers to.
# It reads the file twice: awk -f prune-openapi.awk FILE FILE

$2 == "\"k8s.io/api/core/v1\"" { core = $1 }
/^func / { body = $2; sub(/\(.*/, "", body) }

NR == FNR {
	if (body !~ /^schema_/) next
	line = $0
	while (match(line, "[^A-Za-z0-9]" core "\\.[A-Za-z0-9]+\\{\\}")) {
		name = substr(line, RSTART + length(core) + 2, RLENGTH - length(core) - 4)
		references[body] = references[body] " " name
		line = substr(line, RSTART + RLENGTH)
	}
	next
}

FNR == 1 { for (body in references) if (body !~ /^schema_k8sio_api_core_v1_/) keep(body); body = "" }
body == "GetOpenAPIDefinitions" && match($0, /schema_k8sio_api_core_v1_[A-Za-z0-9]+/) && !(substr($0, RSTART, RLENGTH) in kept) { next }
body ~ /^schema_k8sio_api_core_v1_/ && !(body in kept) { next }
{ print }

function keep(body,   names, count, i) {
	if (body in kept) return
	kept[body]
	count = split(references[body], names, " ")
	for (i = 1; i <= count; i++) keep("schema_k8sio_api_core_v1_" names[i])
}
