package config

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// validate checks what the whole file has to be, after its structure: required keys, bounds, names, and the rules
// between keys. What follows from a mistake that l has already is not reported again.
func validate(c *Config, l *problemList, refs *references) {
	v := &validator{problemList: l, config: c, refs: refs}
	v.fields(reflect.ValueOf(c).Elem(), "")
	v.brokers()
	v.aws()
	v.admin()
	v.store()
	v.routes()
}

type validator struct {
	*problemList
	config *Config
	refs   *references
}

// fields checks the tags of every struct that is there: required, min and max.
func (v *validator) fields(block reflect.Value, path string) {
	for _, f := range fields(block.Type()) {
		value := block.Field(f.index)
		here := join(path, f.key)
		if f.required && (value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0) {
			if !v.brokenBelow(here) {
				v.add(here, "it is required", f.doc)
			}
			continue
		}
		v.value(value, f, here)
	}
}

func (v *validator) value(value reflect.Value, f field, path string) {
	switch t := value.Type(); {
	case t.Kind() == reflect.Pointer:
		if !value.IsNil() {
			v.value(value.Elem(), f, path)
		}
	case isBlock(t):
		v.fields(value, path)
	case t.Kind() == reflect.Slice:
		for i := range value.Len() {
			v.value(value.Index(i), f, path+"["+strconv.Itoa(i)+"]")
		}
	default:
		v.leaf(value, f, path)
	}
}

func (v *validator) leaf(value reflect.Value, f field, path string) {
	switch value.Type() {
	case templateType:
		v.template(Template(value.String()), path)
	case expressionType:
		v.expression(Expression(value.String()), path)
	case patternType:
		p, _ := value.Interface().(Pattern)
		v.pattern(p, path)
		return
	}
	if f.max == "" {
		return
	}
	if n, low, high := value.Int(), number(f.min, f.typ), number(f.max, f.typ); n < low || n > high {
		v.add(path, fmt.Sprintf("%v is not between %s and %s", printed(value), f.min, f.max), "")
	}
}

// number reads a bound of a tag: bounds are code, so what is not readable there is 0, which a test finds.
func number(s string, t reflect.Type) int64 {
	switch t {
	case durationType:
		d, _ := time.ParseDuration(s)
		return int64(d)
	case sizeType:
		n, _ := ParseSize(s)
		return int64(n)
	default:
		n, _ := strconv.ParseInt(s, 10, 64)
		return n
	}
}

// printed returns a leaf as it is written in the file.
func printed(value reflect.Value) any {
	if value.Type() == durationType {
		return printDuration(time.Duration(value.Int()))
	}
	return value.Interface()
}

// printDuration writes a duration as people do: 25s, 2m, 1h30m.
func printDuration(d time.Duration) string {
	s := d.String()
	if len(s) > 2 && s[len(s)-2:] == "0s" && s[len(s)-3] == 'm' {
		s = s[:len(s)-2]
	}
	if len(s) > 2 && s[len(s)-2:] == "0m" && s[len(s)-3] == 'h' {
		s = s[:len(s)-2]
	}
	return s
}

func (v *validator) brokers() {
	names := map[string]int{}
	for i, b := range v.config.Brokers {
		path := "brokers[" + strconv.Itoa(i) + "]"
		v.name(names, b.Name, i, join(path, "name"), "broker")
		if b.URL != "" {
			v.brokerURL(&b, path)
		}
		if b.Username == "" && b.Password.IsSet() {
			v.add(join(path, "username"), "there is a password without a username", "")
		}
		v.clientName(b.ClientID, join(path, "client_id"))
		v.readable(b.TLS.CAFile, join(path, "tls.ca_file"))
		v.readable(b.TLS.CertFile, join(path, "tls.cert_file"))
		v.readable(b.TLS.KeyFile, join(path, "tls.key_file"))
		if (b.TLS.CertFile == "") != (b.TLS.KeyFile == "") {
			v.add(join(path, "tls"), "cert_file and key_file belong together", "write both or neither")
		}
	}
}

// readable checks that a file that will be read at each connect can be opened now.
func (v *validator) readable(file, path string) {
	if file == "" || !v.refs.openFiles {
		return
	}
	info, err := os.Stat(file)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", file)
	}
	if err == nil {
		var f *os.File
		if f, err = os.Open(file); err == nil {
			_ = f.Close() // nothing was written
		}
	}
	if err != nil {
		v.add(path, err.Error(), "")
	}
}

func (v *validator) brokerURL(b *Broker, path string) {
	endpoints, err := parseBrokerURL(b.URL)
	if err != nil {
		v.add(join(path, "url"), err.Error(), "")
		return
	}
	if v.refs.brokerURL != nil {
		if err := v.refs.brokerURL(b.URL); err != nil {
			v.add(join(path, "url"), err.Error(), "")
			return
		}
	}
	if host := plaintextAbroad(endpoints); host != "" && !b.AllowPlaintext {
		v.add(join(path, "url"), fmt.Sprintf("%s would be reached without TLS, which shows password and messages to the network", host),
			"use stomp+ssl://, or write allow_plaintext: true")
	}
}

// name checks that a name is well-formed and unique among its kind.
func (v *validator) name(seen map[string]int, name string, i int, path, kind string) {
	if name == "" {
		return // reported as required
	}
	if before, twice := seen[name]; twice {
		v.add(path, fmt.Sprintf("a second %s named %q", kind, name), fmt.Sprintf("the first is %ss[%d]", kind, before))
		return
	}
	seen[name] = i
	if !isName(name) {
		v.add(path, fmt.Sprintf("%q is no name", name), "use up to 64 letters, digits, - _ and ., beginning with a letter or digit")
	}
}

// isName tells what names of brokers and routes may be: they go into metrics, logs, client ids and paths.
func isName(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '-' && c != '_' && c != '.') {
			return false
		}
	}
	return true
}

func (v *validator) aws() {
	a := v.config.AWS
	v.readable(a.CABundle, "aws.ca_bundle")
	if a.EndpointURL != "" {
		if strings.Contains(a.EndpointURL, "@") { // not printed: a password may stand there
			v.add("aws.endpoint_url", "it holds a user or password, which AWS does not take", "write http://HOST:PORT; credentials come from the environment, the profile or a role")
		} else if u, err := url.Parse(a.EndpointURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			v.add("aws.endpoint_url", fmt.Sprintf("%q is no http:// or https:// URL", a.EndpointURL), "")
		}
	}
	if a.RoleARN != "" && !isARN(a.RoleARN, "iam") {
		v.add("aws.role_arn", fmt.Sprintf("%q is no ARN of a role", a.RoleARN), "write arn:aws:iam::ACCOUNT:role/NAME")
	}
	if a.ExternalID != "" && a.RoleARN == "" {
		v.add("aws.external_id", "external_id is for role_arn, which is not set", "")
	}
}

func (v *validator) store() {
	if s := v.config.Store; s.Bolt != nil && s.DynamoDB != nil {
		v.add("store", "a store is one of bolt and dynamodb", "bolt for one process, dynamodb for several")
	}
}

func (v *validator) admin() {
	listen := v.config.Admin.Listen
	if listen == "" {
		return
	}
	_, port, err := net.SplitHostPort(listen)
	if n, convErr := strconv.Atoi(port); err != nil || convErr != nil || n < 0 || n > 65535 {
		v.add("admin.listen", fmt.Sprintf("%q is no HOST:PORT", listen), "write 127.0.0.1:9465")
	}
}
