# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Prints kind's configuration of a cluster, once the node image is chosen. Sourced.   usage: configuration WORKERS AUDIT AUTHENTICATION
# WORKERS is a number, AUDIT true or false, AUTHENTICATION a folder or empty.

# shellcheck source=build/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/build/tools.sh"

configuration() {
  local workers=$1 audit=$2 authentication=$3 node
  cat <<Y
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking:
  apiServerAddress: 127.0.0.1
  podSubnet: 10.244.0.0/16
  serviceSubnet: 10.96.0.0/16
  disableDefaultCNI: $(if built; then echo true; else echo false; fi)
nodes:
- role: control-plane
Y
  if $audit || [[ -n $authentication ]]; then echo '  extraMounts:'; fi
  if $audit; then echo "  - {hostPath: \"$kind_directory/audit-policy.yaml\", containerPath: /kind/audit-policy.yaml, readOnly: true}"; fi
  if [[ -n $authentication ]]; then echo "  - {hostPath: \"$authentication\", containerPath: /kind/authentication, readOnly: true}"; fi
  for ((node = 0; node < workers; node++)); do echo '- role: worker'; done

  if cgroup_v1; then
    cat <<Y
kubeadmConfigPatches:
- |
  kind: KubeletConfiguration
  failCgroupV1: false
Y
  fi
  if bounded; then
    # The oom_score_adj of a container may only be lowered with CAP_SYS_RESOURCE.
    cat <<Y
containerdConfigPatches:
- |
  [plugins."io.containerd.grpc.v1.cri"]
    restrict_oom_score_adj = true
Y
  fi
  # The nodes of a cluster end with the machine, and need nothing that survives a power failure. A disk that stalls for some seconds
  # would make every request fail with "etcdserver: request timed out".
  cat <<Y
kubeadmConfigPatchesJSON6902:
- group: kubeadm.k8s.io
  version: v1beta4
  kind: ClusterConfiguration
  patch: |
    - {op: add, path: /etcd, value: {local: {extraArgs: [{name: unsafe-no-fsync, value: "true"}]}}}
Y
  if built; then # each node has chosen its subnet itself: node/pod-network
    echo '    - {op: add, path: /controllerManager/extraArgs/-, value: {name: allocate-node-cidrs, value: "false"}}'
  fi
  echo '    - {op: add, path: /apiServer/extraVolumes, value: []}'
  if $audit; then
    cat <<Y
    - {op: add, path: /apiServer/extraArgs/-, value: {name: audit-policy-file, value: /etc/kubernetes/audit/policy.yaml}}
    - {op: add, path: /apiServer/extraArgs/-, value: {name: audit-log-path, value: /var/log/kubernetes/audit.log}}
    - {op: add, path: /apiServer/extraArgs/-, value: {name: audit-log-maxsize, value: "4096"}}
    - op: add
      path: /apiServer/extraVolumes/-
      value: {name: audit-policy, hostPath: /kind/audit-policy.yaml, mountPath: /etc/kubernetes/audit/policy.yaml, readOnly: true, pathType: File}
    - op: add
      path: /apiServer/extraVolumes/-
      value: {name: audit-log, hostPath: /var/log/kubernetes, mountPath: /var/log/kubernetes, pathType: DirectoryOrCreate}
Y
  fi
  if [[ -n $authentication ]]; then
    cat <<Y
    - {op: add, path: /apiServer/extraArgs/-, value: {name: authentication-config, value: /etc/kubernetes/authentication/config.yaml}}
    - op: add
      path: /apiServer/extraVolumes/-
      value: {name: authentication, hostPath: /kind/authentication, mountPath: /etc/kubernetes/authentication, readOnly: true, pathType: Directory}
Y
  fi
}

built() {
  [[ $node_image != "$KIND_NODE_IMAGE" ]]
}

cgroup_v1() {
  [[ $(docker info --format '{{.CgroupVersion}}') == 1 ]]
}
