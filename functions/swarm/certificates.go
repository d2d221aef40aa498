package swarm

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"portolan/shared/fault"
)

const (
	// validFor is how long certificates are good for: nodes are replaced, and the cluster
	// with them, long before.
	validFor = 10 * 365 * 24 * time.Hour

	// skew is how far the clocks of machines may be apart.
	skew = time.Hour
)

// A bundle is what is in a secret, all of it in PEM. The authority's own has its
// certificate in both places.
type bundle struct {
	Authority   string `json:"ca"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

// The three secrets of a cluster: its authority, what the engines show, and what
// Portolan shows.
const (
	ofAuthority = "authority"
	ofEngines   = "engines"
	ofClient    = "client"
)

// secretName is the name of one of them. The operations that call engines may read those
// of clients, and not the others.
func secretName(w *work, of string) string {
	if of == ofClient {
		return "portolan/" + w.cluster.Spec.Team + "/" + w.cluster.Name() + "/swarm-client"
	}
	return "portolan-swarm/" + of + "/" + w.cluster.Name()
}

// makeCertificates makes the cluster's certificate authority and what it signs: one
// certificate that all engines show, and one that Portolan shows. A secret that is there
// already is kept, so a repeat makes nothing again.
func (h *Handler) makeCertificates(ctx context.Context, w *work) (State, error) {
	secrets := h.Secrets(w.operation.ID)
	authority, err := h.authority(ctx, w, secrets)
	if err != nil {
		return State{}, err
	}
	facts := *w.cluster.Facts.Swarm
	engines := x509.Certificate{
		Subject: pkix.Name{CommonName: facts.ServerName}, DNSNames: []string{facts.ServerName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	client := x509.Certificate{
		Subject: pkix.Name{CommonName: "portolan"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if facts.EngineSecret, err = h.signed(ctx, w, secrets, authority, ofEngines, engines); err != nil {
		return State{}, err
	}
	if facts.Credentials, err = h.signed(ctx, w, secrets, authority, ofClient, client); err != nil {
		return State{}, err
	}
	w.cluster.Facts.Swarm = &facts
	return State{Reason: "the cluster has its certificates"}, h.keep(ctx, w)
}

// authority returns the cluster's certificate authority, which it makes if there is none.
func (h *Handler) authority(ctx context.Context, w *work, secrets Secrets) (bundle, error) {
	made, err := h.issue(bundle{}, x509.Certificate{
		Subject: pkix.Name{CommonName: "Portolan cluster " + w.cluster.Name()}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, MaxPathLenZero: true,
	})
	if err != nil {
		return bundle{}, err
	}
	arn, created, err := h.create(ctx, w, secrets, ofAuthority, made)
	if err != nil || created {
		return made, err
	}
	return readBundle(ctx, secrets, arn)
}

// signed keeps a certificate that the authority signs, and returns its secret's ARN.
func (h *Handler) signed(ctx context.Context, w *work, secrets Secrets, authority bundle, of string, template x509.Certificate) (string, error) {
	template.KeyUsage = x509.KeyUsageDigitalSignature
	made, err := h.issue(authority, template)
	if err != nil {
		return "", err
	}
	arn, _, err := h.create(ctx, w, secrets, of, made)
	return arn, err
}

// issue makes a key and its certificate, signed by the authority or by itself.
func (h *Handler) issue(authority bundle, template x509.Certificate) (bundle, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return bundle{}, fmt.Errorf("making a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return bundle{}, fmt.Errorf("choosing a serial number: %w", err)
	}
	template.SerialNumber = serial
	template.NotBefore, template.NotAfter = h.Now().Add(-skew), h.Now().Add(validFor)
	parent, signer := &template, key
	if authority.Key != "" {
		if parent, signer, err = authority.parse(); err != nil {
			return bundle{}, err
		}
	}
	raw, err := x509.CreateCertificate(rand.Reader, &template, parent, &key.PublicKey, signer)
	if err != nil {
		return bundle{}, fmt.Errorf("signing a certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return bundle{}, fmt.Errorf("writing a key: %w", err)
	}
	out := bundle{Authority: authority.Authority, Certificate: encode("CERTIFICATE", raw), Key: encode("PRIVATE KEY", secret)}
	if out.Authority == "" {
		out.Authority = out.Certificate
	}
	return out, nil
}

func encode(kind string, raw []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
}

// parse reads an authority. Its errors tell nothing of what it read.
func (b bundle) parse() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	broken := fault.New(fault.Invalid, "the secret of the cluster's certificate authority holds none")
	certificate, _ := pem.Decode([]byte(b.Certificate))
	secret, _ := pem.Decode([]byte(b.Key))
	if certificate == nil || secret == nil {
		return nil, nil, broken
	}
	parsed, err := x509.ParseCertificate(certificate.Bytes)
	if err != nil {
		return nil, nil, broken
	}
	key, err := x509.ParsePKCS8PrivateKey(secret.Bytes)
	signer, ok := key.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, nil, broken
	}
	return parsed, signer, nil
}

// create keeps a bundle under its name, unless there is one already.
func (h *Handler) create(ctx context.Context, w *work, secrets Secrets, of string, b bundle) (arn string, created bool, err error) {
	name := secretName(w, of)
	text, err := json.Marshal(b)
	if err != nil {
		return "", false, err
	}
	out, err := secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: &name, SecretString: aws.String(string(text)), Description: aws.String("Mutual TLS of cluster " + w.cluster.Name()),
		Tags: []types.Tag{
			{Key: aws.String("portolan:cluster"), Value: aws.String(w.cluster.Name())},
			{Key: aws.String("portolan:team"), Value: aws.String(w.cluster.Spec.Team)},
			{Key: aws.String("portolan:operation"), Value: &w.operation.ID},
		},
	})
	if _, exists := errors.AsType[*types.ResourceExistsException](err); exists {
		found, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &name})
		if err != nil {
			return "", false, fault.FromAWS(err, "reading secret "+name)
		}
		return aws.ToString(found.ARN), false, nil
	}
	if err != nil {
		return "", false, fault.FromAWS(err, "making secret "+name)
	}
	return aws.ToString(out.ARN), true, nil
}

func readBundle(ctx context.Context, secrets Secrets, arn string) (bundle, error) {
	var b bundle
	out, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return b, fault.FromAWS(err, "reading secret "+arn)
	}
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &b) != nil {
		return b, fault.New(fault.Invalid, "secret %s is no JSON", arn)
	}
	return b, nil
}

// deleteCertificates deletes the cluster's secrets at once, so that their names are free.
// Those that are not there are deleted.
func (h *Handler) deleteCertificates(ctx context.Context, w *work) (State, error) {
	secrets := h.Secrets(w.operation.ID)
	for _, of := range []string{ofClient, ofEngines, ofAuthority} {
		name := secretName(w, of)
		_, err := secrets.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{
			SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true),
		})
		if _, missing := errors.AsType[*types.ResourceNotFoundException](err); missing {
			continue
		}
		if err != nil {
			return State{}, fault.FromAWS(err, "deleting secret "+name)
		}
	}
	return State{Reason: w.State.Reason}, nil
}
