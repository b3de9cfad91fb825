package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// endpoint is one address of a broker's URL, as far as the configuration judges it.
type endpoint struct{ scheme, host string }

// The schemes of broker URLs: which can be used, and which are known and can't yet.
var (
	offeredSchemes = []string{"stomp", "stomp+ssl"}
	laterSchemes   = []string{"tcp", "ssl", "amqp", "amqp+ssl"}
)

// parseBrokerURL takes a broker's URL apart as far as it can be judged without dialling. The connector reads it again
// and decides about ports and options.
func parseBrokerURL(raw string) ([]endpoint, error) {
	if strings.Contains(raw, "@") { // looked for before anything is taken apart: a password may hold a comma
		return nil, errors.New("an address holds a user or password: write them as username and password of the broker")
	}
	list := raw
	if rest, ok := strings.CutPrefix(raw, "failover:"); ok {
		rest = strings.TrimPrefix(rest, "//")
		if inner, found := strings.CutPrefix(rest, "("); found {
			end := strings.LastIndexByte(inner, ')')
			if end < 0 {
				return nil, errors.New("failover:( has no closing )")
			}
			rest = inner[:end]
		} else {
			rest, _, _ = strings.Cut(rest, "?")
		}
		list = rest
	}
	var out []endpoint
	for entry := range strings.SplitSeq(list, ",") {
		e, err := parseEndpoint(strings.TrimSpace(entry))
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// parseEndpoint never repeats what it was given beyond the scheme: a password may stand there.
func parseEndpoint(entry string) (endpoint, error) {
	scheme, rest, ok := strings.Cut(entry, "://")
	if !ok {
		return endpoint{}, errors.New("an address has no scheme: write stomp+ssl://HOST:61614 or stomp://HOST:61613")
	}
	scheme = strings.ToLower(scheme)
	switch {
	case slices.Contains(laterSchemes, scheme):
		return endpoint{}, fmt.Errorf("%s:// is not supported yet; supported now: the broker's STOMP connector, stomp+ssl:// or stomp://", scheme)
	case !slices.Contains(offeredSchemes, scheme):
		return endpoint{}, fmt.Errorf("the scheme %q is not known; supported now: stomp+ssl:// and stomp://", scheme)
	}
	u, err := url.Parse("x://" + rest)
	if err != nil || u.Hostname() == "" {
		return endpoint{}, fmt.Errorf("an address has no host: write %s://HOST:PORT", scheme)
	}
	return endpoint{scheme: scheme, host: u.Hostname()}, nil
}

// plaintextAbroad returns the first host that is reached without TLS and is not loopback; "" when there is none.
func plaintextAbroad(endpoints []endpoint) string {
	for _, e := range endpoints {
		if !strings.HasSuffix(e.scheme, "ssl") && !isLoopback(e.host) {
			return e.host
		}
	}
	return ""
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
