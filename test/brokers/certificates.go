package brokers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// storePassword is the password of the PKCS12 files; they hold test keys that live as long as a test.
const storePassword = "changeit"

// Certificate names one of the server certificates of [Certificates].
type Certificate string

// The server certificates, all signed by the same CA.
const (
	Valid     Certificate = "valid"      // for localhost and 127.0.0.1
	Expired   Certificate = "expired"    // the same, ended yesterday
	WrongHost Certificate = "wrong-host" // for other.example only
)

// Certificates is a certificate authority made for one test, with server certificates that are right and wrong.
type Certificates struct {
	// CAFile is the authority's certificate in PEM.
	CAFile string

	dir   string
	ca    *x509.Certificate
	caKey *ecdsa.PrivateKey
	certs map[Certificate]tls.Certificate
}

// NewCertificates makes an authority and its server certificates, with their files in dir.
func NewCertificates(dir string) (*Certificates, error) {
	c := &Certificates{CAFile: filepath.Join(dir, "ca.pem"), dir: dir, certs: map[Certificate]tls.Certificate{}}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the CA's key: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "jmsbridge test CA"},
		NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(48 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("making the CA: %w", err)
	}
	if c.ca, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("reading the CA back: %w", err)
	}
	c.caKey = key
	if err := os.WriteFile(c.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return nil, fmt.Errorf("writing the CA: %w", err)
	}
	here := x509.Certificate{DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: now.Add(24 * time.Hour)}
	old, other := here, x509.Certificate{DNSNames: []string{"other.example"}, NotAfter: here.NotAfter}
	old.NotAfter = now.Add(-24 * time.Hour)
	for name, t := range map[Certificate]x509.Certificate{Valid: here, Expired: old, WrongHost: other} {
		if err := c.issue(name, t); err != nil {
			return nil, fmt.Errorf("making certificate %q: %w", name, err)
		}
	}
	return c, nil
}

// issue signs a server certificate and writes its key store.
func (c *Certificates) issue(name Certificate, t x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making the key: %w", err)
	}
	t.SerialNumber = big.NewInt(int64(len(c.certs) + 2))
	t.Subject = pkix.Name{CommonName: "broker " + string(name)}
	t.NotBefore = c.ca.NotBefore
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	der, err := x509.CreateCertificate(rand.Reader, &t, c.ca, &key.PublicKey, c.caKey)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("reading back: %w", err)
	}
	c.certs[name] = tls.Certificate{Certificate: [][]byte{der, c.ca.Raw}, PrivateKey: key, Leaf: leaf}
	store, err := pkcs12.Modern.Encode(key, leaf, []*x509.Certificate{c.ca}, storePassword)
	if err != nil {
		return fmt.Errorf("encoding the key store: %w", err)
	}
	if err := os.WriteFile(c.keyStore(name), store, 0o600); err != nil {
		return fmt.Errorf("writing the key store: %w", err)
	}
	return nil
}

// keyStore returns the path of the PKCS12 file of a server certificate.
func (c *Certificates) keyStore(name Certificate) string {
	return filepath.Join(c.dir, string(name)+".p12")
}

// Server returns the TLS settings of a server that shows the named certificate.
func (c *Certificates) Server(name Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c.certs[name]}, MinVersion: tls.VersionTLS12}
}

// Client returns the TLS settings of a client that trusts the authority and connects to localhost or 127.0.0.1.
func (c *Certificates) Client() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(c.ca)
	return &tls.Config{RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
}
