// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"goldsmith.dev/goldsmith/e2e/cluster"
)

const etcdVolume = "data-" + cluster.Etcd + "-0"

// backUp and restore follow docs/backup.md.
func (c *inCluster) backUp(ctx context.Context) error {
	if err := c.resume(ctx); err != nil {
		return err
	}
	err := c.kubectl(ctx,
		"delete job/backup --ignore-not-found",
		"create job backup --from=cronjob/goldsmith-etcd-backup",
		"wait job/backup --for=condition=Complete --timeout=5m",
	)
	c.backedUp = c.backedUp || err == nil // a failed backup keeps the last backup
	return err
}

func (c *inCluster) restore(ctx context.Context) error {
	if !c.backedUp {
		return errNothing
	}
	if err := c.resume(ctx); err != nil {
		return err
	}
	err := c.kubectl(ctx,
		"scale deployment/goldsmith-controller deployment/goldsmith-apiserver statefulset/goldsmith-etcd --replicas=0",
		"wait pods --for=delete --timeout=5m --selector=app.kubernetes.io/name in (goldsmith-controller,goldsmith-apiserver,goldsmith-etcd)",
		"delete pvc/"+etcdVolume,
	)
	if err != nil {
		return err
	}
	c.restored.Add(1)
	_, err = c.kube.CoreV1().PersistentVolumeClaims(cluster.Namespace).Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: etcdVolume},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("4Gi")}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("give etcd an empty volume: %w", err)
	}
	if err := c.startRestoration(ctx); err != nil {
		return err
	}
	err = c.kubectl(ctx,
		"wait job/restore --for=condition=Complete --timeout=5m",
		"delete job/restore",
		"scale statefulset/goldsmith-etcd --replicas=1",
		"rollout status statefulset/goldsmith-etcd --timeout=5m",
		"scale deployment/goldsmith-apiserver --replicas=2",
		"wait apiservice --selector=app.kubernetes.io/part-of="+cluster.PartOf+" --for=condition=Available --timeout=5m",
		"scale deployment/goldsmith-controller --replicas=2",
	)
	if err != nil {
		return err
	}
	return c.resume(ctx)
}

// startRestoration creates the Job, with revisions that are above those of every earlier restoration.
func (c *inCluster) startRestoration(ctx context.Context) error {
	template, err := c.kube.BatchV1().CronJobs(cluster.Namespace).Get(ctx, "goldsmith-etcd-restore", metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read how to restore: %w", err)
	}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "restore"}, Spec: template.Spec.JobTemplate.Spec}
	job.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "BUMP_REVISION", Value: fmt.Sprint(time.Now().UnixMilli())}}
	if _, err := c.kube.BatchV1().Jobs(cluster.Namespace).Create(ctx, job, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// kubectl runs commands, one after the other. A selector is the last argument of a command, and may have spaces.
func (c *inCluster) kubectl(ctx context.Context, commands ...string) error {
	for _, command := range commands {
		words, selector, found := strings.Cut(command, " --selector=")
		arguments := append([]string{"--namespace=" + cluster.Namespace}, strings.Fields(words)...)
		if found {
			arguments = append(arguments, "--selector="+selector)
		}
		if out, err := c.environment.Kubectl(ctx, arguments...).CombinedOutput(); err != nil {
			return fmt.Errorf("kubectl %s: %w: %s", command, err, out)
		}
	}
	return nil
}
