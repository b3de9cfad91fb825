package jms

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Protocol is a wire protocol, chosen by the scheme of a broker's URL.
type Protocol string

// The wire protocols that URLs can name.
const (
	STOMP    Protocol = "STOMP"
	OpenWire Protocol = "OpenWire"
	AMQP     Protocol = "AMQP 1.0"
)

// Endpoint is one address of a broker.
type Endpoint struct {
	// Scheme is as written, lower-case ("stomp+ssl").
	Scheme string
	// Host is a name or an address without brackets; Port is 1 to 65535.
	Host string
	Port int
	// TLS tells that the connection is encrypted.
	TLS bool
}

// Address returns "host:port" as net.Dial takes it.
func (e Endpoint) Address() string { return net.JoinHostPort(e.Host, strconv.Itoa(e.Port)) }

// String returns the endpoint as a URL. It never holds credentials.
func (e Endpoint) String() string { return e.Scheme + "://" + e.Address() }

// URL is a parsed broker URL: one protocol and one or more endpoints.
type URL struct {
	Protocol  Protocol
	Endpoints []Endpoint
	// Random tells that an attempt begins at a random endpoint (the default of failover:), not at the first.
	Random bool
}

// String returns the URL in a form that ParseURL reads. It never holds credentials.
func (u URL) String() string {
	parts := make([]string, len(u.Endpoints))
	for i, e := range u.Endpoints {
		parts[i] = e.String()
	}
	list := strings.Join(parts, ",")
	if u.Random {
		return "failover:(" + list + ")"
	}
	return list
}

// scheme is what a URL scheme means.
type scheme struct {
	protocol Protocol
	tls      bool
	port     int
}

// schemes are the forms that brokers and the Amazon MQ console print; the ports are the ones of ActiveMQ's and Amazon
// MQ's own configuration.
var schemes = map[string]scheme{
	"stomp":     {STOMP, false, 61613},
	"stomp+ssl": {STOMP, true, 61614},
	"tcp":       {OpenWire, false, 61616},
	"ssl":       {OpenWire, true, 61617},
	"amqp":      {AMQP, false, 5672},
	"amqp+ssl":  {AMQP, true, 5671},
}

// aliases are schemes of ActiveMQ's side, or of other clients, with the one that means the same here.
var aliases = map[string]string{
	"stomp+nio": "stomp", "stomp+nio+ssl": "stomp+ssl", "stomps": "stomp+ssl", "stomp+tls": "stomp+ssl", "stomp+tcp": "stomp",
	"stomp+ws": "stomp", "ws+stomp": "stomp", "nio": "tcp", "nio+ssl": "ssl", "auto": "tcp", "auto+ssl": "ssl", "auto+nio": "tcp",
	"auto+nio+ssl": "ssl", "openwire": "tcp", "tls": "ssl", "amqps": "amqp+ssl", "amqp+nio": "amqp", "amqp+nio+ssl": "amqp+ssl",
	"http": "stomp", "https": "stomp+ssl", "ws": "stomp", "wss": "stomp+ssl", "mqtt": "stomp", "mqtt+ssl": "stomp+ssl",
	"vm": "tcp", "core": "tcp",
}

// ParseURL reads a broker's URL: one endpoint, a comma list (tried in that order), or failover:(a,b)?options, whose
// attempts begin at a random endpoint unless randomize=false. User names and passwords in a URL are refused, for they
// end up in logs. The error texts never repeat them.
func ParseURL(raw string) (URL, error) {
	text := strings.TrimSpace(raw)
	if text == "" {
		return URL{}, errors.New("the broker's URL is empty")
	}
	if strings.ContainsRune(text, '@') { // looked for before anything is taken apart: a password may hold a comma
		return URL{}, errors.New("the broker's URL holds a user name or password (an @); write them under username and password instead")
	}
	u := URL{}
	list := text
	if rest, ok := cutPrefixFold(text, "failover:"); ok {
		var options string
		var err error
		if list, options, err = splitFailover(rest); err != nil {
			return URL{}, err
		}
		if u.Random, err = failoverOptions(options); err != nil {
			return URL{}, err
		}
	}
	for _, part := range strings.Split(list, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			return URL{}, errors.New("the broker's URL has an empty entry in its list")
		}
		e, protocol, err := parseEndpoint(part)
		if err != nil {
			return URL{}, err
		}
		if u.Protocol != "" && u.Protocol != protocol {
			return URL{}, fmt.Errorf("the broker's URL mixes %s and %s; all endpoints of a broker speak one protocol", u.Protocol, protocol)
		}
		u.Protocol = protocol
		u.Endpoints = append(u.Endpoints, e)
	}
	return u, nil
}

// Require returns an error unless the URL's protocol is p; it says which scheme to write instead.
func (u URL) Require(p Protocol) error {
	if u.Protocol == p {
		return nil
	}
	plain, secure := schemesOf(p)
	return fmt.Errorf("%s speaks %s, which is not available here; use an endpoint of the broker's %s connector (%s://HOST:%d, or %s://HOST:%d without TLS)",
		u.Endpoints[0].Scheme+"://", u.Protocol, p, secure, schemes[secure].port, plain, schemes[plain].port)
}

func schemesOf(p Protocol) (plain, secure string) {
	for name, s := range schemes {
		if s.protocol == p {
			if s.tls {
				secure = name
			} else {
				plain = name
			}
		}
	}
	return plain, secure
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix) {
		return s[len(prefix):], true
	}
	return s, false
}

// splitFailover takes what follows "failover:" apart: "(a,b)?options", "//(a,b)?options" or "//a,b".
func splitFailover(rest string) (list, options string, err error) {
	rest = strings.TrimPrefix(rest, "//")
	if strings.HasPrefix(rest, "(") {
		end := strings.LastIndexByte(rest, ')')
		if end < 0 {
			return "", "", errors.New("the broker's URL has failover:( without a closing )")
		}
		list, options = rest[1:end], rest[end+1:]
		if options != "" && options[0] != '?' {
			return "", "", errors.New("the broker's URL has something other than ?options after failover:(…)")
		}
		return list, strings.TrimPrefix(options, "?"), nil
	}
	list, options, _ = strings.Cut(rest, "?")
	return list, options, nil
}

func parseEndpoint(text string) (Endpoint, Protocol, error) {
	name, rest, ok := strings.Cut(text, "://")
	if !ok {
		return Endpoint{}, "", fmt.Errorf("the broker's URL has no scheme; write stomp+ssl://HOST:61614 or stomp://HOST:61613 (it reads %q)", text)
	}
	name = strings.ToLower(strings.TrimSpace(name))
	s, ok := schemes[name]
	if !ok {
		if alias, known := aliases[name]; known {
			return Endpoint{}, "", fmt.Errorf("scheme %q is not one of a broker's URL here; the nearest is %s://", name, alias)
		}
		return Endpoint{}, "", fmt.Errorf("scheme %q is not known; the nearest known one is %s://", name, nearest(name, schemeNames()))
	}
	if _, query, found := strings.Cut(rest, "?"); found {
		key, _, _ := strings.Cut(query, "=")
		return Endpoint{}, "", fmt.Errorf("option %q of an endpoint in the broker's URL is not known here; remove it", key)
	}
	v, err := url.Parse("x://" + rest)
	if err != nil {
		return Endpoint{}, "", fmt.Errorf("the broker's URL %s://%s can't be read as scheme://host:port", name, rest)
	}
	if v.Path != "" && v.Path != "/" {
		return Endpoint{}, "", fmt.Errorf("the broker's URL has a path (%s), which an endpoint doesn't have", v.Path)
	}
	e := Endpoint{Scheme: name, Host: v.Hostname(), Port: s.port, TLS: s.tls}
	if e.Host == "" {
		return Endpoint{}, "", fmt.Errorf("the broker's URL %s:// names no host", name)
	}
	if strings.ContainsAny(e.Host, ":%, \t()") {
		if _, err := netip.ParseAddr(e.Host); err != nil {
			return Endpoint{}, "", fmt.Errorf("the broker's URL names a host (%q) that is no name and no address; an IPv6 address needs brackets", e.Host)
		}
	}
	if p := v.Port(); p != "" {
		e.Port, err = strconv.Atoi(p)
		if err != nil || e.Port < 1 || e.Port > 65535 {
			return Endpoint{}, "", fmt.Errorf("port %s in the broker's URL is not between 1 and 65535", p)
		}
	}
	return e, s.protocol, nil
}

func schemeNames() []string {
	names := make([]string, 0, len(schemes))
	for name := range schemes {
		names = append(names, name)
	}
	return names
}
