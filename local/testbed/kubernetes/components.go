package kubernetes

import (
	"os"
)

// runComponent starts a component; they are stopped in the opposite order.
func (c *Cluster) runComponent(name string, arguments ...string) error {
	p, err := startProcess(c.program, c.directory, name, arguments...)
	if err != nil {
		return err
	}
	c.processes = append(c.processes, p)
	return nil
}

// runStore starts etcd. That it does not wait for the disk is right for what is thrown
// away.
func (c *Cluster) runStore(peers string) error {
	return c.runComponent("etcd",
		"--name=testbed",
		"--data-dir="+c.file("etcd"),
		"--unsafe-no-fsync",
		"--log-level=warn",
		"--listen-client-urls="+c.etcd,
		"--advertise-client-urls="+c.etcd,
		"--listen-peer-urls="+peers,
		"--initial-advertise-peer-urls="+peers,
		"--initial-cluster=testbed="+peers,
	)
}

func (c *Cluster) runServer(port string) error {
	return c.runComponent("kube-apiserver",
		"--etcd-servers="+c.etcd,
		"--bind-address=127.0.0.1",
		"--advertise-address=127.0.0.1",
		"--secure-port="+port,
		// Any other one refuses to announce a loopback address.
		"--endpoint-reconciler-type=none",
		"--tls-cert-file="+c.file(serverCertificate),
		"--tls-private-key-file="+c.file(serverKey),
		"--client-ca-file="+c.file(authorityCertificate),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+c.file(accountKey),
		"--service-account-signing-key-file="+c.file(accountKey),
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate="+c.file(adminCertificate),
		"--kubelet-client-key="+c.file(adminKey),
		"--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--allow-privileged=true",
		"--profiling=false",
	)
}

// runControllers starts kube-controller-manager. Each controller has a service account,
// because the manager's own rights do not suffice for them, and asks more often than by
// default, with which a hundred pods take nine seconds.
func (c *Cluster) runControllers() error {
	return c.runComponent("kube-controller-manager",
		"--kubeconfig="+c.file(controllersConfig),
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+c.file(accountKey),
		"--root-ca-file="+c.file(authorityCertificate),
		"--cluster-signing-cert-file="+c.file(authorityCertificate),
		"--cluster-signing-key-file="+c.file(authorityKey),
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
	)
}

func (c *Cluster) runScheduler() error {
	return c.runComponent("kube-scheduler",
		"--kubeconfig="+c.file(schedulerConfig),
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--leader-elect=false",
		"--secure-port=0",
		"--profiling=false",
	)
}

// podLog is what each pod has logged, in the format of a container runtime.
const podLog = `2026-01-01T00:00:01.000000000Z stdout F the first line of a pod that is played
2026-01-01T00:00:02.000000000Z stdout F the second line of a pod that is played
`

// runNodes starts kwok, which plays all nodes.
func (c *Cluster) runNodes() error {
	configuration, err := stagesFile(c.file("pod.log"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.file("kwok.yaml"), configuration, 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(c.file("pod.log"), []byte(podLog), 0o600); err != nil {
		return err
	}
	return c.runComponent("kwok",
		"--config="+c.file("kwok.yaml"),
		"--kubeconfig="+c.file(adminConfig),
		"--manage-all-nodes=true",
		"--node-lease-duration-seconds=40",
		"--cidr=10.244.0.0/16",
		"--node-ip=127.0.0.1",
		"--node-port="+c.kubelet,
		"--server-address=127.0.0.1:"+c.kubelet,
		"--tls-cert-file="+c.file(serverCertificate),
		"--tls-private-key-file="+c.file(serverKey),
	)
}
