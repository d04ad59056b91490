# Prints the tables of resources and subresources from the OpenAPI document that a server serves.

# The verbs in the order of the page, the actions whose verb has another name, and the query parameters of every request.
["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"] as $verbs |
{"connect": "get", "watchlist": "watch", "post": "create", "put": "update"} as $actions |
["pretty", "dryRun", "fieldManager", "fieldValidation", "force"] as $common |
# The types of other query parameters, which the document does not name.
{
  "imagebuilds/diff": "ImageBuildDiffOptions", "imagebuilds/log": "ImageBuildLogOptions",
  "imagebuilds/packages": "ImageBuildPackagesOptions",
  "imagebuilds/vulnerabilities": "ImageBuildVulnerabilitiesOptions", "images/changes": "ImageJournalOptions",
  "images/history": "ImageHistoryOptions", "images/notes": "ImageJournalOptions", "images/stats": "ImageStatsOptions"
} as $options |

def link: if test("^[A-Z]") then "[\(.)](#\(ascii_downcase))" else . end;
def kinds: map(first(.content[].schema) | .type // (."$ref" | split(".") | last)) | unique | map(link) | join(", ");

[
  .paths | to_entries[] | .value as $path
  | (.key | sub("^/apis/[^/]+/[^/]+/(watch/)?(namespaces/{namespace}/)?"; "") | sub("/{name}"; "") | sub("/{path}$"; "")) as $name
  | $path | to_entries[] | select(.value | objects | has("x-kubernetes-action"))
  | {$name, method: .key, query: ($path.parameters + .value.parameters | map(select(.in == "query").name) - $common)} + .value
]
| group_by(.name)
| map({
    name: .[0].name,
    kind: (.[0]."x-kubernetes-group-version-kind".kind // "" | link),
    verbs: ($verbs - ($verbs - map(."x-kubernetes-action" | $actions[.] // .)) | join(", ")),
    request: (map(select(.method == "post" or .method == "put").requestBody) | kinds),
    answer: (map(.responses."200") | kinds),
    options: (
      $options[.[0].name] //
      if (.[0].name | contains("/")) and any(.[]; .method == "get" and .query != []) then
        error("name the type of the query parameters of \(.[0].name) in apis/reference/resources.jq")
      else "" end | link
    )
  })
| group_by(.name | contains("/")) as [$resources, $subresources]
| "| resource | kind | verbs |", "|---|---|---|",
  ($resources[] | "| `\(.name)` | \(.kind) | \(.verbs) |"),
  "", "| subresource | verbs | request | answer | query parameters |", "|---|---|---|---|---|",
  ($subresources[] | "| `\(.name)` | \(.verbs) | \(.request) | \(.answer) | \(.options) |")
